"""Requests and responses: pooled connections or a WSGI application, timeouts, and retries of
idempotent requests."""

from __future__ import annotations

import http.client
import io
import itertools
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.exceptions import RequestException
from requests.utils import get_auth_from_url
from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.exceptions import HTTPError

from reconciler import __version__
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.service import SendWindow
from reconciler.remote.addresses import service_url
from reconciler.remote.connections import AddressSession, build_response, proxy_for
from reconciler.remote.exchange import (
    NOT_JSON,
    Exchange,
    NoResponseError,
    Request,
    ServiceResponse,
    Timeouts,
    TooLargeError,
    TooLateError,
    current,
)
from reconciler.remote.responses import decode, reason
from reconciler.remote.retries import RETRIED, RetryPolicy, is_transient, retry_after
from reconciler.remote.sanitize import Scrubber, bare_url, shown_text

HEADERS = {
    "Accept": "application/vnd.pulumi+8",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"taskctl/{__version__}",
}
HEADER_VALUE = re.compile(r"[!-~]+")

BETWEEN_NOTES = 10.0
"""The minimum seconds between two notes about retries."""

_CHUNK = 1 << 16
_BEGINNING = 400
_FAILURES = (
    RequestException,
    HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # a chunk of a negative size, a header that is not text
    TooLateError,
)
_LOCAL_URL = "http://localhost"


class Transport:
    """Sends requests to one backend with one token. Thread-safe.

    `backend` is a URL, or any name if `app` is called instead. `headers` are added to each request.
    `connections` is the size of the pool, at least the number of threads. `sleep`, `clock`
    (monotonic, in seconds) and `spread` are for tests. `note` is called when a request is retried.

    Raises TaskctlError for plain HTTP to anything but loopback, a token that cannot be sent in a
    header, a missing CA bundle, and a SOCKS proxy. Uses HTTPS_PROXY, ALL_PROXY, NO_PROXY,
    REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE, but no `.netrc`. No proxy is used for loopback, because
    it would see the token. Redirects are never followed.
    """

    max_idle_for_post = 3.0

    def __init__(
        self,
        backend: str,
        token: str,
        *,
        headers: Mapping[str, str] = HEADERS,
        app: WSGIApp | None = None,
        connections: int = 16,
        timeouts: Timeouts | None = None,
        policy: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        spread: Callable[[float, float], float] = random.uniform,
        note: Callable[..., None] = lambda _, **__: None,
    ) -> None:
        if not HEADER_VALUE.fullmatch(token):
            raise TaskctlError.of(Code.MISSING_CREDENTIALS, "characters")
        self.backend, self.clock = backend, clock
        self._base = _LOCAL_URL if app is not None else service_url(backend)
        self._headers = {**headers, "Authorization": f"token {token}"}
        adapter = WSGIAdapter(app) if app is not None else None
        self._session = AddressSession(self._base, connections=connections, adapter=adapter)
        self._timeouts = timeouts or Timeouts()
        self._policy = policy or RetryPolicy()
        self._sleep, self._spread = sleep, spread
        self._note, self._next_note = note, clock()
        self._large = threading.Lock()
        proxy = proxy_for(self._base) if app is None else ""
        self.scrub = Scrubber(token, ":".join(get_auth_from_url(proxy)))

    def address(self, request: Request) -> str:
        """The URL of a request without its query, for messages."""
        return bare_url(self._base + request.path)

    def close(self) -> None:
        self._session.close()

    def post(self, request: Request, window: SendWindow | None = None) -> ServiceResponse:
        """Sends at most once, and only while `window` is open. Raises NoResponseError without a
        complete response; the connection is then reset, so that no buffered byte is sent later."""
        timeout = self._timeouts.create
        exchange = self._exchange(timeout, timeout)
        exchange.max_idle, exchange.window = self.max_idle_for_post, window
        exchange.resets = True
        return self._send(request, exchange)

    def send_once(self, request: Request, timeout: float) -> ServiceResponse:
        """Sends once. Raises NoResponseError without a complete response in `timeout` seconds."""
        return self._send(request, self._exchange(timeout, timeout))

    def send(self, request: Request) -> ServiceResponse:
        """Sends an idempotent request, with retries; returns the last response. Raises
        NoResponseError if the last try got no response."""
        started = self.clock()
        for tried in itertools.count(1):
            outcome: ServiceResponse | NoResponseError
            requested: float | None = None
            try:
                outcome = self._send(
                    request, self._exchange(self._timeouts.read, self._timeouts.whole)
                )
                may_retry = outcome.status in RETRIED
                requested = retry_after(outcome.headers, datetime.now(UTC))
            except NoResponseError as exc:
                outcome, may_retry = exc, is_transient(exc.cause)
            spent = self.clock() - started
            pause = self._policy.wait(tried, spent, requested, self._spread) if may_retry else None
            if pause is None:
                break
            self._note_retry(request, tried + 1, outcome)
            self._sleep(pause)
        if isinstance(outcome, NoResponseError):
            raise outcome
        return outcome

    def _exchange(self, read: float, whole: float) -> Exchange:
        return Exchange(self._timeouts.connect, read, whole, clock=self.clock)

    def _send(self, request: Request, exchange: Exchange) -> ServiceResponse:
        try:
            prepared = self._prepare(request)
            with exchange, self._session.open(prepared, exchange) as response:
                received = self.clock()
                beginning, data = self._body(response, exchange)
        except _FAILURES as exc:
            raise NoResponseError(exc, begun=exchange.begun) from None
        status, headers = response.status_code, response.headers
        return ServiceResponse(status, headers, data, received, beginning)

    def _prepare(self, request: Request) -> requests.PreparedRequest:
        headers = dict(self._headers)
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        url = self._base + request.path
        return requests.Request(request.method, url, headers, data=request.body).prepare()

    def _body(self, response: requests.Response, exchange: Exchange) -> tuple[bytes, object]:
        """The beginning of the body, and its data. Decoded data takes up to fifty times the memory
        of the body, so only one thread at a time reads and decodes a large body."""
        if 300 <= response.status_code < 400:
            return b"", NOT_JSON  # a redirect is not used
        body, is_large = bytearray(), False
        try:
            for chunk in response.raw.stream(_CHUNK, decode_content=True):
                body += chunk
                if len(body) > limits.RESPONSE_BYTES:
                    raise TooLargeError
                if not is_large and len(body) > limits.SMALL_RESPONSE_BYTES:
                    while not self._large.acquire(timeout=exchange.read_timeout()):
                        pass
                    is_large = True
                exchange.read_timeout()
            beginning = bytes(body[:_BEGINNING])
            try:
                return beginning, self.scrub.values(decode(body), body)
            except ValueError:
                return beginning, NOT_JSON
        finally:
            if is_large:
                self._large.release()

    def _note_retry(
        self, request: Request, number: int, outcome: ServiceResponse | NoResponseError
    ) -> None:
        """Notes a retry, unless there was a note recently: many requests may fail at once."""
        if self.clock() < self._next_note:
            return
        self._next_note = self.clock() + BETWEEN_NOTES
        self._note(
            "retrying",
            request=f"{request.method} {self.scrub(shown_text(request.path.partition('?')[0]))}",
            why=reason(outcome, self.scrub)
            if isinstance(outcome, NoResponseError)
            else str(outcome),
            number=number,
        )


