"""What a shared engine does: a head that is replaced by compare-and-swap, and immutable blobs.

Engines are dumb: no JSON, no retries, no clocks. `state/manager.py` has the policy for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Version:
    """Which content of the head was read or written. `token` is the engine's own and opaque."""

    token: Any


class EngineError(Exception):
    """Something an engine refuses or cannot do. `facts` are shown to the user, without secrets."""

    def __init__(self, case: str, **facts: str | int) -> None:
        super().__init__(case, facts)
        self.case, self.facts = case, facts


class MovedError(EngineError):
    """The head is not at the expected version: somebody else replaced it."""


class UnsureError(EngineError):
    """Whether it was done is not known (timeout, connection lost, 5xx, 409, 429): read and see."""


class DeniedError(EngineError):
    """It will not work however often it is tried: no permission, no such bucket, a bad address."""


class MissingError(EngineError):
    """No blob has that name."""


class UnconditionalError(EngineError):
    """The server ignores the conditions of a write, so it must not be used."""


class Engine(Protocol):
    """One place that holds one state. Calls may come from several threads, one at a time each.

    Every call may raise UnsureError or DeniedError. Names of blobs are `[A-Za-z0-9._-]+`.
    """

    @property
    def shown(self) -> str:
        """The address as it may be shown: it never contains credentials."""

    def read(self) -> tuple[bytes, Version] | None:
        """The head and its version; None if there is none yet (never for a missing bucket)."""

    def swap(self, data: bytes, over: Version | None) -> Version:
        """Replaces the head if it is still at `over` (None: if absent); MovedError if it is not."""

    def keep(self, name: str, data: bytes) -> None:
        """Stores an immutable blob; storing the same one again is fine."""

    def kept(self, name: str) -> bytes:
        """A blob; MissingError if there is none of that name."""

    def drop(self, names: Sequence[str]) -> None:
        """Deletes blobs, as far as it can; those that are not there count as deleted."""

    def probe(self) -> None:
        """Proves that conditions count: two writes that must be refused. UnconditionalError."""

    def prepare(self) -> None:
        """For `state init`: creates what the engine needs inside its place (tables), never the
        place itself (a bucket, a database)."""

    def close(self) -> None:
        """Gives up connections and scratch files; the engine is not used after it."""
