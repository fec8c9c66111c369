"""Finds prompts in external text, such as the service's messages.

A service that rejects a create may repeat the prompt in whole or in part: as JSON, as HTML, on one
line. Only letters and digits are therefore compared, with escapes read literally and decoded.
Matching stretches are replaced, with everything between the letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

STAND_IN = "(sensitive)"

WINDOW = 16
"""Number of consecutive letters and digits from which a match is not a coincidence."""

SHORTEST_LINE = 9
"""Lines of a prompt from this length are also searched as a whole."""

_MIN_LETTERS = 4  # letters of such a line
_ESCAPE = re.compile(
    r"\\u(?P<u>[0-9a-fA-F]{4})|\\x(?P<x>[0-9a-fA-F]{2})|\\[a-zA-Z\"'/\\]"
    r"|(?P<entity>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,31});)|%[0-9a-fA-F]{2}"
)


class _Reading(NamedTuple):
    """The letters and digits of a text, with their positions."""

    letters: str
    places: list[tuple[int, int]]


class Secrets:
    """A set of prompts; an empty set hides nothing."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.texts = frozenset(texts)
        self._needles: tuple[frozenset[str], frozenset[str]] | None = None

    def __bool__(self) -> bool:
        return bool(self.texts)

    def __or__(self, other: Secrets) -> Secrets:
        return self if other.texts <= self.texts else Secrets(self.texts | other.texts)

    def conceal(self, text: str) -> str:
        """`text` with a placeholder for each stretch of a prompt."""
        if not self.texts or not text:
            return text
        found = _joined(
            (reading.places[first][0], reading.places[last - 1][1])
            for reading in _readings(text)
            for first, last in self._stretches(reading.letters)
        )
        kept, reached = [], 0
        for begin, end in found:
            kept += [text[reached:begin], STAND_IN]
            reached = end
        return "".join([*kept, text[reached:]])

    def _stretches(self, letters: str) -> Iterator[tuple[int, int]]:
        wholes, lines = self._compared()
        here: dict[str, list[int]] = {}
        for at in range(len(letters) - WINDOW + 1):
            here.setdefault(letters[at : at + WINDOW], []).append(at)
        for whole in wholes if here else ():  # prompts are long, messages are short
            for n in range(len(whole) - WINDOW + 1):
                for at in here.pop(whole[n : n + WINDOW], ()):
                    yield at, at + WINDOW
        for line in lines:
            at = letters.find(line)
            while at >= 0:
                yield at, at + len(line)
                at = letters.find(line, at + 1)

    def _compared(self) -> tuple[frozenset[str], frozenset[str]]:
        """The letters of whole prompts, and of lines too short to be found that way."""
        if self._needles is None:
            wholes = {reading.letters for text in self.texts for reading in _readings(text)}
            lines = {
                reading.letters
                for text in self.texts
                for line in (text, *text.split("\n"))
                if len(line.strip()) >= SHORTEST_LINE
                for reading in _readings(line)
                if _MIN_LETTERS <= len(reading.letters) < WINDOW
            }
            self._needles = frozenset(wholes), frozenset(lines)
        return self._needles


def _joined(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted, with overlapping stretches merged."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(stretches):
        if joined and begin < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def _readings(text: str) -> tuple[_Reading, ...]:
    plain = _read((n, n + 1, character) for n, character in enumerate(text))
    if not _ESCAPE.search(text):
        return (plain,)
    return plain, _read(_unescaped(text))


def _read(characters: Iterable[tuple[int, int, str]]) -> _Reading:
    known = [(begin, end, letter) for begin, end, letter in characters if letter.isalnum()]
    return _Reading("".join(k[2] for k in known), [(begin, end) for begin, end, _ in known])


def _unescaped(text: str) -> Iterator[tuple[int, int, str]]:
    at = 0
    while at < len(text):
        found = _ESCAPE.match(text, at)
        if found is None:
            yield at, at + 1, text[at]
            at += 1
            continue
        yield at, found.end(), _meaning(found)
        at = found.end()


def _meaning(found: re.Match[str]) -> str:
    """The character that an escape stands for, or a space."""
    code = found["u"] or found["x"]
    if code:
        return chr(int(code, 16))
    if found["entity"]:
        from html import unescape  # builds a table of all entities

        return unescape(found["entity"])[:1]
    return " "
