"""`--replace` and `--retry`: one new task for a recorded key per request. Pure.

A command may be run again only because a response was lost or another of its tasks failed. So
`KEY=TASK_ID` applies for as long as the key has that task, whatever its status, and `KEY` or a glob
only to keys whose task has ended, and whose manifest differs from their record in a setting that is
fixed at creation. `--retry` applies only to keys whose task has ended without success; between the
waves of a run, `KEY=TASK_ID` keeps it from retrying tasks that the run itself has created.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, TaskctlError, error, note, warning
from reconciler.model.glob import is_glob
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import Arg, remark
from reconciler.model.task import DesiredTask, TaskId, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.plan.diff import differences
from reconciler.plan.facts import Facts
from reconciler.plan.keys import matches_key, record_of
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.plan.planned import PlannedFields, is_left, plan_for
from reconciler.state.model import Record, State

_KEPT, _ENDED, _GONE = (remark(f"replace.{what}") for what in ("keep", "ended", "gone"))
"""The remarks about a replaced task."""

REPLACE, RETRY = "--replace", "--retry"


class ReplacementRequest(NamedTuple):
    """`name` is KEY or ORG/KEY, or a glob of either; `task_id` is the task to replace. None: with
    `--replace`, it is replaced if it differs from its manifest in a setting that is fixed at
    creation. `flag` is the option."""

    name: str
    task_id: str | None
    flag: str

    @classmethod
    def parse(cls, text: str, flag: str) -> ReplacementRequest:
        name, equals, task_id = text.partition("=")
        return cls(name, task_id if equals else None, flag)

    @property
    def is_retry(self) -> bool:
        return self.flag == RETRY

    @property
    def is_glob(self) -> bool:
        return is_glob(self.name)

    def names(self, ref: TaskRef) -> bool:
        return matches_key(self.name, [ref])

    def allows(self, state: TaskState | None) -> bool:
        """Whether a task in this state is replaced; None: the state could not be read."""
        if self.is_retry:
            return state is not None and state.has_failed
        return self.task_id is not None or (state is not None and state.has_ended)

    def is_due(self, task: DesiredTask, record: Record) -> bool:
        if self.task_id is not None:
            return record.task_id == self.task_id
        if self.is_retry:
            return True
        if record.digest == digest(task.inputs):
            return False
        changes = differences(record, task.inputs, None).changes
        return any(change.is_fixed for change in changes)


class Requests(NamedTuple):
    """The requests of each option, in the order in which they are matched: those with a task ID
    first, and later requests before earlier requests. The first match counts."""

    replace: tuple[ReplacementRequest, ...] = ()
    retry: tuple[ReplacementRequest, ...] = ()


def requests_of(options: PlanOptions) -> Requests:
    return Requests(_requests(options.replace, REPLACE), _requests(options.retry, RETRY))


def _requests(texts: Sequence[str], flag: str) -> tuple[ReplacementRequest, ...]:
    requests = (ReplacementRequest.parse(text, flag) for text in reversed(texts))
    return tuple(sorted(requests, key=lambda request: request.task_id is None))


def exactly(plan: Plan) -> PlanOptions:
    """The options of a plan after it was executed. `--retry` is replaced by the IDs of the tasks
    that it selected, so that it never retries a task that the run creates."""
    retries = requests_of(plan.options).retry
    again = [
        f"{task.ref}={task.record.task_id}"
        for task in (plan.tasks if retries else ())
        if task.record is not None and _is_retried(task, retries)
    ]
    return replace(plan.options, retry=tuple(again))


def _is_retried(task: PlannedTask, retries: Sequence[ReplacementRequest]) -> bool:
    if task.reason is Reason.SETTLING:
        return request_for(task.desired, retries) is not None
    return task.action in (Action.REPLACE, Action.HELD)


def request_for(
    task: DesiredTask | None, requests: Iterable[ReplacementRequest]
) -> ReplacementRequest | None:
    """The request for a task; None also for a task with `taskID`, which is never created."""
    if task is None or task.task_id is not None:
        return None
    return next((request for request in requests if request.names(task.ref)), None)


def check_requests(
    options: PlanOptions,
    desired: Sequence[DesiredTask],
    state: State,
    selected: Collection[TaskRef] | None = None,
) -> None:
    """Checks the requests of `--replace` and `--retry`. `selected`: the keys that the plan is
    limited to (None: all). Raises TaskctlError with a problem for each invalid request."""
    problems: list[Diagnostic] = []
    for requests in requests_of(options):
        found = (_problem(request, desired, state, selected) for request in requests)
        problems += (problem for problem in found if problem is not None)
        keys = [request for request in requests if not request.is_glob]
        names = [next((str(t.ref) for t in desired if w.names(t.ref)), w.name) for w in keys]
        for name in sorted({name for name in names if names.count(name) > 1}):
            problems.append(
                error(Code.INVALID_REPLACE, "twice", flag=requests[0].flag, request=name)
            )
    if problems:
        raise TaskctlError(problems)


def _problem(
    request: ReplacementRequest,
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
        return _invalid(request, "not-selected")
    if len(meant) > 1:
        listed = "\n".join(f"    {request.flag} {task.ref}" for task in meant)
        count = len(meant)
        return _invalid(request, "ambiguous", count=count, listed=listed)
    (task,) = meant
    if task.task_id is not None:
        return _invalid(request, "task-id", task, task_id=task.task_id)
    if selected is not None and task.ref not in selected:
        return _invalid(request, "not-selected", task)
    if record_of(task, state) is not None:
        return None
    case = "open-attempt" if state.attempts_for(task.ref) else "not-created"
    return _invalid(request, case, task)


def _unknown(
    request: ReplacementRequest, desired: Sequence[DesiredTask], state: State
) -> Diagnostic:
    if any(request.names(ref) for ref in state.records):
        return _invalid(request, "undeclared")
    known = {str(task.ref) if TaskRef.has_org(request.name) else task.key for task in desired}
    near = get_close_matches(request.name, sorted(known), n=3)
    if near and not request.is_glob:
        return _invalid(request, "similar", near=tuple(near))
    return _invalid(request, "unknown")


def replacement(
    task: DesiredTask, record: Record, state: TaskState | None, facts: Facts
) -> PlannedTask:
    """Plans a new task in place of the recorded task. `state` is the state of the recorded task;
    None if it could not be read."""
    explanation = _KEPT if is_left(state) else _ENDED
    if TaskId(record.ref.org_name, record.task_id) in facts.absent:
        is_maker = facts.identity.same_as(record.identity)
        explanation = _GONE if is_maker else remark("replace.hidden", maker=record.identity.name)
    remote = facts.find(record.ref, record.task_id)
    fields: PlannedFields = {
        "record": record,
        "diff": differences(record, task.inputs, remote).changes,
        "moved_from": record.ref if record.ref != task.ref else None,
        "unfinished": is_left(state),
    }
    return plan_for(task, Action.REPLACE, Reason.ASKED, explanation, **fields)


def left_facts(task: DesiredTask, record: Record, state: TaskState | None) -> dict[str, Arg]:
    """The facts of a message about a task that is not replaced. `state` is None if it could not be
    read."""
    return {
        "status": state.label if state is not None else "unknown",
        "old": f"{record.ref.org_name}/{record.task_id}",
        "again": f"{task.ref}={record.task_id}",
    }


def problems(
    requests: Sequence[ReplacementRequest],
    tasks: Iterable[PlannedTask],
    states: Mapping[TaskRef, TaskState],
) -> Iterator[Diagnostic]:
    """Errors and warnings about the requests of one option that the plan does not carry out."""
    idle: set[str] = set()
    busy: set[str] = set()
    for task in tasks if requests else ():
        record, desired = task.record, task.desired
        request = request_for(desired, requests)
        if request is None or desired is None:
            continue
        if _acts(task):
            busy.add(request.name)
        elif request.is_glob:
            is_left = not request.is_retry and record and request.is_due(desired, record)
            (busy if is_left else idle).add(request.name)
        elif task.action is Action.UNRESOLVED:
            yield _invalid(request, "unresolved", desired)
        elif record is not None and not request.is_due(desired, record):
            yield _not_due(request, desired, record)
        elif task.reason is Reason.NOT_FOUND:
            yield _invalid(request, "gone", desired, ref=str(desired.ref))
        elif record is not None and task.reason is not Reason.RECREATE:
            facts = left_facts(desired, record, states.get(record.ref))
            yield _invalid(
                request, "not-failed" if request.is_retry else "unfinished", desired, **facts
            )
    for name in sorted(idle - busy):
        case = "no-failure" if requests[0].is_retry else "none"
        yield warning(Code.ALREADY_REPLACED, case, request=name)


def _acts(task: PlannedTask) -> bool:
    """Whether the key gets a new task, now or in a later wave."""
    acts = task.action in (Action.REPLACE, Action.ADOPT, Action.HELD)
    return acts or task.reason is Reason.SETTLING


def left_for_later(options: PlanOptions, tasks: Iterable[PlannedTask]) -> Iterator[Diagnostic]:
    """A note with the number of tasks that are not retried because `atOnce` has no slot for them.
    Without `--wait`, no later wave retries them."""
    count = sum(task.reason is Reason.AT_ONCE and task.record is not None for task in tasks)
    if count and not options.wait:
        yield note(Code.RETRIES_LEFT, count=count)


def _not_due(request: ReplacementRequest, task: DesiredTask, record: Record) -> Diagnostic:
    again = f"{request.name}={record.task_id}"
    facts: dict[str, Arg] = {"task_id": record.task_id, "again": again}
    if request.task_id is None and not record.former:
        return _invalid(request, "same", task, **facts)
    if request.task_id is not None and request.task_id not in record.former:
        return _invalid(request, "never-had", task, old=request.task_id, **facts)
    facts |= {"old": request.task_id or record.former[-1], "ref": str(record.ref)}
    return warning(Code.ALREADY_REPLACED, at=_place(task), request=request.name, **facts)


def _invalid(
    request: ReplacementRequest, case: str, task: DesiredTask | None = None, **facts: Arg
) -> Diagnostic:
    at = _place(task) if task is not None else Place()
    return error(
        Code.INVALID_REPLACE, case, at=at, flag=request.flag, request=request.name, **facts
    )


def _place(task: DesiredTask) -> Place:
    return Place(task.file, task.line, key=task.key)
