"""Cancels the task of a record for an apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.app.context import Context
from reconciler.apply.context import Cancellation
from reconciler.model.diagnostics import RemoteError
from reconciler.model.task import rfc3339
from reconciler.model.task_state import TaskState
from reconciler.tasks.delivery import Refusal, delivery_error

if TYPE_CHECKING:
    from reconciler.state.model import Record

FORBIDDEN, NOT_FOUND = 403, 404


def send_cancellation(ctx: Context, record: Record) -> Cancellation:
    """Cancels the task of a record, unless it has ended."""
    caller = ctx.client.identity()
    try:
        status = ctx.reader.status(record)
        if status.state.is_finished and status.state is not TaskState.NOT_VISIBLE:
            return Cancellation()
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
