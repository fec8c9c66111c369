"""Group commit: one write makes the events of all waiting threads durable."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.state.codec import encode_event
from reconciler.state.model import Event

Write = Callable[[Sequence[bytes]], None]
"""Makes encoded events durable, or raises StateError; never called concurrently."""

Durable = Callable[[Sequence[Event]], None]
"""Called with the events of each write, in order, before any `append` of them returns."""


@dataclass(slots=True, eq=False)
class _Caller:
    """The events of one `append`, until they are durable or have failed.

    `turn` wakes only this caller's thread, if it has to wait: waking all threads would take longer
    than the write.
    """

    events: Sequence[Event]
    texts: list[bytes]
    turn: threading.Condition | None = None
    done: bool = False
    failure: StateError | None = None

    def wait(self, lock: threading.Lock) -> None:
        """Waits for `wake`. The lock must be held for both calls."""
        self.turn = self.turn or threading.Condition(lock)
        self.turn.wait()

    def wake(self) -> None:
        if self.turn is not None:
            self.turn.notify()


class GroupCommit:
    """A log that serializes its writes. Thread-safe."""

    def __init__(
        self,
        write: Write,
        durable: Durable,
        *,
        display_name: str,
        linger: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`display_name` is the log's name in messages; `linger` returns the seconds for which a
        write waits for more callers."""
        self._write, self._durable = write, durable
        self._display_name, self._linger = display_name, linger
        self._lock = threading.Lock()
        self._free = threading.Condition(self._lock)
        self._busy = False
        self._callers: list[_Caller] = []

    @property
    def waiting(self) -> int:
        """The number of callers that wait for a write to begin."""
        return len(self._callers)

    def append(self, events: Sequence[Event]) -> None:
        """Returns once all of `events` are durable. Raises StateError if they are not.

        The first caller writes for all that are waiting; later callers wait for the next write.
        """
        texts = [encode_event(event) for event in events]
        mine = _Caller(events, texts)
        if self._is_leader(mine):
            self._lead(mine)
        if mine.failure is not None:
            raise StateError(mine.failure.diagnostics) from mine.failure

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pauses writes in this context; appends wait."""
        with self._lock:
            while self._busy:
                self._free.wait()
            self._busy = True
        try:
            yield
        finally:
            self._pass_on()

    def _is_leader(self, mine: _Caller) -> bool:
        """Waits until this caller has to write; False if another caller has written for it."""
        with self._lock:
            self._callers.append(mine)
            try:
                while self._busy and not mine.done:
                    mine.wait(self._lock)
            except BaseException:
                if mine in self._callers:
                    self._callers.remove(mine)
                    self._wake_next()
                raise
            if mine.done:
                return False
            self._busy = True
            return True

    def _lead(self, mine: _Caller) -> None:
        reason, code = "it was interrupted", Code.JOURNAL_NOT_WRITTEN
        batch: list[_Caller] = []
        failure: StateError | None = StateError.about(self._display_name, code, reason=reason)
        try:
            if seconds := self._linger():
                time.sleep(seconds)
            with self._lock:
                batch, self._callers = self._callers, []
            self._write([text for caller in batch for text in caller.texts])
            for caller in batch:
                self._durable(caller.events)
            failure = None
        except StateError as problem:
            failure = problem
        finally:
            for caller in batch:
                # Set this before `done`: a caller that is awake reads `done` without waiting.
                caller.failure = failure
                caller.done = True
            self._pass_on(mine, batch)

    def _pass_on(self, leader: _Caller | None = None, served: Iterable[_Caller] = ()) -> None:
        with self._lock:
            self._busy = False
            if leader in self._callers:  # it was interrupted before it wrote
                self._callers.remove(leader)
            for caller in served:
                caller.wake()
            self._wake_next()

    def _wake_next(self) -> None:
        """Wakes the next writer; the lock is held."""
        if self._callers:
            self._callers[0].wake()
        self._free.notify_all()
