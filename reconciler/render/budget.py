"""Token budgets in a sentence each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from reconciler.messages.template import amount
from reconciler.model.budget import Outlook, minute
from reconciler.render import safe
from reconciler.render.counts import counted
from reconciler.render.style import Style


def budget_lines(
    outlooks: Sequence[Outlook], *, name: Callable[[str], str] = safe.line, mark: str = ""
) -> Iterator[str]:
    """`Budget: 1.2M of 2.0M tokens used, until 2026-12-01 00:00 UTC (in 7 days).`

    With several budgets, each line names its organization, escaped by `name`. `mark` encloses
    times.
    """
    for outlook in outlooks:
        budget, end = outlook.budget, outlook.budget.window_end
        where = f" of {name(budget.org_name)}" if len(outlooks) > 1 else ""
        until = ""
        if end is not None:
            until = f", until {mark}{minute(end)}{mark} ({_away(end - outlook.read_at)})"
        used, allowance = amount(budget.used), amount(budget.allowance)
        yield f"Budget{where}: {used} of {allowance} tokens used{until}."


def budget_rows(outlooks: Sequence[Outlook], style: Style) -> Iterator[str]:
    """The lines for a terminal; exhausted budgets are yellow. Not wrapped, so that logs can be
    searched."""
    for outlook, line in zip(outlooks, budget_lines(outlooks), strict=True):
        yield style.palette.yellow(line) if outlook.budget.exhausted else line


def _away(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds <= 0:
        return "over"
    for word, size, least in (("day", 86400, 2), ("hour", 3600, 2), ("minute", 60, 1)):
        if seconds >= least * size:
            number = round(seconds / size)
            return f"in {counted(number, word)}"
    return "in less than a minute"
