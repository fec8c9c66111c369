"""How two prompts differ: by line, and within lines that belong together by word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from reconciler.render import cells, safe
from reconciler.render.palette import Palette
from reconciler.render.paragraphs import hang_of, paragraphs

CONTEXT = 2  # unchanged lines shown around a change
RUN = 8  # rows shown of lines that are wholly new or wholly gone
KEPT = 24  # columns kept at least, in a line that is too long, beside a changed word
PAIRABLE = 30  # lines in one change, beyond which none are matched up
WORDS = 20_000  # words in a line, beyond which it is matched up with none
LONG = 600  # elements from which an exact difference takes too long to wait for
ALIKE = 0.5  # share of equal words from which two lines belong together

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")

Token = tuple[str, bool]
"""A word or what is between two, and whether it differs."""


@dataclass(frozen=True, slots=True)
class Prose:
    """Shows text in rows of at most `columns`; whole with `verbose`."""

    columns: int
    palette: Palette
    verbose: bool = False

    def rows(self, text: str, limit: int) -> list[str]:
        """The first `limit` rows of a text, its paragraphs filled anew; `verbose`: each line as it
        is, and all of them."""
        lines = _lines(text.strip("\n"))
        units = [(line, hang_of(line)) for line in lines] if self.verbose else paragraphs(lines)
        rows = [row for unit, hang in units for row in cells.wrap(unit, self.columns, hang)]
        return self._shortened(rows, limit)

    def diff(self, before: str | None, after: str | None, limit: int) -> list[str]:
        """The first `limit` rows of a difference: each begins with `- `, `+ ` or two blanks.

        None is text that is not there at all.
        """
        old, new = ([] if text is None else _lines(text) for text in (before, after))
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
        for left, right in [*_pairs(old, new), (len(old), len(new))]:
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
        left, right = _tokens(old, new)
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


def _lines(text: str) -> list[str]:
    return [safe.line(line) for line in text.replace("\r\n", "\n").split("\n")]


def _pairs(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Which lines are the same one in two wordings; in order, each once."""
    if max(len(old), len(new)) > PAIRABLE:
        return
    words = [_WORDS.findall(line) for line in new]
    start = 0
    for i, line in enumerate(old):
        mine = _WORDS.findall(line)
        scores = {j: _alike(mine, words[j]) for j in range(start, len(new))}
        j = max(scores, key=lambda j: scores[j], default=None)
        if j is not None and scores[j] >= ALIKE:
            start = j + 1
            yield i, j


def _alike(old: list[str], new: list[str]) -> float:
    if max(len(old), len(new)) > WORDS or SequenceMatcher(None, old, new).quick_ratio() < ALIKE:
        return 0.0
    equal = sum(i2 - i1 for tag, i1, i2, _, _ in _opcodes(old, new) if tag == "equal")
    return 2 * equal / (len(old) + len(new) or 1)


def _tokens(old: str, new: str) -> tuple[list[Token], list[Token]]:
    a, b = _WORDS.findall(old), _WORDS.findall(new)
    left: list[Token] = []
    right: list[Token] = []
    for tag, i1, i2, j1, j2 in _opcodes(a, b):
        left += [(word, tag != "equal") for word in a[i1:i2]]
        right += [(word, tag != "equal") for word in b[j1:j2]]
    return left, right


def _opcodes(a: list[str], b: list[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """SequenceMatcher's, which is slow on long lists, for what is between equal ends only."""
    shorter = min(len(a), len(b))
    head = next((n for n in range(shorter) if a[n] != b[n]), shorter)
    tail = next((n for n in range(shorter - head) if a[-1 - n] != b[-1 - n]), shorter - head)
    yield "equal", 0, head, 0, head
    x, y = a[head : len(a) - tail], b[head : len(b) - tail]
    matcher = SequenceMatcher(None, x, y, autojunk=len(x) + len(y) > LONG)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        yield tag, head + i1, head + i2, head + j1, head + j2
    yield "equal", len(a) - tail, len(a), len(b) - tail, len(b)


def _word_rows(
    mark: str,
    tokens: Sequence[Token],
    columns: int,
    paint: Callable[[str], str],
    stress: Callable[[str], str],
    ending: str,
) -> Iterator[str]:
    rows = [
        paint(mark) + "".join(stress(text) if new else paint(text) for text, new in _joined(row))
        for row in _broken(tokens, columns)
    ]
    rows[-1] += ending
    yield from rows


def _joined(tokens: Sequence[Token]) -> list[Token]:
    joined: list[Token] = []
    for text, differs in tokens:
        if joined and joined[-1][1] == differs:
            joined[-1] = (joined[-1][0] + text, differs)
        else:
            joined.append((text, differs))
    return joined


def _elided(tokens: Sequence[Token], keep: int) -> list[Token]:
    """Long unchanged stretches give way to `...`; what is beside a changed word stays."""
    joined = _joined(tokens)
    kept: list[Token] = []
    for index, (text, differs) in enumerate(joined):
        first, last = index == 0, index == len(joined) - 1
        if differs or len(text) <= keep * (1 if first or last else 2) + 5:
            kept.append((text, differs))
            continue
        head = "" if first else text[:keep].rpartition(" ")[0] + " "
        tail = "" if last else " " + text[-keep:].partition(" ")[2]
        kept.append((f"{head}...{tail}", False))
    return [(word, differs) for text, differs in kept for word in _WORDS.findall(text)]


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
