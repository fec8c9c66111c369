"""The status of tasks as a table and as a document."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import rfc3339
from reconciler.render import cells, safe
from reconciler.render.conversation import age
from reconciler.render.inbox import request_document, summary_rows
from reconciler.render.json import json_document
from reconciler.render.reports import Palette, Style
from reconciler.tasks.status import TaskState, TaskStatus, counts, open_requests

UNLIMITED = sys.maxsize
"""The number of rows of a terminal that scrolls."""

_HEADER = ("KEY", "STATUS", "PHASE", "AGE", "TOKENS", "CONTEXT", "LINK")
_RIGHT = frozenset({3, 4, 5})

_LABELS = {TaskState.UNRESOLVED: "no outcome"}


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
        [row for request in open_requests(status) for row in summary_rows(request, style, now)]
        for status in statuses
    ]
    extra = sum(map(len, requests))
    if room is not None and len(statuses) + extra + 3 > room:
        requests, extra = [[] for _ in statuses], 0
    palette = style.palette
    several = len({status.ref.org_name for status in statuses}) > 1
    table = [_HEADER, *(_row(status, now, palette, with_org=several) for status in statuses)]
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
        tasks=[_task(status) for status in statuses],
    )


def _task(status: TaskStatus) -> dict[str, object]:
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


def _row(status: TaskStatus, now: datetime, palette: Palette, *, with_org: bool) -> tuple[str, ...]:
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
