"""The blobs of a shared state: read in parallel, decrypted and verified."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.typed_json import Raw, ShapeError
from reconciler.state.codec import StateSource, decode_event, decode_state
from reconciler.state.encryption import Cipher, KeyRing
from reconciler.state.engines import Missing, Version
from reconciler.state.head import Head, decode_head, decode_segment, decode_tail
from reconciler.state.model import Event, State
from reconciler.state.register import Register

_AT_ONCE = 16
_READS = 4


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a shared state: `head`, and the content of every blob that it names.
    `is_current`: the saved state is encrypted with the current key, or not at all without one."""

    head: Head
    version: Version
    saved: State
    events: tuple[Event, ...]
    is_current: bool


class Blobs:
    """Reads and stores the blobs of one state."""

    def __init__(self, register: Register, ring: KeyRing) -> None:
        self._register, self._ring, self._shown = register, ring, register.shown
        self._cipher: Cipher | None = None
        self._lineage = ""

    def cipher(self, lineage: str) -> Cipher:
        """Cached, since deriving a key from a passphrase takes a third of a second."""
        if self._cipher is None or self._lineage != lineage:
            self._cipher, self._lineage = Cipher(self._ring, lineage, self._shown), lineage
        return self._cipher

    def head(self, data: bytes) -> tuple[Head, Raw]:
        """A head, and its tail as stored. StateError if it is damaged or newer."""
        with self._verifying("head"):
            return decode_head(data, self._shown)

    def whole_head(self, data: bytes) -> Head:
        """A head with its tail. StateError, also for a wrong key."""
        head, tail = self.head(data)
        with self._verifying("head"):
            return replace(head, tail=decode_tail(head, tail, self.cipher(head.lineage)))

    def snapshot(self, backend: str) -> Snapshot | None:
        """The newest version; None only if there is none. A missing blob may have been dropped by
        a newer version, so the head is read again. StateError for anything unreadable."""
        for reads in range(_READS):
            found = self._register.read()
            if found is None:
                return None
            try:
                return self.load(*found, backend)
            except Missing as problem:
                if reads == _READS - 1:
                    raise self.damaged(str(problem), "it is missing") from problem
        raise AssertionError

    def load(self, data: bytes, version: Version, backend: str) -> Snapshot:
        """All of one version. Raises Missing, and StateError for anything unreadable."""
        head = self.whole_head(data)
        names, kept = [head.base, *head.segments], self._register.engine.kept
        cipher = self.cipher(head.lineage)
        with ThreadPoolExecutor(min(_AT_ONCE, len(names)), "read") as pool:
            stored = list(pool.map(lambda name: self._register.retried(lambda: kept(name)), names))
        base, *segments = [cipher.unseal(*part) for part in zip(names, stored, strict=True)]
        saved = self._state(head, base, backend)
        texts: list[bytes] = []
        for name, segment in zip(head.segments, segments, strict=True):
            with self._verifying(name):
                texts += decode_segment(segment)
        with self._verifying("journal"):
            events = tuple(decode_event(text) for text in (*texts, *head.tail))
        return Snapshot(head, version, saved, events, cipher.is_current(stored[0]))

    def keep(self, name: str, data: bytes, lineage: str) -> None:
        """Encrypts once, because the content of a name must never change."""
        self._register.keep(name, self.cipher(lineage).seal(name, data))

    def damaged(self, part: str, reason: str) -> StateError:
        code = Code.STATE_PART_DAMAGED
        return StateError.of(code, file=self._shown, part=part, reason=reason)

    @contextmanager
    def _verifying(self, part: str) -> Iterator[None]:
        try:
            yield
        except ShapeError as problem:
            raise self.damaged(part, str(problem)) from None

    def _state(self, head: Head, data: bytes, backend: str) -> State:
        try:
            state = decode_state(data, StateSource(self._shown), backend=backend)
        except StateError as problem:
            if problem.diagnostics[0].code in (Code.STATE_NEWER, Code.STATE_BACKEND):
                raise
            raise self.damaged(head.base, str(problem)) from None
        if (state.lineage, state.serial) != (head.lineage, head.serial):
            raise self.damaged(head.base, "it belongs to another state")
        return state
