"""A checksum in a JSON object: its first member, the CRC-32 of everything after it.

It detects accidental damage: nothing keeps a person from computing another one.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from reconciler.system.memory import joined

if TYPE_CHECKING:
    from reconciler.system.memory import Text

_MEMBER = re.compile(rb'\{\s*"checksum": ?"([0-9a-f]{8})",')
_PART_BYTES, _KEPT_BYTES, _KEPT_VALUES = 1 << 20, 1 << 24, 20_000


class Checksummed:
    """The object whose text `make` yields in parts, with a checksum and a final newline: again in
    parts, the same ones each time. `size` is their sum in bytes.

    The checksum comes first, so a text that is too long to be kept is made twice. With more than
    20,000 `values` (records, or planned tasks), no part of it is kept until that is known.
    """

    def __init__(self, make: Callable[[], Iterable[bytes]], values: int = 0) -> None:
        self._make = make
        self._kept: list[bytes] = []
        self._crc, self.size, gap = 0, 0, b""
        for part in _rest(make()):
            if not self.size:
                gap = part[: len(part) - len(part.lstrip())]
            self._crc, self.size = zlib.crc32(part, self._crc), self.size + len(part)
            if self.size <= _KEPT_BYTES and values <= _KEPT_VALUES:
                self._kept.append(part)
            else:
                self._kept.clear()
        self.checksum = f"{self._crc:08x}"
        self._member = b'{%b"checksum": "%b",' % (gap, self.checksum.encode())
        self.size += len(self._member)

    def __iter__(self) -> Iterator[bytes]:
        """RuntimeError at the end if the text has changed meanwhile: do not use it then."""
        text = self._member
        for part in self._kept or self._made_again():
            text += part
            if len(text) >= _PART_BYTES:
                yield text
                text = b""
        yield text

    def _made_again(self) -> Iterator[bytes]:
        crc = 0
        for part in _rest(self._make()):
            crc = zlib.crc32(part, crc)
            yield part
        if crc != self._crc:
            raise RuntimeError("a text was changed while it was written")

    def __bytes__(self) -> bytes:
        return joined(self)


def _rest(text: Iterable[bytes]) -> Iterator[bytes]:
    """What follows the checksum."""
    parts = iter(text)
    yield next(parts)[1:]
    yield from parts
    yield b"\n"


def with_checksum(data: bytes) -> bytes:
    """The object `data`, which is one line, with a checksum and a final newline. It is copied once:
    the head of a shared state is long, and written with each event."""
    rest = memoryview(data)[1:]
    crc = zlib.crc32(b"\n", zlib.crc32(rest))
    return b"".join((b'{"checksum": "%08x",' % crc, rest, b"\n"))


def is_intact(data: Text) -> bool:
    """Whether it begins with the checksum of the rest."""
    found = _MEMBER.match(data)
    return found is not None and found[1] == b"%08x" % zlib.crc32(memoryview(data)[found.end() :])
