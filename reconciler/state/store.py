"""The contents of a shared state: the head and its blobs, verified.

The head is one line of JSON with a checksum. Its `tail` has the newest journal entries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from reconciler.model import limits
from reconciler.model.canonical import INVISIBLE, visible
from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.remarks import Arg, remark
from reconciler.model.typed_json import (
    Raw,
    ShapeError,
    decode_as,
    encode_json,
    is_intact,
    items,
    members,
    with_checksum,
)
from reconciler.model.value import Stored, Value, replace
from reconciler.state.codec import StateSource, check_version, decode_event, decode_state
from reconciler.state.engines import BlobRoom, Full, Missing, Version, check_size
from reconciler.state.lock import Holder, LastApply
from reconciler.state.model import Event, State, room_in
from reconciler.state.register import Register

BASES = 5
"""The number of saved states that are kept, including the newest."""

MAX_ABOUT = 1000
"""Characters of the line about the last change."""

_AT_ONCE = 8
_READS = 4
_MAX_NUMBER = 2**52
_BLOB = re.compile(r"(?:base-)?[0-9]{1,16}-[0-9]{1,16}-[0-9a-f]{32}")
"""The name of a blob, as `Head.part` makes it."""


class Head(Stored, frozen=True):
    """The head of a shared state. `epoch` increases whenever the lock changes hands, `seq` with
    each write; with the random `writer`, no two heads are ever equal. `base` and `segments` are
    names of immutable blobs: the saved state and older journal entries. `serial` is the serial of
    the base; `bases` are its predecessors."""

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
    declared: LastApply | None = None

    @property
    def part(self) -> str:
        """The name of a blob that is written together with this head."""
        return f"{self.epoch}-{self.seq}-{self.writer}"

    def following(self) -> Head:
        """The next head, with the same holder and content."""
        return replace(self, seq=self.seq + 1)

    def taken_by(self, writer: str, holder: Holder | None, declared: LastApply | None) -> Head:
        """The next head, with another holder."""
        seq, epoch, taken = self.seq + 1, self.epoch + 1, {"holder": holder, "declared": declared}
        return replace(self, epoch=epoch, seq=seq, writer=writer, **taken)


def encode_head(head: Head) -> bytes:
    """The line of a head."""
    tail, fields = b"[" + b",".join(head.tail) + b"]", members(encode_json(replace(head, tail=())))
    return with_checksum(encode_json(fields | {"tail": Raw(tail)}))


def decode_head(data: bytes, display_name: str) -> Head:
    """Decodes a head. Raises ShapeError, and StateError for another format."""
    check_version(decode_as(int, members(data).get("format", Raw(b"null"))), display_name)
    whole = _without_checksum(data)
    tail = tuple(map(bytes, items(whole.pop("tail", Raw(b"[]")))))
    head = replace(decode_as(Head, encode_json(whole)), tail=tail)
    if not (head.lineage and head.writer):
        raise ShapeError("lineage or writer", "empty")
    if not all(map(_BLOB.fullmatch, (head.base, *head.segments, *head.bases))):
        raise ShapeError("base, segments or bases", "name")
    if len({head.base, *head.segments}) <= len(head.segments):
        raise ShapeError("base or segments", "repeated")
    if not all(0 <= number < _MAX_NUMBER for number in (head.serial, head.epoch, head.seq)):
        raise ShapeError("serial, epoch or seq", "range")
    return head


def encode_segment(texts: Sequence[bytes]) -> bytes:
    """Journal entries as a blob."""
    return with_checksum(b'{"events":[%b]}' % b",".join(texts))


def decode_segment(data: bytes) -> list[bytes]:
    """The journal entries in a blob. Raises ShapeError."""
    events = _without_checksum(data).get("events", Raw(b"null"))
    return list(map(bytes, items(events)))


def _without_checksum(data: bytes) -> dict[str, Raw]:
    """The members of an object, without its checksum. Raises ShapeError if the checksum does not
    match."""
    whole = members(data)
    if whole.pop("checksum", None) is None or not is_intact(data):
        raise ShapeError("", "checksum")
    return whole


class Snapshot(Value, frozen=True):
    """One version of a shared state: `head`, and the content of all of its blobs. `size` and
    `journal` are the bytes of the saved state and of the journal."""

    head: Head
    version: Version
    saved: State
    events: tuple[Event, ...]
    size: int
    journal: int


class Store:
    """Reads and writes the head and the blobs of one state."""

    def __init__(self, register: Register) -> None:
        self.register, self._display_name = register, register.display_name

    def head(self, data: bytes) -> Head:
        """Decodes a head of this state. Raises StateError."""
        with self._verifying("head"):
            return decode_head(data, self._display_name)

    def snapshot(self, backend: str) -> Snapshot | None:
        """The newest version; None only if there is none. A missing blob may have been deleted by a
        newer version, so the head is read again. Raises StateError for unreadable data."""
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
        """The content of one version. Raises Missing, and StateError for unreadable data."""
        head = self.head(data)
        base, *segments = self._blobs([head.base, *head.segments])
        size, journal = len(base), sum(map(len, (*segments, *head.tail)))
        saved = self._state(head, base, backend)
        texts: list[bytes] = []
        for name, segment in zip(head.segments, segments, strict=True):
            with self._verifying(name):
                texts += decode_segment(segment)
        with self._verifying("journal"):
            events = tuple(decode_event(text) for text in (*texts, *head.tail))
        room = room_in(limits.STATE_PART_BYTES, size + journal)
        return Snapshot(head, version, replace(saved, room=room), events, size, journal)

    def _blobs(self, names: Sequence[str]) -> list[bytes]:
        """Reads blobs concurrently. Raises Missing, and Oversized if they are too large
        together."""
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
        return self.register.swap(encode_head(head), over)

    def describe(self, state: State) -> None:
        """Sets who changed the state last, for the engine."""
        last = max(state.runs.values(), key=lambda run: run.at, default=None)
        about = visible(f"Last change: {last}", f"\n{INVISIBLE}") if last is not None else ""
        self.register.engine.about = about[:MAX_ABOUT]

    def put_blob(self, name: str, data: bytes, beside: int = 0) -> int:
        """Stores a blob and returns its size. Raises Full, before anything is sent, if the blob and
        `beside` further bytes are too large to be read."""
        check_size(name, beside + len(data), limits.STATE_BYTES, Full)
        self.register.put_blob(name, data)
        return len(data)

    def damaged(self, part: str, reason: Arg) -> StateError:
        code = Code.STATE_PART_DAMAGED
        return StateError.of(code, file=self._display_name, part=part, reason=reason)

    @contextmanager
    def _verifying(self, part: str) -> Iterator[None]:
        try:
            yield
        except ShapeError as problem:
            raise self.damaged(part, problem.cause) from None

    def _state(self, head: Head, data: bytes, backend: str) -> State:
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
