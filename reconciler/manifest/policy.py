"""The policy of a repository: a JSON Schema that every task must satisfy, with its own messages.

It is evaluated for each task with its defaults (`shape`); violations are located in the manifest.
The keyword `errorMessage`, which editors support too, is the message of a schema.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path as File
from typing import Any, TypeVar

from reconciler.manifest.finding import Finding, too_many_errors
from reconciler.manifest.keywords import NAMED_SCHEMAS, ignored_keywords
from reconciler.manifest.parse.source import read_json_source, read_source
from reconciler.manifest.repository import repository_root, resolved
from reconciler.manifest.schema import (
    Steps,
    Violations,
    count_values,
    draft_keywords,
    validator_of,
)
from reconciler.manifest.tracked_files import TrackedFiles
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import (
    Diagnostic,
    ManifestError,
    Path,
    Place,
    Severity,
    Violation,
    error,
)
from reconciler.model.paths import shown
from reconciler.model.remarks import Arg, RemarkError
from reconciler.model.task import DesiredTask
from reconciler.model.value import Value, replace
from reconciler.system import disk

MESSAGE, SEVERITY = "errorMessage", "severity"
SEVERITIES = (Severity.ERROR, Severity.WARNING)
_NO_SCHEMAS = {"const", "enum", "default", "examples", "required", "type"}
_REFERENCES = (("$ref",), ("$dynamicRef",), ("$recursiveRef",))
_MAX_VALUE = 200
_AGAIN = 0.1  # seconds of CPU time
_T = TypeVar("_T")


class Timer:
    """Limits CPU time: a regular expression can backtrack forever, and its steps are not counted.
    Has no effect if the system or the thread has no timer."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    def run(self, work: Callable[[], _T]) -> _T:
        """Runs `work` and returns its result. Raises RemarkError when no time is left."""
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or not hasattr(signal, "ITIMER_VIRTUAL"):
            return work()
        if self._left <= 0:
            raise RemarkError(Code.INVALID_POLICY, "time")
        has_returned = False

        def over(*_: object) -> None:
            self._left = 0.0
            if not has_returned:
                raise RemarkError(Code.INVALID_POLICY, "time")

        outer = signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        handler = signal.getsignal(signal.SIGVTALRM)
        try:
            signal.signal(signal.SIGVTALRM, over)
            # Repeatedly, in case an error is lost: Python ignores errors in finalizers.
            signal.setitimer(signal.ITIMER_VIRTUAL, self._left, _AGAIN)
            try:
                return work()
            finally:
                has_returned = True
        finally:  # even if the error is raised in the inner `finally`
            left, _ = signal.setitimer(signal.ITIMER_VIRTUAL, *outer)
            self._left = min(self._left, left)
            signal.signal(signal.SIGVTALRM, handler)


class Policy(Value, frozen=True):
    """`file` is the path of the policy as configured in the file `config`. `steps` limit the work
    of all evaluations, and `timer` limits the CPU time of checking the policy, its evaluations and
    the schemas of `expect`."""

    file: str
    config: str
    violations: Violations
    steps: Steps
    timer: Timer

    def findings(self, tasks: Sequence[DesiredTask], data: object, size: int) -> list[Finding]:
        """The violations by the tasks of a manifest, whose content is `data`, of `size` bytes. Once
        there are too many warnings, only errors are added.

        Raises ManifestError if the policy cannot be evaluated."""
        found: dict[Finding, None] = {}
        counts = dict.fromkeys(SEVERITIES, 0)

        def check() -> None:
            for task in tasks:
                for violation in self.violations(shape(task)):
                    severity = _severity(violation)
                    if counts[severity] <= limits.FILE_ERRORS:
                        before = len(found)
                        found.update(dict.fromkeys(_findings(violation, severity, task.key, data)))
                        counts[severity] += len(found) - before
                    elif severity is Severity.ERROR:
                        return

        generated = sum(task.origin is not None for task in tasks)
        self.steps.left += size + generated * limits.POLICY_STEPS_PER_TASK
        try:
            self.timer.run(check)
        except RemarkError as fault:
            raise _unusable(fault, self.file, self.config) from fault
        if counts[Severity.ERROR] > limits.FILE_ERRORS:
            found[too_many_errors()] = None
        elif counts[Severity.WARNING] > limits.FILE_ERRORS:
            found[replace(too_many_errors(), case="warnings", severity=Severity.WARNING)] = None
        return list(found)


def _severity(violation: Violation) -> Severity:
    given = (schema.get(SEVERITY) for schema in violation.around)
    return Severity(next((word for word in given if word in SEVERITIES), Severity.ERROR))


def _findings(
    violation: Violation, severity: Severity, key: str, data: object
) -> Iterator[Finding]:
    messages = [schema.get(MESSAGE) for schema in violation.around]
    message = next((text for text in messages if isinstance(text, str)), "").strip()
    missing: list[str] = []
    if violation.rule == "required" and isinstance(violation.expected, list):
        missing = [name for name in violation.expected if name not in violation.value]
    case, facts = _default_case(violation)
    if message:
        summary, _, detail = message.partition("\n")
        case, facts = "own", {"message": summary, "detail": detail.strip()}
    for below in [(*violation.path, name) for name in missing] or [violation.path]:
        path = _path_in_manifest(below[:-1] if missing else below, key, data)
        yield Finding(
            Code.POLICY_VIOLATION,
            path,
            case,
            facts,
            severity=severity,
            on_key=bool(missing) or path == ("tasks", key),
            shown=("tasks", key, *below),
        )


