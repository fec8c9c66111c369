"""The head of a shared state: one line of JSON that names everything else.

It starts with the CRC-32 of the rest. `tail` has the newest journal entries: an array, or its
encrypted form in base64. Everything else stays readable, so that a process without a key can see
who holds the lock.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reconciler.model.typed_json import Codec, Raw, ShapeError, decode_as, encode_json, members
from reconciler.state.codec import refuse_newer
from reconciler.state.encryption import Cipher
from reconciler.state.holder import Holder

FORMAT = 1
BASES = 5
"""The number of saved states that are kept, including the newest."""

_LINE = re.compile(rb'\{"checksum":"([0-9a-f]{8})",(.*\})\n', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Head:
    """`epoch` increases whenever the lock changes hands, `seq` with each write; with the random
    `writer`, no two heads are ever equal. `base` and `segments` name immutable blobs: the saved
    state and older journal entries. `serial` is that of the base; `bases` are its predecessors.
    """

    format: int
    lineage: str
    serial: int
    epoch: int
    seq: int
    writer: str
    base: str
    holder: Holder | None = None
    segments: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    tail: tuple[bytes, ...] = ()

    @property
    def part(self) -> str:
        """The name of a blob that is written together with this head."""
        return f"{self.epoch}-{self.seq}-{self.writer}"

    @property
    def tail_name(self) -> str:
        return f"tail-{self.epoch}-{self.seq}"

    def following(self) -> Head:
        """The next head of the same holder, with nothing changed yet."""
        return replace(self, seq=self.seq + 1)

    def taken_by(self, writer: str, holder: Holder | None) -> Head:
        """The next head, with another holder."""
        seq, epoch = self.seq + 1, self.epoch + 1
        return replace(self, epoch=epoch, seq=seq, writer=writer, holder=holder)


_HEAD = Codec(Head, without=("tail",))


def encode_head(head: Head, cipher: Cipher) -> bytes:
    """Encryption gives different bytes each time: keep them for a resend."""
    plain = b"[" + b",".join(head.tail) + b"]"
    sealed = cipher.seal(head.tail_name, plain)
    tail = plain if sealed == plain else encode_json(base64.b64encode(sealed).decode())
    rest = encode_json(members(_HEAD.encode(head)) | {"tail": Raw(tail)})[1:]
    return b'{"checksum":"%08x",%b\n' % (zlib.crc32(rest), rest)


def decode_head(data: bytes, shown: str) -> tuple[Head, Raw]:
    """A head without its tail, and the tail as stored. Raises ShapeError, and StateError for a
    newer format."""
    found = _LINE.fullmatch(data)
    if not found:
        raise ShapeError("", "it is not a head")
    if found[1] != b"%08x" % zlib.crc32(found[2]):
        raise ShapeError("", "its checksum does not match")
    whole = members(b"{" + found[2])
    version = decode_as(int, whole.get("format", Raw(b"0")))
    if version > FORMAT:
        refuse_newer(version, FORMAT, shown)
    tail = whole.pop("tail", Raw(b"[]"))
    head = _HEAD.decode(encode_json(whole), tail=())
    if not (head.format and head.lineage and head.writer and head.base):
        raise ShapeError("format, lineage, writer or base", "must not be empty")
    return head, tail


def decode_tail(head: Head, tail: Raw, cipher: Cipher) -> tuple[bytes, ...]:
    """The journal entries of a head. Raises ShapeError, and StateError for a wrong key."""
    stored = bytes(tail)
    if stored.startswith(b'"'):
        try:
            stored = base64.b64decode(decode_as(str, tail), validate=True)
        except (binascii.Error, ValueError):
            raise ShapeError("tail", "it is not base64") from None
    return tuple(map(bytes, decode_as(list[Raw], cipher.unseal(head.tail_name, stored))))


def encode_segment(texts: Sequence[bytes]) -> bytes:
    """Journal entries as a blob."""
    lines = b"".join(text + b"\n" for text in texts)
    return b"%08x\n%b" % (zlib.crc32(lines), lines)


def decode_segment(data: bytes) -> list[bytes]:
    """Raises ShapeError."""
    checksum, _, lines = data.partition(b"\n")
    if checksum != b"%08x" % zlib.crc32(lines):
        raise ShapeError("", "its checksum does not match")
    return lines.split(b"\n")[:-1]
