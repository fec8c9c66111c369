"""The agent task endpoints of one backend, for one token: `service.Service` over HTTP."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from requests import Response

from reconciler import __version__
from reconciler.model import wire
from reconciler.model.errors import TaskctlError
from reconciler.model.service import CreateOutcome, SendWindow
from reconciler.model.task import FirstMessage, Identity, RemoteTask
from reconciler.remote import responses
from reconciler.remote.failures import explain, remote_error
from reconciler.remote.pagination import Page, ReadPage, items, pages
from reconciler.remote.retries import RetryPolicy, http_date
from reconciler.remote.transport import (
    Answer,
    NoAnswerError,
    Request,
    Timeouts,
    Transport,
    WSGIApp,
)

_HEADER_VALUE = re.compile(r"[!-~]+")
HEADERS = {
    "Accept": "application/vnd.pulumi+8",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"taskctl/{__version__}",
}


class Client:
    """The service at `backend` (an http(s) URL, or any name where `app` answers in the process).

    `then_close` closes what belongs to it alone, such as `app`.
    `connections` is how many are kept alive: at least as many as threads use it. Sleeping, the
    clock (seconds, monotonic) and the spread of retries are given for tests. TaskctlError where
    backend, token or the network settings of the environment cannot be used (see Transport).
    """

    def __init__(
        self,
        backend: str,
        token: str,
        *,
        app: WSGIApp | None = None,
        then_close: Callable[[], None] | None = None,
        connections: int = 16,
        page_size: int = 1000,
        timeouts: Timeouts | None = None,
        policy: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.backend = backend
        self._then_close = then_close
        self._page_size = page_size
        self._clock = clock
        self._transport = Transport(
            backend,
            HEADERS,
            token,
            app=app,
            connections=connections,
            timeouts=timeouts,
            policy=policy,
            sleep=sleep,
            clock=clock,
            spread=spread,
        )
        self._asking = threading.Lock()
        self._lock = threading.Lock()
        self._identity: Identity | None = None
        self._seen: tuple[datetime, float] | None = None

    def __repr__(self) -> str:
        return f"Client({self.backend!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()
        if self._then_close is not None:
            self._then_close()

    def identity(self) -> Identity:
        """Who the token speaks for; asked once, then remembered. RemoteError."""
        with self._asking:
            if self._identity is None:
                request = Request("GET", "/api/user")
                self._identity = wire.identity(self._decoded(request, self._send(request)))
                if self._identity is None:
                    raise responses.malformed(
                        self._transport.address(request), "no user with an id"
                    )
            return self._identity

    def default_org(self) -> str | None:
        """The organization that the service would choose; None where it names none. RemoteError."""
        request = Request("GET", "/api/user/organizations/default")
        answer = self._send(request)
        if responses.says(answer, 400, 404):
            return None
        data = self._decoded(request, answer)
        name = data.get("GitHubLogin") if isinstance(data, Mapping) else None
        return name if isinstance(name, str) and name else None

    def service_clock(self) -> datetime | None:
        """The service's clock now, UTC: its last `Date` header plus the time since."""
        with self._lock:
            seen = self._seen
        return seen and seen[0] + timedelta(seconds=self._clock() - seen[1])

    def list_tasks(self, org_name: str) -> Iterator[list[RemoteTask]]:
        """The organization's tasks, newest first; one page is fetched ahead. RemoteError."""
        query = {
            "sortBy": "created",
            "sortDirection": "desc",
            "pageSize": str(self._page_size),
        }
        path = _tasks_path(org_name)
        for page in pages(self._page_reader(path, "tasks", query, org_name, is_task=False)):
            found = (wire.remote_task(org_name, raw) for raw in page)
            yield [task for task in found if task is not None]

    def get_task(self, org_name: str, task_id: str) -> RemoteTask | None:
        """One task; None where the service itself says 404. RemoteError, for another's too."""
        request = Request("GET", _task_path(org_name, task_id))
        answer = self._send(request)
        if responses.says(answer, 404):
            return None
        return self._task(request, answer, org_name, task_id)

    def events(
        self, org_name: str, task_id: str, *, page_size: int = 100
    ) -> Iterator[Mapping[str, Any]]:
        """A task's events, oldest first, pages read as they are needed. RemoteError: status 404
        where there is no such task."""
        path = f"{_task_path(org_name, task_id)}/events"
        query = {"pageSize": str(page_size)}
        for event in items(self._page_reader(path, "events", query, org_name, is_task=True)):
            if isinstance(event, Mapping):
                yield event

    def events_page(self, org_name: str, task_id: str, token: str | None) -> Page:
        """One page of a task's events, and the token of the next. RemoteError as for `events`."""
        path = f"{_task_path(org_name, task_id)}/events"
        query = {"pageSize": str(self._page_size)}
        read = self._page_reader(path, "events", query, org_name, is_task=True)
        return read(token, lambda: False)

    def tell(self, org_name: str, task_id: str, body: Mapping[str, Any], part: str = "") -> Answer:
        """Posts to a task (`part` "": a response), once: it may act on what it is told twice.
        NoAnswerError."""
        path = _task_path(org_name, task_id) + part
        return self._transport.create(Request("POST", path, encode(body)))

    def opened_events(self, org_name: str, task_id: str, after: str, idle: float) -> Response:
        """The event stream, to be read and closed; `after` is the last event that is known.
        NoAnswerError."""
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if _HEADER_VALUE.fullmatch(after):  # the service made it up, as any text that JSON has
            headers["Last-Event-ID"] = after
        path = f"{_task_path(org_name, task_id)}/events/stream"
        return self._transport.opened(Request("GET", path), headers, idle)

    def asked_once(self, request: Request, seconds: float) -> Answer:
        """Sends once and waits no longer: for what one can do without. NoAnswerError."""
        return self._transport.once(request, seconds)

    def scrub(self, text: str) -> str:
        """The text without the token."""
        return self._transport.scrub(text)

    def first_message(self, org_name: str, task_id: str) -> FirstMessage | None:
        """What the task was created with; None where its events hold none, or for the service's
        404. RemoteError."""
        try:
            return wire.first_message(self.events(org_name, task_id, page_size=20))
        except responses.NotFoundError:
            return None

    def create_task(
        self, org_name: str, body: Mapping[str, Any], window: SendWindow
    ) -> CreateOutcome:
        """Sends one create, once, if `window` is still open when the connection is. Never raises
        for what the network or the service do."""
        request = Request("POST", _tasks_path(org_name), encode(body))
        try:
            answer = self._transport.create(request, window)
        except NoAnswerError as lost:
            return responses.lost_create(lost, self._transport.scrub)
        outcome = responses.create_outcome(answer, self._transport.scrub)
        self._note_clock(answer)
        return outcome

    def patch_task(self, org_name: str, task_id: str, changes: Mapping[str, Any]) -> RemoteTask:
        """Changes what can be changed; the task as it is then. Sent again like a read, since the
        same change twice is the same. RemoteError: status 404 for none, or another's."""
        request = Request("PATCH", _task_path(org_name, task_id), encode(changes))
        return self._task(request, self._send(request), org_name, task_id)

    def task_url(self, org_name: str, task_id: str) -> str | None:
        """The task's page for a person; None where there are none."""
        return wire.console_url(self.backend, org_name, task_id)

    def _task(self, request: Request, answer: Answer, org_name: str, task_id: str) -> RemoteTask:
        data = self._decoded(request, answer, org_name, is_task=True)
        task = wire.remote_task(org_name, self._transport.scrub.values(data, answer.body))
        if task is None:
            raise responses.malformed(self._transport.address(request), "no task with an id")
        if task.id != task_id:
            raise responses.malformed(self._transport.address(request), "another task")
        return task

    def _page_reader(
        self, path: str, name: str, query: Mapping[str, str], org_name: str, *, is_task: bool
    ) -> ReadPage:
        """Reads one page: its entries, and the token of the next one."""

        def read(token: str | None, stopped: Callable[[], bool]) -> Page:
            asked = {**query, "continuationToken": token} if token else query
            request = Request("GET", f"{path}?{urlencode(asked)}")
            answer = self._send(request, stopped)
            data = self._decoded(request, answer, org_name, is_task=is_task)
            if not is_task:  # first messages have to be exact, to know what was created
                data = self._transport.scrub.values(data, answer.body)
            entries = data.get(name, ()) if isinstance(data, Mapping) else ()
            if not isinstance(entries, list | None):
                raise responses.malformed(self._transport.address(request), f"no list of {name}")
            following = data.get("continuationToken") if isinstance(data, Mapping) else None
            return entries or [], following if isinstance(following, str) and following else None

        return read

    def _send(self, request: Request, stopped: Callable[[], bool] = lambda: False) -> Answer:
        try:
            return self._transport.repeatable(request, stopped)
        except NoAnswerError as lost:
            scrub = self._transport.scrub
            what, then = explain(lost.cause, begun=lost.begun)
            where = self._transport.address(request)
            raise remote_error(scrub(f"{where}: {what}"), scrub(then)) from None

    def _decoded(
        self,
        request: Request,
        answer: Answer,
        org_name: str | None = None,
        *,
        is_task: bool = False,
    ) -> object:
        """The answer's JSON; RemoteError, worded, for every answer but a 2xx with JSON."""
        where = self._transport.address(request)
        about = responses.About(request.method, where, org_name, is_task)
        data = responses.read(answer, about, self._transport.scrub)
        self._note_clock(answer)
        return data

    def _note_clock(self, answer: Answer) -> None:
        moment = http_date(answer.headers.get("Date", ""))
        if moment is not None and 200 <= answer.status < 300:
            with self._lock:
                self._seen = (moment.astimezone(UTC), answer.received)


def encode(body: Mapping[str, Any]) -> bytes:
    """A request body. Pure ASCII: a lone surrogate of a manifest has no other spelling."""
    return _ENCODER.encode(body).encode("ascii")


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _tasks_path(org_name: str) -> str:
    return f"/api/preview/agents/{_part(org_name)}/tasks"


def _task_path(org_name: str, task_id: str) -> str:
    return f"{_tasks_path(org_name)}/{_part(task_id)}"


def _part(text: str) -> str:
    """One part of a path. `.` and `..` would lead to another one: TaskctlError."""
    if text in ("", ".", ".."):
        raise TaskctlError.of(
            f"{text!r} is no name of an organization or a task",
            "Correct orgName, taskID or --org.",
        )
    return quote(text.encode("utf-8", "surrogatepass"), safe="")
