"""Rows that are updated in place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

from reconciler.cli.console.stderr import FOOT
from reconciler.render import cells


class Screen:
    """The rows at the end of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown: list[str] = []
        self._size: tuple[int, int] | None = None

    @property
    def lines(self) -> int | None:
        """How many rows fit; None if unknown."""
        size = size_of(self._stream)
        return size[1] - 1 if size is not None else None

    def clear(self) -> None:
        """Removes the rows."""
        if self._shown:
            self.show(())

    def show(self, rows: Sequence[str]) -> None:
        """Writes the rows over the previous ones, truncated to the size of the terminal."""
        size = size_of(self._stream)
        text = _fitted(rows, *size) if size is not None else list(rows)
        if (text, size) == (self._shown, self._size):
            return
        FOOT.remove()
        self._stream.write(self._over(text, size))
        self._stream.flush()
        self._shown, self._size = text, size

    def _over(self, text: Sequence[str], size: tuple[int, int] | None) -> str:
        """Overwrites the old rows to their ends, to avoid flicker. After a resize, their position
        is unknown, because some terminals reflow lines."""
        up = f"\x1b[{len(self._shown)}A\r" if self._shown else "\r"
        moved = self._shown and size != self._size
        return ("\x1b[H" if moved else up) + "".join(f"{row}\x1b[K\n" for row in text) + "\x1b[J"


def size_of(stream: TextIO) -> tuple[int, int] | None:
    """Columns and lines of a terminal, None if unknown."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return None
    return (size.columns, size.lines) if size.columns > 0 and size.lines > 0 else None


def _fitted(rows: Sequence[str], columns: int, lines: int) -> list[str]:
    """Cuts rows so that they neither wrap nor scroll; otherwise, the cursor could not return to
    their start."""
    kept = list(rows)
    if len(kept) >= lines:
        more = len(kept) - lines + 2
        kept = [*kept[: max(0, lines - 4)], f"... ({more} more)", *kept[-2:]][-max(1, lines - 1) :]
    return [fit_row(row, columns) for row in kept]


def fit_row(row: str, columns: int) -> str:
    """The start of a row, with its colors and hyperlinks."""
    if cells.width(row) <= columns:
        return row
    kept, room = "", columns - 1
    for part in cells.MARKUP.split(row):
        if part.startswith("\x1b"):
            kept += part
        elif part and room > 0:
            piece = cells.split(part, room)[0]
            kept += piece if cells.width(piece) <= room else ""
            room = room - cells.width(piece) if piece == part else 0
    return kept + "…"
