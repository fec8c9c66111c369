"""Reports as Markdown, for pull request comments and job summaries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.messages.plan import ACTIONS, UNATTENDED, UNATTENDED_MEANS
from reconciler.plan.digest import plan_digest
from reconciler.plan.plan import Plan
from reconciler.render.budget import budget_lines
from reconciler.render.diagnostics import render_one
from reconciler.render.entries import (
    FoldedEntry,
    TaskEntry,
    command_of,
    diagnostics_of,
    entries,
    folded,
    report_summary,
)
from reconciler.render.entry_text import counted
from reconciler.render.markdown_task import details, task_cell
from reconciler.render.markdown_text import cut, fence, span
from reconciler.render.plan_text import outcome_row, who
from reconciler.render.reports import Report, Style, ValidateReport

LIMIT = 64_000
"""The maximum length of a report: GitHub accepts 65,536 characters, and posters add a marker."""

PROBLEMS, ROWS, DETAIL = 12_000, 16_000, 10_000  # characters of each, where not all fits
NOTE = 400  # of what tells what was left out


def render(report: Report, style: Style) -> str:
    """The report in at most LIMIT characters. If something is omitted, it is counted; the summary
    is kept."""
    found = entries(report, style)
    shown = [entry for entry in found if entry.word != "unchanged"]
    several = len({entry.org_name for entry in found}) > 1
    head = _head(report, shown)
    problems = [
        render_one(problem, Style()).rstrip("\n") for problem in diagnostics_of(report, style)
    ]
    items = folded(report, shown)
    rows = [_row(item, several=several) for item in items]
    room = LIMIT - len(_joined(head, problems, rows, ()))
    unfolding, left_out = _fitting(_details(items, LIMIT), room)
    if room >= 0 and not left_out:
        return _joined(head, problems, rows, unfolding)
    return _shortened(head, problems, rows, items, command_of(report))


def _shortened(
    head: str,
    problems: list[str],
    rows: list[str],
    items: list[TaskEntry | FoldedEntry],
    command: str,
) -> str:
    """The beginning of each part, and what was omitted."""
    some, _ = _fitting(problems, PROBLEMS)
    some = some or [cut(problem, PROBLEMS) for problem in problems[:1]]
    listed, _ = _fitting(rows, ROWS)
    room = LIMIT - len(_joined(head, some, listed, ())) - NOTE
    unfolding, untold = _fitting(_details(items, DETAIL), room)
    counted = ((len(problems) - len(some), "problem"), (len(rows) - len(listed), "task"))
    left_out = [f"{number:,} more {word}{'s' * (number > 1)}" for number, word in counted if number]
    left_out += [f"the details of all but {len(unfolding)} tasks"] if untold else []
    whole = f" See all of it: `taskctl {command}`." if command in ("plan", "validate") else ""
    note = f"> Too long to show whole; left out: {', '.join(left_out) or 'some lines'}.{whole}"
    return _joined(head, some, listed, [*unfolding, note])


def _joined(head: str, problems: list[str], rows: list[str], rest: Iterable[str]) -> str:
    blocks = [head]
    if problems:
        blocks.append(fence("\n".join(problems)))
    if rows:
        table = ("| | Task | Manifest | At the service |", "| --- | --- | --- | --- |", *rows)
        blocks.append("\n".join(table))
    return "\n\n".join([*blocks, *rest]) + "\n"


def _fitting(parts: Iterable[str], room: int) -> tuple[list[str], bool]:
    """The first parts that fit (with a blank line each), and whether there are more."""
    fitting: list[str] = []
    for part in parts:
        room -= len(part) + 2
        if room < 0:
            return fitting, True
        fitting.append(part)
    return fitting, False


def _head(report: Report, shown: list[TaskEntry]) -> str:
    kind = "Validate: " if isinstance(report, ValidateReport) else ""
    text = report_summary(report)
    if isinstance(report, Plan):
        names = ", ".join(map(span, report.organizations()))
        by = f" as {span(who(report.identity))}" if report.identity else ""
        kind = f"Plan{f' for {names}' if names else ''}{by}: "
        text = text.removeprefix("Plan: ")
    blocks = [f"### {kind}{text}"]
    if isinstance(report, Plan):
        blocks.append(f"At {span(report.backend)}.")
        blocks += budget_lines(report.budgets, name=span, mark="`")
        if not report.complete:
            blocks.append("**Incomplete:** existing tasks could not be read completely.")
        if outcome := outcome_row(report):
            blocks.append(outcome)
        used = {entry.word for entry in shown}
        meant = [f"**{action}**: {why}" for action, why in ACTIONS.items() if action in used]
        if any(entry.unattended for entry in shown):
            meant.append(f"**[{UNATTENDED}]**: {UNATTENDED_MEANS}")
        if meant:
            blocks.append("<br>\n".join(meant))
        if report.can_apply():
            blocks.append(
                f"Digest of this plan, for `apply --expect-plan`: `{plan_digest(report)}`"
            )
    return "\n\n".join(blocks)


def _row(item: TaskEntry | FoldedEntry, *, several: bool) -> str:
    entry = item.first if isinstance(item, FoldedEntry) else item
    key, what, alone = entry.key, entry.label, entry.unattended
    if isinstance(item, FoldedEntry):
        key, what = item.group.entry.key, counted(item.group)
        alone = any(task.unattended for task in item.tasks)
    place = ":".join(str(part) for part in (entry.file, entry.line) if part)
    cells_of_row = (
        f"`{entry.sign}` {what}{f' **[{UNATTENDED}]**' if alone else ''}",
        span(f"{entry.org_name}/{key}" if several else key),
        span(place) if place else "",
        task_cell(entry) if item is entry else "",
    )
    return f"| {' | '.join(cells_of_row)} |"


def _details(items: Iterable[TaskEntry | FoldedEntry], most: int) -> Iterator[str]:
    return filter(None, (details(item, most) for item in items))
