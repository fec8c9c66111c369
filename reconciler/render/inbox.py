"""Open requests: as a list, and in documents."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime

from reconciler.messages.commands import completed
from reconciler.model.task import rfc3339
from reconciler.render import safe
from reconciler.render.conversation import age, approval_rows
from reconciler.render.document import Document, json_document, timestamp
from reconciler.render.style import Style
from reconciler.tasks.status import OpenRequest, RequestKind

_ASKS = {
    RequestKind.APPROVAL: "asks for approval",
    RequestKind.ANSWER: "asks a question",
    RequestKind.TOOL_RESULT: "waits for the result of",
}


def inbox_text(requests: Sequence[OpenRequest], style: Style, now: datetime) -> str:
    """All requests in full, oldest first."""
    if not requests:
        return "No open requests.\n"
    rows = [row for request in requests for row in ("", *_request_rows(request, style, now))]
    return safe.without_commands("".join(f"{row}\n" for row in rows[1:]))


def _request_rows(request: OpenRequest, style: Style, now: datetime) -> Iterator[str]:
    status, line = request.status, request_line(request, now, message=False)
    key = style.link(safe.line(str(status.ref)), status.url)
    yield style.palette.bold(f"{key} {safe.line(line)}")
    if style.verbose and status.url:
        yield style.palette.dim(f"  {safe.line(status.url)}")
    if request.approval is not None:
        yield from (
            f"  {row}".rstrip() for row in approval_rows(request.approval, style.indented(2))
        )
    if request.command:
        for line in completed(request.command_line).split("\n"):
            yield style.palette.dim(f"  {safe.line(line)}")


def request_line(request: OpenRequest, now: datetime, *, message: bool = True) -> str:
    """`asks for approval (3m ago): MESSAGE`; not escaped."""
    tools = f" {', '.join(request.tools)}" if request.tools else ""
    ago = f" ({age(now - request.since)} ago)" if request.since is not None else ""
    text = " ".join(request.message.split()) if message else ""
    return f"{_ASKS[request.kind]}{tools}{ago}{f': {text}' if text else ''}"


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
        **request_item(request),
        "approval": dict(request.approval.body) if request.approval else None,
    }


def request_item(request: OpenRequest) -> Document:
    """A request in a document."""
    return {
        "wants": request.kind.value,
        "message": request.message or None,
        "since": timestamp(request.since),
        "requestId": request.approval.id if request.approval is not None else None,
        "command": _command_words(request),
    }


def _command_words(request: OpenRequest) -> list[str] | None:
    """The words of the command; None if there is none that this user may run."""
    line = completed(request.command_line)
    return shlex.split(line) if line.startswith(("taskctl ", "gh ", "pulumi ")) else None
