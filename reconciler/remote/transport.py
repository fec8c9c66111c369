"""One request, one response: pooled connections, timeouts, and retries of idempotent requests."""

from __future__ import annotations

import http.client
import itertools
import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import requests
from requests.adapters import BaseAdapter
from requests.exceptions import RequestException
from requests.utils import get_auth_from_url, select_proxy
from urllib3.exceptions import HTTPError

from reconciler.model.service import SendWindow
from reconciler.remote.addresses import service_url
from reconciler.remote.connections import PooledAdapter
from reconciler.remote.exchange import (
    Exchange,
    NoResponseError,
    Request,
    ServiceResponse,
    Timeouts,
    TooLargeError,
    TooLateError,
    watched,
)
from reconciler.remote.network import ca_bundle, check_token, proxies_for
from reconciler.remote.retries import RETRIED, RetryPolicy, passes_by_itself, retry_after
from reconciler.remote.sanitize import Scrubber, bare_url, shown_text
from reconciler.remote.wsgi_adapter import WSGIAdapter, WSGIApp

__all__ = ["NoResponseError", "Request", "ServiceResponse", "Timeouts", "Transport", "WSGIApp"]

log = logging.getLogger("taskctl.remote")

_CHUNK = 1 << 16
_NO_ANSWER = (
    RequestException,
    HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # a chunk of a negative size, a header that is not text
    TooLateError,
)
_LOCAL_URL = "http://localhost"
_Prepared = tuple[tuple[str, str], requests.PreparedRequest]


def _never() -> bool:
    return False


