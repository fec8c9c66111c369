"""The policy of a repository: a JSON Schema that every task must satisfy, with its own messages.

It is evaluated for one task with its defaults (`shape`); violations are located in the manifest.
The keyword `errorMessage`, which editors know too, has the message of a schema.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from reconciler.manifest.finding import Finding, finding, located
from reconciler.manifest.parse.source import MAX_BYTES, read_source
from reconciler.manifest.repository import read_regular
from reconciler.manifest.schema import BadSchemaError, Violation, validator_of
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Arg, Diagnostic, Path, Place, Severity, error
from reconciler.model.errors import ManifestError
from reconciler.model.paths import shown
from reconciler.model.task import DesiredTask

MESSAGE, SEVERITY = "errorMessage", "severity"
SEVERITIES = (Severity.ERROR, Severity.WARNING)
_NAMED_SCHEMAS = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
_NO_SCHEMAS = {"const", "enum", "default", "examples", "required", "type"}
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_LONGEST_VALUE = 200
MAX_SECONDS = 30.0
"""For one task."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`file` is its file as configured in `config`."""

    file: str
    config: str
    schema: Mapping[str, object]
    violations: Callable[[object], list[Violation]]

    def findings(self, tasks: Iterable[DesiredTask], data: object) -> list[Finding]:
        """The violations of one file's tasks. `data` is the file's, to tell what a default set.

        Raises ManifestError if the policy cannot be evaluated."""
        found: dict[Finding, None] = {}
        for task in tasks:
            try:
                with _at_most(MAX_SECONDS):
                    violations = self.violations(shape(task))
            except BadSchemaError as fault:
                raise _unusable(fault, self.file, self.config) from fault
            for violation in violations:
                found.update(dict.fromkeys(self._findings(violation, task.key, data)))
        return list(found)

    def _findings(self, violation: Violation, key: str, data: object) -> Iterator[Finding]:
        message, severity = self._own_message(violation)
        missing: list[str] = []
        if violation.rule == "required" and isinstance(violation.wants, list):
            missing = [name for name in violation.wants if name not in violation.value]
        case, facts = _own_case(message) if message.strip() else _default_case(violation)
        for below in [(*violation.path, name) for name in missing] or [violation.path]:
            path = _path_in_manifest(below[:-1] if missing else below, key, data)
            yield finding(
                Code.POLICY_VIOLATION,
                path,
                case,
                facts,
                severity=severity,
                on_key=bool(missing) or path == ("tasks", key),
                shown=("tasks", key, *below),
            )

    def _own_message(self, violation: Violation) -> tuple[str, Severity]:
        """The message and severity of the nearest schema around a violation that has them."""
        message, severity = "", Severity.ERROR
        for schema in [*self._around(violation.steps[:-1]), violation.schema]:
            if isinstance(schema, Mapping):
                own = schema.get(MESSAGE)
                message = own if isinstance(own, str) else message
                if schema.get(SEVERITY) in SEVERITIES:
                    severity = Severity(schema[SEVERITY])
        return message, severity

    def _around(self, steps: Iterable[str | int]) -> Iterator[object]:
        """The schemas on the way down; steps do not contain the references that were followed."""
        node: Any = self.schema
        yield node
        for step in steps:
            seen = 0
            while isinstance(node, Mapping) and step not in node and "$ref" in node and seen < 100:
                node, seen = _pointed_at(self.schema, node["$ref"]), seen + 1
                yield node
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                return
            yield node


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raises BadSchemaError after that time: a regular expression can backtrack without end, and
    its steps are not counted. There is no limit where the system or the thread has no timer."""

    def over(*_: object) -> None:
        raise BadSchemaError(Code.INVALID_POLICY, "time", limit=f"{seconds:g}")

    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, over)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def shape(task: DesiredTask) -> dict[str, Any]:
    """A task as the policy sees it: its settings with defaults, without nulls, the message always
    as an object. `orgName` is there if the manifest names one."""
    known = {"orgName": task.org_name, "taskID": task.task_id, "movedFrom": task.moved_from}
    own = {name: value for name, value in known.items() if value is not None}
    return {
        "key": task.key,
        **own,
        "adopt": task.adopt,
        "sensitive": task.sensitive,
        **task.inputs,
    }


def read_policy(path: File, name: str, config: str) -> Policy:
    """The policy in a file, JSON or (`*.yaml`, `*.yml`) YAML; `name` is the file and `config` the
    one that names it, both as a user would write them. Raises ManifestError."""
    try:
        content = read_regular(path, MAX_BYTES)
    except OSError as problem:
        unreadable = error(
            Code.UNREADABLE_FILE, "policy", at=Place(name), reason=problem.strerror, config=config
        )
        raise ManifestError([unreadable]) from problem
    try:
        schema = _yaml(content, name) if path.suffix in (".yaml", ".yml") else _json(content, name)
        if not isinstance(schema, dict):
            raise BadSchemaError(Code.INVALID_POLICY, "type")
        _check_references(schema, ())
        _check(schema, ())
        return Policy(name, config, schema, validator_of(schema))
    except RecursionError as fault:
        raise _unusable(BadSchemaError(Code.INVALID_POLICY, "depth"), name, config) from fault
    except BadSchemaError as fault:
        raise _unusable(fault, name, config) from fault


def _json(content: bytes, name: str) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise BadSchemaError(Code.INVALID_POLICY, "encoding") from problem
    except json.JSONDecodeError as problem:
        at = Place(name, problem.lineno, problem.colno)
        invalid = error(Code.INVALID_POLICY, "json", at=at, reason=_lower_first(problem.msg))
        raise ManifestError([invalid]) from problem
    except RecursionError:
        raise
    except ValueError as problem:
        raise BadSchemaError(Code.INVALID_POLICY, "number") from problem


def _yaml(content: bytes, name: str) -> Any:
    source = read_source(content)
    if source.findings:
        found = located(source.findings, file=name, text=source.text, events=source.events)
        raise ManifestError(found)
    return source.data


def _check(schema: Any, path: Path) -> None:
    """Raises BadSchemaError for a valid schema that is not a valid policy."""
    if isinstance(schema, list):
        for index, part in enumerate(schema):
            _check(part, (*path, index))
    if not isinstance(schema, Mapping):
        return
    if not isinstance(schema.get(MESSAGE, ""), str):
        raise BadSchemaError(Code.INVALID_POLICY, "message", where=shown((*path, MESSAGE)))
    if schema.get(SEVERITY, "error") not in SEVERITIES:
        raise BadSchemaError(Code.INVALID_POLICY, "severity", where=shown((*path, SEVERITY)))
    for name, part in schema.items():
        if name in _NAMED_SCHEMAS and isinstance(part, Mapping):
            for inner, below in part.items():
                _check(below, (*path, name, inner))
        elif name not in _NO_SCHEMAS:
            _check(part, (*path, name))


def _check_references(value: object, path: Path) -> None:
    """Raises BadSchemaError for a reference that leads out of the policy, wherever it is: a
    reference can point into any value, such as a `default`, and make a schema of it."""
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping | list):
        parts = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, part in parts:
        if name in _REFERENCES and isinstance(part, str) and not part.startswith("#"):
            raise BadSchemaError(Code.POLICY_REFERENCE, where=shown((*path, name)), target=part)
        _check_references(part, (*path, name))


def _path_in_manifest(below: Path, key: str, data: Any) -> Path:
    """Where a manifest sets what a task has there: in the task, the defaults, or at the top."""
    own = data["tasks"].get(key)
    if not below or (isinstance(own, Mapping) and below[0] in own):
        return ("tasks", key, *below)
    defaults = data.get("defaults")
    if isinstance(defaults, Mapping) and below[0] in defaults:
        return ("defaults", *below)
    return ("orgName",) if below[0] == "orgName" and "orgName" in data else ("tasks", key)


def _pointed_at(schema: Any, reference: Any) -> Any:
    """The target of a reference within a schema, if it is a pointer."""
    node = schema
    for part in str(reference).removeprefix("#").split("/")[1:]:
        step = part.replace("~1", "/").replace("~0", "~")
        try:
            node = node[int(step)] if isinstance(node, list) else node[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return node


def _own_case(message: str) -> tuple[str, dict[str, Arg]]:
    """The first line of the policy's message is the summary, the rest the detail."""
    words, _, detail = message.strip().partition("\n")
    return "own", {"message": words, "detail": detail.strip()}


def _default_case(violation: Violation) -> tuple[str, dict[str, Arg]]:
    """Without a message: by the rule, never by the value, which may be part of a prompt."""
    wants = _short(violation.wants)
    match violation.rule:
        case "required":
            return "required", {}
        case None:
            return "forbidden", {}
        case "const" | "enum" as rule:
            return rule, {"wants": wants}
    return "", {"rule": violation.rule, "wants": wants}


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _unusable(fault: BadSchemaError, name: str, config: str) -> ManifestError:
    facts = {**fault.facts, "config": config}
    return ManifestError([Diagnostic(fault.code, Severity.ERROR, fault.case, facts, Place(name))])
