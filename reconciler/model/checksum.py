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
    return b"".join(checksummed(data))


def checksummed(*parts: bytes) -> list[bytes | memoryview]:
    """The parts of the object that these parts are, which can be large: they are not copied."""
    gap, crc = _GAP.match(parts[0]), 0
    rest: list[bytes | memoryview] = [memoryview(parts[0])[1:], *parts[1:], b"\n"]
    for part in rest:
        crc = zlib.crc32(part, crc)
    return [b'{%b"checksum": "%08x",' % (gap[1] if gap else b"", crc), *rest]


def is_intact(data: bytes) -> bool:
    """Whether it begins with the checksum of the rest."""
    found = _MEMBER.match(data)
    return found is not None and found[1] == b"%08x" % zlib.crc32(memoryview(data)[found.end() :])
