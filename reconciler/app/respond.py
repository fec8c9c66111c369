"""`say` and `cancel`: see how tasks stand, confirm, send once, report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.app.addressed import Addressed, confirmed
from reconciler.app.approvals import Sending
from reconciler.app.context import Context
from reconciler.app.task_sessions import TaskSessions, select_refs
from reconciler.messages import word
from reconciler.messages.notes import Note, Question
from reconciler.model.errors import TaskctlError
from reconciler.model.remarks import Remark
from reconciler.model.task import rfc3339
from reconciler.render.response import Response
from reconciler.tasks.delivery import Delivery, Sent, delivery_error
from reconciler.tasks.status import SETTLED, TaskState

if TYPE_CHECKING:
    from reconciler.model.diagnostics import Diagnostic
    from reconciler.state.model import Record


def send_message(ctx: Context, words: str, message: str, *, yes: bool = False) -> Sending:
    """Sends a follow-up message to the task that `words` select; to several after confirmation.
    TaskctlError."""
    tasks = TaskSessions.open(ctx, [words])
    refs = select_refs(ctx, tasks.state, [words])
    names = tuple(map(str, refs))
    again = ("say", words, message, "-y")
    if len(refs) > 1 and not confirmed(ctx, Question.SAY, yes=yes, again=again, refs=names):
        ctx.ui.note(Note.NOTHING_SENT)
        return
    for ref in refs:
        try:
            task = Addressed.of(tasks, ref)
            task.show_last_words()
            yield task.send(task.event(type="user_message", content=message), "sent", "message")
        except TaskctlError as problem:
            yield problem


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """`words` select tasks; `task_id` names one that a single key had before, or a
    redundant one. `force` ends the session of a stuck task."""

    words: tuple[str, ...]
    task_id: str | None = None
    force: bool = False
    yes: bool = False


def cancel(ctx: Context, request: CancelRequest) -> Sending:
    """Asks tasks to stop, or ends their sessions; each is confirmed. TaskctlError."""
    tasks = TaskSessions.open(ctx, request.words)
    for ref in select_refs(ctx, tasks.state, request.words):
        try:
            yield from _cancel(ctx, Addressed.of(tasks, ref, request.task_id), request)
        except TaskctlError as problem:
            yield problem


def _cancel(ctx: Context, task: Addressed, request: CancelRequest) -> Iterator[Response]:
    task.show_last_words()
    if task.status.state in SETTLED and not request.force:
        yield Response(task.record, task.status, "nothingToCancel")
        return
    question = Question.FORCE_CANCEL if request.force else Question.CANCEL
    more = ["--task", request.task_id] if request.task_id else []
    more += ["--force"] if request.force else []
    again = ("cancel", task.name, *more, "-y")
    if not confirmed(ctx, question, yes=request.yes, again=again, ref=task.name):
        ctx.ui.note(Note.NOTHING_SENT)
    elif request.force:
        record = task.record
        outcome = ctx.reader.cancel_by_force(record.ref.org_name, record.task_id)
        task.judge(outcome, "cancellation", forced=True)
        yield Response(record, task.status, "sessionEnded", {"force": True})
    else:
        yield task.send(task.event(type="user_cancel"), "cancelled", "cancellation")


def cancel_record(ctx: Context, record: Record) -> tuple[Remark, ...]:
    """Cancels a task that was replaced or is removed, for apply: nothing, or what went wrong."""
    try:
        why = _cancel_if_running(ctx, record)
    except TaskctlError as problem:
        why = problem.diagnostics[0]
    if why is None:
        return ()
    facts = {"old": record.task_id, "why": word(why).summary, "ref": str(record.ref)}
    return (Remark("apply.not_cancelled", facts),)


def _cancel_if_running(ctx: Context, record: Record) -> Diagnostic | None:
    status = ctx.reader.status(record)
    if status.state in SETTLED and status.state is not TaskState.NOT_VISIBLE:
        return None
    event = {"type": "user_cancel", "timestamp": rfc3339(ctx.clock.now())}
    outcome = ctx.reader.respond(record.ref.org_name, record.task_id, event)
    if isinstance(outcome, Sent):
        return None
    caller = ctx.client.identity()
    return delivery_error(
        outcome, Delivery(record.ref, "the cancellation", record.identity, caller)
    )
