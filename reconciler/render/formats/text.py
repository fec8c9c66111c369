"""Reports as text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from reconciler.render import safe
from reconciler.render.style import Style
from reconciler.render.view import ReportView

_ROWS = 1_000
"""How many rows are joined."""


def render(view: ReportView, style: Style) -> Iterator[str]:
    """The text in parts, with diagnostics only if `style` asks for them."""
    gap = ""
    if style.diagnostics and view.diagnostics:
        from reconciler.render.diagnostics import render_all

        yield safe.without_commands(render_all(view.diagnostics, style))
        gap = "\n"
    rows = iter(view.rows(style))
    while some := list(islice(rows, _ROWS)):
        yield safe.without_commands("".join([gap, *(f"{row}\n" for row in some)]))
        gap = ""
