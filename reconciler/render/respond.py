"""What `approve`, `reject`, `say` and `cancel` sent to tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.messages.remarks import phrase
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.value import Value
from reconciler.render import safe
from reconciler.render.document import json_document
from reconciler.state.model import Record
from reconciler.tasks.status import TaskStatus


class Response(Value, frozen=True):
    """`sent` is the event (None if there was nothing to send), `answered` the request that it
    answers, `done` the outcome."""

    record: Record
    status: TaskStatus
    done: str
    sent: Mapping[str, object] | None = None
    answered: Mapping[str, object] | None = None


def response_text(response: Response) -> str:
    done = phrase(f"done.{response.done}")
    return f"{safe.line(str(response.record.ref))}: {done}\n"


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
