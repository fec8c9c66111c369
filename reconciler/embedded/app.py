"""The embedded service: Pulumi Cloud's agent task endpoints on an SQLite file, as a WSGI app."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from threading import Event, Semaphore
from typing import TYPE_CHECKING

from reconciler.embedded.budget import TokenBudget, store_budget
from reconciler.embedded.context import ServiceContext
from reconciler.embedded.handlers import ROUTES
from reconciler.embedded.identity import NOBODY, authenticate
from reconciler.embedded.lifecycle import Scenario, finishing
from reconciler.embedded.routes import resolve
from reconciler.embedded.sse import HEARTBEAT_SECONDS
from reconciler.embedded.storage import Storage, is_busy
from reconciler.embedded.wsgi import ApiError, ApiRequest, ApiResponse, error_response, path_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

DEFAULT_ORG = "local"
WORK_SECONDS = 3.0
MAX_STREAMS = 100


def _utc_now() -> datetime:
    return datetime.now(UTC)


class App:
    """A WSGI callable, safe to use from many threads. Call `close` when no thread uses it."""

    def __init__(
        self,
        db: Path,
        *,
        token: str | None = None,
        now: Callable[[], datetime] = _utc_now,
        work_seconds: float = WORK_SECONDS,
        budget: TokenBudget | None = None,
        default_org: str = DEFAULT_ORG,
        scenario: Scenario | None = None,
        max_streams: int = MAX_STREAMS,
        streams_end: bool = False,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        """Serves the tasks in the file `db`, which is created if needed. Raises TaskctlError if
        the file is not such a database.

        `token` is the only valid token; with None, every token is valid and is a user of its own.
        `now` is the service's clock (aware datetimes). Tasks succeed after `work_seconds`, unless
        a `scenario` is given. `budget` is stored in `db`. More event streams than `max_streams` are
        refused with 503. `streams_end`: the stream of an idle task ends; otherwise it stays open,
        with heartbeats.
        """
        self._token = token
        self._ctx = ServiceContext(
            storage=Storage(db),
            now=now,
            scenario=scenario or finishing(work_seconds),
            default_org=default_org,
            stopping=Event(),
            stream_slots=Semaphore(max_streams),
            streams_end=streams_end,
            heartbeat_seconds=heartbeat_seconds,
        )
        if budget is not None:
            store_budget(self._ctx.storage, budget)
        self._closed = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            response = self._respond(environ)
        except ApiError as problem:
            response = error_response(problem)
        except sqlite3.Error as problem:
            response = error_response(_storage_error(problem))
        common = [
            ("Date", format_datetime(self._ctx.now().astimezone(UTC), usegmt=True)),
            ("X-Pulumi-Request-ID", uuid.uuid4().hex),
        ]
        start_response(response.status_line, [*response.headers, *common])
        return response.chunks

    def forget_budget(self) -> None:
        """Removes the budget stored in the database."""
        store_budget(self._ctx.storage, None)

    def stop_streams(self) -> None:
        """Ends all open and future event streams. Other requests are still handled."""
        self._ctx.stopping.set()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.stop_streams()
            self._ctx.storage.close()

    def _respond(self, environ: WSGIEnvironment) -> ApiResponse:
        method = str(environ.get("REQUEST_METHOD", "GET"))
        handler, params, route = resolve(ROUTES, method, path_of(environ))
        user = NOBODY
        if not route.is_public:
            header = environ.get("HTTP_AUTHORIZATION")
            user = authenticate(header if isinstance(header, str) else None, self._token)
        return handler(self._ctx, ApiRequest(environ, user, params))


def _storage_error(problem: sqlite3.Error) -> ApiError:
    """A database error as a response: 503 if a retry may help, else 500."""
    busy = is_busy(problem)
    headers = (("Retry-After", "1"),) if busy else ()
    return ApiError(503 if busy else 500, f"database error: {problem}", headers)
