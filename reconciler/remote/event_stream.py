"""A task's events as they happen: streamed (and resumed after an interruption) or polled."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field

from requests import Response
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from reconciler.remote.client import Client
from reconciler.remote.exchange import NoResponseError
from reconciler.remote.responses import decode
from reconciler.remote.sessions import TaskReader
from reconciler.remote.sse import Frame, FrameReader, FrameTooLargeError
from reconciler.tasks.event_summary import EventSummary, Last, advanced
from reconciler.tasks.events import Event, event_id
from reconciler.tasks.status import SETTLED, state_of

IDLE_SECONDS = 60.0
"""A stream that is silent for this long is reopened."""

POLL_SECONDS = 2.0
CUTS_IN_A_ROW = 3
"""After this many streams without a new event, events are polled."""

CHECK_SECONDS = 5.0
"""How often the status is checked while a stream is open: the service may keep it open, with
heartbeats, after the task has settled."""

_CUT = (RequestException, HTTPError, http.client.HTTPException, OSError, FrameTooLargeError)
_CHUNK = 1 << 16
_ENDED = frozenset({Last.FINAL, Last.FAILED, Last.CANCELLED})


@dataclass(slots=True)
class _Followed:
    """A task, and how far its events were read."""

    org_name: str
    task_id: str
    summary: EventSummary = field(default_factory=EventSummary)
    seen: set[str] = field(default_factory=set)
    token: str | None = None
    checked: float = float("-inf")

    def news(self, event: Event) -> bool:
        """Whether the event is new; records it."""
        known = event_id(event) or json.dumps(event, sort_keys=True)
        if known in self.seen:
            return False
        self.seen.add(known)
        self.summary = advanced(self.summary, [event])
        return True


class EventStream:
    """Follows one task at a time. `sleep` and `clock` (monotonic) are in seconds."""

    def __init__(
        self,
        client: Client,
        reader: TaskReader,
        sleep: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._reader = reader
        self._sleep = sleep
        self._clock = clock

    def events(self, org_name: str, task_id: str) -> Iterator[Event]:
        """All events of a task, until it is settled. Raises RemoteError."""
        task = _Followed(org_name, task_id)
        cuts = 0
        while True:
            found = self._client.get_task(org_name, task_id)
            yield from self._read(task)  # after it: what an idle task said is there by now
            if found is None or state_of(found.raw, task.summary) in SETTLED:
                return
            if cuts >= CUTS_IN_A_ROW or task.summary.last in _ENDED:
                self._sleep(POLL_SECONDS)  # about to settle, or no streams
                continue
            before = len(task.seen)
            streams = yield from self._stream(task)
            if not streams:
                cuts = CUTS_IN_A_ROW
            elif len(task.seen) > before:
                cuts = 0
            else:
                cuts += 1
                self._sleep(POLL_SECONDS / 2)

    def _read(self, task: _Followed) -> Iterator[Event]:
        """New events from the list: a stream may have been cut off anywhere."""
        events, task.token = self._reader.events(task.org_name, task.task_id, task.token)
        yield from (event for event in events if task.news(event))

    def _stream(self, task: _Followed) -> Generator[Event, None, bool]:
        """The events of one stream, until it ends or the task may have settled. Returns whether
        the service supports streams."""
        try:
            response = self._client.opened_events(
                task.org_name, task.task_id, task.summary.event_id, IDLE_SECONDS
            )
        except NoResponseError:
            return True
        with closing(response):
            kind = response.headers.get("Content-Type", "")
            if response.status_code != 200 or not kind.startswith("text/event-stream"):
                return False
            with suppress(*_CUT):
                for frames in _frames(response):
                    yield from self._news(task, frames)
                    if self._may_have_settled(task):
                        break
        return True

    def _news(self, task: _Followed, frames: Iterator[Frame]) -> Iterator[Event]:
        for frame in frames:
            event = _event(frame.data)
            if event is not None:
                shown = self._reader.without_secrets(event)
                if task.news(shown):
                    yield shown

    def _may_have_settled(self, task: _Followed) -> bool:
        """Called after each chunk, including heartbeats. Raises RemoteError."""
        if task.summary.last in _ENDED:
            return True
        if self._clock() - task.checked < CHECK_SECONDS:
            return False
        task.checked = self._clock()
        found = self._client.get_task(task.org_name, task.task_id)
        return found is None or state_of(found.raw, task.summary) in SETTLED


def _frames(response: Response) -> Iterator[Iterator[Frame]]:
    """The frames of each chunk; none for a heartbeat."""
    reader = FrameReader()
    while chunk := response.raw.read1(_CHUNK):
        yield reader.feed(chunk)


def _event(data: str) -> Event | None:
    try:
        event = decode(data.encode())
    except ValueError:
        return None
    return event if isinstance(event, Mapping) else None
