"""Prompts and their differences for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from reconciler.render import cells, safe
from reconciler.render.style import Style
from reconciler.render.text_diff import DiffRow, Gap, Line, lines_of, side_by_side

CONTEXT = 2  # unchanged lines shown around a change
RUN = 8  # rows shown of consecutive added lines, or removed lines


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


def diff_rows(before: str | None, after: str | None, style: Style, limit: int) -> list[str]:
    """The first `limit` rows of a diff, each starting with `- `, `+ ` or two spaces; all with
    `style.verbose`. None means that the text does not exist."""
    found = side_by_side(before, after, CONTEXT)
    if not found:
        return [style.palette.dim("(only line ends differ)")]
    groups = groupby(found, _kind)
    return _limit([r for kind, rows in groups for r in _group(kind, rows, style)], style, limit)


def _kind(row: DiffRow | Gap) -> str:
    if isinstance(row, Gap):
        return "gap"
    if not row.differs:
        return "same"
    if row.new is None:
        return "old"
    return "new" if row.old is None else "pair"


def _group(kind: str, rows: Iterable[DiffRow | Gap], style: Style) -> Iterator[str]:
    """The rows of adjacent lines of one kind."""
    palette, sides = style.palette, [row for row in rows if isinstance(row, DiffRow)]
    match kind:
        case "gap":
            yield palette.dim("...")
        case "same":
            yield from _marked("  ", (row.old for row in sides), style, str)
        case "old":
            old = _marked("- ", (row.old for row in sides), style, palette.red)
            yield from _limit(old, style, RUN)
        case "new":
            new = _marked("+ ", (row.new for row in sides), style, palette.green)
            yield from _limit(new, style, RUN)
        case _:
            for row in sides:
                if row.old is not None and row.new is not None:
                    yield from _pair(row.old, row.new, style)


def _marked(mark: str, lines: Iterable[Line | None], style: Style, paint: cells.Paint) -> list[str]:
    texts = (line.text for line in lines if line is not None)
    rows = [row for text in texts for row in cells.wrap(text, style.width - len(mark))]
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


def _limit(rows: list[str], style: Style, limit: int) -> list[str]:
    if style.verbose or len(rows) <= limit + 1:
        return rows
    more = f"({len(rows) - limit} more lines, -v shows them)"
    return [*rows[:limit], style.palette.dim(more)]
