"""A task's events as they happen, in the form of Server-Sent Events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event as Flag
from threading import Semaphore

from reconciler.embedded.lists import Event
from reconciler.embedded.wsgi import ApiError

HEARTBEAT_SECONDS = 15.0
POLL_SECONDS = 0.2
_BATCH = 200
_HELLO = b"retry: 1000\n\n"
_HEARTBEAT = b": heartbeat\n\n"


@dataclass(frozen=True, slots=True)
class News:
    """What a look at a task gave: events not sent before, and whether there may be more."""

    events: list[Event]
    is_over: bool


Look = Callable[[int, int], News]
"""After the event of this number, at most so many; a look leaves no transaction open."""


class EventStream:
    """The chunks of one stream. Holds one of the few places for streams until it is closed."""

    def __init__(
        self,
        look: Look,
        *,
        after: int,
        places: Semaphore,
        stopping: Flag,
        is_gone: Callable[[], bool],
    ) -> None:
        """`after` is the number of the last event that the client has, -1 for none."""
        if not places.acquire(blocking=False):
            raise ApiError(503, "too many event streams are open", (("Retry-After", "5"),))
        self._places: Semaphore | None = places
        self._chunks = _chunks(look, after, stopping, is_gone)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            places.release()


def _chunks(look: Look, after: int, stopping: Flag, is_gone: Callable[[], bool]) -> Iterator[bytes]:
    yield _HELLO
    last_sent = time.monotonic()
    while not is_gone():
        news = look(after, _BATCH)
        if news.events:
            after = news.events[-1].number
            last_sent = time.monotonic()
            yield b"".join([_frame(event) for event in news.events])
            continue
        if news.is_over or stopping.is_set():
            return
        if time.monotonic() - last_sent >= HEARTBEAT_SECONDS:
            last_sent = time.monotonic()
            yield _HEARTBEAT
        stopping.wait(POLL_SECONDS)


def _frame(event: Event) -> bytes:
    return f"id: {event.id}\ndata: {event.document}\n\n".encode()
