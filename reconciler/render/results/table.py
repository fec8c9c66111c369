"""What came out of each task, as a table: the end of `wait`, `apply --wait` and `results`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from reconciler.render import cells, safe
from reconciler.render.reports import Style
from reconciler.render.status.table import (
    LABELS,
    paint_of,
    reason_rows,
    request_rows,
    status_summary,
)
from reconciler.render.task_view import merged
from reconciler.tasks.results import first_line, result_of
from reconciler.tasks.status import TaskStatus

_HEADER = ("KEY", "STATUS", "PULL REQUESTS", "ANSWER")
_MIN_ANSWER = 24  # columns; with fewer, a long answer has a line of its own


def result_rows(
    statuses: Sequence[TaskStatus], style: Style, now: datetime, missing: int = 0
) -> list[str]:
    """A row per task in the given order, and below it what a person should know or do; with
    `verbose`, the whole answer. The last row counts the tasks, also the `missing` ones, which are
    not created yet."""
    end = f" {missing:,} not created yet." if missing else ""
    if not statuses:
        return [f"No tasks are recorded.{end}"]
    palette, several = style.palette, len({status.ref.org_name for status in statuses}) > 1
    table = [_row(status, style, with_org=several) for status in statuses]
    (head, _), *shown = _fitted([_HEADER, *table], style)
    rows = [palette.bold(head)]
    for status, (row, below) in zip(statuses, shown, strict=True):
        rows += [row, *(f"  {line}" for line in below)]
        rows += [palette.dim(f"  {line}".rstrip()) for line in _answer_rows(status, style)]
        rows += [f"  {line}" for line in reason_rows(status, style)]
        rows += [palette.yellow(f"  {line}") for line in request_rows(status, style, now)]
    return [*rows, "", *cells.wrap_words(status_summary(statuses) + end, style.width)]


def _row(status: TaskStatus, style: Style, *, with_org: bool) -> tuple[str, ...]:
    result = result_of(status)
    key = safe.line(str(status.ref) if with_org else status.ref.key)
    label = safe.line(LABELS.get(status.state, status.state.value))
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
    """Each row without the columns that are empty, and the cells below it whose columns are too
    wide to stand beside the others. Answers are cut."""
    columns, gap = list(zip(*table, strict=True)), len(cells.GAP)
    widths = [max(map(cells.width, column)) for column in columns]
    kept, below = [0, 1], list[int]()
    left = style.full_width - widths[0] - widths[1] - 2 * gap
    for column, least in ((2, widths[2]), (3, min(widths[3], _MIN_ANSWER))):
        if not any(columns[column][1:]):
            continue
        (kept if least <= left else below).append(column)
        left -= widths[2] + gap if kept[-1] == 2 == column else 0
    room = left if 3 in kept else style.full_width - gap
    table = [(*row[:3], cells.shorten(row[3], room)) for row in table]
    rows = cells.table_rows([[row[column] for column in kept] for row in table])
    return [
        (shown, [row[column] for column in below if row[column]])
        for shown, row in zip(rows, table, strict=True)
    ]


def _answer_rows(status: TaskStatus, style: Style) -> Iterator[str]:
    if style.verbose and (answer := result_of(status).answer):
        for line in safe.block(answer.strip("\n")).split("\n"):
            yield from cells.wrap(line, max(20, style.width - 2))
