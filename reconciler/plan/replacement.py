"""`--replace`: one new task for a recorded key per request. Pure.

A command may be run again only because a response was lost or another of its tasks failed. So
`KEY=TASK_ID` applies for as long as the key has that task, whatever its status, and `KEY` or a glob
only to keys whose task has ended, and whose manifest differs from their record in something that is
fixed at creation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, TaskctlError, error, warning
from reconciler.model.fields import PATCHED
from reconciler.model.remarks import Arg, remark
from reconciler.model.task import DesiredTask, TaskId, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.plan.diff import differences
from reconciler.plan.lookup import matches_key, record_of
from reconciler.plan.options import PlanOptions
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.plan.planned import PlannedFields, is_left, plan_for
from reconciler.plan.view import RemoteView
from reconciler.state.model import Record, State

_KEPT, _ENDED, _GONE = (remark(f"replace.{what}") for what in ("keep", "ended", "gone"))
"""What becomes of a replaced task."""


class ReplaceRequest(NamedTuple):
    """`name` is KEY or ORG/KEY, or a glob of either; `task_id` is the task to replace. None: it is
    replaced if it differs from its manifest in something that is fixed at creation."""

    name: str
    task_id: str | None

    @classmethod
    def parse(cls, text: str) -> ReplaceRequest:
        name, equals, task_id = text.partition("=")
        return cls(name, task_id if equals else None)

    @property
    def is_glob(self) -> bool:
        return any(sign in self.name for sign in "*?[")

    def names(self, ref: TaskRef) -> bool:
        return matches_key(self.name, [ref])

    def is_due(self, task: DesiredTask, record: Record) -> bool:
        if self.task_id is not None:
            return record.task_id == self.task_id
        if record.digest == digest(task.inputs):
            return False
        changes = differences(record.inputs, task.inputs, None).changes
        return any(change.path not in PATCHED for change in changes)


def requests_of(options: PlanOptions) -> tuple[ReplaceRequest, ...]:
    """Those with a task ID first, then the last ones: a task has the first that names it."""
    requests = map(ReplaceRequest.parse, reversed(options.replace))
    return tuple(sorted(requests, key=lambda request: request.task_id is None))


def request_for(
    task: DesiredTask | None, requests: Iterable[ReplaceRequest]
) -> ReplaceRequest | None:
    """None for a task without a request, and for one with `taskID`, which is never created."""
    if task is None or task.task_id is not None:
        return None
    return next((request for request in requests if request.names(task.ref)), None)


def check_requests(
    options: PlanOptions,
    desired: Sequence[DesiredTask],
    state: State,
    selected: Collection[TaskRef] | None = None,
) -> None:
    """Checks the requests of `--replace`. `selected`: the keys that the plan is limited to (None:
    all). Raises TaskctlError with a problem for each invalid request."""
    requests = [ReplaceRequest.parse(text) for text in options.replace]
    found = (_problem(request, desired, state, selected) for request in requests)
    problems = [problem for problem in found if problem is not None]
    keys = [request for request in requests if not request.is_glob]
    names = [next((str(t.ref) for t in desired if w.names(t.ref)), w.name) for w in keys]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems += [error(Code.INVALID_REPLACE, "twice", request=name) for name in twice]
    if problems:
        raise TaskctlError(problems)


def _problem(
    request: ReplaceRequest,
    desired: Sequence[DesiredTask],
    state: State,
    selected: Collection[TaskRef] | None,
) -> Diagnostic | None:
    meant = [task for task in desired if request.names(task.ref)]
    if not meant:
        return _unknown(request, desired, state)
    if request.is_glob:
        if selected is None or any(task.ref in selected for task in meant):
            return None
        return error(Code.INVALID_REPLACE, "not-selected", request=request.name)
    if len(meant) > 1:
        listed = "\n".join(f"    --replace {task.ref}" for task in meant)
        count = len(meant)
        return error(
            Code.INVALID_REPLACE, "ambiguous", request=request.name, count=count, listed=listed
        )
    (task,) = meant
    if task.task_id is not None:
        return _error(task, "task-id", request=request.name, task_id=task.task_id)
    if selected is not None and task.ref not in selected:
        return _error(task, "not-selected", request=request.name)
    if record_of(task, state) is not None:
        return None
    case = "open-attempt" if state.attempts_for(task.ref) else "not-created"
    return _error(task, case, request=request.name)


def _unknown(request: ReplaceRequest, desired: Sequence[DesiredTask], state: State) -> Diagnostic:
    if any(request.names(ref) for ref in state.records):
        return error(Code.INVALID_REPLACE, "undeclared", request=request.name)
    known = {str(task.ref) if TaskRef.has_org(request.name) else task.key for task in desired}
    near = get_close_matches(request.name, sorted(known), n=3)
    if near and not request.is_glob:
        return error(Code.INVALID_REPLACE, "similar", request=request.name, near=tuple(near))
    return error(Code.INVALID_REPLACE, "unknown", request=request.name)


def replacement(
    task: DesiredTask, record: Record, state: TaskState | None, view: RemoteView
) -> PlannedTask:
    """Plans a new task in place of the recorded one. `state` is that of the recorded one; None if
    it could not be read."""
    explanation = _KEPT if is_left(state) else _ENDED
    if TaskId(record.ref.org_name, record.task_id) in view.absent:
        is_maker = view.identity.same_as(record.identity)
        explanation = _GONE if is_maker else remark("replace.hidden", maker=record.identity.name)
    remote = view.find(record.ref, record.task_id)
    fields: PlannedFields = {
        "record": record,
        "diff": differences(record.inputs, task.inputs, remote).changes,
        "moved_from": record.ref if record.ref != task.ref else None,
        "unfinished": is_left(state),
    }
    return plan_for(task, Action.REPLACE, Reason.ASKED, explanation, **fields)


def left_facts(task: DesiredTask, record: Record, state: TaskState | None) -> dict[str, Arg]:
    """What a message about a task that is not replaced says. `state` is None if it could not be
    read."""
    return {
        "status": state.label if state is not None else "unknown",
        "old": f"{record.ref.org_name}/{record.task_id}",
        "again": f"{task.ref}={record.task_id}",
    }


def problems(
    requests: Collection[ReplaceRequest],
    tasks: Iterable[PlannedTask],
    states: Mapping[TaskRef, TaskState],
) -> Iterator[Diagnostic]:
    """Errors and warnings about requests that the plan does not carry out."""
    idle: set[str] = set()
    busy: set[str] = set()
    for task in tasks if requests else ():
        record, desired = task.record, task.desired
        request = request_for(desired, requests)
        if request is None or desired is None:
            continue
        acts = task.action in (Action.REPLACE, Action.ADOPT) or task.reason is Reason.SETTLING
        is_due = record is not None and request.is_due(desired, record)
        if request.is_glob:
            (busy if acts or is_due else idle).add(request.name)
        elif acts:
            pass
        elif task.action is Action.UNRESOLVED:
            yield _error(desired, "unresolved", request=request.name)
        elif record is not None and not is_due:
            yield _not_due(request, desired, record)
        elif task.reason is Reason.NOT_FOUND:
            yield _error(desired, "gone", request=request.name, ref=str(desired.ref))
        elif record is not None and task.reason is not Reason.RECREATE:
            facts = left_facts(desired, record, states.get(record.ref))
            yield _error(desired, "unfinished", request=request.name, **facts)
    for name in sorted(idle - busy):
        yield warning(Code.ALREADY_REPLACED, "none", request=name)


def _not_due(request: ReplaceRequest, task: DesiredTask, record: Record) -> Diagnostic:
    again = f"{request.name}={record.task_id}"
    facts: dict[str, Arg] = {"request": request.name, "task_id": record.task_id, "again": again}
    if request.task_id is None and not record.former:
        return _error(task, "same", **facts)
    if request.task_id is not None and request.task_id not in record.former:
        facts["old"] = request.task_id
        return _error(task, "never-had", **facts)
    facts |= {"old": request.task_id or record.former[-1], "ref": str(record.ref)}
    return warning(Code.ALREADY_REPLACED, at=_place(task), **facts)


def _error(task: DesiredTask, case: str, **facts: Arg) -> Diagnostic:
    return error(Code.INVALID_REPLACE, case, at=_place(task), **facts)


def _place(task: DesiredTask) -> Place:
    return Place(task.file, task.line, key=task.key)
