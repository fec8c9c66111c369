"""Cancels the task of a record for an apply, and predicts for a plan what will be refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.app.context import Context
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, RemoteError, warning
from reconciler.model.remote_task import RemoteTask
from reconciler.model.task import TaskRef, rfc3339
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.plan.options import PlanOptions, flag_of
from reconciler.plan.owed import record_of_owed
from reconciler.plan.plan import Action, Plan, PlannedTask
from reconciler.tasks.delivery import Cancellation, Refusal, delivery_error, may_send

if TYPE_CHECKING:
    from reconciler.state.model import Record
    from reconciler.tasks.status import TaskStatus

FORBIDDEN, NOT_FOUND = 403, 404


def send_cancellation(ctx: Context, record: Record) -> Cancellation:
    """Cancels the task of a record, unless it has ended. The identity of a replaced task is that of
    who asked for the cancellation; who created it is what the service says."""
    caller = ctx.client.identity()
    try:
        if _has_ended(status := ctx.reader.status(record)):
            return Cancellation()
        if caller.same_as(record.identity):
            shown = RemoteTask(record.ref.org_name, record.task_id, status.raw)
            record = replace(record, identity=shown.owner(caller))
        event = {"type": "user_cancel", "timestamp": rfc3339(ctx.clock.now())}
        failed = ctx.reader.respond(record.ref.org_name, record.task_id, event)
    except RemoteError as problem:
        return Cancellation(False, problem.diagnostics[0], problem.status == FORBIDDEN)
    if failed is None:
        return Cancellation(sent=True)
    is_maker = caller.same_as(record.identity)
    if is_maker and isinstance(failed, Refusal) and failed.status == NOT_FOUND:
        return Cancellation()  # the service also hides tasks of others
    is_refused = isinstance(failed, Refusal) and failed.status in (FORBIDDEN, NOT_FOUND)
    why = delivery_error(failed, record, caller, "the cancellation")
    return Cancellation(False, why, is_refused)


def refused_cancellations(ctx: Context, plan: Plan) -> Iterator[Diagnostic]:
    """A warning for each task that apply is to cancel, but that only another user can cancel. Reads
    only the tasks of other users; if one cannot be read, apply could not cancel it, either."""
    caller = ctx.client.identity()
    others = [
        (task, flag, record)
        for task in plan.tasks
        if task.cancels or task.owed
        for flag, record in _to_cancel(task, plan.options)
        if not caller.same_as(record.identity)
    ]
    if not others:
        return
    records = [record for _, _, record in others]
    try:
        read = ctx.fresh_reader.statuses(records, ctx.connection.parallelism)
    except RemoteError:
        read = [ctx.fresh_reader.status_of(record, TaskState.NOT_VISIBLE) for record in records]
    for (task, flag, record), status in zip(others, read, strict=True):
        if _has_ended(status) or may_send(caller, record, status):
            continue
        yield warning(
            Code.NOT_THE_CREATOR,
            "planned" if flag else "planned.owed",
            at=Place(task.file, task.line, key=task.ref.key),
            ref=str(task.ref),
            old=record.task_id,
            caller=caller.name,
            creator=record.identity.name,
            flag=flag,
        )


def _to_cancel(task: PlannedTask, options: PlanOptions) -> Sequence[tuple[str, Record]]:
    """What apply cancels for a key, each with the flag that asks for it; empty if an earlier apply
    was asked. A key can have several, so each is a record whose key is the task's ID."""
    record = task.record
    if record is None:
        return ()
    found: dict[str, tuple[str, Record]] = {}
    if task.cancels:
        name = "cancel_removed" if task.action is Action.FORGET else "cancel_replaced"
        found[record.task_id] = flag_of(name) if getattr(options, name) else "", record
    for owed in record.owed:
        if owed.task_id in task.owed:
            found[owed.task_id] = "", record_of_owed(record, owed)
    org_name = record.ref.org_name
    return [(flag, replace(r, ref=TaskRef(org_name, r.task_id))) for flag, r in found.values()]


def _has_ended(status: TaskStatus) -> bool:
    return status.state.is_finished and status.state is not TaskState.NOT_VISIBLE
