"""A task's events as they happen: streamed (and resumed after an interruption) or polled."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field

from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from reconciler.remote.client import Client
from reconciler.remote.exchange import NoResponseError, TooLargeError
from reconciler.remote.responses import decode
from reconciler.remote.task_reader import TaskReader
from reconciler.tasks.events import Event, EventSummary, Last, advance, event_id
from reconciler.tasks.status import SETTLED, state_of

IDLE_SECONDS = 60.0
"""A stream that is silent for this long is reopened."""

POLL_SECONDS = 2.0
MAX_EMPTY_STREAMS = 3
"""After this many consecutive streams without a new event, events are polled."""

CHECK_SECONDS = 5.0
"""How often the status is checked while a stream is open: the service may keep it open, with
heartbeats, after the task has settled."""

MAX_MESSAGE = 16 << 20

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")
_INTERRUPTED = (RequestException, HTTPError, http.client.HTTPException, OSError)
_ENDED = frozenset({Last.FINAL, Last.FAILED, Last.CANCELLED})


@dataclass(slots=True)
class _Followed:
    """A task, and how far its events were read."""

    org_name: str
    task_id: str
    summary: EventSummary = field(default_factory=EventSummary)
    seen: set[str] = field(default_factory=set)
    token: str | None = None
    checked_at: float = float("-inf")

    def add(self, event: Event) -> bool:
        """Whether the event is new; records it."""
        known = event_id(event) or json.dumps(event, sort_keys=True)
        if known in self.seen:
            return False
        self.seen.add(known)
        self.summary = advance(self.summary, [event])
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
        """All events of a task until it settles. Raises RemoteError."""
        task = _Followed(org_name, task_id)
        empty_streams = 0
        while True:
            remote = self._client.get_task(org_name, task_id)
            # Read the list after the status, so that an idle task's last events are included. A
            # stream may have been interrupted anywhere.
            listed, task.token = self._reader.events(org_name, task_id, task.token)
            yield from filter(task.add, listed)
            if remote is None or state_of(remote.raw, task.summary) in SETTLED:
                return
            if empty_streams >= MAX_EMPTY_STREAMS or task.summary.last in _ENDED:
                self._sleep(POLL_SECONDS)  # about to settle, or no streams
                continue
            before = len(task.seen)
            is_supported = yield from self._stream(task)
            if not is_supported:
                empty_streams = MAX_EMPTY_STREAMS
            elif len(task.seen) > before:
                empty_streams = 0
            else:
                empty_streams += 1
                self._sleep(POLL_SECONDS / 2)

    def _stream(self, task: _Followed) -> Generator[Event, None, bool]:
        """The new events of one stream, until it ends or the task may have settled. Returns
        whether the service supports streams."""
        try:
            response = self._client.open_events(
                task.org_name, task.task_id, task.summary.event_id, IDLE_SECONDS
            )
        except NoResponseError:
            return True
        with closing(response):
            kind = response.headers.get("Content-Type", "")
            if response.status_code != 200 or not kind.startswith("text/event-stream"):
                return False
            with suppress(*_INTERRUPTED):
                for data in messages(iter(lambda: response.raw.read1(1 << 16), b"")):
                    if data is None:
                        if self._may_have_settled(task):
                            break
                        continue
                    event = _event(data)
                    if event is not None and task.add(event := self._reader.without_secrets(event)):
                        yield event
        return True

    def _may_have_settled(self, task: _Followed) -> bool:
        """Called after each chunk, including heartbeats. Raises RemoteError."""
        if task.summary.last in _ENDED:
            return True
        if self._clock() - task.checked_at < CHECK_SECONDS:
            return False
        task.checked_at = self._clock()
        remote = self._client.get_task(task.org_name, task.task_id)
        return remote is None or state_of(remote.raw, task.summary) in SETTLED


def messages(chunks: Iterable[bytes]) -> Iterator[str | None]:
    """The data of each message in a stream of Server-Sent Events, and None after each chunk.

    As in the HTML standard, a line ends in CR, LF or both, and an incomplete message at the end is
    dropped. Raises TooLargeError.
    """
    rest, data, size = b"", list[str](), 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_MESSAGE:
            raise TooLargeError(MAX_MESSAGE >> 20)
        *lines, rest = _LINE_END.split(rest + chunk)
        for line in lines:
            name, _, value = line.decode("utf-8", "replace").partition(":")
            if name == "data":
                data.append(value.removeprefix(" "))
            elif not line:
                if data:
                    yield "\n".join(data)
                data, size = [], len(rest)
        yield None


def _event(data: str) -> Event | None:
    try:
        event = decode(data.encode())
    except ValueError:
        return None
    return event if isinstance(event, Mapping) else None
