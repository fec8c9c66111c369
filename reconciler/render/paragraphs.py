"""Lines that belong to one paragraph, so that a prompt broken for another width reads well."""

from __future__ import annotations

import re
from collections.abc import Iterable

BROKEN = 40  # a line shorter than this ended because it was meant to

_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+")
_FENCES = ("```", "~~~")
_INDENT = re.compile(r"\s*")
_GOES_ON = re.compile(r"[^\W_]|[\"'`(]")
_NUMBERED = re.compile(r"\d{1,3}[.)](?:\s|$)")


def paragraphs(lines: Iterable[str]) -> list[tuple[str, int]]:
    """Text and hang (see `cells.wrap`) of each paragraph, list item or line that stands alone.

    A line is joined to the one before where that one is long enough to have been broken and this
    one, indented like it or like its text, begins as running text does. Code in fences stays.
    """
    joined: list[tuple[str, int]] = []
    last, fenced = "", False
    for line in lines:
        fence = line.lstrip().startswith(_FENCES)
        fenced ^= fence
        if joined and not (fence or fenced) and _is_continued(joined[-1], last, line):
            text, hang = joined[-1]
            joined[-1] = (f"{text} {line.strip()}", hang)
        else:
            joined.append((line, hang_of(line)))
        last = line
    return joined


def hang_of(line: str) -> int:
    """How far the rows below the first are indented: below an item's text, not its mark."""
    return len((_ITEM.match(line) or _INDENT.match(line) or [""])[0])


def _is_continued(unit: tuple[str, int], last: str, line: str) -> bool:
    indent = hang_of(line)
    text = line[indent:]
    return (
        len(last.rstrip()) >= BROKEN
        and not last.endswith(("  ", ":"))
        and indent == unit[1]
        and _ITEM.match(line) is None
        and _GOES_ON.match(text) is not None
        and _NUMBERED.match(text) is None
    )
