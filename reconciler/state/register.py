"""The register of an engine: reads and swaps that are certain, or that say that they are not.

No reply to a write proves that it failed, so after each error the head is read: if its bytes are
ours, the write succeeded; if its version is still the expected one, the same bytes are sent again;
otherwise somebody else has replaced it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from reconciler.model.clock import Clock
from reconciler.state.engines import Engine, EngineError, Moved, Unsure, Version

T = TypeVar("T")

READ_PATIENCE = 10.0
"""For how many seconds a read is tried again while nothing depends on it yet."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class HeadMovedError(Exception):
    """Somebody else replaced the head; nothing of this write is in it."""


class UnknownWriteError(Exception):
    """Whether the last write was done cannot be found out; the argument is the last reason."""


class Register:
    """Swaps come from one thread at a time. `Denied` passes through every method."""

    def __init__(self, engine: Engine, clock: Clock, wait: Callable[[float], object]) -> None:
        self.engine, self._clock, self._wait = engine, clock, wait
        self._wrote = -engine.pace.min_gap
        self.duration = 0.0
        """Seconds that the last swap took."""

    @property
    def patience(self) -> float:
        """For how many seconds a holder tries to write: others wait twice as long for it."""
        return self.engine.pace.takeover / 2

    @property
    def gap(self) -> float:
        """How many seconds the next swap still has to wait."""
        return max(0.0, self._wrote + self.engine.pace.min_gap - self._clock.boot())

    def read(self) -> tuple[bytes, Version] | None:
        """The head; None if there certainly is none. Raises Unsure once patience ends."""
        return self.retried(self.engine.read, READ_PATIENCE)

    def keep(self, name: str, data: bytes) -> None:
        """Stores a blob. Raises Unsure once patience ends."""
        self.retried(lambda: self.engine.keep(name, data), self.patience)

    def swap(self, data: bytes, over: Version | None) -> Version:
        """Replaces the head; `data` was never sent before. Raises HeadMovedError and
        UnknownWriteError."""
        if gap := self.gap:
            self._wait(gap)
        began = self._clock.boot()
        try:
            return self._swap(data, over)
        finally:
            self._wrote = self._clock.boot()
            self.duration = self._wrote - began

    def _swap(self, data: bytes, over: Version | None) -> Version:
        pauses = self._pauses(self.patience)
        while True:
            try:
                return self.engine.swap(data, over)
            except Moved as problem:
                why, after = str(problem), None
            except Unsure as problem:
                why, after = str(problem), problem.retry_after
            try:
                found = self.retried(self.engine.read, self.patience)
            except Unsure as problem:
                raise UnknownWriteError(f"{why}; {problem}") from problem
            if found is not None and found[0] == data:
                return found[1]
            if (found[1] if found is not None else None) != over:
                raise HeadMovedError
            pause = next(pauses, None)
            if pause is None:
                raise UnknownWriteError(why)
            self._wait(max(pause, min(after or 0.0, _LONGEST_PAUSE)))

    def retried(self, call: Callable[[], T], patience: float = READ_PATIENCE) -> T:
        """What is safe to do again, until it is done. Raises Unsure once patience ends."""
        pauses = self._pauses(patience)
        while True:
            try:
                return call()
            except Unsure as problem:
                pause = next(pauses, None)
                if pause is None:
                    raise
                self._wait(max(pause, min(problem.retry_after or 0.0, _LONGEST_PAUSE)))

    def drop(self, names: Sequence[str]) -> None:
        """Best effort: what stays is only unused."""
        if names:
            with suppress(EngineError):
                self.engine.drop(names)

    def _pauses(self, patience: float) -> Iterator[float]:
        end, pause = self._clock.boot() + patience, _FIRST_PAUSE
        while self._clock.boot() < end:
            yield pause
            pause = min(2 * pause, _LONGEST_PAUSE)