WSGIApp = Callable[..., Iterable[bytes]]


class WSGIAdapter(BaseAdapter):
    """Calls `app` in the caller's thread, so calls may be concurrent.

    The app must not use WSGI's `write`, and its response must end: it is read as a whole. Adds the
    `Date` header that a server would add. Does not catch exceptions of the app.
    """

    def __init__(self, app: WSGIApp) -> None:
        super().__init__()
        self._app = app

    def send(self, request: PreparedRequest, *_args: Any, **_settings: Any) -> Response:
        """The response with an unread body. The send window applies (TooLateError); timeouts, TLS
        and proxies do not."""
        exchange = current()
        exchange.begun = False
        exchange.begin_sending()
        started: list[tuple[str, list[tuple[str, str]]]] = []
        result = self._app(_environ(request), lambda status, h: started.append((status, h)))
        try:
            body = b"".join(result)
        finally:
            getattr(result, "close", lambda: None)()
        status, headers = started[0]
        code, _, reason = status.partition(" ")
        fields = HTTPHeaderDict(headers)
        fields.setdefault("Date", formatdate(usegmt=True))
        raw = HTTPResponse(
            body=io.BytesIO(body),
            headers=fields,
            status=int(code),
            reason=reason,
            preload_content=False,
            request_method=request.method,
        )
        return build_response(request, raw)

    def close(self) -> None:
        """Nothing to close: the app belongs to the caller."""


def _environ(request: PreparedRequest) -> dict[str, Any]:
    """The WSGI environment of a request."""
    parts = urlsplit(request.url or "")
    body: Any = request.body or b""
    headers = {name.upper().replace("-", "_"): value for name, value in request.headers.items()}
    return {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **{f"HTTP_{name}": value for name, value in headers.items()},
    }
