"""Messages sent to tasks and edits of the state, as text and as documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import TaskRef
from reconciler.render import safe
from reconciler.render.json import json_document
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
_EDITS = {
    "moved": "Renamed {ref} to {to}.",
    "removed": "Removed {ref} from the state. The task keeps running.",
    "accepted": "Accepted the inputs of {to} for {ref}.",
    "resolved": "Recorded task {to} for {ref}.",
    "notCreated": "Recorded that no task was created for {ref}. The next apply creates it.",
    "keptTask": "Recorded that no new task was created for {ref}. It keeps its task.",
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


@dataclass(frozen=True, slots=True)
class Edited:
    """`done` names the edit of `ref`, `to` is the new key, task or file. `changed` is False if
    nothing had to change."""

    ref: TaskRef
    done: str
    changed: bool
    to: str = ""


def response_text(response: Response) -> str:
    return f"{safe.line(str(response.record.ref))}: {_RESPONSES[response.done]}\n"


def responses_document(
    responses: Iterable[Response], problems: Iterable[Diagnostic]
) -> dict[str, object]:
    return json_document(problems, responses=[_response(response) for response in responses])


def _response(response: Response) -> dict[str, object]:
    record = response.record
    document: dict[str, object] = {
        "key": record.ref.key,
        "orgName": record.ref.org_name,
        "taskId": record.task_id,
        "url": response.status.url,
        "result": response.done,
        "sent": response.sent,
    }
    answered = response.answered
    return document | ({"answered": answered} if answered is not None else {})


def edit_text(edited: Edited) -> str:
    facts = {"ref": str(edited.ref), "to": edited.to}
    return safe.line(_EDITS[edited.done].format_map(facts)) + "\n"


def edits_document(edited: Iterable[Edited]) -> dict[str, object]:
    return json_document(
        edits=[
            {
                "changed": one.changed,
                "result": one.done,
                "key": one.ref.key,
                "orgName": one.ref.org_name,
                **({"to": one.to} if one.to else {}),
            }
            for one in edited
        ]
    )
