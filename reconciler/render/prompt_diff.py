"""How two prompts differ: by line, and within lines that belong together by word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from reconciler.render import cells
from reconciler.render.palette import Palette
from reconciler.render.paragraphs import hang_of, paragraphs
from reconciler.render.text_diff import LONG, WORD, Token, joined, lines_of, pairs, tokens

CONTEXT = 2  # unchanged lines shown around a change
RUN = 8  # rows shown of lines that are wholly new or wholly gone
KEPT = 24  # columns kept at least, in a line that is too long, beside a changed word


@dataclass(frozen=True, slots=True)
class Prose:
    """Shows text in rows of at most `columns`; whole with `verbose`."""

    columns: int
    palette: Palette
    verbose: bool = False

    def rows(self, text: str, limit: int) -> list[str]:
        """The first `limit` rows of a text, its paragraphs filled anew; `verbose`: each line as it
        is, and all of them."""
        lines = lines_of(text.strip("\n"))
        units = [(line, hang_of(line)) for line in lines] if self.verbose else paragraphs(lines)
        rows = [row for unit, hang in units for row in cells.wrap(unit, self.columns, hang)]
        return self._shortened(rows, limit)

    def diff(self, before: str | None, after: str | None, limit: int) -> list[str]:
        """The first `limit` rows of a difference: each begins with `- `, `+ ` or two blanks.

        None is text that is not there at all.
        """
        old, new = ([] if text is None else lines_of(text) for text in (before, after))
        if old == new:
            return [self.palette.dim("(only line ends differ)")]
        if old[-1:] == new[-1:] == [""]:  # both end in a line feed, which is no line
            old, new = old[:-1], new[:-1]
        return self._shortened(list(self._groups(old, new)), limit)

    def _groups(self, old: list[str], new: list[str]) -> Iterator[str]:
        matcher = SequenceMatcher(None, old, new, autojunk=len(old) + len(new) > LONG)
        reached = 0
        for group in matcher.get_grouped_opcodes(CONTEXT):
            if group[0][1] > reached:
                yield self.palette.dim("...")
            reached = group[-1][2]
            for tag, i1, i2, j1, j2 in group:
                if tag == "equal":
                    yield from self._marked("  ", old[i1:i2], str)
                else:
                    yield from self._replaced(old[i1:i2], new[j1:j2])
        if reached < len(old):
            yield self.palette.dim("...")

    def _replaced(self, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
        i, j = 0, 0
        for left, right in [*pairs(old, new), (len(old), len(new))]:
            yield from self._run("- ", old[i:left], self.palette.red)
            yield from self._run("+ ", new[j:right], self.palette.green)
            if left < len(old):
                yield from self._pair(old[left], new[right])
            i, j = left + 1, right + 1

    def _run(self, mark: str, lines: Sequence[str], paint: Callable[[str], str]) -> list[str]:
        return self._shortened(self._marked(mark, lines, paint), RUN)

    def _marked(self, mark: str, lines: Sequence[str], paint: Callable[[str], str]) -> list[str]:
        rows = [row for line in lines for row in cells.wrap(line, self.columns - len(mark))]
        return [paint((mark + row).rstrip()) for row in rows]

    def _pair(self, old: str, new: str) -> Iterator[str]:
        left, right = tokens(old, new)
        room = self.columns - 2
        if max(cells.width(old), cells.width(new)) > room:
            keep = max(KEPT, room * 2 // 5)
            left, right = _elided(left, keep), _elided(right, keep)
        at_end = [line[len(line.rstrip()) :] for line in (old, new)]
        blanks = [" (ends in blanks)" if end and at_end[0] != at_end[1] else "" for end in at_end]
        palette = self.palette
        yield from _word_rows("- ", left, room, palette.red, palette.removed, blanks[0])
        yield from _word_rows("+ ", right, room, palette.green, palette.added, blanks[1])

    def _shortened(self, rows: list[str], limit: int) -> list[str]:
        if self.verbose or len(rows) <= limit + 1:
            return rows
        more = f"({len(rows) - limit} more lines, -v shows them)"
        return [*rows[:limit], self.palette.dim(more)]


def _word_rows(
    mark: str,
    tokens: Sequence[Token],
    columns: int,
    paint: Callable[[str], str],
    stress: Callable[[str], str],
    ending: str,
) -> Iterator[str]:
    *firsts, last = _broken(tokens, columns)
    for row in firsts:
        yield _painted(mark, _trimmed(row), paint, stress)
    yield _painted(mark, last if ending else _trimmed(last), paint, stress) + ending


def _painted(
    mark: str, row: Sequence[Token], paint: Callable[[str], str], stress: Callable[[str], str]
) -> str:
    parts = (stress(text) if new else paint(text) for text, new in joined(row))
    return paint(mark if row else mark.rstrip()) + "".join(parts)


def _trimmed(row: list[Token]) -> list[Token]:
    """Without the blanks at its end, which paint would keep."""
    while row and row[-1][0].isspace():
        row = row[:-1]
    return row


def _elided(tokens: Sequence[Token], keep: int) -> list[Token]:
    """Long unchanged stretches give way to `...`; what is beside a changed word stays."""
    parts = joined(tokens)
    kept: list[Token] = []
    for index, (text, differs) in enumerate(parts):
        first, last = index == 0, index == len(parts) - 1
        if differs or len(text) <= keep * (1 if first or last else 2) + 5:
            kept.append((text, differs))
            continue
        head = "" if first else text[:keep].rpartition(" ")[0] + " "
        tail = "" if last else " " + text[-keep:].partition(" ")[2]
        kept.append((f"{head}...{tail}", False))
    return [(word, differs) for text, differs in kept for word in WORD.findall(text)]


def _broken(tokens: Sequence[Token], columns: int) -> Iterator[list[Token]]:
    row: list[Token] = []
    used = 0
    for text, differs in tokens:
        size = cells.width(text)
        for piece in [text] if size <= columns else cells.chunks(text, columns):
            size = cells.width(piece)
            if row and used + size > columns:
                yield row
                row, used = [], 0
            row.append((piece, differs))
            used += size
    yield row