def shape(task: DesiredTask) -> dict[str, object]:
    """The value that the policy validates: a task with defaults and without nulls, its message
    always an object, and with `orgName` if the manifest sets it."""
    expect = task.expect and {
        "pullRequests": task.expect.pull_requests,
        "merged": task.expect.merged,
        "data": task.expect.data,
    }
    known = {
        "orgName": task.org_name,
        "taskID": task.task_id,
        "movedFrom": task.moved_from,
        "expect": expect and {name: value for name, value in expect.items() if value},
        "after": list(task.after) or None,
    }
    own = {name: value for name, value in known.items() if value is not None}
    return {"key": task.key, **own, **task.inputs}


def read_policy(path: File, name: str, config: str, tracked: TrackedFiles) -> Policy:
    """Reads a policy from JSON or YAML (`*.yaml`, `*.yml`). `name` is the file, and `config` the
    configuration file, both as shown in messages. Raises ManifestError."""
    real = resolved(path)
    top = repository_root(real.parent)
    try:
        refused = top and tracked.refusal(top, real, name)
        if not refused:
            content = disk.read_resolved(real, limits.MANIFEST_BYTES)
            refused = top and tracked.refusal(top, real, name, content)
    except OSError as problem:
        at, reason = Place(name), problem.strerror
        unreadable = error(Code.UNREADABLE_FILE, "policy", at=at, reason=reason)
        raise ManifestError([unreadable]) from problem
    if refused:
        raise ManifestError([refused.in_file(name, 1, 1)])
    source = (read_source if path.suffix in (".yaml", ".yml") else read_json_source)(content)
    if source.findings:
        raise ManifestError(source.diagnostics(source.findings, name))
    schema = source.data
    try:
        if not isinstance(schema, dict):
            raise RemarkError(Code.INVALID_POLICY, "type")
        count_values(schema, limits.SCHEMA_VALUES)
        ignored = ignored_keywords(schema, draft_keywords(schema))
        if findings := [_ignored(*keyword) for keyword in ignored]:
            raise ManifestError(source.diagnostics(findings, name))
        check_references(schema, ())
        steps, timer = Steps(limits.POLICY_STEPS), Timer(limits.CHECK_SECONDS)
        violations = timer.run(lambda: validator_of(schema, steps))
        return Policy(name, config, violations, steps, timer)
    except RecursionError as fault:
        raise _unusable(RemarkError(Code.INVALID_POLICY, "depth"), name, config) from fault
    except RemarkError as fault:
        raise _unusable(fault, name, config) from fault


def _ignored(path: Path, near: str) -> Finding:
    case, facts = ("keyword", {"near": near}) if near else ("draft", {"name": str(path[-1])})
    return Finding(Code.INVALID_POLICY, path, case, facts, on_key=True)


def check_references(value: object, path: Path, *, is_schema: bool = True) -> None:
    """Raises RemarkError for a valid schema that is not a valid policy. No value may contain a
    reference out of the policy, even if it is not a schema: another reference may use it as a
    schema."""
    if isinstance(value, str) and path[-1:] in _REFERENCES and not value.startswith("#"):
        raise RemarkError(Code.POLICY_REFERENCE, where=shown(path), target=value)
    if isinstance(value, list):
        for index, part in enumerate(value):
            check_references(part, (*path, index), is_schema=is_schema)
    if not isinstance(value, Mapping):
        return
    if is_schema and not isinstance(value.get(MESSAGE, ""), str):
        raise RemarkError(Code.INVALID_POLICY, "message", where=shown((*path, MESSAGE)))
    if is_schema and value.get(SEVERITY, "error") not in SEVERITIES:
        raise RemarkError(Code.INVALID_POLICY, "severity", where=shown((*path, SEVERITY)))
    for name, part in value.items():
        below = (*path, name)
        if is_schema and name in NAMED_SCHEMAS and isinstance(part, Mapping):
            for inner, schema in part.items():
                check_references(schema, (*below, inner))
        else:
            check_references(part, below, is_schema=is_schema and name not in _NO_SCHEMAS)


def _path_in_manifest(below: Path, key: str, data: Any) -> Path:
    """The path where the manifest sets a value of a task: in the task, in `defaults`, or at the
    top."""
    own = data["tasks"].get(key)
    if not below or (isinstance(own, Mapping) and below[0] in own):
        return ("tasks", key, *below)
    defaults = data.get("defaults")
    if isinstance(defaults, Mapping) and below[0] in defaults:
        return ("defaults", *below)
    return ("orgName",) if below[0] == "orgName" and "orgName" in data else ("tasks", key)


def _default_case(violation: Violation) -> tuple[str, dict[str, Arg]]:
    """The message for a schema without `errorMessage`: its case and facts. It never contains the
    value, which may be part of a prompt."""
    if violation.rule == "required":
        return "required", {}
    if violation.rule is None or (violation.rule, violation.expected) == ("not", {}):
        return "forbidden", {}
    expected = json.dumps(violation.expected, ensure_ascii=False, default=str)
    if len(expected) > _MAX_VALUE:
        expected = expected[: _MAX_VALUE - 1] + "…"
    if violation.rule in ("const", "enum"):
        return violation.rule, {"wants": expected}
    return "", {"rule": violation.rule, "wants": expected}


def _unusable(fault: RemarkError, name: str, config: str) -> ManifestError:
    facts = {**fault.facts, "config": config}
    return ManifestError([Diagnostic(fault.code, Severity.ERROR, fault.case, facts, Place(name))])
