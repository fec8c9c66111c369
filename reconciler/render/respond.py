"""The responses that `approve`, `reject`, `say` and `cancel` sent to tasks."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.app.respond import Response
from reconciler.messages.commands import Commands
from reconciler.messages.remarks import phrase
from reconciler.model.diagnostics import Diagnostic
from reconciler.render import safe
from reconciler.render.document import json_document


def response_text(response: Response) -> str:
    done = phrase(f"done.{response.done}")
    return f"{safe.line(str(response.record.ref))}: {done}\n"


def responses_document(
    responses: Iterable[Response], problems: Iterable[Diagnostic], commands: Commands
) -> dict[str, object]:
    return json_document(
        problems,
        commands,
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
