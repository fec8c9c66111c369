"""Globs of manifests and command lines: `*` matches any text, other characters match themselves.

Anyone who can open a pull request can write a glob, so matching must not take exponential or
polynomial time: the texts between the `*` are searched in order, each once.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

STAR = "*"
OTHER_SIGNS = "?[]"
"""Wildcards of other tools. No key contains them, so a pattern with such a character is wrong."""


class _Pieces(NamedTuple):
    """The parts of a pattern: the texts before the first `*`, after the last, and between them.
    `shortest` is the length of the shortest text that matches. If not `is_glob`, there is no `*`,
    and `first` is the whole pattern."""

    first: str
    last: str
    middle: tuple[str, ...]
    shortest: int
    is_glob: bool


def is_glob(pattern: str) -> bool:
    """Whether a pattern is a glob, and not a key."""
    return STAR in pattern


def other_sign(pattern: str) -> str | None:
    """The first wildcard in a pattern that is not supported; None if there is none."""
    return next((sign for sign in pattern if sign in OTHER_SIGNS), None)


@lru_cache(maxsize=4096)
def _pieces(pattern: str) -> _Pieces:
    first, *rest = pattern.split(STAR)
    if not rest:
        return _Pieces(first, "", (), len(first), is_glob=False)
    *between, last = rest
    middle = tuple(filter(None, between))
    return _Pieces(first, last, middle, sum(map(len, (first, *middle, last))), is_glob=True)


def matches(pattern: str, text: str) -> bool:
    """Whether a key, or a glob, matches a whole text."""
    found = _pieces(pattern)
    return _has(found, text) if found.is_glob else text == pattern


def first_match(patterns: Iterable[str], text: str) -> str | None:
    """The first of these globs that matches a text; None if there is none."""
    return next((pattern for pattern in patterns if matches(pattern, text)), None)


def _has(pieces: _Pieces, text: str) -> bool:
    if len(text) < pieces.shortest or not text.startswith(pieces.first):
        return False
    if not text.endswith(pieces.last):
        return False
    if not pieces.middle:
        return True
    at, end = len(pieces.first), len(text) - len(pieces.last)
    for piece in pieces.middle:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def texts_of(pattern: str, text: str) -> tuple[str, ...] | None:
    """The text that each `*` of a glob matches, each as short as possible; None if the glob does
    not match."""
    if not matches(pattern, text):
        return None
    first, *rest = pattern.split(STAR)
    found, at = [], len(first)
    for number, piece in enumerate(rest, start=1):
        next_at = text.find(piece, at) if number < len(rest) else len(text) - len(piece)
        found.append(text[at:next_at])
        at = next_at + len(piece)
    return tuple(found)
