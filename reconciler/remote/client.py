"""The agent task endpoints of one backend for one token: `model.service.Service` over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from reconciler.model import limits, wire
from reconciler.model.budget import Budget, read_budget
from reconciler.model.clock import FARTHEST
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, RemoteError, TaskctlError, warning
from reconciler.model.remarks import Remark, remark
from reconciler.model.service import (
    CreateOutcome,
    FirstMessage,
    Identity,
    NotSent,
    RemoteTask,
    SendWindow,
    TaskPage,
    Unknown,
)
from reconciler.model.shell import is_org_name
from reconciler.model.typed_json import encode_json
from reconciler.model.value import replace
from reconciler.model.work import REDACTED
from reconciler.remote import responses
from reconciler.remote.exchange import NoResponseError, Request, ServiceResponse
from reconciler.remote.pagination import TASK_QUERY, Page, ReadPage, event_pages, task_pages
from reconciler.remote.retries import http_date
from reconciler.remote.sanitize import shown_text
from reconciler.remote.transport import Transport

BUDGET_TIMEOUT = 10.0
"""Seconds. Short, because the budget is only used for a forecast: the service enforces it."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Client:
    """A client of the service to which `transport` sends requests. `wall_clock` is for tests."""

    def __init__(
        self,
        transport: Transport,
        *,
        page_size: int = 1000,
        wall_clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.backend = transport.backend
        self.scrub = transport.scrub
        self._transport = transport
        self._page_size = page_size
        self._service_clock = ServiceClock(transport.clock, wall_clock)
        self._identity_lock = threading.Lock()
        self._identity: Identity | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    @property
    def known_identity(self) -> Identity | None:
        """The identity if `identity` has already read it, without a request."""
        return self._identity

    def identity(self) -> Identity:
        with self._identity_lock:
            if self._identity is None:
                request = Request("GET", "/api/user")
                found = wire.identity(self._read(request))
                if found is None or REDACTED in found.id:
                    raise self._unreadable(request, "user")
                self._identity = found
            return self._identity

    def default_org(self) -> str | None:
        """The user's default organization at the service, or None. Raises RemoteError, also for an
        invalid name, because names become part of URLs and commands."""
        request = Request("GET", "/api/user/organizations/default")
        response = self._send(request)
        if responses.service_sent(response, 400, 404):
            return None
        data = self._decode(request, response)
        name = data.get("GitHubLogin") if isinstance(data, Mapping) else None
        if name is None or name == "":
            return None
        if not isinstance(name, str) or not is_org_name(name):
            raise self._unreadable(request, "organization")
        return name

    def token_budget(self, org_name: str) -> Budget | Remark:
        """The Neo token budget of the access token's user, or the reason, without secrets, why it
        is unknown."""
        path = f"/api/orgs/{_segment(org_name)}/neo/token-budget"
        try:
            response = self._transport.send_once(Request("GET", path), BUDGET_TIMEOUT)
        except NoResponseError as lost:
            return responses.reason(lost, self.scrub)
        if responses.service_sent(response, 404):
            return remark("budget.none")
        if not 200 <= response.status < 300:
            return remark("budget.refused", answer=responses.answer(response, self.scrub))
        try:
            found = read_budget(org_name, response.data)
        except ValueError:
            found = None
        return found or remark("budget.unreadable")

    def service_clock(self) -> datetime | None:
        return self._service_clock.now()

    def ignored_date(self) -> Diagnostic | None:
        return self._service_clock.ignored

    def list_tasks(self, org_name: str) -> Iterator[TaskPage]:
        request = Request("GET", _tasks_path(org_name), None, org_name)
        read, where = self._page_reader(request, "tasks", TASK_QUERY, self._page_size)
        return task_pages(read, org_name, where)

    def get_task(self, org_name: str, task_id: str) -> RemoteTask | None:
        """See `Service.get_task`. Raises RemoteError also if the response is about another task."""
        try:
            return self._task("GET", org_name, task_id)
        except responses.NotFoundError:
            return None

    def events(
        self, org_name: str, task_id: str, *, page_size: int = 100
    ) -> Iterator[Mapping[str, object]]:
        """A task's events, oldest first; pages are read as needed. Raises RemoteError, with
        status 404 if there is no such task."""
        for entries, _ in event_pages(*self._events_reader(org_name, task_id, page_size)):
            yield from (event for event in entries if isinstance(event, Mapping))

    def event_pages(self, org_name: str, task_id: str, first: str | None) -> Iterator[Page]:
        """Pages of a task's events from the page with token `first` on, each with the token of
        the next page. Raises RemoteError as `events` does."""
        return event_pages(*self._events_reader(org_name, task_id, self._page_size), first=first)

    def first_message(self, org_name: str, task_id: str) -> FirstMessage | None:
        read, where = self._events_reader(org_name, task_id, 20)
        search = wire.FirstMessageSearch()
        try:
            for page in event_pages(read, where):
                message = search.next(page[0])
                del page
                if message is not None:
                    return message
        except wire.UnreadableEventsError:
            raise RemoteError.of(Code.UNREADABLE_RESPONSE, "events", where=where) from None
        return None

    def post_to_task(
        self, org_name: str, task_id: str, body: Mapping[str, object], suffix: str = ""
    ) -> ServiceResponse:
        """Posts to a task, without retries: a duplicate may have an effect. Raises
        NoResponseError."""
        path = _task_path(org_name, task_id) + suffix
        return self._transport.post(Request("POST", path, encode_json(body)))

    def create_task(
        self, org_name: str, body: Mapping[str, object], window: SendWindow
    ) -> CreateOutcome:
        request = Request("POST", _tasks_path(org_name), encode_json(body))
        try:
            response = self._transport.post(request, window)
        except NoResponseError as lost:
            why = responses.reason(lost, self.scrub)
            return Unknown(why) if lost.begun else NotSent(why)
        outcome = responses.create_outcome(response, self.scrub)
        self._service_clock.note(response)
        return outcome

    def patch_task(self, org_name: str, task_id: str, changes: Mapping[str, object]) -> RemoteTask:
        """See `Service.patch_task`. Retried like a read, because the request is idempotent. Raises
        RemoteError, with status 404 also for another user's task."""
        return self._task("PATCH", org_name, task_id, encode_json(changes))

    def task_url(self, org_name: str, task_id: str) -> str | None:
        return wire.console_url(self.backend, org_name, task_id)

    def _task(
        self, method: str, org_name: str, task_id: str, body: bytes | None = None
    ) -> RemoteTask:
        request = Request(method, _task_path(org_name, task_id), body, org_name, is_task=True)
        task = wire.remote_task(org_name, self._read(request))
        if task is None:
            raise self._unreadable(request, "task")
        if task.id != task_id:
            raise self._unreadable(request, "other-task")
        return task

    def _events_reader(self, org_name: str, task_id: str, page_size: int) -> tuple[ReadPage, str]:
        path = f"{_task_path(org_name, task_id)}/events"
        request = Request("GET", path, None, org_name, is_task=True)
        return self._page_reader(request, "events", {}, page_size)

    def _page_reader(
        self, first: Request, name: str, query: Mapping[str, str], size: int
    ) -> tuple[ReadPage, str]:
        """A function that reads a page of a list, and the address of the list for messages.
        `first` is the request without its query, `name` the member of responses with the entries,
        and `size` the entries of a page. If a page is too large, `size` is divided by ten for the
        rest of the list. It never grows again: if page tokens count pages, that skips entries."""

        def read(token: str | None) -> Page:
            nonlocal size
            more = {"continuationToken": token} if token else {}
            parameters = {**query, "pageSize": str(size), **more}
            request = replace(first, path=f"{first.path}?{urlencode(parameters)}")
            try:
                data = self._decode(request, self._send(request))
            except responses.LargeResponseError:
                if size == 1:
                    raise
                size = max(1, size // 10)
                return read(token)
            entries = data.get(name) if isinstance(data, Mapping) else None
            following = data.get("continuationToken") if isinstance(data, Mapping) else None
            if not isinstance(entries, list):
                raise self._unreadable(request, "list", name=name)  # null is not an empty list
            if len(entries) > (most := limits.PAGE_ENTRIES):
                raise self._unreadable(request, "many", name=name, limit=most)
            if following in (None, ""):
                return entries, None
            most = limits.PAGE_TOKEN_CHARACTERS
            if not isinstance(following, str) or len(following) > most:
                raise self._unreadable(request, "token")  # there may be more entries
            return entries, following

        return read, self._transport.address(first)

    def _read(self, request: Request) -> object:
        """The JSON of the response, with the token redacted. Raises RemoteError unless the response
        is a 2xx with JSON."""
        return self._decode(request, self._send(request))

    def _send(self, request: Request) -> ServiceResponse:
        try:
            return self._transport.send(request)
        except NoResponseError as lost:
            raise responses.failed(lost, self.scrub, self._transport.address(request)) from None

    def _decode(self, request: Request, response: ServiceResponse) -> object:
        where = self._transport.address(request)
        data = responses.read(response, request, where, self.scrub)
        self._service_clock.note(response)
        return data

    def _unreadable(self, request: Request, case: str, **facts: Any) -> RemoteError:
        """The error for a 2xx response that violates the API."""
        where = self._transport.address(request)
        return RemoteError.of(Code.UNREADABLE_RESPONSE, case, where=where, **facts)


@lru_cache(64)
def _tasks_path(org_name: str) -> str:
    return f"/api/preview/agents/{_segment(org_name)}/tasks"


def _task_path(org_name: str, task_id: str) -> str:
    return f"{_tasks_path(org_name)}/{_segment(task_id)}"


def _segment(text: str) -> str:
    """A path segment. Raises TaskctlError for `.` and `..`, which would change the path."""
    if text in ("", ".", ".."):
        raise TaskctlError.of(Code.INVALID_NAME, name=text)
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


class ServiceClock:
    """The service's clock, from the `Date` header of its responses (which a proxy may have set).

    Between responses, it advances with `clock` (monotonic, in seconds). It never runs backwards.
    Thread-safe."""

    def __init__(self, clock: Callable[[], float], wall_clock: Callable[[], datetime]) -> None:
        self._clock, self._wall_clock = clock, wall_clock
        self._lock = threading.Lock()
        self._seen: tuple[datetime, float] | None = None
        self._last = ""
        self.ignored: Diagnostic | None = None

    def now(self) -> datetime | None:
        """The time in UTC; None before the first plausible `Date`."""
        with self._lock:
            return self._at(self._clock())

    def note(self, response: ServiceResponse) -> None:
        """Uses the `Date` of a 2xx if it is plausible."""
        text = response.headers.get("Date", "")
        if text == self._last:  # this second is already known
            return
        moment = http_date(text)
        if moment is None or not 200 <= response.status < 300:
            return
        if abs(moment - self._wall_clock()) > FARTHEST:
            self.ignored = warning(Code.IMPLAUSIBLE_DATE, date=shown_text(text, 40))
            return
        with self._lock:
            self._last = text
            known = self._at(response.received)
            if known is None or moment > known:
                self._seen = (moment, response.received)

    def _at(self, time: float) -> datetime | None:
        return self._seen and self._seen[0] + timedelta(seconds=time - self._seen[1])
