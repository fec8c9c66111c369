"""`--replace KEY`: one new task for a recorded key per request. Pure.

A command may be run again only because a response was lost or another of its tasks failed. So
`KEY=TASK_ID` applies for as long as the key has that task, and `KEY` alone does not apply for a
while after the key was replaced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import NamedTuple

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, TaskctlError, error, warning
from reconciler.model.remarks import Arg
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.plan.lookup import record_of
from reconciler.plan.options import PlanOptions
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.state.attempt import HistoryKind
from reconciler.state.model import Record, State

AGAIN = timedelta(minutes=30)
"""How long a request without a task ID counts as a repetition."""

_NEW_TASK = (HistoryKind.REPLACED, HistoryKind.RECREATED)
"""The events after which a key has another task than before, be it one that was found."""


class ReplaceRequest(NamedTuple):
    """`name` is KEY or ORG/KEY, `task_id` the task to replace (None: any)."""

    name: str
    task_id: str | None

    @classmethod
    def parse(cls, text: str) -> ReplaceRequest:
        name, equals, task_id = text.partition("=")
        return cls(name, task_id if equals else None)

    def names(self, ref: TaskRef) -> bool:
        return self.name in (ref.key, str(ref))

    def is_due(self, record: Record, state: State, now: datetime) -> bool:
        if self.task_id is not None:
            return record.task_id == self.task_id
        replaced = (h for h in record.history if h.what in _NEW_TASK)
        moments = [h.at for h in replaced if h.at is not None]
        # A moment in the future is from a clock that was set back since. It counts as recent.
        was_granted = bool(moments) and now - max(moments) < AGAIN
        return record.ref not in state.unreported and not was_granted


def requests_of(
    options: PlanOptions, desired: Iterable[DesiredTask]
) -> dict[TaskRef, ReplaceRequest]:
    """The request for each task that has one."""
    requests = [ReplaceRequest.parse(text) for text in options.replace]
    if not requests:
        return {}
    return {
        task.ref: request for task in desired for request in requests if request.names(task.ref)
    }


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
    names = [next((str(t.ref) for t in desired if w.names(t.ref)), w.name) for w in requests]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems += [error(Code.INVALID_REPLACE, "twice", request=name) for name in twice]
    if options.cancel_replaced and not options.replace:
        problems.append(error(Code.INVALID_REPLACE, "cancel-alone"))
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
        return _error(task, "excluded", request=request.name)
    if record_of(task, state) is not None:
        return None
    case = "open-attempt" if state.attempts_for(task.ref) else "not-created"
    return _error(task, case, request=request.name)


def _unknown(request: ReplaceRequest, desired: Sequence[DesiredTask], state: State) -> Diagnostic:
    if any(request.names(ref) for ref in state.records):
        return error(Code.INVALID_REPLACE, "undeclared", request=request.name)
    known = {str(task.ref) if TaskRef.has_org(request.name) else task.key for task in desired}
    near = get_close_matches(request.name, sorted(known), n=3)
    if near:
        return error(Code.INVALID_REPLACE, "similar", request=request.name, near=tuple(near))
    return error(Code.INVALID_REPLACE, "unknown", request=request.name)


def problems(
    requests: Mapping[TaskRef, ReplaceRequest],
    tasks: Iterable[PlannedTask],
    state: State,
    now: datetime,
) -> Iterator[Diagnostic]:
    """Errors and warnings about requests that the plan does not carry out."""
    for task in tasks if requests else ():
        request, record, desired = requests.get(task.ref), task.record, task.desired
        if request is None or desired is None or task.action in (Action.REPLACE, Action.ADOPT):
            continue
        if task.action is Action.UNRESOLVED:
            if task.reason is not Reason.SETTLING:
                yield _error(desired, "unresolved", request=request.name)
        elif record is not None and not request.is_due(record, state, now):
            yield _not_due(request, desired, record)


def _not_due(request: ReplaceRequest, task: DesiredTask, record: Record) -> Diagnostic:
    again = f"{request.name}={record.task_id}"
    facts: dict[str, Arg] = {"request": request.name, "task_id": record.task_id, "again": again}
    if request.task_id is not None and request.task_id not in record.former:
        facts["old"] = request.task_id
        return _error(task, "never-had", **facts)
    facts |= {"old": request.task_id or record.former[-1], "ref": str(record.ref)}
    return warning(Code.ALREADY_REPLACED, at=_place(task), **facts)


def _error(task: DesiredTask, case: str, **facts: Arg) -> Diagnostic:
    return error(Code.INVALID_REPLACE, case, at=_place(task), **facts)


def _place(task: DesiredTask) -> Place:
    return Place(task.file, task.line, key=task.key)
