"""Reports as CSV that no spreadsheet interprets."""

from __future__ import annotations

import csv
from io import StringIO

from reconciler.render import safe
from reconciler.render.style import Style
from reconciler.render.view import ReportView


def render(view: ReportView, style: Style) -> str:
    del style
    text, rows = StringIO(), view.table()
    csv.writer(text, lineterminator="\n").writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """A value without control characters that no spreadsheet interprets as a formula."""
    if not isinstance(value, str):
        return value
    text = safe.line(value)
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text
