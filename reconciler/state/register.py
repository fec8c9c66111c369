"""An engine's reads and swaps with retries, and its errors as StateErrors.

No reply to a write proves that it failed, so after each error the head is read: if its bytes are
ours, the write succeeded; if its version is still the expected one, the same bytes are sent again;
otherwise another process has replaced it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from reconciler.model import limits
from reconciler.model.clock import Clock
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, StateError
from reconciler.state.engines import (
    Denied,
    Engine,
    EngineError,
    Full,
    Moved,
    Oversized,
    Unconditional,
    Unsure,
    Version,
    check_size,
)
from reconciler.system.git import refusal_facts

T = TypeVar("T")

READ_TIMEOUT = 10.0
"""Seconds for which a read is retried before anything depends on it."""

_FIRST_PAUSE, _MAX_PAUSE = 0.1, 5.0

_DENIED = {
    "credentials": (Code.STATE_ACCESS_DENIED, ""),
    "permission": (Code.STATE_ACCESS_DENIED, "permission"),
    "container": (Code.STATE_CONTAINER_MISSING, ""),
    "extra": (Code.STATE_EXTRA_MISSING, ""),
    "rejected": (Code.STATE_REJECTED, ""),
    "address": (Code.STATE_ADDRESS, ""),
    "clone": (Code.STATE_ADDRESS, "clone"),
    "remote": (Code.STATE_ADDRESS, "remote"),
    "tls": (Code.STATE_ACCESS_DENIED, "tls"),
    "repository": (Code.GIT_UNUSABLE, ""),
}


_EXTRA = {"git": "program", "boto3": "profile", "taskctl[postgresql]": "driver"}


class HeadMovedError(Exception):
    """Another process replaced the head; this write had no effect."""


class UnknownWriteError(Exception):
    """It is unknown whether the last write succeeded; the argument is the reason."""


class Register:
    """The head and the blobs in an engine. Only one thread swaps at a time. Every method may raise
    Denied."""

    def __init__(self, engine: Engine, clock: Clock, wait: Callable[[float], object]) -> None:
        self.engine, self._clock, self._wait = engine, clock, wait
        self.display_name = engine.display_name
        self._wrote = -engine.pace.min_gap
        self.duration = 0.0
        """Seconds that the last swap took."""

    @property
    def write_timeout(self) -> float:
        """Seconds for which a holder retries a write: half the time after which another process may
        take over."""
        return self.engine.pace.takeover / 2

    @property
    def gap(self) -> float:
        """Seconds until the next swap is allowed."""
        return max(0.0, self._wrote + self.engine.pace.min_gap - self._clock.boot())

    def read(self) -> tuple[bytes, Version] | None:
        """The head; None only if it does not exist. Raises Unsure when the last retry has
        failed."""
        return self.retried(self.engine.read)

    def put_blob(self, name: str, data: bytes) -> None:
        """Stores a blob. Raises Unsure when the last retry has failed, and Full."""
        check_size(name, len(data), limits.STATE_PART_BYTES, Full)
        self.retried(lambda: self.engine.put_blob(name, data), self.write_timeout)

    def swap(self, data: bytes, over: Version | None) -> Version:
        """Replaces the head; `data` must differ from everything sent before. Raises HeadMovedError
        and UnknownWriteError, and Full before anything is sent."""
        check_size("head", len(data), limits.STATE_HEAD_BYTES, Full)
        if gap := self.gap:
            self._wait(gap)
        began = self._clock.boot()
        try:
            return self._swap(data, over)
        finally:
            self._wrote = self._clock.boot()
            self.duration = self._wrote - began

    def _swap(self, data: bytes, over: Version | None) -> Version:
        pauses = self._pauses(self.write_timeout)
        while True:
            try:
                return self.engine.swap(data, over)
            except (Moved, Unsure) as problem:
                why = str(problem)
            try:
                head = self.retried(self.engine.read, self.write_timeout)
            except Unsure as problem:
                raise UnknownWriteError(f"{why}; {problem}") from problem
            if head is not None and head[0] == data:
                return head[1]
            if (head[1] if head is not None else None) != over:
                raise HeadMovedError
            pause = next(pauses, None)
            if pause is None:
                raise UnknownWriteError(why)
            self._wait(pause)

    def retried(self, call: Callable[[], T], timeout: float = READ_TIMEOUT) -> T:
        """The result of `call`, which is safe to repeat. Raises Unsure when the last retry has
        failed."""
        pauses = self._pauses(timeout)
        while True:
            try:
                return call()
            except Unsure:
                pause = next(pauses, None)
                if pause is None:
                    raise
                self._wait(pause)

    def delete_blobs(self, names: Sequence[str]) -> None:
        """Deletes blobs, best effort: remaining blobs are merely unused."""
        if names:
            with suppress(EngineError):
                self.engine.delete_blobs(names)

    def _pauses(self, timeout: float) -> Iterator[float]:
        end, pause = self._clock.boot() + timeout, _FIRST_PAUSE
        while self._clock.boot() < end:
            yield pause
            pause = min(2 * pause, _MAX_PAUSE)


def state_error(problem: EngineError, display_name: str) -> StateError:
    """The StateError for an engine's error."""
    code, case = Code.STATE_UNREACHABLE, ""
    facts: dict[str, str] = {"reason": str(problem)}
    if isinstance(problem, Denied):
        code, case = _DENIED[problem.cause]
        if code is Code.STATE_EXTRA_MISSING:
            case = _EXTRA.get(str(problem), "")
        elif code is Code.GIT_UNUSABLE:
            case, facts = refusal_facts(str(problem))
    elif isinstance(problem, Full):
        code = Code.STATE_FULL
    elif isinstance(problem, Oversized):
        code, facts["part"] = Code.STATE_PART_DAMAGED, problem.part
    elif isinstance(problem, Unconditional):
        code = Code.STATE_UNCONDITIONAL
    return StateError.of(code, case, at=NOWHERE, file=display_name, **facts)


@contextmanager
def as_state_errors(display_name: str) -> Iterator[None]:
    """Turns an engine's errors into StateErrors."""
    try:
        yield
    except (Unsure, Denied, Oversized, Unconditional) as problem:
        raise state_error(problem, display_name) from problem
