"""Rows that are written again where they stand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

from reconciler.render import cells
from reconciler.render.palette import unpainted


class Screen:
    """On a terminal the rows replace those before them; elsewhere they follow, once they change."""

    def __init__(self, stream: TextIO, *, in_place: bool) -> None:
        self._stream = stream
        self._in_place = in_place
        self._shown: list[str] = []

    def clear(self) -> None:
        """Takes away what is shown, where rows are replaced."""
        if self._in_place and self._shown:
            self.show(())

    def show(self, rows: Sequence[str]) -> None:
        """Writes the rows, cut to what the terminal has room for."""
        text = _fitted(rows, self._stream) if self._in_place else list(rows)
        if text == self._shown:
            return
        up = f"\x1b[{len(self._shown)}A" if self._shown else ""
        back = f"{up}\r\x1b[J" if self._in_place else "\n" if self._shown else ""
        self._stream.write(back + "".join(f"{row}\n" for row in text))
        self._stream.flush()
        self._shown = text


def _fitted(rows: Sequence[str], stream: TextIO) -> list[str]:
    """A row that wraps, or one too many, would be left behind when the cursor goes up."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return list(rows)
    if size.columns < 1 or size.lines < 1:
        return list(rows)
    kept = list(rows)
    if len(kept) >= size.lines:
        more = len(kept) - size.lines + 3
        kept = [*kept[: size.lines - 4], f"... ({more} more)", *kept[-2:]]
    return [_cut(row, size.columns) for row in kept]


def _cut(row: str, columns: int) -> str:
    plain = unpainted(row)
    if cells.width(plain) <= columns:
        return row
    return cells.chunks(plain, columns - 1)[0] + "…"
