"""The contents of a shared state: the head, and the blobs that it names, encrypted and verified.

The head is one line of JSON with a checksum. `tail` has the newest journal entries: an array, or
its encrypted form in base64. Everything else stays readable, so that a process without a key can
see who holds the lock.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from reconciler.model import limits
from reconciler.model.canonical import INVISIBLE, visible
from reconciler.model.checksum import Checksummed, is_intact, with_checksum
from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.remarks import Arg, remark
from reconciler.model.typed_json import Raw, ShapeError, decode_as, encode_json, items, members
from reconciler.model.value import Stored, Value, replace
from reconciler.state.attempt import Fill
from reconciler.state.codec import check_version, decode_event, decode_state
from reconciler.state.encryption import Cipher, KeyRing
from reconciler.state.engines import Blob, BlobRoom, Full, Missing, Version, check_size
from reconciler.state.file import StateSource
from reconciler.state.lock import Holder
from reconciler.state.model import Event, State
from reconciler.state.register import Register

if TYPE_CHECKING:
    from reconciler.system.memory import Text

BASES = 5
"""The number of saved states that are kept, including the newest."""

MAX_ABOUT = 1000
"""Characters of the line about the last change."""

_AT_ONCE = 8
_TOGETHER = 1_000  # entries that are joined
_READS = 4
_MAX_NUMBER = 2**52
_TAIL = "head"
_BLOB = re.compile(r"(?:base-)?[0-9]{1,16}-[0-9]{1,16}-[0-9a-f]{32}")
"""The name of a blob, as `Head.part` makes it."""


class Head(Stored, frozen=True):
    """`epoch` increases whenever the lock changes hands, `seq` with each write; with the random
    `writer`, no two heads are ever equal. `base` and `segments` name immutable blobs: the saved
    state and older journal entries. `serial` is the base's; `bases` are its predecessors.
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

    def following(self) -> Head:
        """The next head of the same holder, with nothing changed yet."""
        return replace(self, seq=self.seq + 1)

    def taken_by(self, writer: str, holder: Holder | None) -> Head:
        """The next head, with another holder."""
        seq, epoch = self.seq + 1, self.epoch + 1
        return replace(self, epoch=epoch, seq=seq, writer=writer, holder=holder)


def encode_head(head: Head, cipher: Cipher) -> bytes:
    """The line of a head. Encryption makes it different each time: keep it for a resend."""
    plain, fields = b"[" + b",".join(head.tail) + b"]", members(encode_json(replace(head, tail=())))
    sealed = cipher.seal(_TAIL, plain, encode_json(fields))
    tail = plain if sealed == plain else encode_json(base64.b64encode(sealed).decode())
    return with_checksum(encode_json(fields | {"tail": Raw(tail)}))


class Tail(NamedTuple):
    """The tail of a head as stored, and the other fields, which are authenticated with it."""

    stored: Raw
    fields: bytes


def decode_head(data: bytes, display_name: str) -> tuple[Head, Tail]:
    """A head without its tail, and the tail. Raises ShapeError, and StateError for another
    format."""
    check_version(decode_as(int, members(data).get("format", Raw(b"null"))), display_name)
    whole = _intact(data)
    tail = whole.pop("tail", Raw(b"[]"))
    fields = encode_json(whole)
    head = decode_as(Head, fields)
    if not (head.lineage and head.writer):
        raise ShapeError("lineage or writer", "empty")
    if not all(map(_BLOB.fullmatch, (head.base, *head.segments, *head.bases))):
        raise ShapeError("base, segments or bases", "name")
    if len({head.base, *head.segments}) <= len(head.segments):
        raise ShapeError("base or segments", "repeated")
    if not all(0 <= number < _MAX_NUMBER for number in (head.serial, head.epoch, head.seq)):
        raise ShapeError("serial, epoch or seq", "range")
    return head, Tail(tail, fields)


def decode_tail(tail: Tail, cipher: Cipher) -> tuple[bytes, ...]:
    """The journal entries of a head. Raises ShapeError, and StateError for a wrong key or other
    fields."""
    stored = bytes(tail.stored)
    if stored.startswith(b'"'):
        try:
            stored = base64.b64decode(decode_as(str, tail.stored), validate=True)
        except (binascii.Error, ValueError):
            raise ShapeError("tail", "base64") from None
    return tuple(map(bytes, items(cipher.unseal(_TAIL, stored, tail.fields))))


def encode_segment(texts: Sequence[bytes]) -> Checksummed:
    """Journal entries, at least one, as a blob."""

    def parts() -> Iterator[bytes]:
        yield b'{"events":[' + texts[0]
        for start in range(1, len(texts), _TOGETHER):
            yield b"," + b",".join(texts[start : start + _TOGETHER])
        yield b"]}"

    return Checksummed(parts)


def decode_segment(data: Text) -> list[bytes]:
    """The journal entries in a blob. Raises ShapeError."""
    events = _intact(data).get("events", Raw(b"null"))
    return list(map(bytes, items(events)))


def _intact(data: Text) -> dict[str, Raw]:
    """The members of an object, without its checksum. Raises ShapeError if it does not match."""
    whole = members(data)
    if whole.pop("checksum", None) is None or not is_intact(data):
        raise ShapeError("", "checksum")
    return whole


