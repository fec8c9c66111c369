"""Reports as CSV that no spreadsheet interprets."""

from __future__ import annotations

import csv
import re
from io import StringIO

from reconciler.render import safe
from reconciler.render.style import Style
from reconciler.render.view import ReportView

_FORMULA = re.compile(r"(?m)(^|;)(?=(?:[^\S\n]|[\"'])*+[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""The text before a formula: the start of a cell or of a line in it, or a semicolon, which
separates cells where a comma is the decimal point. (A spreadsheet that expects semicolons ignores
the quotes of a cell with several lines.) In some locales, full-width signs also start a formula.
The search from a line never reads the next: cells of blank lines would take quadratic time."""


def render(view: ReportView, style: Style) -> str:
    del style
    text, rows = StringIO(), view.table()
    csv.writer(text, lineterminator="\n").writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """A value without control characters, except line feeds, and without formulas."""
    if not isinstance(value, str):
        return value
    text = safe.block(value)
    return _FORMULA.sub(r"\1'", text)
