"""The event stream of a task, as Server-Sent Events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event as Flag
from threading import Semaphore

from reconciler.embedded.lists import StoredEvent
from reconciler.embedded.wsgi import ApiError

HEARTBEAT_SECONDS = 15.0
POLL_SECONDS = 0.2
_BATCH = 200
_HELLO = b"retry: 1000\n\n"
_HEARTBEAT = b": heartbeat\n\n"


@dataclass(frozen=True, slots=True)
class EventBatch:
    """New events of a task. After an empty batch that `is_last`, the stream ends."""

    events: list[StoredEvent]
    is_last: bool


Poll = Callable[[int, int], EventBatch]
"""Reads the events after this number, at most so many; leaves no transaction open."""


class EventFeed:
    """The chunks of one response. Occupies one of the `slots` for streams until it is closed."""

    def __init__(
        self,
        poll: Poll,
        *,
        after: int,
        slots: Semaphore,
        stopping: Flag,
        is_gone: Callable[[], bool],
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        """`after` is the number of the last event that the client has, or -1.

        Raises ApiError 503 if no slot is free.
        """
        if not slots.acquire(blocking=False):
            raise ApiError(503, "too many event streams are open", (("Retry-After", "5"),))
        self._slots: Semaphore | None = slots
        self._chunks = _chunks(poll, after, stopping, is_gone, heartbeat_seconds)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.release()


def _chunks(
    poll: Poll,
    after: int,
    stopping: Flag,
    is_gone: Callable[[], bool],
    heartbeat_seconds: float,
) -> Iterator[bytes]:
    yield _HELLO
    last_sent = time.monotonic()
    while not is_gone():
        batch = poll(after, _BATCH)
        if batch.events:
            after = batch.events[-1].number
            last_sent = time.monotonic()
            yield b"".join([_frame(event) for event in batch.events])
            continue
        if batch.is_last or stopping.is_set():
            return
        if time.monotonic() - last_sent >= heartbeat_seconds:
            last_sent = time.monotonic()
            yield _HEARTBEAT
        stopping.wait(POLL_SECONDS)


def _frame(event: StoredEvent) -> bytes:
    return f"id: {event.id}\ndata: {event.document}\n\n".encode()
