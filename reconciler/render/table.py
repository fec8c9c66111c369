"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from reconciler.render import cells
from reconciler.render.palette import unpainted

GAP = "  "


def table_rows(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Rows with aligned columns; those in `right` are right-aligned.

    Cells must be escaped (`safe`) and may be colored. The last column is never padded.
    """
    if not rows:
        return []
    sizes = [[cells.width(unpainted(cell)) for cell in row] for row in rows]
    widths = [max(column) for column in zip(*sizes, strict=True)]
    shown = []
    for row, used in zip(rows, sizes, strict=True):
        padded = []
        for number, cell in enumerate(row):
            blanks = " " * (widths[number] - used[number])
            if number in right:
                padded.append(blanks + cell)
            else:
                padded.append(cell + ("" if number == len(row) - 1 else blanks))
        shown.append(GAP.join(padded).rstrip())
    return shown


def shortened(text: str, columns: int) -> str:
    """One line of at most `columns`, cut between words if possible."""
    if cells.width(text) <= columns:
        return text
    kept = cells.chunks(text, max(1, columns - 1))[0]
    at_word = kept.rpartition(" ")[0]
    return (at_word if len(at_word) > len(kept) // 2 else kept).rstrip() + "…"
