"""The tokens that tasks have used: tables, CSV, and a document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    """For each grouping, a row per group: name, number of tasks, tokens."""
    if not totals.tasks:
        return ["No tasks are recorded."]
    rows: list[str] = []
    for by, sums in totals.groups.items():
        table = [(f"BY {by.upper()}", "TASKS", "TOKENS")]
        table += [
            (safe.line(group.name or "(unknown)"), f"{group.tasks:,}", f"{group.tokens:,}")
            for group in sums
        ]
        head, *more = cells.table_rows(table, right=(1, 2))
        rows += [style.palette.bold(head), *more, ""]
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
