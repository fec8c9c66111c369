"""The embedded service: Pulumi Cloud's agent task endpoints over one SQLite file, as WSGI."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from threading import Event, Semaphore
from typing import TYPE_CHECKING

from reconciler.embedded.budget import TokenBudget, keep_budget
from reconciler.embedded.context import Context
from reconciler.embedded.handlers import ROUTES
from reconciler.embedded.identity import authenticate
from reconciler.embedded.lifecycle import Life, finishing
from reconciler.embedded.routes import find
from reconciler.embedded.storage import Storage, is_busy
from reconciler.embedded.wsgi import ApiError, Request, Response, error_response, path_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

DEFAULT_ORG = "local"
WORK_SECONDS = 3.0
MAX_STREAMS = 100


def utcnow() -> datetime:
    return datetime.now(UTC)


class App:
    """A WSGI callable, safe to call from many threads; `close` it when none does any more."""

    def __init__(
        self,
        db: Path,
        *,
        token: str | None = None,
        now: Callable[[], datetime] = utcnow,
        work_seconds: float = WORK_SECONDS,
        budget: TokenBudget | None = None,
        default_org: str = DEFAULT_ORG,
        redact: bool = False,
        life: Life | None = None,
        max_streams: int = MAX_STREAMS,
    ) -> None:
        """Serves the tasks in `db`, made where missing; TaskctlError for what is no such file.

        `token`: the only one that is taken; None: any, each an identity of its own. `now`: the
        service's clock (aware datetimes), shown as `Date` too. `work_seconds`: how long a task
        runs, unless `life` says how tasks live. `budget` is kept in `db`. `redact`:
        credential-like text in messages is replaced. `max_streams`: how many event streams may be
        open; one more is answered 503.
        """
        self._token = token
        self._context = Context(
            storage=Storage(db),
            now=now,
            life=life or finishing(work_seconds),
            default_org=default_org,
            redacts=redact,
            stopping=Event(),
            stream_places=Semaphore(max_streams),
        )
        if budget is not None:
            keep_budget(self._context.storage, budget)
        self._closed = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            response = self._answer(environ)
        except ApiError as problem:
            response = error_response(problem)
        except sqlite3.Error as problem:
            response = error_response(_storage_error(problem))
        common = [
            ("Date", format_datetime(self._context.now().astimezone(UTC), usegmt=True)),
            ("X-Pulumi-Request-ID", uuid.uuid4().hex),
        ]
        start_response(response.status_line, [*response.headers, *common])
        return response.chunks

    def forget_budget(self) -> None:
        """No budget applies any more, whatever `db` has kept."""
        keep_budget(self._context.storage, None)

    def stop_streams(self) -> None:
        """Ends every open stream soon, and each new one at once; all else is still answered."""
        self._context.stopping.set()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.stop_streams()
            self._context.storage.close()

    def _answer(self, environ: WSGIEnvironment) -> Response:
        header = environ.get("HTTP_AUTHORIZATION")
        user = authenticate(header if isinstance(header, str) else None, self._token)
        method = str(environ.get("REQUEST_METHOD", "GET"))
        handler, params = find(ROUTES, method, path_of(environ))
        return handler(self._context, Request(environ, user, params))


def _storage_error(problem: sqlite3.Error) -> ApiError:
    """What the database could not do: busy is worth another try, all else is not."""
    busy = is_busy(problem)
    headers = (("Retry-After", "1"),) if busy else ()
    return ApiError(503 if busy else 500, f"the service's database failed: {problem}", headers)
