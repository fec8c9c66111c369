"""Prompts, and differences of texts: by line, and by word in corresponding lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from reconciler.render import cells, safe
from reconciler.render.style import Style, counted

CONTEXT = 2  # unchanged lines shown around a change
RUN = 8  # rows shown of consecutive added lines, or removed lines
DIFF_ROWS = 40  # of one field's difference, unless -v

SeeAll = Callable[[], str]
"""Returns the command that shows a whole prompt. Called only for an excerpt, because it is slow."""


def with_verbose() -> str:
    return "-v shows them"


class Excerpt(NamedTuple):
    """Shows only the first `kept` lines of a prompt with more than `most` lines, and the command
    that shows the others."""

    most: int
    kept: int

    def lines_left(self, text: str) -> int:
        """The number of lines of a prompt that are not shown."""
        lines = text.strip("\n").count("\n") + 1
        return lines - self.kept if lines > self.most else 0


USUAL = Excerpt(40, 20)
OF_MANY = Excerpt(6, 5)
"""The excerpt in a plan with many prompts."""


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


WORD = re.compile(r"\w+|\s+|[^\w\s]")
PAIRABLE = 30  # if a change has more lines than this, none of them are paired
STEPS = 20_000_000  # comparisons; if more are needed, the whole text counts as changed
LONG = 600  # an exact difference of more elements takes too long
ALIKE = 0.5  # the minimum share of equal words in two versions of a line

Piece = tuple[str, bool]
"""A part of a line, and whether it differs."""


class Line(NamedTuple):
    """A line and its number, from 1."""

    number: int
    pieces: Sequence[Piece]

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces)


class DiffRow(NamedTuple):
    """A line before and after; None if it exists on only one side."""

    old: Line | None
    new: Line | None
    differs: bool


class Gap(NamedTuple):
    """Unchanged lines that are not shown."""

    lines: int

    def __str__(self) -> str:
        return counted(self.lines, "unchanged line")


def lines_of(text: str) -> list[str]:
    return [safe.line(line) for line in text.replace("\r\n", "\n").split("\n")]


def side_by_side(before: str | None, after: str | None, context: int) -> list[DiffRow | Gap]:
    """All differences with `context` unchanged lines around them; empty if only line ends differ.
    None means that the text does not exist."""
    old, new = ([] if text is None else lines_of(text) for text in (before, after))
    if old == new:
        return []
    if old[-1:] == new[-1:] == [""]:  # both end with a line feed, which is not a line
        old, new = old[:-1], new[:-1]
    matcher: Any = SequenceMatcher(None, old, new, autojunk=False)
    if len(old) + len(new) > LONG:
        matcher.opcodes = list(_opcodes(old, new))
    rows: list[DiffRow | Gap] = []
    reached = 0
    for group in matcher.get_grouped_opcodes(context):
        if group[0][1] > reached:
            rows.append(Gap(group[0][1] - reached))
        reached = group[-1][2]
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                rows += [_same(old, new, i1 + n, j1 + n) for n in range(i2 - i1)]
            else:
                rows += _replaced(old, new, (i1, i2), (j1, j2))
    if reached < len(old):
        rows.append(Gap(len(old) - reached))
    return rows


def _replaced(
    old: Sequence[str], new: Sequence[str], before: tuple[int, int], after: tuple[int, int]
) -> Iterator[DiffRow]:
    """The lines of a change: first the pairs of similar lines at the same positions."""
    i, j = before[0], after[0]
    for left, right in _versions(old[i : before[1]], new[j : after[1]]):
        i, j = i + 1, j + 1
        yield DiffRow(Line(i, left), Line(j, right), True)
    for n in range(i, before[1]):
        yield DiffRow(Line(n + 1, [(old[n], False)]), None, True)
    for n in range(j, after[1]):
        yield DiffRow(None, Line(n + 1, [(new[n], False)]), True)


def _same(old: Sequence[str], new: Sequence[str], i: int, j: int) -> DiffRow:
    return DiffRow(Line(i + 1, [(old[i], False)]), Line(j + 1, [(new[j], False)]), False)


def _versions(
    old: Sequence[str], new: Sequence[str]
) -> Iterator[tuple[Sequence[Piece], Sequence[Piece]]]:
    """The pieces of each line and of its counterpart, as long as they are similar."""
    if max(len(old), len(new)) <= PAIRABLE:
        for before, after in zip(old, new, strict=False):
            pieces = _pieces(before, after, STEPS // len(old))
            if pieces is None:
                return
            yield pieces


def _pieces(old: str, new: str, most: int) -> tuple[list[Piece], list[Piece]] | None:
    """The pieces of two versions of a line; None if too few words are equal."""
    a, b = WORD.findall(old), WORD.findall(new)
    found = list(_opcodes(a, b, most))
    equal = sum(i2 - i1 for tag, i1, i2, _, _ in found if tag == "equal")
    if 2 * equal < ALIKE * (len(a) + len(b)):
        return None
    left = _join(("".join(a[i1:i2]), tag != "equal") for tag, i1, i2, _, _ in found)
    right = _join(("".join(b[j1:j2]), tag != "equal") for tag, _, _, j1, j2 in found)
    return left, right


_Opcode = tuple[str, int, int, int, int]


def _opcodes(a: Sequence[str], b: Sequence[str], most: int = STEPS) -> Iterator[_Opcode]:
    """The opcodes of SequenceMatcher, which is slow on long lists, so equal ends are removed first.
    If it could still take more than `most` steps, everything between the ends counts as
    different."""
    shorter = min(len(a), len(b))
    head = next((n for n in range(shorter) if a[n] != b[n]), shorter)
    tail = next((n for n in range(shorter - head) if a[-1 - n] != b[-1 - n]), shorter - head)
    if head:
        yield "equal", 0, head, 0, head
    x, y = a[head : len(a) - tail], b[head : len(b) - tail]
    matcher: Any = SequenceMatcher(None, x, y, autojunk=len(x) + len(y) > LONG)
    # Each step of the search compares each element of one list with its equals in the other, and
    # there are at most as many steps as elements.
    if min(len(x), len(y)) * sum(len(matcher.b2j.get(each, ())) for each in x) > most:
        matcher.opcodes = [("replace", 0, len(x), 0, len(y))]
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        yield tag, head + i1, head + i2, head + j1, head + j2
    if tail:
        yield "equal", len(a) - tail, len(a), len(b) - tail, len(b)


def _join(pieces: Iterable[Piece]) -> list[Piece]:
    """Merges adjacent pieces of the same kind, and drops empty pieces."""
    groups = groupby((piece for piece in pieces if piece[0]), key=itemgetter(1))
    return [("".join(text for text, _ in group), differs) for differs, group in groups]
