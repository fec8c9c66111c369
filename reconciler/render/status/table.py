"""The status of tasks as a table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from reconciler.messages import word
from reconciler.messages.commands import completed
from reconciler.render import cells, safe
from reconciler.render.conversation import age
from reconciler.render.reports import Palette, Style
from reconciler.render.status.inbox import request_line
from reconciler.tasks.status import (
    TaskState,
    TaskStatus,
    counts,
    open_requests,
)

UNLIMITED = sys.maxsize
"""The number of rows of a terminal that scrolls."""

_HEADER = ("KEY", "STATUS", "PHASE", "AGE", "TOKENS", "CONTEXT", "LINK")
_RIGHT = frozenset({3, 4, 5})

LABELS = {TaskState.UNRESOLVED: "no outcome"}


def status_rows(
    statuses: Sequence[TaskStatus],
    style: Style,
    now: datetime,
    *,
    room: int | None = None,
    selected: int = 0,
) -> list[str]:
    """The table, one row per task in the given order, with its reasons and open requests below it,
    then the counts.

    `room` is the number of rows available on a terminal (None for other outputs): links that do not
    fit beside the table go below their rows, or are omitted if there is no room for that either.
    `selected` is the number of tasks without the filter by status.
    """
    if not statuses:
        none = f"No tasks match the filter ({selected:,} without it)."
        return [none if selected else "No tasks are recorded."]
    requests = [
        [*reason_rows(status, style), *request_rows(status, style, now)] for status in statuses
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
    parts = [f"{n} {LABELS.get(state, state.value)}" for state, n in counts(statuses).items()]
    return f"{', '.join(parts) or 'No tasks'}."


def _status_row(
    status: TaskStatus, now: datetime, palette: Palette, *, with_org: bool
) -> tuple[str, ...]:
    created, tokens, used = status.created_at, status.tokens_used, status.context_percent
    texts = (
        str(status.ref) if with_org else status.ref.key,
        LABELS.get(status.state, status.state.value),
        status.phase or "-",
        age(now - created) if created else "-",
        f"{tokens:,}" if tokens is not None else "-",
        f"{used}%" if used is not None else "-",
        status.url or status.task_id or "",
    )
    key, label, *rest = map(safe.line, texts)
    return key, paint_of(status.state, palette)(label), *rest


def paint_of(state: TaskState, palette: Palette) -> Callable[[str], str]:
    """The color of a status."""
    usual = (TaskState.WAITING, TaskState.RUNNING, TaskState.DONE)
    return palette.of(state) if state in usual else palette.red


def request_rows(status: TaskStatus, style: Style, now: datetime) -> Iterator[str]:
    """Each open request on one row, and the command that answers it on another."""
    for request in open_requests(status):
        yield cells.shorten(safe.line(request_line(request, now)), max(20, style.width - 2))
        if request.command:
            yield completed(request.command_line)


def reason_rows(status: TaskStatus, style: Style) -> Iterator[str]:
    """Why a task failed or is unmet, and the command that corrects it."""
    width = max(20, style.width - 2)
    reasons = [word(problem) for problem in status.unmet]
    for reason in reasons:
        yield from cells.wrap(safe.line(reason.summary), width)
    for command in dict.fromkeys(reason.command for reason in reasons if reason.command):
        yield safe.line(command)
    if status.state is TaskState.FAILED and status.summary.words:
        yield cells.shorten(safe.line(" ".join(status.summary.words.split())), width)
