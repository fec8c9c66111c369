"""A checksum in a JSON object: its first member, the CRC-32 of everything after it.

It detects accidental damage: nothing keeps a person from computing another one.
"""

from __future__ import annotations

import re
import zlib

_GAP = re.compile(rb"\{(\s*)")
_MEMBER = re.compile(rb'\{\s*"checksum": ?"([0-9a-f]{8})",')


def with_checksum(data: bytes) -> bytes:
    """The object `data` in the same layout, with a checksum and a final newline."""
    gap, rest = _GAP.match(data), memoryview(data)[1:]
    crc = zlib.crc32(b"\n", zlib.crc32(rest))
    member = b'{%b"checksum": "%08x",' % (gap[1] if gap else b"", crc)
    return b"".join((member, rest, b"\n"))


def is_intact(data: bytes) -> bool:
    """Whether it begins with the checksum of the rest."""
    found = _MEMBER.match(data)
    return found is not None and found[1] == b"%08x" % zlib.crc32(memoryview(data)[found.end() :])
