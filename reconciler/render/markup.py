"""Markdown for a terminal: headings, emphasis, code, lists. For text that `safe` has escaped.

Nothing is omitted: links keep their URL, and unknown markup is kept unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from reconciler.render import cells
from reconciler.render.reports import Palette

_HEADING = re.compile(r"#{1,6}\s+(.*)")
_BULLET = re.compile(r"(\s*)[-*+]\s+(.*)")
_FENCES = ("```", "~~~")
_SPAN = re.compile(r"`([^`]+)`|\*\*(?=\S)(.+?)(?<=\S)\*\*")


Span = tuple[int, int, Callable[[str], str]]
"""Start and end in a text, and the color."""


def plain_rows(text: str) -> list[str]:
    return text.strip("\n").split("\n")


def markdown_rows(text: str, columns: int, palette: Palette) -> list[str]:
    """Rows of at most `columns`."""
    rows: list[str] = []
    is_code = False
    for line in plain_rows(text):
        if line.lstrip().startswith(_FENCES):
            is_code = not is_code
            rows += (palette.dim(row) for row in cells.wrap(line, columns))
        elif is_code:
            rows += (palette.cyan(row) for row in cells.wrap(line, columns))
        elif heading := _HEADING.fullmatch(line):
            rows += (palette.bold(row) for row in cells.wrap(heading[1], columns))
        elif bullet := _BULLET.fullmatch(line):
            rows += _spanned(f"{bullet[1]}• {bullet[2]}", columns, len(bullet[1]) + 2, palette)
        else:
            rows += _spanned(line, columns, cells.hanging_indent(line), palette)
    return rows


def _spanned(line: str, columns: int, hang: int, palette: Palette) -> Iterator[str]:
    """Wraps a line; colors code and emphasis, across rows too."""
    if not palette.on:
        yield from cells.wrap(line, columns, hang)
        return
    plain, spans, end = "", [], 0
    for found in _SPAN.finditer(line):
        plain += line[end : found.start()]
        inner, paint = (found[1], palette.cyan) if found[1] else (found[2], palette.bold)
        spans.append((len(plain), len(plain) + len(inner), paint))
        plain, end = plain + inner, found.end()
    plain, at = plain + line[end:], 0
    for row in cells.wrap(plain, columns, hang):
        text = row.lstrip()
        begin = plain.index(text, at)
        at = begin + len(text)
        yield row[: len(row) - len(text)] + _painted(plain, begin, at, spans)


def _painted(text: str, begin: int, end: int, spans: Iterable[Span]) -> str:
    """A part of a text, with the spans in it colored."""
    shown, at = "", begin
    for first, last, paint in spans:
        here, there = max(first, at), min(last, end)
        if here < there:
            shown += text[at:here] + paint(text[here:there])
            at = there
    return shown + text[at:end]
