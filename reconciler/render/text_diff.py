"""Prompts, and differences of texts by line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from reconciler.render import cells, safe
from reconciler.render.style import Style, counted

CONTEXT = 2  # unchanged lines shown around a change
DIFF_ROWS = 40  # maximum rows for the change of a field, without -v


class PromptExcerpt(NamedTuple):
    """Shows only the first `kept` lines of a prompt with more than `most` lines."""

    most: int
    kept: int

    def lines_left(self, text: str) -> int:
        """The number of lines of a prompt that are not shown."""
        lines = text.strip("\n").count("\n") + 1
        return lines - self.kept if lines > self.most else 0


USUAL = PromptExcerpt(40, 20)
OF_MANY = PromptExcerpt(6, 5)
"""The excerpt in a plan with many prompts."""


def prompt_rows(text: str, style: Style, excerpt: PromptExcerpt) -> list[str]:
    """The prompt, or an excerpt; all with `style.verbose`."""
    lines = lines_of(text.strip("\n"))
    left = 0 if style.verbose else excerpt.lines_left(text)
    rows = []
    for line in lines[: len(lines) - left]:
        rows += cells.wrap(line, style.width, cells.hanging_indent(line))
    if left:
        rows.append(_more(left, style))
    return rows


def _more(rows: int, style: Style) -> str:
    return style.palette.dim(f"({rows} more lines, -v shows them)")


class DiffLine(NamedTuple):
    """A line, and whether it was removed (`-`), added (`+`) or kept (a space); `@`: the number of
    unchanged lines that are not shown."""

    sign: str
    text: str


def diff_rows(before: str | None, after: str | None, style: Style) -> list[str]:
    """The first rows of a diff, each starting with `- `, `+ ` or two spaces; all with
    `style.verbose`. None means that the text does not exist."""
    lines = diff_lines(before, after, CONTEXT)
    removed, added = ({line.text.rstrip() for line in lines if line.sign == s} for s in "-+")
    alike = removed & added
    rows = [row for line in lines for row in _rows(line, style, alike)]
    if style.verbose or len(rows) <= DIFF_ROWS + 1:
        return rows or [style.palette.dim("(only line ends differ)")]
    return [*rows[:DIFF_ROWS], _more(len(rows) - DIFF_ROWS, style)]


def _rows(line: DiffLine, style: Style, alike: Collection[str]) -> Iterator[str]:
    """The rows of a line. `alike`: the texts of lines that differ only in trailing blanks."""
    palette = style.palette
    if line.sign == "@":
        yield palette.dim("...")
        return
    paint = {"-": palette.red, "+": palette.green}.get(line.sign, str)
    is_blank = line.text.endswith(" ") and line.text.rstrip() in alike
    ending = " (ends in blanks)" if line.sign != " " and is_blank else ""
    *rows, last = cells.wrap(line.text, style.width - 2)
    yield from (paint(f"{line.sign} {row}".rstrip()) for row in (*rows, last + ending))


STEPS, STEPS_PER_CHARACTER = 20_000_000, 300
"""The maximum numbers of comparisons; if more may be needed, the whole text counts as changed.
The limit per character prevents many short texts from taking longer than a long text."""

LONG = 600  # for more lines, an exact difference takes too long


def lines_of(text: str) -> list[str]:
    return [safe.line(line) for line in text.replace("\r\n", "\n").split("\n")]


def diff_lines(before: str | None, after: str | None, context: int) -> list[DiffLine]:
    """All differences with `context` unchanged lines around them; empty if only line ends differ.
    None means that the text does not exist."""
    old, new = ([] if text is None else lines_of(text) for text in (before, after))
    if old == new:
        return []
    if old[-1:] == new[-1:] == [""]:  # both end with a line feed, which is not a line
        old, new = old[:-1], new[:-1]
    matcher: Any = SequenceMatcher()
    matcher.opcodes = list(_opcodes(old, new))
    lines: list[DiffLine] = []
    reached = 0
    for group in matcher.get_grouped_opcodes(context):
        lines += _gap(group[0][1] - reached)
        reached = group[-1][2]
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [DiffLine(" ", text) for text in old[i1:i2]]
            else:
                lines += [DiffLine("-", text) for text in old[i1:i2]]
                lines += [DiffLine("+", text) for text in new[j1:j2]]
    return lines + _gap(len(old) - reached)


def _gap(lines: int) -> list[DiffLine]:
    return [DiffLine("@", counted(lines, "unchanged line"))] if lines else []


def _opcodes(a: Sequence[str], b: Sequence[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """The opcodes of SequenceMatcher, which is slow on long lists, so equal ends are removed first.
    If it could still take too many steps, everything between the ends counts as different."""
    shorter = min(len(a), len(b))
    head = next((n for n in range(shorter) if a[n] != b[n]), shorter)
    tail = next((n for n in range(shorter - head) if a[-1 - n] != b[-1 - n]), shorter - head)
    if head:
        yield "equal", 0, head, 0, head
    x, y = a[head : len(a) - tail], b[head : len(b) - tail]
    matcher: Any = SequenceMatcher(None, x, y, autojunk=len(x) + len(y) > LONG)
    # Each step of the search compares each line of one text with its equals in the other, and
    # there are at most as many steps as lines.
    characters = sum(len(line) + 1 for line in (*x, *y))
    most = min(STEPS, STEPS_PER_CHARACTER * characters)
    if min(len(x), len(y)) * sum(len(matcher.b2j.get(each, ())) for each in x) > most:
        matcher.opcodes = [("replace", 0, len(x), 0, len(y))]
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        yield tag, head + i1, head + i2, head + j1, head + j2
    if tail:
        yield "equal", len(a) - tail, len(a), len(b) - tail, len(b)
