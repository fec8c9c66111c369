"""What came out of each task, as a table: the end of `wait`, `apply --wait` and `results`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from reconciler.render import cells, safe
from reconciler.render.status.table import (
    address_rows,
    paint_of,
    reason_rows,
    request_rows,
    status_summary,
)
from reconciler.render.style import Style
from reconciler.render.task_view import merged
from reconciler.tasks.results import first_line, result_of
from reconciler.tasks.status import TaskStatus

_HEADER = ("KEY", "STATUS", "PULL REQUESTS", "ANSWER")
_MIN_ANSWER = 24  # columns


def result_rows(
    statuses: Sequence[TaskStatus], style: Style, now: datetime, missing: int | None = None
) -> list[str]:
    """A row per task in the given order, and below it what a person should know or do; with
    `verbose`, its address and the whole answer. The last row counts the tasks, also the `missing`
    tasks, which are not created yet."""
    end = f" {missing:,} not created yet." if missing else ""
    if not statuses:
        return [f"No tasks are recorded.{end}"]
    palette, several = style.palette, len({status.ref.org_name for status in statuses}) > 1
    table = [_row(status, style, with_org=several) for status in statuses]
    (head, _), *shown = _fitted([_HEADER, *table], style)
    rows = [palette.bold(head)]
    for status, (row, below) in zip(statuses, shown, strict=True):
        rows += [row, *(f"  {line}" for line in below)]
        rows += [palette.dim(f"  {line}") for line in address_rows(status, style)]
        rows += [palette.dim(f"  {line}".rstrip()) for line in _answer_rows(status, style)]
        rows += [f"  {line}" for line in reason_rows(status, style)]
        rows += [palette.yellow(f"  {line}") for line in request_rows(status, style, now)]
    return [*rows, "", *cells.wrap_words(status_summary(statuses) + end, style.width)]


def _row(status: TaskStatus, style: Style, *, with_org: bool) -> tuple[str, ...]:
    result = result_of(status)
    key = safe.line(str(status.ref) if with_org else status.ref.key)
    label = safe.line(status.state.label)
    return (
        style.link(key, status.url),
        paint_of(status.state, style.palette)(label),
        ", ".join(
            f"{style.link(safe.line(each.text), each.url)}{merged(each)}"
            for each in result.pull_requests
        ),
        "" if style.verbose else safe.line(first_line(result.answer)),
    )


def _fitted(table: list[tuple[str, ...]], style: Style) -> list[tuple[str, list[str]]]:
    """Each row without the columns that are empty, with answers cut. On a terminal that is too
    narrow, pull requests are below the row, and answers are left out."""
    columns, gap = list(zip(*table, strict=True)), len(cells.GAP)
    widths = [max(map(cells.width, column)) for column in columns]
    has_requests, has_answers = (any(column[1:]) for column in columns[2:])
    left = style.full_width - widths[0] - widths[1] - 2 * gap
    is_beside = has_requests and (widths[2] <= left or not style.terminal)
    left -= widths[2] + gap if is_beside else 0
    least = min(widths[3], _MIN_ANSWER)
    kept = [0, 1, *([2] if is_beside else [])]
    if has_answers and (least <= left or not style.terminal):
        kept.append(3)
        table = [(*row[:3], cells.shorten(row[3], max(left, least))) for row in table]
    rows = cells.table_rows([[row[column] for column in kept] for row in table])
    return [
        (shown, [row[2]] if row[2] and not is_beside else [])
        for shown, row in zip(rows, table, strict=True)
    ]


def _answer_rows(status: TaskStatus, style: Style) -> Iterator[str]:
    if style.verbose and (answer := result_of(status).answer):
        for line in safe.block(answer.strip("\n")).split("\n"):
            yield from cells.wrap(line, max(20, style.width - 2))
