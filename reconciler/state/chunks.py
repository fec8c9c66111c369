"""A large state file in pieces, so that the JSON values of all its tasks never exist at once.

As taskctl writes it (`writing.indented`), each task begins on a line of its own, and there it can
be cut. The cuts prove themselves: where each piece within braces is a JSON object, and the text
around them is one, the whole is the object that has all of these tasks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

SIZE = 1 << 16
"""About how many bytes are read at once: little enough that the allocator gives each the memory of
the one before, which takes a third off the time."""

_BEGIN = b'\n  "tasks": '
_END = b"\n  }"
_NEXT = b',\n    "'


class Pieces(NamedTuple):
    """`around` is the text with null for its tasks; each of `tasks` an object with some of them."""

    around: bytes
    tasks: Iterator[bytes]


def cut(data: bytes) -> Pieces | None:
    """None where the text is short, or is not as taskctl writes it."""
    begin = data.find(_BEGIN + b"{") + len(_BEGIN)
    end = data.rfind(_END) + len(_END)
    if len(data) <= SIZE or begin < len(_BEGIN) or end <= begin:
        return None
    around = data[:begin] + b"null" + data[end:]
    if around.count(b'"tasks"') != 1:  # else the null may stand for another object's
        return None
    return Pieces(around, _tasks(data, begin + 1, end - 1))


def _tasks(data: bytes, begin: int, end: int) -> Iterator[bytes]:
    while begin < end:
        at = data.find(_NEXT, begin + SIZE, end)
        at = end if at < 0 else at
        yield b"{" + data[begin:at] + b"}"
        begin = at + 1
