"""Text in terminal columns: width, wrapping, tables. For text that `safe` has escaped."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

GAP = "  "
"""The separator of columns in a table."""

_LONG = 48  # wider cells do not widen a column if most of its cells are far narrower
_WIDEST = 2
_MIN_COLUMNS = 8  # minimum columns of a value
MARKUP = re.compile(r"(\x1b\[[0-9;]*m|\x1b\]8;;[!-~]*\x1b\\)")
"""Colors, and the start and the end of a hyperlink: they occupy no columns."""
_NOT_ASCII = re.compile(r".\ufe0f|[^\x00-\x7f]", re.DOTALL)
_CELLS = re.compile(r".\ufe0f?", re.DOTALL)
_TOKENS = re.compile(r"\s+|\S+")
_INDENT = re.compile(r"\s*(?:(?:[-*+]|\d{1,3}[.)])\s+)?")


def width(text: str) -> int:
    """The columns that `text` occupies: 2 for wide East Asian characters and for emoji, 0 for
    combining characters and for markup."""
    if "\x1b" in text:
        text = without_markup(text)
    if text.isascii():
        return len(text)
    return len(text) + sum(_cell(found) - len(found) for found in _NOT_ASCII.findall(text))


def without_markup(text: str) -> str:
    """The text without colors and hyperlinks."""
    return MARKUP.sub("", text)


def wrap(text: str, columns: int, hang: int = 0) -> list[str]:
    """Wraps one line to rows of at most `columns`, between words if possible.

    Continuation rows are indented by `hang`, unless that leaves too little room.
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
                row, used = "", 0  # the indentation leaves no room for a wide character
            if used + size > columns:
                *full, end = split(token, columns - used)
                rows.extend(row + piece for piece in full)
                row = (indent if full else row) + end
                used = width(row)
                continue
        row, used = row + token, used + size
    return [*rows, row.rstrip()] if row.strip() or not rows else rows


def hanging_indent(line: str) -> int:
    """The indentation of a line's continuation rows: that of a list item's text."""
    found = _INDENT.match(line)
    return found.end() if found else 0


_WORD = re.compile(r"[^\s`]*`[^`]+`[^\s`]*|\S+")


def wrap_words(text: str, columns: int, hang: int = 0) -> list[str]:
    """Wraps a sentence; all rows but the first are indented by `hang`. Keeps code in backticks on
    a row if it fits, and never breaks a word, such as a link."""
    rows, indent = [""], " " * hang
    found = (" ".join(word.split()) for word in _WORD.findall(text))
    for word in (w for part in found for w in ([part] if width(part) <= columns else part.split())):
        if rows[-1] and width(rows[-1]) + 1 + width(word) > columns:
            rows.append(indent + word)
        else:
            rows[-1] = f"{rows[-1]} {word}" if rows[-1] else word
    return rows


_COPYABLE = ("taskctl ", "gh workflow run ", "# ")


def wrap_sentences(text: str, columns: int) -> str:
    """A text whose long lines are wrapped between words, with their indentation, except for
    commands, which must be copyable."""
    return "\n".join(row for line in text.split("\n") for row in _wrapped(line, columns))


def _wrapped(line: str, columns: int) -> list[str]:
    inside = line.lstrip(" ")
    is_code = line != inside and inside.startswith(_COPYABLE)
    if is_code or width(line) <= columns:
        return [line]
    indent = " " * (len(line) - len(inside))
    return [indent + row for row in wrap_words(inside, columns - len(indent))]


def split(text: str, columns: int) -> list[str]:
    """Splits `text` into pieces of at most `columns` (at least one character each)."""
    if text.isascii():
        columns = max(1, columns)
        return [text[at : at + columns] for at in range(0, len(text), columns)] or [""]
    pieces, piece, used = [], "", 0
    for character in _CELLS.findall(text):
        size = _cell(character)
        if piece and used + size > columns:
            pieces.append(piece)
            piece, used = "", 0
        piece, used = piece + character, used + size
    return [*pieces, piece]


def shorten(text: str, columns: int) -> str:
    """One line of at most `columns`, cut between words if possible."""
    if width(text) <= columns:
        return text
    kept = split(text, max(1, columns - 1))[0]
    at_word = kept.rpartition(" ")[0]
    return (at_word if len(at_word) > len(kept) // 2 else kept).rstrip() + "…"


def pad(text: str, columns: int, *, right: bool = False) -> str:
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def table_rows(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Rows with aligned columns; those in `right` are right-aligned. Cells may be colored."""
    widths = list(map(_column_width, zip(*rows, strict=True)))
    return [
        GAP.join(
            pad(cell, columns, right=number in right)
            for number, (cell, columns) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def widths_of(rows: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column: `_column_width` of the first, that of the widest cell of others."""
    first, *others = zip(*rows, strict=True)
    return [_column_width(first), *(max(map(width, column)) for column in others)]


def _column_width(column: Sequence[str]) -> int:
    """The width to which a column is padded. Cells that are far wider than most do not count: they
    shift only the rest of their row."""
    sizes = sorted(map(width, column))
    return max(size for size in sizes if size <= max(_LONG, 2 * sizes[len(sizes) // 2]))


def fit(table: list[list[str]], columns: int) -> list[list[str]]:
    """Shortens the widest values, to `_MIN_COLUMNS` at least, until the rows fit. The first cell of
    a row, its key, is only shortened to `columns`."""
    own, *widths = [max(map(width, column)) for column in zip(*table, strict=True)]
    room = columns - own - len(GAP) * len(widths)
    cap = max(widths, default=0)
    while cap > _MIN_COLUMNS and sum(min(used, cap) for used in widths) > room:
        cap -= 1
    return [[shorten(key, columns), *(shorten(v, cap) for v in values)] for key, *values in table]


def _cell(character: str) -> int:
    """The columns of a character, which a variation selector (U+FE0F) turns into an emoji."""
    if len(character) > 1:
        return 2
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
