"""The status of tasks as a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import rfc3339
from reconciler.render.document import json_document
from reconciler.tasks.status import (
    OpenRequest,
    TaskStatus,
    counts,
    open_requests,
)


def status_document(
    statuses: Sequence[TaskStatus], now: datetime, diagnostics: Sequence[Diagnostic] = ()
) -> dict[str, Any]:
    """The JSON document, with every output of the service, including unknown ones."""
    return json_document(
        diagnostics,
        readAt=rfc3339(now),
        summary={state.value: number for state, number in counts(statuses).items()},
        tasks=[_task_document(status) for status in statuses],
    )


def _task_document(status: TaskStatus) -> dict[str, object]:
    summary = status.summary
    return {
        "key": status.ref.key,
        "orgName": status.ref.org_name,
        "status": status.state.value,
        "taskId": status.task_id,
        "url": status.url,
        "file": status.file,
        "contextPercent": status.context_percent,
        "lastEvent": {
            "id": summary.event_id or None,
            "says": summary.last.value,
            "timestamp": rfc3339(summary.at) if summary.at else None,
            "words": summary.words or None,
        },
        "waitingFor": [request_document(request) for request in open_requests(status)],
        "approvals": [dict(approval.body) for approval in status.approvals],
        "toolCalls": [
            {"id": call.id, "name": call.name, "executionMode": call.mode} for call in status.parked
        ],
        "queuedInput": status.queued_input,
        "outputs": dict(status.raw),
    }


def request_document(request: OpenRequest) -> dict[str, object]:
    return {
        "wants": request.kind.value,
        "message": request.message or None,
        "since": rfc3339(request.since) if request.since is not None else None,
        "requestId": request.approval.id if request.approval is not None else None,
        "command": list(request.command) or None,
    }
