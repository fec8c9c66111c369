"""The saved plan: the content that reports show, in every format. Apply compares all of it with its
own plan (`plan/digest.py`), so it contains only data that does not change by itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from reconciler import __version__
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, Severity, TaskctlError
from reconciler.model.remarks import Arg
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.typed_json import (
    Raw,
    ShapeError,
    decode_as,
    encode_json,
    is_intact,
    items,
    members,
    with_checksum,
)
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record

T = TypeVar("T", DesiredTask, Record, Attempt)
FORMAT_VERSION = 2
SAVED_KIND = "taskctl-saved-plan"

_SHOWN = ("approvalMode", "createdAt", "createdBy", "permissionMode")
"""The settings and outputs of existing tasks that reports read."""

_PASSING = {
    Code.BUDGET_EXHAUSTED,
    Code.CLOCK_SKEW,
    Code.IMPLAUSIBLE_DATE,
    Code.LESS_CAREFUL,
    Code.OTHER_STATES,
}
"""Problems that, like notes, depend on the time, or on tasks that apply does not change."""

_ABOUT_OTHERS = {Action.HELD, Action.UNRESOLVED, Action.UNCHANGED, Action.FORGET}
"""The actions whose remarks are about the service, other tasks, or tasks that apply does not
change."""

_FIRST_KEY = re.compile(rb"\s*+\{?\s*+([\"']?)(checksum|formatVersion)\1\s*:")


def encode_saved_plan(plan: Plan) -> bytes:
    """The file of a saved plan. Its first key distinguishes it from a manifest."""
    known = (encode_json(value) for value in (FORMAT_VERSION, SAVED_KIND, __version__))
    text = b'{\n "formatVersion": %b,\n "kind": %b,\n "taskctl": %b,\n "plan": %b}'
    return with_checksum(text % (*known, encode_json(as_saved(plan))))


def as_saved(plan: Plan) -> Plan:
    """The plan without data about the service that apply does not act on, and that can change by
    itself: budgets, notes, `_PASSING` problems, and details of tasks that apply does not change."""
    followers = frozenset(plan.followers)
    tasks = tuple(_saved(task, followers) for task in plan.tasks)
    acts = followers or any(task.applies for task in tasks)
    problems = (d for d in plan.diagnostics if d.severity is not Severity.NOTE)
    lasting = tuple(replace(d, excerpt=None) for d in problems if d.code not in _PASSING)
    succeeded = () if acts else plan.succeeded
    return replace(plan, tasks=tasks, diagnostics=lasting, budgets=(), succeeded=succeeded)


def _saved(task: PlannedTask, followers: Collection[TaskRef]) -> PlannedTask:
    """The task as it is saved: without outputs of the service and, unless the digest covers it,
    without the values that the service has, and the prompt of an existing task. A plan without
    changes would be larger than its state otherwise."""
    desired, record = task.desired, task.record
    if task.action in _ABOUT_OTHERS:
        task = replace(task, remarks=(), waits_for=(), unfinished=False)
    is_confirmed = task.applies or task.ref in followers
    if not is_confirmed:
        reason = Reason.SAME if task.reason is Reason.FRESH else task.reason
        lasting = tuple(each for each in task.remarks if each.case != "replace.left")
        task = replace(task, reason=reason, remarks=lasting, remote=None)
    if desired and task.task_id and not is_confirmed:
        origin = desired.origin and replace(desired.origin, template={})
        desired = _brief(desired, origin=origin, expect=None)
    return replace(
        task,
        desired=desired,
        record=record and _brief(record, outputs={}, changes=()),
        remote=task.remote and replace(task.remote, raw=_some(task.remote.raw)),
        attempt=task.attempt and _brief(task.attempt),
        candidate=task.candidate and replace(task.candidate, raw=_some(task.candidate.raw)),
    )


def _brief(task: T, **without: Any) -> T:
    return replace(task, inputs=_some(task.inputs), **without)


def _some(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in _SHOWN if name in values}


def is_saved_plan(beginning: bytes) -> bool:
    """Whether the first key of a file is one of a document, and of no manifest."""
    return _FIRST_KEY.match(beginning.removeprefix(b"\xef\xbb\xbf")) is not None


def read_saved_plan(data: bytes, file: str) -> Plan:
    """The plan in `data`. Raises TaskctlError for other files, with the kind of file if known."""
    whole = _members(data, file)
    _check_kind(whole, file)
    if not is_intact(data):
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, "checksum")
    try:
        return _read(whole["plan"])
    except KeyError as problem:
        missing = ShapeError(str(problem.args[0]), "missing")
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, reason=missing.cause) from None
    except ShapeError as problem:
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, reason=problem.cause) from None


def _read(data: Raw) -> Plan:
    """Decodes the plan. Raises KeyError and ShapeError."""
    whole = members(data)
    plan = decode_as(Plan, encode_json(whole | {"tasks": Raw(b"[]")}))
    try:
        tasks = items(whole["tasks"])
    except ShapeError as problem:
        raise problem.under("tasks") from None
    read = tuple(_task(raw, at) for at, raw in enumerate(tasks))
    if len({task.ref for task in read}) < len(read):
        raise ShapeError("tasks", "repeated")
    return replace(plan, tasks=read)


def _task(data: Raw, at: int) -> PlannedTask:
    try:
        return decode_as(PlannedTask, data)
    except ShapeError as problem:
        raise problem.under(f"tasks[{at}]") from None


def _members(data: bytes, file: str) -> dict[str, Raw]:
    if not data.strip():
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, "empty")
    try:
        return members(data.removeprefix(b"\xef\xbb\xbf"))
    except ShapeError as problem:
        if not is_saved_plan(data):
            raise _refused(Code.NOT_A_SAVED_PLAN, file, reason=problem.cause) from None
        case = "json" if data.rstrip().endswith(b"}") else "truncated"
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, case, reason=problem.cause) from None


def _check_kind(whole: Mapping[str, Raw], file: str) -> None:
    if "formatVersion" not in whole:
        others = {"lineage": "state", "tasks": "manifest"}
        case = next((case for name, case in others.items() if name in whole), "formatVersion")
        raise _refused(Code.NOT_A_SAVED_PLAN, file, case)
    if "kind" not in whole:
        raise _refused(Code.NOT_A_SAVED_PLAN, file, "document")
    try:
        kind = decode_as(str, whole["kind"])
        version = decode_as(int, whole["formatVersion"])
        made_by = decode_as(str, whole.get("taskctl", Raw(b'"of a later version"')))
    except ShapeError as problem:
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, reason=problem.cause) from None
    if kind != SAVED_KIND:
        raise _refused(Code.NOT_A_SAVED_PLAN, file, "kind")
    if version < 1:
        raise _refused(Code.SAVED_PLAN_DAMAGED, file, "formatVersion")
    if version != FORMAT_VERSION:
        case, known = ("older" if version < FORMAT_VERSION else ""), FORMAT_VERSION
        raise _refused(Code.SAVED_PLAN_VERSION, file, case, format=version, known=known, by=made_by)


def _refused(code: Code, file: str, case: str = "", **facts: Arg) -> TaskctlError:
    return TaskctlError.of(code, case, at=Place(file=file), **facts)
