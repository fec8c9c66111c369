"""What tasks have used, as two lists of sums with bars beside them, and as values for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reconciler.plan.budget import Outlook, budget_document
from reconciler.render import cells, safe
from reconciler.render.budget import budget_rows
from reconciler.render.palette import Palette
from reconciler.render.reports import Style
from reconciler.render.table import table_rows
from reconciler.tasks.totals import Sum, Totals

BLOCKS = "▏▎▍▌▋▊▉█"
ASCII = "#"
"""The characters of a bar: each is one step fuller than the one before it, the last is full."""

FILES, DAYS = 20, 31
"""Rows of each list; what there is beyond them is one more row."""

LONGEST_BAR, SHORTEST_BAR = 40, 8
_CUT = "..."


def totals_rows(
    totals: Totals, outlooks: Sequence[Outlook], style: Style, marks: str = ""
) -> list[str]:
    """`marks` are the characters of bars, see BLOCKS; without any there are none."""
    files, days = totals.by_file, totals.by_day
    if not totals.tasks:
        return ["No tasks are recorded."]
    return [
        *_listed("BY FILE", [*files[:FILES], *_others(files[FILES:], "others")], style, marks),
        "",
        *_listed("BY DAY", [*_others(days[:-DAYS], "before"), *days[-DAYS:]], style, marks),
        "",
        _whole(totals),
        *budget_rows(outlooks, style),
    ]


def totals_document(totals: Totals, outlooks: Sequence[Outlook]) -> dict[str, Any]:
    """`totals` of the document of status, and `budget` where there is one."""
    values = {
        "tokens": totals.tokens,
        "tasks": totals.tasks,
        "untold": totals.untold,
        "byFile": [_document("file", one) for one in totals.by_file],
        "byDay": [_document("day", one) for one in totals.by_day],
    }
    return {"totals": values, **({"budget": budget_document(outlooks)} if outlooks else {})}


def bar(value: int, most: int, columns: int, marks: str) -> str:
    """A bar as long as `value` is of `most`; anything above nothing is to be seen."""
    if value <= 0 or not marks:
        return ""
    steps = max(1, round(value * columns * len(marks) / most))
    whole, rest = divmod(steps, len(marks))
    return marks[-1] * whole + (marks[rest - 1] if rest else "")


def _document(name: str, one: Sum) -> dict[str, Any]:
    return {name: one.name or None, "tasks": one.tasks, "tokens": one.tokens}


def _others(sums: Sequence[Sum], word: str) -> list[Sum]:
    if not sums:
        return []
    tasks, tokens = sum(one.tasks for one in sums), sum(one.tokens for one in sums)
    return [Sum(f"({len(sums):,} {word})", tasks, tokens)]


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
    head, *rows = table_rows(table, right=(1, 2))
    yield Palette(style.color).bold(head)
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
    untold = f"; of {totals.untold:,} nobody told what they used" if totals.untold else ""
    return f"{totals.tokens:,} tokens, used by {tasks}{untold}."
