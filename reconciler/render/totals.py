"""The tokens that tasks have used: tables, CSV, and a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.model.budget import Outlook
from reconciler.model.options import By
from reconciler.render import cells, safe
from reconciler.render.budget import budget_rows
from reconciler.render.counts import counted
from reconciler.render.document import Document, budget_part, given, json_document
from reconciler.render.style import Style
from reconciler.render.view import ReportView
from reconciler.tasks.totals import GroupTotal, Totals, Usage

if TYPE_CHECKING:
    from reconciler.app.status import TotalsReport

MAX_ROWS = {By.DAY: 31}
"""The maximum number of rows of a table, if not 20; one more row sums up the others."""

_CUT = "..."


class TotalsView(ReportView):
    command = "status"

    def __init__(self, report: TotalsReport) -> None:
        self.report = report
        self.diagnostics = report.diagnostics

    def rows(self, style: Style) -> Iterable[str]:
        if style.quiet:
            return ()
        return totals_rows(self.report.totals, self.report.budgets, style)

    def document(self) -> Document:
        totals = self.report.totals
        values: Document = {
            "tokens": totals.tokens,
            "tasks": totals.tasks,
            "unknown": totals.unknown,
        }
        for by, sums in totals.groups.items():
            values[f"by{by.capitalize()}"] = _rows(totals, by, sums)
        budget = budget_part(self.report.budgets)
        return json_document(self.diagnostics, totals=values, **given(budget=budget))

    def table(self) -> Iterable[Sequence[object]]:
        """A row per group of the first grouping; for `task`, a row per task with everything to
        group it by."""
        totals = self.report.totals
        (by, sums), *_ = totals.groups.items()
        columns = _TASK_COLUMNS if by is By.TASK else (by.value, "tasks", "tokens")
        return [columns, *(list(row.values()) for row in _rows(totals, by, sums))]


def totals_rows(totals: Totals, outlooks: Sequence[Outlook], style: Style) -> list[str]:
    if not totals.tasks:
        return ["No tasks are recorded."]
    rows: list[str] = []
    for by, sums in totals.groups.items():
        rows += [*_table(f"BY {by.upper()}", _limit(sums, by), style), ""]
    unknown = f"; the usage of {totals.unknown:,} is unknown" if totals.unknown else ""
    rows.append(f"{totals.tokens:,} tokens, used by {counted(totals.tasks, 'task')}{unknown}.")
    return [*rows, *budget_rows(outlooks, style)]


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


def _table(title: str, sums: Sequence[GroupTotal], style: Style) -> Iterator[str]:
    """A row per group: name, number of tasks, tokens. Names are shortened to fit."""
    numbers = [("TASKS", "TOKENS"), *((f"{group.tasks:,}", f"{group.tokens:,}") for group in sums)]
    taken = sum(max(map(len, column)) + 2 for column in zip(*numbers, strict=True))
    room = max(len(title), style.width - taken)
    names = [title, *(_shorten(safe.line(group.name or "(unknown)"), room) for group in sums)]
    table = [(name, *row) for name, row in zip(names, numbers, strict=True)]
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