class Snapshot(Value, frozen=True):
    """One version of a shared state: `head`, and the content of every blob that it names.
    `is_current`: the saved state is encrypted with the current key, or plain if there is none."""

    head: Head
    version: Version
    saved: State
    events: tuple[Event, ...]
    is_current: bool


class Store:
    """Reads and writes the head and the blobs of one state."""

    def __init__(self, register: Register, ring: KeyRing) -> None:
        self.register, self._ring, self._display_name = register, ring, register.display_name
        self._cipher: Cipher | None = None
        self._lineage = ""

    def cipher(self, lineage: str) -> Cipher:
        """Cached, since deriving a key from a passphrase takes a third of a second."""
        if self._cipher is None or self._lineage != lineage:
            self._cipher, self._lineage = Cipher(self._ring, lineage, self._display_name), lineage
        return self._cipher

    def head(self, data: bytes) -> tuple[Head, Tail]:
        """A head without its tail, and the tail. Raises StateError."""
        with self._verifying("head"):
            return decode_head(data, self._display_name)

    def whole_head(self, data: bytes) -> Head:
        """A head with its tail. Raises StateError, also for a wrong key."""
        head, tail = self.head(data)
        with self._verifying("head"):
            return replace(head, tail=decode_tail(tail, self.cipher(head.lineage)))

    def snapshot(self, backend: str) -> Snapshot | None:
        """The newest version; None only if there is none. A missing blob may have been deleted by
        a newer version, so the head is read again. Raises StateError for anything unreadable."""
        for reads in range(_READS):
            found = self.register.read()
            if found is None:
                return None
            try:
                return self.load(*found, backend)
            except Missing as problem:
                if reads == _READS - 1:
                    raise self.damaged(str(problem), remark("shape.absent")) from problem
        raise AssertionError

    def load(self, data: bytes, version: Version, backend: str) -> Snapshot:
        """The content of one version. Raises Missing, and StateError for anything unreadable."""
        head = self.whole_head(data)
        names, cipher = [head.base, *head.segments], self.cipher(head.lineage)
        stored = self._blobs(names)
        sizes, is_current = list(map(len, stored)), cipher.is_current(stored[0])
        base, *segments = [cipher.unseal(name, stored.pop(0)) for name in names]
        saved = self._state(head, base, backend)
        texts: list[bytes] = []
        for name, segment in zip(head.segments, segments, strict=True):
            with self._verifying(name):
                texts += decode_segment(segment)
        with self._verifying("journal"):
            events = tuple(decode_event(text) for text in (*texts, *head.tail))
        journal = sum(sizes[1:]) + sum(map(len, head.tail))
        fill = Fill(sizes[0], journal, limits.STATE_PART_BYTES, limits.STATE_BYTES)
        return Snapshot(head, version, replace(saved, fill=fill), events, is_current)

    def _blobs(self, names: Sequence[str]) -> list[Text]:
        """Reads blobs concurrently. Raises Missing, and Oversized for too much in total."""
        get, room = self.register.engine.get_blob, BlobRoom()
        with ThreadPoolExecutor(min(_AT_ONCE, len(names)), "read") as pool:
            reads = [pool.submit(self.register.retried, partial(get, name, room)) for name in names]
            try:
                return [read.result() for read in reads]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def swap(self, head: Head, over: Version | None) -> Version:
        """Replaces the head, which must be new; errors as in `Register.swap`."""
        return self.register.swap(encode_head(head, self.cipher(head.lineage)), over)

    def describe(self, state: State) -> None:
        """Tells the engine who changed the state last, unless it is encrypted."""
        last = max(state.runs.values(), key=lambda run: run.at, default=None)
        known = last is not None and self._ring.current is None
        about = visible(f"Last change: {last}", f"\n{INVISIBLE}") if known else ""
        self.register.engine.about = about[:MAX_ABOUT]

    def put_blob(self, name: str, blob: Blob, lineage: str, beside: int = 0) -> int:
        """Stores a blob, encrypted once, because the content of a name must never change. Returns
        its size. Raises Full before anything is sent, also if it could not be read together
        with `beside` other bytes."""
        stored = self.cipher(lineage).sealed(name, blob)
        check_size(name, beside + stored.size, limits.STATE_BYTES, Full)
        self.register.put_blob(name, stored)
        return stored.size

    def damaged(self, part: str, reason: Arg) -> StateError:
        code = Code.STATE_PART_DAMAGED
        return StateError.of(code, file=self._display_name, part=part, reason=reason)

    @contextmanager
    def _verifying(self, part: str) -> Iterator[None]:
        try:
            yield
        except ShapeError as problem:
            raise self.damaged(part, problem.cause) from None

    def _state(self, head: Head, data: Text, backend: str) -> State:
        try:
            state = decode_state(data, StateSource(self._display_name), backend=backend)
        except StateError as problem:
            if problem.diagnostics[0].code in (Code.STATE_VERSION, Code.STATE_BACKEND):
                raise
            raise self.damaged(head.base, problem.causes) from None
        if (state.lineage, state.serial) != (head.lineage, head.serial):
            raise self.damaged(head.base, remark("shape.foreign"))
        self.describe(state)
        return state
