"""A checksum in a JSON object: its first member, the CRC-32 of everything after it.

It detects accidental damage: nothing keeps a person from computing another one.
"""

from __future__ import annotations

import re
import zlib

_MEMBER = re.compile(rb'\{\s*"checksum": ?"([0-9a-f]{8})",')


def with_checksum(data: bytes) -> bytes:
    """The JSON object `data`, in its own layout, with a checksum and a final newline. It is copied
    once: the head of a shared state is long, and written with each event."""
    start = data[: data.index(b'"')]
    rest = memoryview(data)[1:]
    crc = zlib.crc32(b"\n", zlib.crc32(rest))
    return b"".join((b'%b"checksum": "%08x",' % (start, crc), rest, b"\n"))


def is_intact(data: bytes) -> bool:
    """Whether it begins with the checksum of the rest."""
    found = _MEMBER.match(data)
    return found is not None and found[1] == b"%08x" % zlib.crc32(memoryview(data)[found.end() :])
