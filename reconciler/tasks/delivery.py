"""Reasons why a task did not, or may not, accept a message. Pure."""

from __future__ import annotations

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error
from reconciler.model.remarks import Arg
from reconciler.model.service import Identity, RemoteTask
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value
from reconciler.state.model import Record
from reconciler.tasks.status import TaskStatus


class Refusal(Value, frozen=True):
    """The service rejected it; `answer` is its message. Status 0: the response did not come from
    the service."""

    status: int
    answer: Arg


class Lost(Value, frozen=True):
    """No response, or a response that proves nothing: the task may have received the message."""

    why: Arg


def may_send(caller: Identity, record: Record, status: TaskStatus) -> bool:
    """Whether the service may accept a message of this user to the task of a record: the task is
    visible, and its creator is this user or unknown."""
    task = RemoteTask(record.ref.org_name, record.task_id, status.raw)
    is_visible = status.state is not TaskState.NOT_VISIBLE
    return caller.same_as(record.identity) or (is_visible and task.may_be_of(caller))


def delivery_error(
    failed: Refusal | Lost,
    record: Record,
    caller: Identity,
    what: str,
    *,
    command: tuple[str, ...] = (),
    cancels: bool = False,
) -> Diagnostic:
    """The error after `caller` sent `what` to a task: "the message", "the cancellation", or empty
    if the task was only read. `command`: the command that the creator can run instead; `cancels`:
    it asked the agent to stop."""
    place = Place(key=record.ref.key)
    facts: dict[str, Arg] = {"ref": str(record.ref), "what": what}
    if isinstance(failed, Lost):
        return error(Code.DELIVERY_UNKNOWN, at=place, why=failed.why, **facts)
    facts["answer"] = failed.answer
    creator = record.identity
    match failed.status:
        case 409:
            return error(Code.TASK_BUSY, "cancel" if cancels else "", at=place, **facts)
        case 404 if caller.same_as(creator):
            return error(Code.TASK_GONE, at=place, **facts)
        case 403 | 404:
            facts["caller"] = caller.name
            if caller.same_as(creator):
                return error(Code.NOT_THE_CREATOR, at=place, **facts)
            facts |= {"creator": creator.name, "command": command}
            case = "known" if what else "hidden"
            if command:
                case = "known.answer" if what else "hidden.answer"
            return error(Code.NOT_THE_CREATOR, case, at=place, **facts)
        case _:
            case = {401: "unauthorized", 429: "throttled"}.get(failed.status, "")
            return error(Code.DELIVERY_REJECTED, case, at=place, **facts)
