"""Reports as text."""

from __future__ import annotations

from reconciler.render import safe
from reconciler.render.style import Style
from reconciler.render.view import ReportView


def render(view: ReportView, style: Style) -> str:
    """The text, with diagnostics only if `style` asks for them."""
    rows = "".join(f"{row}\n" for row in view.rows(style))
    if style.diagnostics and view.diagnostics:
        from reconciler.render.diagnostics import render_all

        gap = "\n" if rows else ""
        rows = f"{render_all(view.diagnostics, style)}{gap}{rows}"
    return safe.without_commands(rows)
