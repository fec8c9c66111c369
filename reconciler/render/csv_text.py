"""Rows as CSV that no spreadsheet interprets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from reconciler.render import safe


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """The rows, the first of which has the names of the columns."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """A value without control characters that no spreadsheet interprets as a formula."""
    if not isinstance(value, str):
        return value
    text = safe.line(value)
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text
