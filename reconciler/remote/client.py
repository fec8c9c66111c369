"""The agent task endpoints of one backend for one token: `model.service.Service` over HTTP."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from requests import Response

from reconciler import __version__
from reconciler.model import wire
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.errors import RemoteError, TaskctlError
from reconciler.model.service import CreateOutcome, SendWindow, TaskPage
from reconciler.model.shell import is_org_name
from reconciler.model.task import FirstMessage, Identity, RemoteTask
from reconciler.remote import responses
from reconciler.remote.exchange import NoResponseError, Request, ServiceResponse, Timeouts
from reconciler.remote.failures import failure
from reconciler.remote.pagination import TASK_QUERY, Page, ReadPage, pages, task_pages
from reconciler.remote.retries import RetryPolicy
from reconciler.remote.sanitize import Scrubber
from reconciler.remote.service_clock import ServiceClock
from reconciler.remote.transport import Transport, WSGIApp

_HEADER_VALUE = re.compile(r"[!-~]+")
HEADERS = {
    "Accept": "application/vnd.pulumi+8",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"taskctl/{__version__}",
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Client:
    """The service at `backend`: a URL, or any name if `app` is called instead.

    `then_close` closes what belongs to this client, such as `app`. `connections` is the size of
    the pool: at least the number of threads. `sleep`, the clocks (`clock` is monotonic, in
    seconds) and `spread` are parameters for tests. Raises TaskctlError for an unusable backend,
    token or network setting (see Transport).
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
        wall_clock: Callable[[], datetime] = _utc_now,
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.backend = backend
        self._then_close = then_close
        self._page_size = page_size
        self._service_clock = ServiceClock(clock, wall_clock)
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
        self._identity: Identity | None = None

    def __repr__(self) -> str:
        return f"Client({self.backend!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()
        if self._then_close is not None:
            self._then_close()

    def identity(self) -> Identity:
        with self._asking:
            if self._identity is None:
                request = Request("GET", "/api/user")
                found = wire.identity(self._decoded(request, self._send(request)))
                if found is None or wire.REDACTED in found.id:
                    raise responses.unreadable_response("user", self._transport.address(request))
                self._identity = found
            return self._identity

    def default_org(self) -> str | None:
        """The service's default organization, or None. Raises RemoteError, also for an invalid
        name, because it would become part of addresses and commands."""
        request = Request("GET", "/api/user/organizations/default")
        response = self._send(request)
        if responses.says(response, 400, 404):
            return None
        data = self._decoded(request, response)
        name = data.get("GitHubLogin") if isinstance(data, Mapping) else None
        if name is None or name == "":
            return None
        if not isinstance(name, str) or not is_org_name(name):
            raise responses.unreadable_response("organization", self._transport.address(request))
        return name

    def service_clock(self) -> datetime | None:
        return self._service_clock.now()

    def ignored_date(self) -> Diagnostic | None:
        return self._service_clock.ignored

    def list_tasks(self, org_name: str) -> Iterator[TaskPage]:
        """See Service. The next page is fetched ahead."""
        path = _tasks_path(org_name)
        query = {**TASK_QUERY, "pageSize": str(self._page_size)}
        read = self._page_reader(path, "tasks", query, org_name, is_task=False)
        return task_pages(read, org_name, self._transport.address(Request("GET", path)))

    def get_task(self, org_name: str, task_id: str) -> RemoteTask | None:
        """See Service. Raises RemoteError if the response is about another task."""
        request = Request("GET", _task_path(org_name, task_id))
        response = self._send(request)
        if responses.says(response, 404):
            return None
        return self._task(request, response, org_name, task_id)

    def events(
        self, org_name: str, task_id: str, *, page_size: int = 100
    ) -> Iterator[Mapping[str, object]]:
        """A task's events, oldest first; pages are read as needed. Raises RemoteError, with
        status 404 if there is no such task."""
        for entries, _ in pages(*self._events_reader(org_name, task_id, page_size)):
            yield from (event for event in entries if isinstance(event, Mapping))

    def event_pages(self, org_name: str, task_id: str, first: str | None) -> Iterator[Page]:
        """Pages of a task's events from the page with token `first` on, each with the token of
        the next page. Raises RemoteError as `events` does."""
        return pages(*self._events_reader(org_name, task_id, self._page_size), first=first)

    def _events_reader(self, org_name: str, task_id: str, page_size: int) -> tuple[ReadPage, str]:
        path = f"{_task_path(org_name, task_id)}/events"
        query = {"pageSize": str(page_size)}
        read = self._page_reader(path, "events", query, org_name, is_task=True)
        return read, self._transport.address(Request("GET", path))

    def tell(
        self, org_name: str, task_id: str, body: Mapping[str, object], part: str = ""
    ) -> ServiceResponse:
        """Posts to a task once, because it may act on a duplicate. Raises NoResponseError."""
        path = _task_path(org_name, task_id) + part
        return self._transport.create(Request("POST", path, encode(body)))

    def open_events(self, org_name: str, task_id: str, after: str, idle: float) -> Response:
        """The open event stream; `after` is the ID of the last known event. Raises
        NoResponseError."""
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if _HEADER_VALUE.fullmatch(after):  # an id may be any text, a header may not
            headers["Last-Event-ID"] = after
        path = f"{_task_path(org_name, task_id)}/events/stream"
        return self._transport.opened(Request("GET", path), headers, idle)

    def asked_once(self, request: Request, seconds: float) -> ServiceResponse:
        """Sends once, with a timeout. Raises NoResponseError."""
        return self._transport.once(request, seconds)

    @property
    def scrub(self) -> Scrubber:
        """Removes the token from a text."""
        return self._transport.scrub

    def first_message(self, org_name: str, task_id: str) -> FirstMessage | None:
        read, where = self._events_reader(org_name, task_id, 20)
        events: list[object] = []
        try:
            for entries, _ in pages(read, where):
                events += entries
                found = wire.first_message(events)
                if found is not None:
                    return found
        except responses.NotFoundError:
            pass
        except wire.UnreadableEventsError:
            raise responses.unreadable_response("events", where) from None
        return None

    def create_task(
        self, org_name: str, body: Mapping[str, object], window: SendWindow
    ) -> CreateOutcome:
        request = Request("POST", _tasks_path(org_name), encode(body))
        try:
            response = self._transport.create(request, window)
        except NoResponseError as lost:
            return responses.lost_create(lost, self._transport.scrub)
        outcome = responses.create_outcome(response, self._transport.scrub)
        self._service_clock.note(response)
        return outcome

    def patch_task(self, org_name: str, task_id: str, changes: Mapping[str, object]) -> RemoteTask:
        """See Service. Retried like a read, because it is idempotent. Raises RemoteError, with
        status 404 also for another user's task."""
        request = Request("PATCH", _task_path(org_name, task_id), encode(changes))
        return self._task(request, self._send(request), org_name, task_id)

    def task_url(self, org_name: str, task_id: str) -> str | None:
        return wire.console_url(self.backend, org_name, task_id)

    def _task(
        self, request: Request, response: ServiceResponse, org_name: str, task_id: str
    ) -> RemoteTask:
        task = wire.remote_task(org_name, self._decoded(request, response, org_name, is_task=True))
        if task is None:
            raise responses.unreadable_response("task", self._transport.address(request))
        if task.id != task_id:
            raise responses.unreadable_response("other-task", self._transport.address(request))
        return task

    def _page_reader(
        self, path: str, name: str, query: Mapping[str, str], org_name: str, *, is_task: bool
    ) -> ReadPage:
        """Reads a page: its entries, and the token of the next page."""

        def read(token: str | None, stopped: Callable[[], bool]) -> Page:
            asked = {**query, "continuationToken": token} if token else query
            request = Request("GET", f"{path}?{urlencode(asked)}")
            response = self._send(request, stopped)
            data = self._decoded(request, response, org_name, is_task=is_task)
            entries = data.get(name) if isinstance(data, Mapping) else None
            if not isinstance(entries, list):  # null is not an empty list
                raise responses.unreadable_response(
                    "list", self._transport.address(request), name=name
                )
            following = data.get("continuationToken") if isinstance(data, Mapping) else None
            return entries, following if isinstance(following, str) and following else None

        return read

    def _send(
        self, request: Request, stopped: Callable[[], bool] = lambda: False
    ) -> ServiceResponse:
        try:
            return self._transport.repeatable(request, stopped)
        except NoResponseError as lost:
            where = self._transport.address(request)
            raise RemoteError([failure(lost, self._transport.scrub, where)]) from None

    def _decoded(
        self,
        request: Request,
        response: ServiceResponse,
        org_name: str | None = None,
        *,
        is_task: bool = False,
    ) -> object:
        """The response's JSON without the token. Raises RemoteError unless it is a 2xx with
        JSON."""
        where = self._transport.address(request)
        about = responses.About(request.method, where, org_name, is_task)
        data = responses.read(response, about, self._transport.scrub)
        self._service_clock.note(response)
        return data


def encode(body: Mapping[str, object]) -> bytes:
    """A request body in ASCII, so that lone surrogates in a manifest can be sent."""
    return _ENCODER.encode(body).encode("ascii")


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def _tasks_path(org_name: str) -> str:
    return f"/api/preview/agents/{_part(org_name)}/tasks"


def _task_path(org_name: str, task_id: str) -> str:
    return f"{_tasks_path(org_name)}/{_part(task_id)}"


def _part(text: str) -> str:
    """A path segment. Raises TaskctlError for `.` and `..`, which would lead elsewhere."""
    if text in ("", ".", ".."):
        raise TaskctlError.of(Code.INVALID_NAME, name=text)
    return quote(text.encode("utf-8", "surrogatepass"), safe="")
