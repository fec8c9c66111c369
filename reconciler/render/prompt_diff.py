"""Prompts and their differences for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from reconciler.render import cells
from reconciler.render.reports import Style
from reconciler.render.text_diff import DiffRow, Gap, Line, Piece, lines_of, side_by_side

CONTEXT = 2  # unchanged lines shown around a change
RUN = 8  # rows shown of consecutive added lines, or removed lines
KEPT = 24  # minimum columns shown on each side of a changed word in a line that is too long


def prompt_rows(text: str, style: Style, limit: int) -> list[str]:
    """The first `limit` rows of a text; all with `style.verbose`."""
    rows = []
    for line in lines_of(text.strip("\n")):
        rows += cells.wrap(line, style.width, cells.hanging_indent(line))
    return _limit(rows, style, limit)


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
    is_long = max(cells.width(old.text), cells.width(new.text)) > room
    keep = max(KEPT, room * 2 // 5) if is_long else None
    for mark, line, other, paint, stress in (
        ("- ", old, new, palette.red, palette.removed_word),
        ("+ ", new, old, palette.green, palette.added_word),
    ):
        text, spans = "", []
        for piece, differs in _shorten(line.pieces, keep):
            spans += [(len(text), len(text) + len(piece), stress)] if differs else []
            text += piece
        *rows, last = cells.wrap_painted(text, room, spans, paint=paint)
        blanks, others = (text[len(text.rstrip()) :] for text in (line.text, other.text))
        ending = f"{stress(blanks)} (ends in blanks)" if blanks and blanks != others else ""
        yield from (paint(mark if row else mark.rstrip()) + row for row in rows)
        yield paint(mark if last else mark.rstrip()) + last + ending


def _shorten(pieces: Sequence[Piece], keep: int | None) -> Iterator[Piece]:
    """With `keep`, long unchanged pieces next to a change are shortened to `...`."""
    for index, (text, differs) in enumerate(pieces):
        first, last = index == 0, index == len(pieces) - 1
        if keep and not differs and len(text) > keep * (1 if first or last else 2) + 5:
            head = "" if first else text[:keep].rpartition(" ")[0] + " "
            tail = "" if last else " " + text[-keep:].partition(" ")[2]
            yield f"{head}...{tail}", differs
        else:
            yield text, differs


def _limit(rows: list[str], style: Style, limit: int) -> list[str]:
    if style.verbose or len(rows) <= limit + 1:
        return rows
    more = f"({len(rows) - limit} more lines, -v shows them)"
    return [*rows[:limit], style.palette.dim(more)]
