"""The tokens that tasks have used: tables with bars, CSV, and a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.model.budget import Outlook
from reconciler.render import cells, safe
from reconciler.render.budget import budget_rows
from reconciler.render.counts import counted
from reconciler.render.csv_text import csv_text
from reconciler.render.document import Document, budget_part, given, json_document
from reconciler.render.style import Style
from reconciler.tasks.totals import By, GroupTotal, Totals, Usage

BLOCKS = "▏▎▍▌▋▊▉█"
ASCII = "#"
"""The characters of a bar, from the least to the completely filled one."""

MAX_ROWS = {By.DAY: 31}
"""The maximum number of rows of a table, if not 20; one more row sums up the others."""

MAX_BAR, SHORTEST_BAR = 40, 8
_CUT = "..."


def totals_rows(
    totals: Totals, outlooks: Sequence[Outlook], style: Style, marks: str = ""
) -> list[str]:
    """`marks` are the characters of bars, see BLOCKS; empty for no bars."""
    if not totals.tasks:
        return ["No tasks are recorded."]
    rows: list[str] = []
    for by, sums in totals.groups.items():
        rows += [*_table(f"BY {by.upper()}", _limit(sums, by), style, marks), ""]
    unknown = f"; the usage of {totals.unknown:,} is unknown" if totals.unknown else ""
    rows.append(f"{totals.tokens:,} tokens, used by {counted(totals.tasks, 'task')}{unknown}.")
    return [*rows, *budget_rows(outlooks, style)]


def totals_document(totals: Totals, outlooks: Sequence[Outlook]) -> Document:
    """The document with `totals`, and `budget` if there is one."""
    values: Document = {
        "tokens": totals.tokens,
        "tasks": totals.tasks,
        "unknown": totals.unknown,
    }
    for by, sums in totals.groups.items():
        values[f"by{by.capitalize()}"] = _rows(totals, by, sums)
    return json_document(totals=values, **given(budget=budget_part(outlooks)))


def totals_csv(totals: Totals) -> str:
    """A row per group of the first grouping; for `task`, a row per task with everything to group it
    by."""
    (by, sums), *_ = totals.groups.items()
    columns = _TASK_COLUMNS if by is By.TASK else (by.value, "tasks", "tokens")
    return csv_text([columns, *(list(row.values()) for row in _rows(totals, by, sums))])


_TASK_COLUMNS = ("orgName", "key", "taskId", "file", "team", "day", "tokens")


def _rows(totals: Totals, by: By, sums: Sequence[GroupTotal]) -> list[dict[str, object]]:
    if by is not By.TASK:
        return [
            {by.value: group.name or None, "tasks": group.tasks, "tokens": group.tokens}
            for group in sums
        ]
    return [dict(zip(_TASK_COLUMNS, _values(usage), strict=True)) for usage in totals.usages]


def _values(usage: Usage) -> tuple[object, ...]:
    ref, optional = usage.ref, (usage.task_id, usage.file, usage.team, usage.day)
    return ref.org_name, ref.key, *(value or None for value in optional), usage.tokens


def bar(value: int, most: int, columns: int, marks: str) -> str:
    """A bar whose length is the share of `value` in `most`; visible for any positive value."""
    if value <= 0 or not marks:
        return ""
    steps = max(1, round(value * columns * len(marks) / most))
    whole, rest = divmod(steps, len(marks))
    return marks[-1] * whole + (marks[rest - 1] if rest else "")


def _limit(sums: Sequence[GroupTotal], by: By) -> list[GroupTotal]:
    """The largest and the others, or the latest days and those before them."""
    most = MAX_ROWS.get(by, 20)
    if len(sums) <= most:
        return list(sums)
    shown, rest = (sums[-most:], sums[:-most]) if by is By.DAY else (sums[:most], sums[most:])
    tasks, tokens = sum(group.tasks for group in rest), sum(group.tokens for group in rest)
    word = "before" if by is By.DAY else "others"
    other = GroupTotal(f"({len(rest):,} {word})", tasks, tokens)
    return [other, *shown] if by is By.DAY else [*shown, other]


def _table(title: str, sums: Sequence[GroupTotal], style: Style, marks: str) -> Iterator[str]:
    """A row per group: name, number of tasks, tokens, bar. Names are shortened first."""
    numbers = [("TASKS", "TOKENS"), *((f"{group.tasks:,}", f"{group.tokens:,}") for group in sums)]
    taken = sum(max(map(len, column)) + 2 for column in zip(*numbers, strict=True))
    room = max(len(title), style.width - taken - (2 + SHORTEST_BAR if marks else 0))
    names = [title, *(_shorten(safe.line(group.name or "(unknown)"), room) for group in sums)]
    left = style.width - max(map(cells.width, names)) - taken - 2
    columns = min(MAX_BAR, left) if left >= SHORTEST_BAR else 0
    most = max(group.tokens for group in sums)
    bars = ["", *(bar(group.tokens, most, columns, marks if columns else "") for group in sums)]
    table = [(name, *row, drawn) for name, row, drawn in zip(names, numbers, bars, strict=True)]
    head, *rows = cells.table_rows(table, right=(1, 2))
    yield style.palette.bold(head)
    yield from rows


def _shorten(name: str, columns: int) -> str:
    """The end of a long name: that is where files differ."""
    if cells.width(name) <= columns:
        return name
    while name and cells.width(name) > columns - len(_CUT):
        name = name[1:]
    return _CUT + name
