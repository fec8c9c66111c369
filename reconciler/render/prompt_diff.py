"""Prompts and their differences for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import NamedTuple

from reconciler.render import cells, safe
from reconciler.render.style import Style
from reconciler.render.text_diff import DiffRow, Gap, lines_of, side_by_side

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
    elif row.new is not None and not row.differs:
        yield from _marked("  ", row.new.text, style, str)
    else:
        old, new = (line.text if line is not None else None for line in (row.old, row.new))
        only_blanks = old is not None and new is not None and old.rstrip() == new.rstrip()
        for mark, text, paint in (("- ", old, palette.red), ("+ ", new, palette.green)):
            if text is not None:
                ending = " (ends in blanks)" if only_blanks and text.endswith(" ") else ""
                yield from _marked(mark, text, style, paint, ending)


def _marked(
    mark: str, text: str, style: Style, paint: cells.Paint, ending: str = ""
) -> Iterator[str]:
    *rows, last = cells.wrap(text, style.width - len(mark))
    yield from (paint((mark + row).rstrip()) for row in (*rows, last + ending))
