"""The status of tasks, and their open requests, as JSON documents."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from reconciler.messages.commands import completed
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import rfc3339
from reconciler.model.task_state import TaskState
from reconciler.render.parts import (
    CommandDocument,
    Count,
    DiagnosticItem,
    File,
    Part,
    TaskID,
    TaskPart,
    Time,
    Url,
    diagnostic_items,
    timestamp,
)
from reconciler.tasks.status import OpenRequest, TaskStatus, counts, open_requests

ReadAt = Annotated[
    str,
    Meta(
        description="When the tasks were read, by the service's clock (RFC 3339).",
        examples=["2026-11-24T14:44:49.123Z"],
    ),
]
StatusSummary = Annotated[
    dict[str, Count],
    Meta(
        description="The number of tasks for each status that occurs.",
        examples=[{"waiting": 1, "done": 7}],
    ),
]
Unmet = Annotated[
    list[DiagnosticItem],
    Meta(description="The parts of the expected result that are missing."),
]
Wants = Annotated[
    str,
    Meta(
        description="The kind of response that the task waits for.",
        examples=["approval", "answer", "toolResult"],
    ),
]
Message = Annotated[str | None, Meta(description="The text of the request.")]
Since = Annotated[Time | None, Meta(description="When the request was made.")]
RequestID = Annotated[str | None, Meta(description="The ID of the approval request.")]
Command = Annotated[
    list[str] | None,
    Meta(
        description="The command that responds, as a list of arguments, with the options of "
        "this run.",
        examples=[["taskctl", "approve", "rotate-iam-keys"]],
    ),
]


class RequestItem(Part, kw_only=True):
    """A request that waits for a person, or for the result of a tool."""

    wants: Wants
    message: Message
    since: Since
    request_id: RequestID
    command: Command


class LastEvent(Part, kw_only=True):
    """The newest event that matters for the status."""

    id: Annotated[str | None, Meta(description="The ID of the event.")]
    says: Annotated[
        str,
        Meta(
            description="The meaning of the event for the task.",
            examples=["working", "final", "failed", "cancelled"],
        ),
    ]
    timestamp: Annotated[Time | None, Meta(description="The time of the event.")]
    words: Annotated[str | None, Meta(description="The text of the event.")]


class ToolCallItem(Part, kw_only=True):
    """A tool call whose result the task waits for."""

    id: Annotated[str, Meta(description="The ID of the call.")]
    name: Annotated[str, Meta(description="The name of the tool.")]
    execution_mode: Annotated[
        str, Meta(description="Where the tool runs.", examples=["cli", "worker"])
    ]


class StatusTask(TaskPart, kw_only=True):
    """A task and its status."""

    status: Annotated[
        str,
        Meta(
            description="The status, derived from the outputs and events of the task. More may be "
            "added.",
            examples=[state.value for state in TaskState],
        ),
    ]
    task_id: TaskID
    url: Url
    file: File
    context_percent: Annotated[
        int | None, Meta(description="How full the agent's context window is, in percent.")
    ]
    last_event: Annotated[
        LastEvent, Meta(description="The newest event that matters for the status.")
    ]
    unmet: Unmet
    waiting_for: Annotated[list[RequestItem], Meta(description="The open requests, oldest first.")]
    approvals: Annotated[
        list[dict[str, Any]],
        Meta(description="The open approval requests, as the service returns them."),
    ]
    tool_calls: Annotated[
        list[ToolCallItem],
        Meta(description="Tool calls that wait for a connected CLI or worker."),
    ]
    queued_input: Annotated[
        Count, Meta(description="The number of messages that the agent has not processed yet.")
    ]
    outputs: Annotated[
        dict[str, Any],
        Meta(description="Every output of the task as the service returns it."),
    ]


class StatusDocument(CommandDocument, kw_only=True):
    """The status of the selected tasks.

    Within a formatVersion, fields and values may be added: ignore those that are unknown.
    """

    read_at: ReadAt
    summary: StatusSummary
    tasks: Annotated[
        list[StatusTask], Meta(description="The tasks, those that need a person first.")
    ]


class InboxItem(TaskPart, kw_only=True):
    """An open request of a task."""

    task_id: TaskID
    url: Url
    file: File
    wants: Wants
    message: Message
    since: Since
    request_id: RequestID
    command: Command
    approval: Annotated[
        dict[str, Any] | None,
        Meta(description="The approval request as the service returns it."),
    ]


class InboxDocument(CommandDocument, kw_only=True):
    """The open requests.

    Within a formatVersion, fields and values may be added: ignore those that are unknown.
    """

    read_at: ReadAt
    requests: Annotated[list[InboxItem], Meta(description="The requests, oldest first.")]


def status_document(
    statuses: Sequence[TaskStatus], now: datetime, diagnostics: Sequence[Diagnostic] = ()
) -> StatusDocument:
    """The status document, with every output of the service, including unknown outputs."""
    return StatusDocument(
        diagnostics=diagnostic_items(diagnostics),
        read_at=read_at(now),
        summary=status_counts(statuses),
        tasks=[status_task(status) for status in statuses],
    )


def read_at(now: datetime) -> str:
    return rfc3339(now)


def status_counts(statuses: Sequence[TaskStatus]) -> dict[str, int]:
    return {state.value: number for state, number in counts(statuses).items()}


def status_task(status: TaskStatus) -> StatusTask:
    """A task of the status document."""
    return StatusTask(**status_members(status))


def status_members(status: TaskStatus) -> dict[str, Any]:
    """The fields of StatusTask."""
    event = status.summary
    return {
        "key": status.ref.key,
        "org_name": status.ref.org_name,
        "status": status.state.value,
        "task_id": status.task_id,
        "url": status.url,
        "file": status.file,
        "context_percent": status.context_percent,
        "last_event": LastEvent(
            id=event.event_id or None,
            says=event.last.value,
            timestamp=timestamp(event.at),
            words=event.words or None,
        ),
        "unmet": diagnostic_items(status.unmet),
        "waiting_for": [RequestItem(**_request(request)) for request in open_requests(status)],
        "approvals": [dict(approval.body) for approval in status.approvals],
        "tool_calls": [
            ToolCallItem(id=call.id, name=call.name, execution_mode=call.mode)
            for call in status.parked
        ],
        "queued_input": status.queued_input,
        "outputs": dict(status.raw),
    }


def inbox_document(requests: Sequence[OpenRequest], now: datetime) -> InboxDocument:
    return InboxDocument(
        diagnostics=[], read_at=read_at(now), requests=[_inbox_item(r) for r in requests]
    )


def _inbox_item(request: OpenRequest) -> InboxItem:
    status = request.status
    return InboxItem(
        key=status.ref.key,
        org_name=status.ref.org_name,
        task_id=status.task_id,
        url=status.url,
        file=status.file,
        **_request(request),
        approval=dict(request.approval.body) if request.approval else None,
    )


def _request(request: OpenRequest) -> dict[str, Any]:
    return {
        "wants": request.kind.value,
        "message": request.message or None,
        "since": timestamp(request.since),
        "request_id": request.approval.id if request.approval is not None else None,
        "command": shlex.split(completed(request.command_line)) or None,
    }