class Transport:
    """Sends to one base URL with one token. Thread-safe.

    Raises TaskctlError for plain http to anything but loopback, a token that cannot be sent, a
    missing CA bundle, and a SOCKS proxy. Uses HTTPS_PROXY, ALL_PROXY, NO_PROXY,
    REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE, never a `.netrc`. No proxy is used for loopback,
    because it would see the token. Redirects are never followed.
    """

    max_body = 64 << 20
    max_idle_for_create = 3.0

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        token: str,
        *,
        app: WSGIApp | None = None,
        connections: int = 16,
        timeouts: Timeouts | None = None,
        policy: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        check_token(token)
        self._base = _LOCAL_URL if app is not None else service_url(base_url)
        self._proxies = {} if app is not None else proxies_for(self._base)
        self._verify = ca_bundle() if self._base.startswith("https:") else True
        self._headers = {**headers, "Authorization": f"token {token}"}
        self._headers_of_body = {**self._headers, "Content-Type": "application/json"}
        self._adapter: BaseAdapter = WSGIAdapter(app) if app else PooledAdapter(connections)
        self._timeouts = timeouts or Timeouts()
        self._policy = policy or RetryPolicy()
        self._latest: _Prepared = (("", ""), requests.PreparedRequest())
        self._sleep, self._clock, self._spread = sleep, clock, spread
        proxy = select_proxy(self._base, self._proxies) or ""
        self.scrub = Scrubber(token, ":".join(get_auth_from_url(proxy)))

    def __repr__(self) -> str:
        return f"Transport({self._base!r})"

    def address(self, request: Request) -> str:
        """The URL of a request without its query, for messages."""
        return bare_url(self._base + request.path)

    def close(self) -> None:
        self._adapter.close()

    def create(self, request: Request, window: SendWindow | None = None) -> ServiceResponse:
        """Sends once at most, and only while `window` is open. Raises NoResponseError without a
        complete response; nothing still buffered on this machine is sent then."""
        whole = self._timeouts.create
        return self._once(
            request, self._exchange(whole, whole, self.max_idle_for_create, window, resets=True)
        )

    def once(self, request: Request, seconds: float) -> ServiceResponse:
        """Sends once, with a timeout. Raises NoResponseError without a complete response."""
        return self._once(request, self._exchange(seconds, seconds))

    def opened(
        self, request: Request, headers: Mapping[str, str], idle: float
    ) -> requests.Response:
        """Sends once; the caller reads and closes the response, which may be silent for `idle`
        seconds. Raises NoResponseError without a response."""
        exchange = self._exchange(idle, float("inf"))
        try:
            with watched(exchange):
                response = self._exchanged(request, exchange, headers)
        except _NO_ANSWER as exc:
            raise NoResponseError(exc, begun=exchange.begun) from None
        log.info("%s %s -> %d", request.method, self._path(request), response.status_code)
        return response

    def repeatable(self, request: Request, stopped: Callable[[], bool] = _never) -> ServiceResponse:
        """Sends an idempotent request, with retries; returns the last response. Raises
        NoResponseError if the last try got none. No further try once `stopped` is True."""
        begun = self._clock()
        for tried in itertools.count(1):
            outcome = self._try(request)
            pause = self._pause(outcome, tried, self._clock() - begun)
            if pause is None or stopped():
                break
            log.info("%s %s: again in %.1f s", request.method, self._path(request), pause)
            self._sleep(pause)
        if isinstance(outcome, NoResponseError):
            raise outcome
        return outcome

    def _try(self, request: Request) -> ServiceResponse | NoResponseError:
        try:
            return self._once(request, self._exchange(self._timeouts.read, self._timeouts.whole))
        except NoResponseError as exc:
            return exc

    def _pause(
        self, outcome: ServiceResponse | NoResponseError, tried: int, spent: float
    ) -> float | None:
        """Seconds until the next try; None if the outcome is final."""
        if isinstance(outcome, NoResponseError):
            asked, final = None, not passes_by_itself(outcome.cause)
        else:
            asked = retry_after(outcome.headers, datetime.now(UTC))
            final = outcome.status not in RETRIED
        return None if final else self._policy.wait(tried, spent, asked, self._spread)

    def _exchange(
        self,
        silence: float,
        whole: float,
        max_idle: float = float("inf"),
        window: SendWindow | None = None,
        *,
        resets: bool = False,
    ) -> Exchange:
        opening = self._timeouts.connect
        return Exchange(opening, silence, whole, max_idle, window, resets, self._clock)

    def _once(self, request: Request, exchange: Exchange) -> ServiceResponse:
        begun = self._clock()
        try:
            with watched(exchange):
                answer = self._answer(request, exchange)
        except _NO_ANSWER as exc:
            taken = (self._clock() - begun) * 1000
            why = type(exc).__name__
            log.info("%s %s -> %s, %.0f ms", request.method, self._path(request), why, taken)
            raise NoResponseError(exc, begun=exchange.begun) from None
        log.info(
            "%s %s -> %d, %.0f ms%s",
            request.method,
            self._path(request),
            answer.status,
            (answer.received - begun) * 1000,
            f", request {self.scrub(answer.request_id)}" if answer.request_id else "",
        )
        return answer

    def _answer(self, request: Request, exchange: Exchange) -> ServiceResponse:
        response = self._exchanged(request, exchange, {})
        try:
            received = self._clock()
            body = self._body(response, exchange)
        finally:
            response.close()
        return ServiceResponse(response.status_code, response.headers, body, received)

    def _exchanged(
        self, request: Request, exchange: Exchange, headers: Mapping[str, str]
    ) -> requests.Response:
        prepared = self._prepared(request)
        prepared.headers.update(headers)
        return self._adapter.send(
            prepared,
            stream=True,
            timeout=(exchange.opening, exchange.silence),
            verify=self._verify,
            proxies=self._proxies,
        )

    def _prepared(self, request: Request) -> requests.PreparedRequest:
        """The request in requests' form. The address of consecutive creates is parsed once."""
        asked, known = self._latest
        if asked != (request.method, request.path):
            known = requests.PreparedRequest()
            known.prepare(
                method=request.method,
                url=self._base + request.path,
                headers=self._headers if request.body is None else self._headers_of_body,
            )
            self._latest = (request.method, request.path), known
        prepared = known.copy()
        prepared.prepare_body(request.body, None)
        return prepared

    def _body(self, response: requests.Response, exchange: Exchange) -> bytes:
        chunks, size = [], 0
        for chunk in response.raw.stream(_CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > self.max_body:
                raise TooLargeError(self.max_body >> 20)
            exchange.patience()
        return b"".join(chunks)

    def _path(self, request: Request) -> str:
        return self.scrub(shown_text(request.path))
