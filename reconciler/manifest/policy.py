"""The policy of a repository: a JSON Schema that every task must satisfy, with its own messages.

What it looks at is one task with its defaults (`shape`); where it speaks is the manifest. The
keyword `errorMessage`, which editors know too, gives the words for what its schema finds.
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

from reconciler.manifest.parse.source import MAX_BYTES, read_source
from reconciler.manifest.problem import Problem, placed
from reconciler.manifest.schema import BadSchemaError, Found, judge_of
from reconciler.model.diagnostics import POLICY, Path, Severity, error
from reconciler.model.errors import ManifestError
from reconciler.model.paths import quoted, shown
from reconciler.model.task import DesiredTask

MESSAGE, SEVERITY = "errorMessage", "severity"
SEVERITIES = (Severity.ERROR, Severity.WARNING)
_NAMED_SCHEMAS = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
_NO_SCHEMAS = {"const", "enum", "default", "examples", "required", "type"}
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_LONGEST_WORDS = 200
LONGEST_LOOK = 30.0


@dataclass(frozen=True, slots=True)
class Policy:
    """`file` is its file as it was configured, `place` says so in words."""

    file: str
    place: str
    schema: Mapping[str, Any]
    judge: Callable[[Any], list[Found]]

    def problems(self, tasks: Iterable[DesiredTask], data: Any) -> list[Problem]:
        """What the tasks of one file break. `data` is the file's, to tell what a default set."""
        found: dict[Problem, None] = {}
        for task in tasks:
            try:
                with _at_most(LONGEST_LOOK):
                    errors = self.judge(shape(task))
            except BadSchemaError as fault:
                raise _unusable(str(fault), self.file, self.place) from fault
            for problem in errors:
                found.update(dict.fromkeys(self._worded(problem, task.key, data)))
        return list(found)

    def _worded(self, found: Found, key: str, data: Any) -> Iterator[Problem]:
        words, severity = self._own_words(found)
        missing: list[str] = []
        if found.rule == "required" and isinstance(found.wants, list):
            missing = [name for name in found.wants if name not in found.value]
        what, _, detail = (words.strip() or _usual_words(found)).partition("\n")
        for below in [(*found.path, name) for name in missing] or [found.path]:
            place = _place(below[:-1] if missing else below, key, data)
            yield Problem(
                place,
                POLICY + what,
                detail.strip(),
                severity,
                on_key=bool(missing) or place == ("tasks", key),
                shown_path=("tasks", key, *below),
            )

    def _own_words(self, found: Found) -> tuple[str, Severity]:
        """Of the nearest schema around what was found that has them."""
        words, severity = "", Severity.ERROR
        for schema in [*self._around(found.steps[:-1]), found.schema]:
            if isinstance(schema, Mapping):
                own = schema.get(MESSAGE)
                words = own if isinstance(own, str) else words
                if schema.get(SEVERITY) in SEVERITIES:
                    severity = Severity(schema[SEVERITY])
        return words, severity

    def _around(self, steps: Iterable[str | int]) -> Iterator[Any]:
        """The schemas on the way down; the steps do not name the references that were followed."""
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
    """BadSchemaError once it takes longer: an expression can go back without end, and no step of it
    is counted. Where the system has no timer, or not for this thread, it takes what it takes."""

    def over(*_: object) -> None:
        raise BadSchemaError(f"it takes more than {seconds:g} seconds for one task")

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
    """A task as the policy sees it: its settings with defaults, nulls left out, the message always
    as an object. `orgName` is there where the manifest names one."""
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
    one that names it, both as a user would write them. ManifestError."""
    place = f"set in {config}, as policy"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise _unusable(f"cannot be read: {problem.strerror}", name, place) from problem
    read = _yaml if path.suffix in (".yaml", ".yml") else _json
    schema = read(content, name, place)
    if not isinstance(schema, dict):
        raise _unusable("it is no JSON Schema: that is an object", name, place)
    try:
        _check(schema, ())
        return Policy(name, place, schema, judge_of(schema))
    except (BadSchemaError, RecursionError) as fault:
        what = str(fault) if isinstance(fault, BadSchemaError) else "it is nested too deeply"
        raise _unusable(what, name, place) from fault


def _json(content: bytes, name: str, place: str) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise _unusable("it is not UTF-8", name, place) from problem
    except RecursionError as problem:
        raise _unusable("it is nested too deeply", name, place) from problem
    except json.JSONDecodeError as problem:
        what = f"it is no JSON: {problem.msg[:1].lower()}{problem.msg[1:]}"
        raise _unusable(what, name, place, (problem.lineno, problem.colno)) from problem
    except ValueError as problem:
        raise _unusable("it holds a number with too many digits", name, place) from problem


def _yaml(content: bytes, name: str, place: str) -> Any:
    source = read_source(content)
    if source.problems:
        problems = placed(source.problems, file=name, text=source.text, events=source.events)
        first = problems[0]
        what = first.summary.removeprefix("manifest: ").partition(";")[0]
        what = what.replace("manifest", "policy")
        raise _unusable(what, name, place, (first.line, first.column))
    return source.data


def _check(schema: Any, path: Path) -> None:
    """BadSchemaError for what is a schema in form and still not to be used."""
    if isinstance(schema, list):
        for index, part in enumerate(schema):
            _check(part, (*path, index))
    if not isinstance(schema, Mapping):
        return
    for name in _REFERENCES:
        target = schema.get(name)
        if isinstance(target, str) and not target.startswith("#"):
            raise BadSchemaError(
                f"{shown((*path, name))} leads out of it, to {quoted(target)}; nothing is fetched: "
                "put it under $defs"
            )
    if not isinstance(schema.get(MESSAGE, ""), str):
        raise BadSchemaError(f"{shown((*path, MESSAGE))} must be text")
    if schema.get(SEVERITY, "error") not in SEVERITIES:
        raise BadSchemaError(f"{shown((*path, SEVERITY))} must be error or warning")
    for name, part in schema.items():
        if name in _NAMED_SCHEMAS and isinstance(part, Mapping):
            for inner, below in part.items():
                _check(below, (*path, name, inner))
        elif name not in _NO_SCHEMAS:
            _check(part, (*path, name))


def _place(below: Path, key: str, data: Any) -> Path:
    """Where a manifest sets what a task has there: in the task, among the defaults, at the top."""
    own = data["tasks"].get(key)
    if not below or (isinstance(own, Mapping) and below[0] in own):
        return ("tasks", key, *below)
    defaults = data.get("defaults")
    if isinstance(defaults, Mapping) and below[0] in defaults:
        return ("defaults", *below)
    return ("orgName",) if below[0] == "orgName" and "orgName" in data else ("tasks", key)


def _pointed_at(schema: Any, reference: Any) -> Any:
    """What a reference within a schema means, where it is a pointer."""
    node = schema
    for part in str(reference).removeprefix("#").split("/")[1:]:
        step = part.replace("~1", "/").replace("~0", "~")
        try:
            node = node[int(step)] if isinstance(node, list) else node[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return node


def _usual_words(found: Found) -> str:
    """Where the policy has none: by the rule, never by the value, which may be part of a prompt."""
    match found.rule:
        case "required":
            return "is missing"
        case None:
            return "is not allowed"
        case "const":
            return f"must be {_short(found.wants)}"
        case "enum":
            return f"must be one of {_short(found.wants)}"
    return f"does not satisfy {found.rule}: {_short(found.wants)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_WORDS else text[: _LONGEST_WORDS - 1] + "…"


def _unusable(
    what: str, name: str, place: str, at: tuple[int | None, int | None] = (None, None)
) -> ManifestError:
    line, column = at
    return ManifestError([error(f"{POLICY}{what} ({place})", file=name, line=line, column=column)])
