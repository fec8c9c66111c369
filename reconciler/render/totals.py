"""The tokens that tasks have used: tables with bars, CSV, and values for a program."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any

from reconciler.plan.budget import Outlook, budget_document
from reconciler.render import cells, safe
from reconciler.render.budget import budget_rows
from reconciler.render.reports import Style
from reconciler.tasks.totals import By, Sum, Totals, Usage

BLOCKS = "▏▎▍▌▋▊▉█"
ASCII = "#"
"""The characters of a bar: each is one step fuller than the one before it, the last is full."""

MOST = {By.DAY: 31}
"""Rows of a table, unless 20; the rest is one more row."""

LONGEST_BAR, SHORTEST_BAR = 40, 8
_CUT = "..."


def totals_rows(
    totals: Totals, outlooks: Sequence[Outlook], style: Style, marks: str = ""
) -> list[str]:
    """`marks` are the characters of bars, see BLOCKS; without any there are none."""
    if not totals.tasks:
        return ["No tasks are recorded."]
    rows: list[str] = []
    for by, sums in totals.groups.items():
        rows += [*_listed(f"BY {by.upper()}", _shortened(sums, by), style, marks), ""]
    return [*rows, _whole(totals), *budget_rows(outlooks, style)]


def totals_document(totals: Totals, outlooks: Sequence[Outlook]) -> dict[str, Any]:
    """`totals`, and `budget` if there is one."""
    values: dict[str, Any] = {
        "tokens": totals.tokens,
        "tasks": totals.tasks,
        "unknown": totals.unknown,
    }
    for by, sums in totals.groups.items():
        if by is By.TASK:
            values["byTask"] = [_task(usage) for usage in totals.usages]
        else:
            values[f"by{by.capitalize()}"] = [_document(by.value, one) for one in sums]
    return {"totals": values, **({"budget": budget_document(outlooks)} if outlooks else {})}


def totals_csv(totals: Totals) -> str:
    """A row for each group; for `task`, one for each task, with everything to group it by."""
    (by, sums), *_ = totals.groups.items()
    written = StringIO()
    table = csv.writer(written, lineterminator="\n")
    if by is By.TASK:
        rows = [_task(usage) for usage in totals.usages]
    else:
        rows = [_document(by.value, one) for one in sums]
    columns = list(rows[0]) if rows else [by.value, "tasks", "tokens"]
    table.writerow(columns)
    table.writerows([_cell(row[name]) for name in columns] for row in rows)
    return written.getvalue()


def _cell(value: object) -> object:
    """Without control characters; a spreadsheet takes no text from outside for a formula."""
    if not isinstance(value, str):
        return value
    text = safe.line(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _task(usage: Usage) -> dict[str, object]:
    return {
        "orgName": usage.ref.org_name,
        "key": usage.ref.key,
        "taskId": usage.task_id or None,
        "file": usage.file or None,
        "team": usage.team or None,
        "day": usage.day or None,
        "tokens": usage.tokens,
    }


def bar(value: int, most: int, columns: int, marks: str) -> str:
    """A bar as long as `value` is of `most`; anything above nothing is to be seen."""
    if value <= 0 or not marks:
        return ""
    steps = max(1, round(value * columns * len(marks) / most))
    whole, rest = divmod(steps, len(marks))
    return marks[-1] * whole + (marks[rest - 1] if rest else "")


def _document(name: str, one: Sum) -> dict[str, object]:
    return {name: one.name or None, "tasks": one.tasks, "tokens": one.tokens}


def _shortened(sums: Sequence[Sum], by: By) -> list[Sum]:
    """The largest and the others, or the latest days and those before them."""
    most = MOST.get(by, 20)
    if len(sums) <= most:
        return list(sums)
    shown, rest = (sums[-most:], sums[:-most]) if by is By.DAY else (sums[:most], sums[most:])
    tasks, tokens = sum(one.tasks for one in rest), sum(one.tokens for one in rest)
    word = "before" if by is By.DAY else "others"
    other = Sum(f"({len(rest):,} {word})", tasks, tokens)
    return [other, *shown] if by is By.DAY else [*shown, other]


def _listed(title: str, sums: Sequence[Sum], style: Style, marks: str) -> Iterator[str]:
    """A row for each: its name, how many tasks, their tokens, a bar. Names give way first."""
    numbers = [("TASKS", "TOKENS"), *((f"{one.tasks:,}", f"{one.tokens:,}") for one in sums)]
    taken = sum(max(map(len, column)) + 2 for column in zip(*numbers, strict=True))
    room = max(len(title), style.width - taken - (2 + SHORTEST_BAR if marks else 0))
    names = [title, *(_fitting(safe.line(one.name or "(unknown)"), room) for one in sums)]
    left = style.width - max(map(cells.width, names)) - taken - 2
    columns = min(LONGEST_BAR, left) if left >= SHORTEST_BAR else 0
    most = max(one.tokens for one in sums)
    bars = ["", *(bar(one.tokens, most, columns, marks if columns else "") for one in sums)]
    table = [(name, *row, drawn) for name, row, drawn in zip(names, numbers, bars, strict=True)]
    head, *rows = cells.table_rows(table, right=(1, 2))
    yield style.palette.bold(head)
    yield from rows


def _fitting(name: str, columns: int) -> str:
    """Its end, where it is too long: that tells files apart."""
    if cells.width(name) <= columns:
        return name
    while name and cells.width(name) > columns - len(_CUT):
        name = name[1:]
    return _CUT + name


def _whole(totals: Totals) -> str:
    tasks = f"{totals.tasks:,} task{'' if totals.tasks == 1 else 's'}"
    unknown = f"; the usage of {totals.unknown:,} is unknown" if totals.unknown else ""
    return f"{totals.tokens:,} tokens, used by {tasks}{unknown}."
