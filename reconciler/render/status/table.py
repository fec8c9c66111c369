"""The status of tasks and their open requests: as a table, as a list, as documents, and as a Slack
message."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import TaskRef, rfc3339
from reconciler.render import cells, safe
from reconciler.render.conversation import age, approval_rows
from reconciler.render.formats.json import json_document
from reconciler.render.reports import Palette, Style
from reconciler.tasks.status import (
    News,
    OpenRequest,
    RequestKind,
    TaskState,
    TaskStatus,
    counts,
    open_requests,
)

UNLIMITED = sys.maxsize
"""The number of rows of a terminal that scrolls."""

_HEADER = ("KEY", "STATUS", "PHASE", "AGE", "TOKENS", "CONTEXT", "LINK")
_RIGHT = frozenset({3, 4, 5})

_LABELS = {TaskState.UNRESOLVED: "no outcome"}

MOST_NEWS = 20
"""The maximum number of tasks in one message to Slack."""

_MENTION, _HARMLESS_MENTION = re.compile(r"(?<![\w.-])@"), "@\u200b"
"""Mattermost notifies everybody of a plain `@all`. The `@` in a key follows a letter or a digit."""

_LONGEST = 300  # characters of what a task says

_ASKS = {
    RequestKind.APPROVAL: "asks for approval",
    RequestKind.ANSWER: "asks a question",
    RequestKind.TOOL_RESULT: "waits for the result of",
}


def status_rows(
    statuses: Sequence[TaskStatus],
    style: Style,
    now: datetime,
    *,
    room: int | None = None,
    selected: int = 0,
) -> list[str]:
    """The table, one row per task in the given order, with its open requests below it, then the
    counts.

    `room` is the number of rows available on a terminal (None for other outputs): links that do not
    fit beside the table go below their rows, or are omitted if there is no room for that either.
    `selected` is the number of tasks without the filter by status.
    """
    if not statuses:
        none = f"No tasks match the filter ({selected:,} without it)."
        return [none if selected else "No tasks are recorded."]
    requests = [
        [row for request in open_requests(status) for row in _summary_rows(request, style, now)]
        for status in statuses
    ]
    extra = sum(map(len, requests))
    if room is not None and len(statuses) + extra + 3 > room:
        requests, extra = [[] for _ in statuses], 0
    palette = style.palette
    several = len({status.ref.org_name for status in statuses}) > 1
    table = [_HEADER, *(_status_row(status, now, palette, with_org=several) for status in statuses)]
    links = [row[-1] for row in table[1:]]
    head, *shown = cells.table_rows(table, _RIGHT)
    apart = room is not None and max(map(cells.width, (head, *shown))) > style.width
    below = room == UNLIMITED or (
        room is not None
        and 2 * len(statuses) + extra + 3 <= room
        and max(map(cells.width, links)) + 2 <= style.width
    )
    if apart:
        head, *shown = cells.table_rows([row[:-1] for row in table], _RIGHT)
    rows = [palette.bold(head)]
    for row, link, asked in zip(shown, links, requests, strict=True):
        rows.append(row)
        if apart and below and link:
            rows.append(palette.dim(f"  {link}"))
        rows += [palette.yellow(f"  {line}") for line in asked]
    last = status_summary(statuses)
    return [*rows, "", *([last] if room is None else cells.wrap_words(last, style.width))]


def status_summary(statuses: Sequence[TaskStatus]) -> str:
    """`1 waiting, 2 running, 3 done.`"""
    parts = [f"{n} {_LABELS.get(state, state.value)}" for state, n in counts(statuses).items()]
    return f"{', '.join(parts) or 'No tasks'}."


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
        "waitingFor": [_request_document(request) for request in open_requests(status)],
        "approvals": [dict(approval.body) for approval in status.approvals],
        "toolCalls": [
            {"id": call.id, "name": call.name, "executionMode": call.mode} for call in status.parked
        ],
        "queuedInput": status.queued_input,
        "outputs": dict(status.raw),
    }


def _status_row(
    status: TaskStatus, now: datetime, palette: Palette, *, with_org: bool
) -> tuple[str, ...]:
    created, tokens, used = status.created_at, status.tokens_used, status.context_percent
    texts = (
        str(status.ref) if with_org else status.ref.key,
        _LABELS.get(status.state, status.state.value),
        status.phase or "-",
        age(now - created) if created else "-",
        f"{tokens:,}" if tokens is not None else "-",
        f"{used}%" if used is not None else "-",
        status.url or status.task_id or "",
    )
    key, label, *rest = map(safe.line, texts)
    usual = (TaskState.WAITING, TaskState.RUNNING, TaskState.DONE)
    paint = palette.of(status.state) if status.state in usual else palette.red
    return key, paint(label), *rest


def _request_line(request: OpenRequest, now: datetime, *, message: bool = True) -> str:
    """`asks for approval (3m ago): MESSAGE`; not escaped."""
    tools = f" {', '.join(request.tools)}" if request.tools else ""
    ago = f" ({age(now - request.since)} ago)" if request.since is not None else ""
    text = " ".join(request.message.split()) if message else ""
    return f"{_ASKS[request.kind]}{tools}{ago}{f': {text}' if text else ''}"


def _summary_rows(request: OpenRequest, style: Style, now: datetime) -> list[str]:
    """A request on one row, and the command that answers it on another."""
    shown = cells.shorten(safe.line(_request_line(request, now)), max(20, style.width - 2))
    return [shown, request.command_line] if request.command else [shown]


def inbox_text(requests: Sequence[OpenRequest], style: Style, now: datetime) -> str:
    """All requests in full, oldest first."""
    if not requests:
        return "No open questions.\n"
    rows = [row for request in requests for row in ("", *_request_rows(request, style, now))]
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
                **_request_document(request),
                "approval": dict(request.approval.body) if request.approval else None,
            }
            for request in requests
        ],
    )


def _request_document(request: OpenRequest) -> dict[str, object]:
    return {
        "wants": request.kind.value,
        "message": request.message or None,
        "since": rfc3339(request.since) if request.since is not None else None,
        "requestId": request.approval.id if request.approval is not None else None,
        "command": list(request.command) or None,
    }


def _request_rows(request: OpenRequest, style: Style, now: datetime) -> Iterator[str]:
    line = _request_line(request, now, message=False)
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
    more = f"and {len(items) - MOST_NEWS} more: `taskctl inbox`, `taskctl status`"
    return "\n".join([head, *items[:MOST_NEWS], *([more] if len(items) > MOST_NEWS else [])])


def _waiting(news: News, sensitive: Collection[TaskRef], now: datetime) -> Iterator[str]:
    for request in news.waiting:
        status = request.status
        item = _news_item(status, _request_line(request, now, message=status.ref not in sensitive))
        yield item + (f"\n    {_inert(request.command_line)}" if request.command else "")


def _failed(news: News, sensitive: Collection[TaskRef]) -> Iterator[str]:
    for status in news.failed:
        words = "" if status.ref in sensitive else " ".join(status.summary.words.split())
        yield _news_item(status, status.state.value + (f": {words}" if words else ""))


def _news_item(status: TaskStatus, text: str) -> str:
    shown = _inert(cells.shorten(safe.line(f"{status.ref} {text}"), _LONGEST))
    link = f"\n    {_inert(status.url)}" if status.url else ""
    return f"• {_MENTION.sub(_HARMLESS_MENTION, shown)}{link}"


def _inert(text: str) -> str:
    """Slack's escapes against mentions, links and commands."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
