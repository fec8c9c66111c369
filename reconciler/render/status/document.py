"""The status of tasks, and their open requests, as JSON documents."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime

from reconciler.messages.commands import completed
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import rfc3339
from reconciler.render.document import Document, diagnostic_items, json_document, timestamp
from reconciler.tasks.status import OpenRequest, TaskStatus, counts, open_requests


def status_document(
    statuses: Sequence[TaskStatus], now: datetime, diagnostics: Sequence[Diagnostic] = ()
) -> Document:
    """The status document, with every output of the service, including unknown outputs."""
    return json_document(diagnostics, **statuses_part(statuses, now))


def statuses_part(statuses: Sequence[TaskStatus], now: datetime) -> Document:
    """The members about tasks as they were at that time."""
    return {
        "readAt": rfc3339(now),
        "summary": status_counts(statuses),
        "tasks": [status_task(status) for status in statuses],
    }


def status_counts(statuses: Sequence[TaskStatus]) -> dict[str, int]:
    return {state.value: number for state, number in counts(statuses).items()}


def status_task(status: TaskStatus) -> Document:
    """A task of the status document."""
    event = status.summary
    return {
        "key": status.ref.key,
        "orgName": status.ref.org_name,
        "status": status.state.value,
        "taskId": status.task_id,
        "url": status.url,
        "file": status.file,
        "contextPercent": status.context_percent,
        "lastEvent": {
            "id": event.event_id or None,
            "says": event.last.value,
            "timestamp": timestamp(event.at),
            "words": event.words or None,
        },
        "unmet": diagnostic_items(status.unmet),
        "waitingFor": [_request(request) for request in open_requests(status)],
        "approvals": [dict(approval.body) for approval in status.approvals],
        "toolCalls": [
            {"id": call.id, "name": call.name, "executionMode": call.mode} for call in status.parked
        ],
        "queuedInput": status.queued_input,
        "outputs": dict(status.raw),
    }


def inbox_document(requests: Sequence[OpenRequest], now: datetime) -> Document:
    return json_document(readAt=rfc3339(now), requests=[_inbox_item(r) for r in requests])


def _inbox_item(request: OpenRequest) -> Document:
    status = request.status
    return {
        "key": status.ref.key,
        "orgName": status.ref.org_name,
        "taskId": status.task_id,
        "url": status.url,
        "file": status.file,
        **_request(request),
        "approval": dict(request.approval.body) if request.approval else None,
    }


def _request(request: OpenRequest) -> Document:
    return {
        "wants": request.kind.value,
        "message": request.message or None,
        "since": timestamp(request.since),
        "requestId": request.approval.id if request.approval is not None else None,
        "command": shlex.split(completed(request.command_line)) or None,
    }
