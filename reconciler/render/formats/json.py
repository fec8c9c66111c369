"""Reports as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.render.document import pieces
from reconciler.render.style import Style
from reconciler.render.view import ReportView


def render(view: ReportView, style: Style) -> Iterator[str]:
    del style
    return pieces(view.document())
