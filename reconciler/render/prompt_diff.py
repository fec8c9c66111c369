"""Prompts and their differences for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from reconciler.render import cells
from reconciler.render.reports import Palette
from reconciler.render.text_diff import (
    WORD,
    DiffRow,
    Gap,
    Line,
    Piece,
    join_pieces,
    lines_of,
    side_by_side,
)

CONTEXT = 2  # unchanged lines shown around a change
RUN = 8  # rows shown of consecutive added lines, or removed lines
KEPT = 24  # minimum columns shown on each side of a changed word in a line that is too long

Paint = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Prose:
    """Renders text in rows of at most `columns`; `verbose` lifts the limits of rows."""

    columns: int
    palette: Palette
    verbose: bool = False

    def rows(self, text: str, limit: int) -> list[str]:
        """The first `limit` rows of a text."""
        lines = lines_of(text.strip("\n"))
        rows = [
            r for line in lines for r in cells.wrap(line, self.columns, cells.hanging_indent(line))
        ]
        return self._shortened(rows, limit)

    def diff(self, before: str | None, after: str | None, limit: int) -> list[str]:
        """The first `limit` rows of a diff, each starting with `- `, `+ ` or two spaces. None means
        that the text does not exist."""
        found = side_by_side(before, after, CONTEXT)
        if not found:
            return [self.palette.dim("(only line ends differ)")]
        rows = [row for kind, group in groupby(found, _kind) for row in self._group(kind, group)]
        return self._shortened(rows, limit)

    def _group(self, kind: str, rows: Iterable[DiffRow | Gap]) -> Iterator[str]:
        """The rows of adjacent lines of one kind."""
        palette, sides = self.palette, [row for row in rows if isinstance(row, DiffRow)]
        match kind:
            case "gap":
                yield palette.dim("...")
            case "same":
                yield from self._marked("  ", (row.old for row in sides), str)
            case "old":
                old = self._marked("- ", (row.old for row in sides), palette.red)
                yield from self._shortened(old, RUN)
            case "new":
                new = self._marked("+ ", (row.new for row in sides), palette.green)
                yield from self._shortened(new, RUN)
            case _:
                for row in sides:
                    if row.old is not None and row.new is not None:
                        yield from self._pair(row.old, row.new)

    def _marked(self, mark: str, lines: Iterable[Line | None], paint: Paint) -> list[str]:
        texts = (line.text for line in lines if line is not None)
        rows = [row for text in texts for row in cells.wrap(text, self.columns - len(mark))]
        return [paint((mark + row).rstrip()) for row in rows]

    def _pair(self, old: Line, new: Line) -> Iterator[str]:
        room, texts = self.columns - 2, (old.text, new.text)
        keep = max(KEPT, room * 2 // 5) if max(map(cells.width, texts)) > room else None
        at_end = [text[len(text.rstrip()) :] for text in texts]
        blanks = [" (ends in blanks)" if end and at_end[0] != at_end[1] else "" for end in at_end]
        palette = self.palette
        left, right = _words(old.pieces, keep), _words(new.pieces, keep)
        yield from _word_rows("- ", left, room, palette.red, palette.removed_word, blanks[0])
        yield from _word_rows("+ ", right, room, palette.green, palette.added_word, blanks[1])

    def _shortened(self, rows: list[str], limit: int) -> list[str]:
        if self.verbose or len(rows) <= limit + 1:
            return rows
        more = f"({len(rows) - limit} more lines, -v shows them)"
        return [*rows[:limit], self.palette.dim(more)]


def _kind(row: DiffRow | Gap) -> str:
    if isinstance(row, Gap):
        return "gap"
    if not row.differs:
        return "same"
    if row.new is None:
        return "old"
    return "new" if row.old is None else "pair"


def _word_rows(
    mark: str, words: Iterable[Piece], columns: int, paint: Paint, stress: Paint, ending: str
) -> Iterator[str]:
    *firsts, last = _broken(words, columns)
    for row in firsts:
        yield _painted(mark, _trimmed(row), paint, stress)
    yield _painted(mark, last if ending else _trimmed(last), paint, stress) + ending


def _painted(mark: str, row: Sequence[Piece], paint: Paint, stress: Paint) -> str:
    parts = (stress(text) if new else paint(text) for text, new in join_pieces(row))
    return paint(mark if row else mark.rstrip()) + "".join(parts)


def _trimmed(row: list[Piece]) -> list[Piece]:
    """Without trailing spaces, which would be colored."""
    while row and row[-1][0].isspace():
        row = row[:-1]
    return row


def _words(pieces: Sequence[Piece], keep: int | None) -> Iterator[Piece]:
    """The pieces, word by word. With `keep`, long unchanged pieces next to a change are shortened
    to `...`."""
    for index, (text, differs) in enumerate(pieces):
        first, last = index == 0, index == len(pieces) - 1
        shown = text
        if keep and not differs and len(text) > keep * (1 if first or last else 2) + 5:
            head = "" if first else text[:keep].rpartition(" ")[0] + " "
            tail = "" if last else " " + text[-keep:].partition(" ")[2]
            shown = f"{head}...{tail}"
        for word in WORD.findall(shown):
            yield word, differs


def _broken(words: Iterable[Piece], columns: int) -> Iterator[list[Piece]]:
    row: list[Piece] = []
    used = 0
    for text, differs in words:
        size = cells.width(text)
        for piece in [text] if size <= columns else cells.split(text, columns):
            size = cells.width(piece)
            if row and used + size > columns:
                yield row
                row, used = [], 0
            row.append((piece, differs))
            used += size
    yield row
