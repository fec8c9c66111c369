"""Prompts and their differences for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import NamedTuple

from reconciler.render import cells, safe
from reconciler.render.style import Style
from reconciler.render.text_diff import DiffRow, Gap, Line, lines_of, side_by_side

CONTEXT = 2  # unchanged lines shown around a change
RUN = 8  # rows shown of consecutive added lines, or removed lines
DIFF_ROWS = 40  # of one field's difference, unless -v

SeeAll = Callable[[], str]
"""Returns how to see all of a prompt. Only called for an excerpt: completing a command is slow."""


def with_verbose() -> str:
    return "-v shows them"


class Excerpt(NamedTuple):
    """Of a prompt with more than `most` lines, only the first `kept` are shown, and how to see the
    others."""

    most: int
    kept: int

    def lines_left(self, text: str) -> int:
        """How many lines of a prompt are not shown."""
        lines = text.strip("\n").count("\n") + 1
        return lines - self.kept if lines > self.most else 0


USUAL = Excerpt(40, 20)
OF_MANY = Excerpt(6, 5)
"""In a plan with many prompts."""


def prompt_rows(text: str, style: Style, excerpt: Excerpt, see_all: SeeAll) -> list[str]:
    """The prompt, or an excerpt and the command that shows all of it; all with `style.verbose`."""
    lines = lines_of(text.strip("\n"))
    left = 0 if style.verbose else excerpt.lines_left(text)
    rows = []
    for line in lines[: len(lines) - left]:
        rows += cells.wrap(line, style.width, cells.hanging_indent(line))
    if left:
        rows.append(style.palette.dim(f"... {left} more lines: {safe.line(see_all())}"))
    return rows


def diff_rows(before: str | None, after: str | None, style: Style) -> list[str]:
    """The first rows of a diff, each starting with `- `, `+ ` or two spaces; all with
    `style.verbose`. None means that the text does not exist."""
    found = side_by_side(before, after, CONTEXT)
    if not found:
        return [style.palette.dim("(only line ends differ)")]
    rows: list[str] = []
    for side, group in groupby(found, _side):
        own = [text for row in group for text in _rows(row, style)]
        rows += _limit(own, style, RUN) if side else own
    return _limit(rows, style, DIFF_ROWS)


def _side(row: DiffRow | Gap) -> str:
    """The only side on which a line exists."""
    if isinstance(row, Gap) or (row.old is not None and row.new is not None):
        return ""
    return "new" if row.old is None else "old"


def _limit(rows: list[str], style: Style, limit: int) -> list[str]:
    if style.verbose or len(rows) <= limit + 1:
        return rows
    more = f"({len(rows) - limit} more lines, -v shows them)"
    return [*rows[:limit], style.palette.dim(more)]


def _rows(row: DiffRow | Gap, style: Style) -> Iterator[str]:
    palette = style.palette
    if isinstance(row, Gap):
        yield palette.dim("...")
    elif row.old is not None and row.new is not None and row.differs:
        yield from _pair(row.old, row.new, style)
    elif row.old is not None:
        paint = palette.red if row.differs else str
        yield from _marked("- " if row.differs else "  ", row.old, style, paint)
    elif row.new is not None:
        yield from _marked("+ ", row.new, style, palette.green)


def _marked(mark: str, line: Line, style: Style, paint: cells.Paint) -> list[str]:
    rows = cells.wrap(line.text, style.width - len(mark))
    return [paint((mark + row).rstrip()) for row in rows]


def _pair(old: Line, new: Line, style: Style) -> Iterator[str]:
    """Two versions of a line, with the words that differ highlighted."""
    room, palette = style.width - 2, style.palette
    for mark, line, other, paint, stress in (
        ("- ", old, new, palette.red, palette.removed_word),
        ("+ ", new, old, palette.green, palette.added_word),
    ):
        text, spans = "", []
        for piece, differs in line.pieces:
            spans += [(len(text), len(text) + len(piece), stress)] if differs else []
            text += piece
        *rows, last = cells.wrap_painted(text, room, spans, paint=paint)
        blanks, others = (text[len(text.rstrip()) :] for text in (line.text, other.text))
        ending = f"{stress(blanks)} (ends in blanks)" if blanks and blanks != others else ""
        yield from (paint(mark if row else mark.rstrip()) + row for row in rows)
        yield paint(mark if last else mark.rstrip()) + last + ending
