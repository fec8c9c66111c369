"""What the Neo token budget has left, as a line for each organization."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from reconciler.plan.budget import Outlook, basis_words, budget_words
from reconciler.render import safe
from reconciler.render.palette import Palette
from reconciler.render.reports import Style


def budget_lines(
    outlooks: Sequence[Outlook],
    *,
    verbose: bool,
    name: Callable[[str], str] = safe.line,
    mark: str = "",
) -> Iterator[str]:
    """`Budget: 1.2M of 2.0M tokens used, ...`. All of it is our own words, but for organizations
    where there are several: `name` makes them inert. `verbose`: what the forecast goes by, too.
    `mark` stands on both sides of a time."""
    for outlook in outlooks:
        where = f" of {name(outlook.budget.org_name)}" if len(outlooks) > 1 else ""
        expected = outlook.forecast
        told = verbose and expected is not None and expected.tokens is not None
        basis = f" ({basis_words(expected)})" if told and expected is not None else ""
        yield f"Budget{where}: {budget_words(outlook, mark)}{basis}."


def budget_rows(outlooks: Sequence[Outlook], style: Style) -> Iterator[str]:
    """The same for a terminal, each on one line however narrow, as logs are searched for it; one
    that is used up is yellow."""
    palette = Palette(style.color)
    for outlook, line in zip(outlooks, budget_lines(outlooks, verbose=style.verbose), strict=True):
        yield palette.yellow(line) if outlook.budget.exhausted else line
