"""Reports as Markdown, for pull request comments and job summaries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.messages.plan import ACTIONS, UNATTENDED, UNATTENDED_MEANS
from reconciler.plan.digest import plan_digest
from reconciler.plan.plan import Plan
from reconciler.render.budget import budget_lines
from reconciler.render.diagnostics import render_one
from reconciler.render.groups import EntryView, fold_entries
from reconciler.render.markdown_items import details, sign_cell, task_cell
from reconciler.render.markdown_text import cut, fence, row, span
from reconciler.render.reports import Report, Style, ValidateReport
from reconciler.render.summary import command_of, outcome, report_summary, who
from reconciler.render.views import TaskView, diagnostics_of, task_views

LIMIT = 64_000
"""The maximum length of a report: GitHub accepts 65,536 characters, and posters add a marker."""

PROBLEMS, ROWS, DETAIL = 12_000, 16_000, 10_000  # characters of each if not everything fits
NOTE = 400  # characters for the note about what was omitted

Items = Sequence[TaskView | EntryView]


def render(report: Report, style: Style) -> str:
    """The report in at most LIMIT characters. If something is omitted, it is counted; the summary
    is kept."""
    views = task_views(report, style.locate)
    shown = [view for view in views if view.word != "unchanged"]
    several = len({view.ref.org_name for view in views}) > 1
    head = _head(report, shown)
    problems = [
        render_one(problem, Style()).rstrip("\n") for problem in diagnostics_of(report, style)
    ]
    items = fold_entries(report, shown)
    rows = [_row(item, several=several) for item in items]
    room = LIMIT - len(_join(head, problems, rows, ()))
    unfolding, left_out = _fit(_details(items, LIMIT), room)
    if room >= 0 and not left_out:
        return _join(head, problems, rows, unfolding)
    return _shorten(head, problems, rows, items, command_of(report))


def _shorten(head: str, problems: list[str], rows: list[str], items: Items, command: str) -> str:
    """The beginning of each part, and what was omitted."""
    some, _ = _fit(problems, PROBLEMS)
    some = some or [cut(problem, PROBLEMS) for problem in problems[:1]]
    listed, _ = _fit(rows, ROWS)
    room = LIMIT - len(_join(head, some, listed, ())) - NOTE
    unfolding, has_more = _fit(_details(items, DETAIL), room)
    counts = ((len(problems) - len(some), "problem"), (len(rows) - len(listed), "task"))
    omitted = [f"{number:,} more {word}{'s' * (number > 1)}" for number, word in counts if number]
    omitted += [f"the details of all but {len(unfolding)} tasks"] if has_more else []
    whole = f" See all of it: `taskctl {command}`." if command in ("plan", "validate") else ""
    note = f"> Too long to show in full; left out: {', '.join(omitted) or 'some lines'}.{whole}"
    return _join(head, some, listed, [*unfolding, note])


def _join(head: str, problems: list[str], rows: list[str], rest: Iterable[str]) -> str:
    blocks = [head]
    if problems:
        blocks.append(fence("\n".join(problems)))
    if rows:
        table = ("| | Task | Manifest | At the service |", "| --- | --- | --- | --- |", *rows)
        blocks.append("\n".join(table))
    return "\n\n".join([*blocks, *rest]) + "\n"


def _fit(parts: Iterable[str], room: int) -> tuple[list[str], bool]:
    """The first parts that fit (with a blank line each), and whether there are more."""
    fitting: list[str] = []
    for part in parts:
        room -= len(part) + 2
        if room < 0:
            return fitting, True
        fitting.append(part)
    return fitting, False


def _head(report: Report, shown: list[TaskView]) -> str:
    if isinstance(report, Plan):
        return "\n\n".join(_plan_head(report, shown))
    kind = "Validate: " if isinstance(report, ValidateReport) else ""
    return f"### {kind}{report_summary(report)}"


def _plan_head(plan: Plan, shown: list[TaskView]) -> Iterator[str]:
    names = ", ".join(map(span, plan.organizations()))
    by = f" as {span(who(plan.identity))}" if plan.identity else ""
    counts = report_summary(plan).removeprefix("Plan: ")
    yield f"### Plan{f' for {names}' if names else ''}{by}: {counts}"
    yield f"At {span(plan.backend)}."
    yield from budget_lines(plan.budgets, name=span, mark="`")
    if not plan.complete:
        yield "**Incomplete:** existing tasks could not be read completely."
    if sentence := outcome(plan):
        yield sentence
    used = {view.word for view in shown}
    meant = [f"**{action}**: {why}" for action, why in ACTIONS.items() if action in used]
    if any(view.unattended for view in shown):
        meant.append(f"**[{UNATTENDED}]**: {UNATTENDED_MEANS}")
    if meant:
        yield "<br>\n".join(meant)
    if plan.can_apply():
        yield f"Digest of this plan, for `apply --expect-plan`: `{plan_digest(plan)}`"


def _row(item: TaskView | EntryView, *, several: bool) -> str:
    first: TaskView
    if isinstance(item, EntryView):
        first, label, task = item.first, item.summary(), ""
    else:
        first, label, task = item, item.label, task_cell(item)
    place = ":".join(str(part) for part in (first.file, first.line) if part)
    return row(
        sign_cell(first, label, unattended=item.unattended),
        span(f"{item.ref.org_name}/{item.ref.key}" if several else item.ref.key),
        span(place) if place else "",
        task,
    )


def _details(items: Items, most: int) -> Iterator[str]:
    return filter(None, (details(item, most) for item in items))
