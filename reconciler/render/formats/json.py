"""Reports as JSON."""

from __future__ import annotations

from reconciler.render.document import dump
from reconciler.render.style import Style
from reconciler.render.view import ReportView


def render(view: ReportView, style: Style) -> str:
    return dump(view.document(style.commands))
