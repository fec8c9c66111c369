"""A task's events as they happen: by its stream, taken up again after a cut, else by polling."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from requests import Response
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from reconciler.remote.client import Client
from reconciler.remote.exchange import NoAnswerError
from reconciler.remote.responses import decode
from reconciler.remote.sessions import Following
from reconciler.remote.sse import FrameReader, FrameTooLargeError
from reconciler.tasks.event_summary import Course, advanced
from reconciler.tasks.events import Event, event_id
from reconciler.tasks.status import SETTLED, standing_of

IDLE_SECONDS = 60.0
"""How long a stream may say nothing before it is taken up anew."""

POLL_SECONDS = 2.0
CUTS_IN_A_ROW = 3
"""So many streams without a word of news, and the events are polled instead."""

_CUT = (RequestException, HTTPError, http.client.HTTPException, OSError, FrameTooLargeError)
_CHUNK = 1 << 16


@dataclass(slots=True)
class _Followed:
    """One task, and how far it was followed."""

    org_name: str
    task_id: str
    course: Course = field(default_factory=Course)
    seen: set[str] = field(default_factory=set)
    token: str | None = None

    def news(self, event: Event) -> bool:
        """Whether the event was not seen before; from now on it was."""
        known = event_id(event) or json.dumps(event, sort_keys=True)
        if known in self.seen:
            return False
        self.seen.add(known)
        self.course = advanced(self.course, [event])
        return True


class EventStream:
    """Follows tasks, one at a time. `sleep` waits so many seconds."""

    def __init__(
        self, client: Client, following: Following, sleep: Callable[[float], None]
    ) -> None:
        self._client = client
        self._following = following
        self._sleep = sleep

    def events(self, org_name: str, task_id: str) -> Iterator[Event]:
        """All events of a task, and further ones until it has nothing left to do. RemoteError."""
        task = _Followed(org_name, task_id)
        cuts = 0
        while True:
            found = self._client.get_task(org_name, task_id)
            yield from self._read(task)  # after it: what an idle task said is there by now
            if found is None or standing_of(found.raw, task.course) in SETTLED:
                return
            if cuts >= CUTS_IN_A_ROW:
                self._sleep(POLL_SECONDS)
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
        """What the list of events has that no stream told, which may have been cut anywhere."""
        events, task.token = self._following.events(task.org_name, task.task_id, task.token)
        yield from (event for event in events if task.news(event))

    def _stream(self, task: _Followed) -> Generator[Event, None, bool]:
        """The events of one stream until it ends or is cut; whether the service has streams."""
        try:
            answer = self._client.opened_events(
                task.org_name, task.task_id, task.course.event_id, IDLE_SECONDS
            )
        except NoAnswerError:
            return True
        with closing(answer):
            kind = answer.headers.get("Content-Type", "")
            if answer.status_code != 200 or not kind.startswith("text/event-stream"):
                return False
            try:
                for data in _frames(answer):
                    event = _event(data)
                    if event is not None:
                        told = self._following.without_secrets(event)
                        if task.news(told):
                            yield told
            except _CUT:
                return True
        return True


def _frames(answer: Response) -> Iterator[str]:
    reader = FrameReader()
    while chunk := answer.raw.read1(_CHUNK):
        for frame in reader.feed(chunk):
            yield frame.data


def _event(data: str) -> Event | None:
    """The event in a frame; None for one that is none."""
    try:
        event = decode(data.encode())
    except ValueError:
        return None
    return event if isinstance(event, Mapping) else None
