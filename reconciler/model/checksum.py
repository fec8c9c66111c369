"""A checksum in a JSON object: its first member, the CRC-32 of everything after it.

It detects accidental damage: nothing keeps a person from computing another one.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator

_MEMBER = re.compile(rb'\{\s*"checksum": ?"([0-9a-f]{8})",')
_PART_BYTES = 1 << 20


class Checksummed:
    """The object whose text both `measured` and `written` yield in parts, in the same layout, with
    a checksum and a final newline: again in parts, to be written one after the other, once. `size`
    is their sum in bytes.

    The checksum comes first, so the text is made twice: it would need as much memory as its values.
    """

    def __init__(self, measured: Iterable[bytes], written: Iterable[bytes]) -> None:
        self._written = written
        self._crc, self.size, gap = 0, 0, b""
        for part in _rest(measured):
            if not self.size:
                gap = part[: len(part) - len(part.lstrip())]
            self._crc, self.size = zlib.crc32(part, self._crc), self.size + len(part)
        self._member = b'{%b"checksum": "%08x",' % (gap, self._crc)
        self.size += len(self._member)

    def __iter__(self) -> Iterator[bytes]:
        """RuntimeError at the end if the text has changed meanwhile: do not use it then."""
        text, crc = self._member, 0
        for part in _rest(self._written):
            crc = zlib.crc32(part, crc)
            text += part
            if len(text) >= _PART_BYTES:
                yield text
                text = b""
        if crc != self._crc:
            raise RuntimeError("a text was changed while it was written")
        yield text


def _rest(text: Iterable[bytes]) -> Iterator[bytes]:
    """What follows the checksum."""
    parts = iter(text)
    yield next(parts)[1:]
    yield from parts
    yield b"\n"


def with_checksum(data: bytes) -> bytes:
    """The object `data` in the same layout, with a checksum and a final newline."""
    return b"".join(Checksummed([data], [data]))


def is_intact(data: bytes) -> bool:
    """Whether it begins with the checksum of the rest."""
    found = _MEMBER.match(data)
    return found is not None and found[1] == b"%08x" % zlib.crc32(memoryview(data)[found.end() :])
