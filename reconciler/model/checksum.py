"""A checksum in a JSON object: its first member, the CRC-32 of everything after it.

It detects accidental damage: nothing keeps a person from computing another one.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator

_GAP = re.compile(rb"\{(\s*)")
_MEMBER = re.compile(rb'\{\s*"checksum": ?"([0-9a-f]{8})",')
_PART_BYTES = 1 << 20


class Checksummed:
    """The object whose text `make` yields in parts, in the same layout, with a checksum and a final
    newline: again in parts, which are written one after the other. `size` is their sum in bytes.

    `make` is called once for the checksum, and again for each iteration, because the whole text
    would need as much memory as the values in it.
    """

    def __init__(self, make: Callable[[], Iterator[bytes]]) -> None:
        self._make = make
        self._crc = self.size = 0
        for part in self._rest():
            self._crc, self.size = zlib.crc32(part, self._crc), self.size + len(part)
        gap = _GAP.match(next(make()))
        self._member = b'{%b"checksum": "%08x",' % (gap[1] if gap else b"", self._crc)
        self.size += len(self._member)

    def __iter__(self) -> Iterator[bytes]:
        """RuntimeError at the end if the text has changed meanwhile: do not use it then."""
        text, crc = self._member, 0
        for part in self._rest():
            crc = zlib.crc32(part, crc)
            text += part
            if len(text) >= _PART_BYTES:
                yield text
                text = b""
        if crc != self._crc:
            raise RuntimeError("a text was changed while it was written")
        yield text

    def _rest(self) -> Iterator[bytes]:
        parts = self._make()
        yield next(parts)[1:]
        yield from parts
        yield b"\n"


def with_checksum(data: bytes) -> bytes:
    """The object `data` in the same layout, with a checksum and a final newline."""
    return b"".join(Checksummed(lambda: iter([data])))


def is_intact(data: bytes) -> bool:
    """Whether it begins with the checksum of the rest."""
    found = _MEMBER.match(data)
    return found is not None and found[1] == b"%08x" % zlib.crc32(memoryview(data)[found.end() :])
