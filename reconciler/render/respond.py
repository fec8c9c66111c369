"""What `approve`, `reject`, `say` and `cancel` sent to tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.model.diagnostics import Diagnostic
from reconciler.render import safe
from reconciler.render.document import json_document
from reconciler.state.model import Record
from reconciler.tasks.status import TaskStatus

_RESPONSES = {
    "approved": "Approved.",
    "answered": "Answered.",
    "rejected": "Rejected.",
    "sent": "Message sent.",
    "cancelled": "Cancelled.",
    "sessionEnded": "Session ended.",
    "nothingToCancel": "Nothing to cancel.",
}


@dataclass(frozen=True, slots=True)
class Response:
    """`sent` is the event (None if there was nothing to send), `answered` the request that it
    answers, `done` the outcome."""

    record: Record
    status: TaskStatus
    done: str
    sent: Mapping[str, object] | None = None
    answered: Mapping[str, object] | None = None


def response_text(response: Response) -> str:
    return f"{safe.line(str(response.record.ref))}: {_RESPONSES[response.done]}\n"


def responses_document(
    responses: Iterable[Response], problems: Iterable[Diagnostic]
) -> dict[str, object]:
    return json_document(
        problems,
        responses=[
            {
                "key": response.record.ref.key,
                "orgName": response.record.ref.org_name,
                "taskId": response.record.task_id,
                "url": response.status.url,
                "result": response.done,
                "sent": response.sent,
                **({"answered": response.answered} if response.answered is not None else {}),
            }
            for response in responses
        ],
    )
