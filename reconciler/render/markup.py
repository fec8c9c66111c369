"""Markdown as rows for a terminal: headings, emphasis, code, lists. Of inert text only (`safe`).

What an agent writes is read by a person, so nothing is left out: a link keeps its address, and
what is not understood stays as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from reconciler.render import cells
from reconciler.render.palette import Palette
from reconciler.render.paragraphs import hang_of

_HEADING = re.compile(r"#{1,6}\s+(.*)")
_BULLET = re.compile(r"(\s*)[-*+]\s+(.*)")
_FENCES = ("```", "~~~")
_SPAN = re.compile(r"`([^`]+)`|\*\*(?=\S)(.+?)(?<=\S)\*\*")


def plain_rows(text: str) -> list[str]:
    """The lines as they are."""
    return text.strip("\n").split("\n")


def markdown_rows(text: str, columns: int, palette: Palette) -> list[str]:
    """Rows of at most `columns`."""
    return list(_rows(text, columns, palette))


def _rows(text: str, columns: int, palette: Palette) -> Iterator[str]:
    fenced = False
    for line in plain_rows(text):
        if line.lstrip().startswith(_FENCES):
            fenced = not fenced
            yield palette.dim(line)
        elif fenced:
            yield from (palette.cyan(row) for row in cells.wrap(line, columns))
        elif heading := _HEADING.fullmatch(line):
            yield from (palette.bold(row) for row in cells.wrap(heading[1], columns))
        else:
            bullet = _BULLET.fullmatch(line)
            shown = f"{bullet[1]}• {bullet[2]}" if bullet else line
            hang = len(bullet[1]) + 2 if bullet else hang_of(line)
            yield from (_spans(row, palette) for row in cells.wrap(shown, columns, hang))


def _spans(row: str, palette: Palette) -> str:
    """A span that a line break parts stays as it is written."""
    if not palette.on:
        return row
    return _SPAN.sub(_painted(palette), row)


def _painted(palette: Palette) -> Callable[[re.Match[str]], str]:
    def paint(found: re.Match[str]) -> str:
        return palette.cyan(found[1]) if found[1] is not None else palette.bold(found[2])

    return paint
