"""The embedded service: Pulumi Cloud's agent task endpoints on an SQLite file, as a WSGI app."""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reconciler.embedded import handlers
from reconciler.embedded.lifecycle import Scenario
from reconciler.embedded.mutations import merge_pull_requests
from reconciler.embedded.scenarios import scenario_of
from reconciler.embedded.storage import Storage, is_busy
from reconciler.embedded.wsgi import (
    ApiError,
    ApiRequest,
    ApiResponse,
    authenticate,
    error_response,
    path_of,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

WORK_SECONDS = 3.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


Handler = Callable[[handlers.ServiceContext, ApiRequest], ApiResponse]


class _Route(NamedTuple):
    """The handlers of a path by method."""

    pattern: re.Pattern[str]
    handlers: Mapping[str, Handler]


def _route(path: str, **handlers: Handler) -> _Route:
    """A route such as `_route("/api/items/{id}", GET=get_item)`."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path), re.DOTALL)
    return _Route(pattern, handlers)


_TASKS = "/api/preview/agents/{orgName}/tasks"
_ROUTES = (
    _route(_TASKS, GET=handlers.list_tasks, POST=handlers.create_task),
    _route(
        _TASKS + "/{taskID}",
        GET=handlers.get_task,
        PATCH=handlers.update_task,
        POST=handlers.respond_to_task,
    ),
    _route(_TASKS + "/{taskID}/cancel", POST=handlers.cancel_task),
    _route(_TASKS + "/{taskID}/events", GET=handlers.list_events),
    _route("/api/user", GET=handlers.get_user),
    _route("/api/user/organizations/default", GET=handlers.get_default_organization),
)


class App:
    """A WSGI callable, safe to use from many threads. Call `close` when no thread uses it."""

    def __init__(
        self,
        db: Path,
        *,
        token: str | None = None,
        identity: str | None = None,
        now: Callable[[], datetime] = _utc_now,
        work_seconds: float = WORK_SECONDS,
        scenario: Scenario | None = None,
    ) -> None:
        """Serves the tasks in the file `db`, which is created if needed. Raises TaskctlError if the
        file is not such a database.

        `token` is the only valid token, or None if every token is valid. Each token is a separate
        user, unless `identity` is given, which makes one user of all tokens. `now` is the service's
        clock (aware datetimes). Tasks succeed after `work_seconds`, unless a `scenario` is given.
        """
        self._token, self._identity = token, identity
        self._ctx = handlers.ServiceContext(
            storage=Storage(db),
            now=now,
            scenario=scenario or scenario_of("finishing", work_seconds),
        )
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

    def merge(self, pattern: str) -> int:
        """Merges the open pull requests that match; returns their number."""
        return self._ctx.storage.write(partial(merge_pull_requests, pattern=pattern))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._ctx.storage.close()

    def _respond(self, environ: WSGIEnvironment) -> ApiResponse:
        method = str(environ.get("REQUEST_METHOD", "GET"))
        handler, params = _resolve(method, path_of(environ))
        header = environ.get("HTTP_AUTHORIZATION")
        user = authenticate(
            header if isinstance(header, str) else None, self._token, self._identity
        )
        return handler(self._ctx, ApiRequest(environ, user, params))


def _resolve(method: str, path: str) -> tuple[Handler, dict[str, str]]:
    """The handler and the path parameters. Raises ApiError 404 (path) or 405 (method)."""
    for route in _ROUTES:
        if (match := route.pattern.fullmatch(path)) is None:
            continue
        if (handler := route.handlers.get(method)) is None:
            allowed = ", ".join(sorted(route.handlers))
            raise ApiError(405, f"{method} is not allowed here", (("Allow", allowed),))
        return handler, match.groupdict()
    raise ApiError(404, "Not Found: no such path")


def _storage_error(problem: sqlite3.Error) -> ApiError:
    """A database error as a response: 503 if a retry may help, else 500."""
    busy = is_busy(problem)
    headers = (("Retry-After", "1"),) if busy else ()
    return ApiError(503 if busy else 500, f"database error: {problem}", headers)
