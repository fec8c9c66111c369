"""Open requests of tasks: below a table row, as a list, as a document and as a Slack message."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from reconciler.model.task import TaskRef, rfc3339
from reconciler.render import cells, safe
from reconciler.render.conversation import age, approval_rows
from reconciler.render.json import json_document
from reconciler.render.reports import Style
from reconciler.tasks.status import News, OpenRequest, RequestKind, TaskStatus

MOST = 20
"""The maximum number of tasks in one message to Slack."""

_MENTION, _HARMLESS_MENTION = re.compile(r"(?<![\w.-])@"), "@\u200b"
"""Mattermost notifies everybody of a plain `@all`. The `@` in a key follows a letter or a digit."""

_LONGEST = 300  # characters of what a task says

_ASKS = {
    RequestKind.APPROVAL: "asks for approval",
    RequestKind.ANSWER: "asks a question",
    RequestKind.TOOL_RESULT: "waits for the result of",
}


def request_line(request: OpenRequest, now: datetime, *, message: bool = True) -> str:
    """`asks for approval (3m ago): MESSAGE`; not escaped."""
    tools = f" {', '.join(request.tools)}" if request.tools else ""
    ago = f" ({age(now - request.since)} ago)" if request.since is not None else ""
    text = " ".join(request.message.split()) if message else ""
    return f"{_ASKS[request.kind]}{tools}{ago}{f': {text}' if text else ''}"


def summary_rows(request: OpenRequest, style: Style, now: datetime) -> list[str]:
    """A request on one row, and the command that answers it on another."""
    shown = cells.shorten(safe.line(request_line(request, now)), max(20, style.width - 2))
    return [shown, request.command_line] if request.command else [shown]


def inbox_text(requests: Sequence[OpenRequest], style: Style, now: datetime) -> str:
    """All requests in full, oldest first."""
    if not requests:
        return "No open questions.\n"
    rows = [row for request in requests for row in ("", *_rows(request, style, now))]
    return safe.without_commands("".join(f"{row}\n" for row in rows[1:]))


def inbox_document(requests: Sequence[OpenRequest], now: datetime) -> dict[str, object]:
    return json_document(
        readAt=rfc3339(now),
        questions=[
            {
                "key": request.status.ref.key,
                "orgName": request.status.ref.org_name,
                "taskId": request.status.task_id,
                "url": request.status.url,
                "file": request.status.file,
                **request_document(request),
                "approval": dict(request.approval.body) if request.approval else None,
            }
            for request in requests
        ],
    )


def request_document(request: OpenRequest) -> dict[str, object]:
    return {
        "wants": request.kind.value,
        "message": request.message or None,
        "since": rfc3339(request.since) if request.since is not None else None,
        "requestId": request.approval.id if request.approval is not None else None,
        "command": list(request.command) or None,
    }


def _rows(request: OpenRequest, style: Style, now: datetime) -> Iterator[str]:
    line = request_line(request, now, message=False)
    yield style.palette.bold(safe.line(f"{request.status.ref} {line}"))
    if request.approval is not None:
        yield from (
            f"  {row}".rstrip() for row in approval_rows(request.approval, style.indented(2))
        )
    if request.command:
        yield style.palette.dim(f"  {safe.line(request.command_line)}")


def notification_text(news: News, sensitive: Collection[TaskRef], now: datetime) -> str:
    """The message; empty without news. Of `sensitive` tasks, only the key is shown."""
    items = [*_waiting(news, sensitive, now), *_failed(news, sensitive)]
    if not items:
        return ""
    counts = ((len(news.waiting), "waiting"), (len(news.failed), "failed"))
    head = "taskctl: " + ", ".join(f"{count} {word}" for count, word in counts if count)
    more = f"and {len(items) - MOST} more: `taskctl inbox`, `taskctl status`"
    return "\n".join([head, *items[:MOST], *([more] if len(items) > MOST else [])])


def _waiting(news: News, sensitive: Collection[TaskRef], now: datetime) -> Iterator[str]:
    for request in news.waiting:
        status = request.status
        item = _item(status, request_line(request, now, message=status.ref not in sensitive))
        yield item + (f"\n    {_inert(request.command_line)}" if request.command else "")


def _failed(news: News, sensitive: Collection[TaskRef]) -> Iterator[str]:
    for status in news.failed:
        words = "" if status.ref in sensitive else " ".join(status.summary.words.split())
        yield _item(status, status.state.value + (f": {words}" if words else ""))


def _item(status: TaskStatus, text: str) -> str:
    shown = _inert(cells.shorten(safe.line(f"{status.ref} {text}"), _LONGEST))
    link = f"\n    {_inert(status.url)}" if status.url else ""
    return f"• {_MENTION.sub(_HARMLESS_MENTION, shown)}{link}"


def _inert(text: str) -> str:
    """Slack's escapes against mentions, links and commands."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
