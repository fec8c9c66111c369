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
_MIN_COLUMNS = 12  # columns of an answer


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
    table = [_HEADER, *(_row(status, style, with_org=several) for status in statuses)]
    table = table if any(row[2] for row in table[1:]) else [(*r[:2], *r[3:]) for r in table]
    head, *shown = cells.table_rows(_fitted(table, style))
    rows = [palette.bold(head)]
    for status, row in zip(statuses, shown, strict=True):
        rows.append(row)
        rows += [palette.dim(f"  {line}") for line in _answer_rows(status, style)]
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


def _fitted(table: list[tuple[str, ...]], style: Style) -> list[tuple[str, ...]]:
    """The table with answers cut to what is left of the width."""
    used = sum(max(map(cells.width, column)) for column in list(zip(*table, strict=True))[:-1])
    least = 1 if style.terminal else _MIN_COLUMNS
    room = max(least, style.width - used - len(cells.GAP) * (len(table[0]) - 1))
    return [(*row[:-1], cells.shorten(row[-1], room)) for row in table]


def _answer_rows(status: TaskStatus, style: Style) -> Iterator[str]:
    if style.verbose and (answer := result_of(status).answer):
        for line in safe.block(answer.strip("\n")).split("\n"):
            yield from cells.wrap(line, max(20, style.width - 2))
