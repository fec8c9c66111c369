"""What tasks wait for: what their agents ask, and tool calls that something else runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.model.shell import id_word, is_task_id, key_word
from reconciler.tasks.events import Approval
from reconciler.tasks.status import TaskState, TaskStatus


class Wanted(StrEnum):
    """What a request wants."""

    APPROVAL = "approval"
    ANSWER = "answer"
    TOOL_RESULT = "toolResult"


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """One request of a task. `tools` are the calls without a result, `since` is when it was made
    (None if the service does not say), `command` the words of a command line that answers it
    (empty if none does)."""

    status: TaskStatus
    wanted: Wanted
    message: str
    since: datetime | None
    command: tuple[str, ...] = ()
    approval: Approval | None = None
    tools: tuple[str, ...] = ()


def open_requests(status: TaskStatus) -> tuple[OpenRequest, ...]:
    """What a task waits for, the oldest first; nothing unless it waits for a person."""
    if status.state is not TaskState.WAITING:
        return ()
    several = len(status.approvals) > 1
    found = [_approval(status, approval, several=several) for approval in status.approvals]
    if not found and status.parked:
        found.append(_parked(status))
    return tuple(found)


def all_requests(statuses: Iterable[TaskStatus]) -> tuple[OpenRequest, ...]:
    """The open requests of tasks, the oldest first; those without a time come last."""
    found = [request for status in statuses for request in open_requests(status)]
    dated = sorted((r for r in found if r.since is not None), key=lambda r: (r.since, r.status.ref))
    return (*dated, *(request for request in found if request.since is None))


def _approval(status: TaskStatus, approval: Approval, *, several: bool) -> OpenRequest:
    wanted = Wanted.ANSWER if approval.is_question else Wanted.APPROVAL
    named = ("--request", id_word(approval.id)) if several else ()
    answer = ("-m", "TEXT") if approval.is_question else ()
    command = ("taskctl", "approve", key_word(str(status.ref)), *named, *answer)
    return OpenRequest(status, wanted, approval.message, approval.since, command, approval)


def _parked(status: TaskStatus) -> OpenRequest:
    task_id = status.task_id or ""
    by_cli = any(call.mode == "cli" for call in status.parked) and is_task_id(task_id)
    return OpenRequest(
        status,
        Wanted.TOOL_RESULT,
        "",
        status.summary.at,
        ("pulumi", "neo", "resume", task_id) if by_cli else (),
        tools=tuple(call.name for call in status.parked),
    )
