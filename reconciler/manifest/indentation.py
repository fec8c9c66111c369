"""Texts of several lines, moved to another indentation without a change of what they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Block(NamedTuple):
    """The lines of a block scalar at their new place, and where it ends: at a line feed, or with
    the text.

    `open_end`: it ends the text without a line feed, which one more would make part of it.
    """

    lines: list[str]
    end: int
    open_end: bool


def block_scalar(text: str, at: int, head: str, was: int, now: int) -> Block:
    """The scalar whose `head` (`|2-`) stands in the line that ends at `at`.

    `was` and `now` are the columns of the collection that it is in.
    """
    given = next((int(char) for char in head if char.isdigit()), 0)
    indent = was + given if given else _found_indent(text, at, was)
    pad, keeps = " " * (now + (given or 2)), "+" in head
    moved: list[str] = []
    count, end = 0, at  # without empty lines at its end: they mean nothing unless it keeps them
    for line, stop in _lines(text, at):
        bare = line.lstrip(" ")
        if bare and (indent == 0 or len(line) - len(bare) < indent):
            break
        has_text = indent > 0 and len(line) > indent
        moved.append(pad + line[indent:] if has_text else "")
        if has_text or keeps:
            count, end = len(moved), stop
    open_end = count > 0 and end == len(text) and "-" not in head
    return Block(moved[:count], end, open_end)


def _lines(text: str, at: int) -> Iterator[tuple[str, int]]:
    """The lines behind the line feed at `at`, each with the place of its own or the text's end."""
    while at + 1 < len(text):
        stop = text.find("\n", at + 1)
        stop = len(text) if stop < 0 else stop
        yield text[at + 1 : stop], stop
        at = stop


def _found_indent(text: str, at: int, was: int) -> int:
    """That of the first line with text; 0 where none is further in than `was`."""
    for line, _ in _lines(text, at):
        bare = line.lstrip(" ")
        if bare:
            indent = len(line) - len(bare)
            return indent if indent > was else 0
    return 0


def folded_lines(scalar: str, indent: str) -> list[str]:
    """The lines of a plain or quoted scalar; white space at their ends means nothing there.

    But for a blank behind a backslash, which is escaped.
    """
    first, *middle, last = scalar.split("\n")
    double = scalar.startswith('"')
    lines = [_trimmed(line, double=double) for line in (first, *(m.lstrip(" \t") for m in middle))]
    lines.append(last.lstrip(" \t"))
    return [lines[0], *(indent + line if line else "" for line in lines[1:])]


def _trimmed(line: str, *, double: bool) -> str:
    bare = line.rstrip(" \t")
    slashes = len(bare) - len(bare.rstrip("\\"))
    return line[: len(bare) + 1] if double and slashes % 2 else bare
