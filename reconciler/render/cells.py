"""How wide text is in a terminal, and breaking it to a width. Of inert text only (`safe`)."""

from __future__ import annotations

import re
import unicodedata

_WIDEST = 2
_TOKENS = re.compile(r"\s+|\S+")
_INDENT = re.compile(r"\s*(?:(?:[-*+]|\d{1,3}[.)])\s+)?")


def width(text: str) -> int:
    """The columns that `text` takes: wide East Asian characters two, combining ones none."""
    return len(text) if text.isascii() else sum(map(_cell, text))


def wrap(text: str, columns: int, hang: int = 0) -> list[str]:
    """One line as rows of at most `columns`, broken between words where that is possible.

    Rows after the first begin with `hang` blanks, where those leave room enough.
    """
    if width(text) <= columns:
        return [text]
    indent = " " * hang if hang <= columns // 2 else ""
    rows, row, used = [], "", 0
    measure = len if text.isascii() else width
    for token in _TOKENS.findall(text):
        size = measure(token)
        if used + size > columns:
            if row.strip():
                rows.append(row.rstrip())
                row, used = indent, len(indent)
            if token.isspace():
                continue
            if columns - used < _WIDEST:
                row, used = "", 0  # blanks at the begin leave no room for any character
            if used + size > columns:
                *full, end = chunks(token, columns - used)
                rows.extend(row + piece for piece in full)
                row = (indent if full else row) + end
                used = width(row)
                continue
        row, used = row + token, used + size
    return [*rows, row.rstrip()] if row.strip() or not rows else rows


def hang_of(line: str) -> int:
    """How far the rows of a line after the first are indented: below a list item's text."""
    found = _INDENT.match(line)
    return found.end() if found else 0


def flowed(text: str, columns: int) -> list[str]:
    """A sentence of our own as rows; a word that is too long, such as a link, stays whole."""
    rows = [""]
    for word in text.split():
        if rows[-1] and width(rows[-1]) + 1 + width(word) > columns:
            rows.append(word)
        else:
            rows[-1] = f"{rows[-1]} {word}".lstrip()
    return rows


def chunks(text: str, columns: int) -> list[str]:
    """`text` in pieces of at most `columns`, broken anywhere; at least one character each."""
    pieces, piece, used = [], "", 0
    for character in text:
        size = _cell(character)
        if piece and used + size > columns:
            pieces.append(piece)
            piece, used = "", 0
        piece, used = piece + character, used + size
    return [*pieces, piece]


def window(text: str, at: int, columns: int) -> tuple[str, int]:
    """The part of a long line around the character at index `at`, and the column it is in there.

    What was cut away shows as `...`.
    """
    if width(text) <= columns:
        return text, width(text[:at])
    start = at
    room = max(columns - 6, 1)
    before = 0
    while start > 0 and before + _cell(text[start - 1]) <= room * 2 // 3:
        start -= 1
        before += _cell(text[start])
    end, used = start, 0
    while end < len(text) and used + _cell(text[end]) <= room:
        used += _cell(text[end])
        end += 1
    head, tail = "..." if start else "", "..." if end < len(text) else ""
    return f"{head}{text[start:end]}{tail}", len(head) + before


def _cell(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.combining(character) or character == "\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
