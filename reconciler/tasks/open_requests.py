"""What tasks wait for: requests of their agents, and tool calls that something else runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.model.shell import id_word, is_task_id, key_word, shell_word
from reconciler.tasks.events import Approval
from reconciler.tasks.status import TaskState, TaskStatus


class RequestKind(StrEnum):
    """What a request asks for."""

    APPROVAL = "approval"
    ANSWER = "answer"
    TOOL_RESULT = "toolResult"


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """An unanswered request of a task. `tools` are the names of the calls without a result,
    `since` is when it was made (None if unknown), `command` the words of the command that answers
    it (empty if there is none)."""

    status: TaskStatus
    kind: RequestKind
    message: str
    since: datetime | None
    command: tuple[str, ...] = ()
    approval: Approval | None = None
    tools: tuple[str, ...] = ()

    @property
    def command_line(self) -> str:
        """The command for a POSIX shell; empty if there is none."""
        return " ".join(map(shell_word, self.command))


@dataclass(frozen=True, slots=True)
class News:
    """Recent requests and failed tasks, for a notification."""

    waiting: tuple[OpenRequest, ...] = ()
    failed: tuple[TaskStatus, ...] = ()


def open_requests(status: TaskStatus) -> tuple[OpenRequest, ...]:
    """The requests of a task, oldest first; none unless it waits for a person."""
    if status.state is not TaskState.WAITING:
        return ()
    requests = [_approval_request(status, approval) for approval in status.approvals]
    if not requests and status.parked:
        requests.append(_tool_request(status))
    return tuple(requests)


def all_requests(statuses: Iterable[TaskStatus]) -> tuple[OpenRequest, ...]:
    """The open requests of several tasks, oldest first; those without a time come last."""
    found = [request for status in statuses for request in open_requests(status)]
    dated = sorted((r for r in found if r.since is not None), key=lambda r: (r.since, r.status.ref))
    return (*dated, *(request for request in found if request.since is None))


def find_news(statuses: Iterable[TaskStatus], since: datetime) -> News:
    """What happened at `since` or later. What has no time counts: a duplicate notification is
    better than none."""
    known = list(statuses)
    requests = (request for status in known for request in open_requests(status))
    failed = (s for s in known if s.state in (TaskState.FAILED, TaskState.STOPPED))
    return News(
        tuple(r for r in requests if r.since is None or r.since >= since),
        tuple(s for s in failed if s.summary.at is None or s.summary.at >= since),
    )


def _approval_request(status: TaskStatus, approval: Approval) -> OpenRequest:
    kind = RequestKind.ANSWER if approval.is_question else RequestKind.APPROVAL
    request = ("--request", id_word(approval.id)) if len(status.approvals) > 1 else ()
    answer = ("-m", "TEXT") if approval.is_question else ()
    command = ("taskctl", "approve", key_word(str(status.ref)), *request, *answer)
    return OpenRequest(status, kind, approval.message, approval.since, command, approval)


def _tool_request(status: TaskStatus) -> OpenRequest:
    task_id = status.task_id or ""
    by_cli = any(call.mode == "cli" for call in status.parked) and is_task_id(task_id)
    return OpenRequest(
        status,
        RequestKind.TOOL_RESULT,
        "",
        status.summary.at,
        ("pulumi", "neo", "resume", task_id) if by_cli else (),
        tools=tuple(call.name for call in status.parked),
    )
