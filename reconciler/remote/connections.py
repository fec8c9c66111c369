"""Pooled connections that record whether a request was sent, and limit the time of its response.

urllib3 and http.client do neither. A create request may be sent again only if it cannot have
reached the service, and its settle time starts when it can no longer arrive. A session has the
connections of one address.
"""

from __future__ import annotations

import http.client
import io
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.exceptions import InvalidURL
from requests.utils import get_environ_proxies, select_proxy
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.hosts import is_loopback
from reconciler.remote.addresses import split_url
from reconciler.remote.exchange import Exchange, TooLargeError, current
from reconciler.remote.sanitize import bare_url, shown_text

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

NEVER_USED = float("-inf")

MAX_INTERIM = 100
"""The maximum number of 1xx responses before the final response."""


class _TimedReader(io.RawIOBase):
    """Reads the bytes of a response within the time limits of its exchange. The socket's timeout is
    set only if it differs by more than one percent, because that takes a system call."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, exchange: Exchange) -> None:
        self._raw, self._sock, self._exchange = raw, sock, exchange
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        self._count += 1
        if self._count > limits.RESPONSE_PARTS:  # such as TLS records of one byte each
            raise TooLargeError
        timeout, previous = self._exchange.read_timeout(), self._sock.gettimeout() or 0.0
        if not 0.99 * previous <= timeout <= previous:
            self._sock.settimeout(timeout)
        return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _LineReader(io.BufferedReader):
    """Limits the number of lines in a response. Each chunk begins with a line, and even an empty
    chunk takes as much time as thousands of bytes."""

    _count = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        self._count += 1
        if self._count > limits.RESPONSE_PARTS:
            raise TooLargeError
        return super().readline(size)


class _Response(http.client.HTTPResponse):
    """Skips every 1xx (RFC 9110, section 15.2). http.client skips only 100, and would return a 103
    as the response, and the real response for the next request."""

    def __init__(self, sock: socket.socket, *args: Any, **settings: Any) -> None:
        super().__init__(sock, *args, **settings)
        self.fp = _LineReader(_TimedReader(self.fp.detach(), sock, current()))

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MAX_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"more than {MAX_INTERIM} interim responses")

    def begin(self) -> None:
        """Rejects contradictory lengths (RFC 9112, section 6.3). urllib3 would do so later, and
        leave the socket open."""
        super().begin()
        headers = self.headers.get_all("Content-Length", ())
        if len({length.strip() for header in headers for length in header.split(",")}) > 1:
            raise http.client.HTTPException("contradictory Content-Length headers")


class _Connection(HTTPConnection):
    """Writes head and body at once, and only to an open connection: http.client would reopen it
    inside `send`, after a `Connection: close`."""

    auto_open = 0
    response_class = _Response
    idle_since = NEVER_USED
    _outgoing: list[bytes] | None = None
    _clock: Callable[[], float] | None = None
    _resets = False

    def connect(self) -> None:
        current().begin_connecting()
        self._resets = False
        super().connect()

    def request(self, *args: Any, **settings: Any) -> None:
        exchange = current()
        self._clock = exchange.clock
        if self.is_closed:
            self.connect()
        self.timeout = min(exchange.read, exchange.whole)  # urllib3 passes it to the socket
        self._outgoing = []
        try:
            super().request(*args, **settings)
            data = b"".join(self._outgoing)
        finally:
            self._outgoing = None
        exchange.begin_sending()
        self.idle_since = NEVER_USED
        self._linger(on=exchange.resets)
        self.sock.sendall(data)

    def send(self, data: Any) -> None:
        if self._outgoing is None:  # a proxy's CONNECT
            super().send(data)
        else:
            self._outgoing.append(data)

    def put_back(self) -> None:
        """Notes that the response was read to its end, so that the connection is idle."""
        self.idle_since = self._clock() if self._clock is not None else NEVER_USED

    def close(self) -> None:
        if self.idle_since != NEVER_USED and not self.is_closed:
            self._linger(on=False)
        super().close()

    def _linger(self, *, on: bool) -> None:
        """Whether closing resets the connection instead of delivering unsent bytes."""
        if on != self._resets:
            sock = getattr(self.sock, "socket", self.sock)  # an SSLTransport has no options
            with suppress(OSError):
                option = struct.pack("ii", on, 0)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
                self._resets = on


class PlainConnection(_Connection):
    """Plain HTTP, to loopback only: a `localhost` that resolves to another machine is rejected."""

    def connect(self) -> None:
        super().connect()
        peer = str(self.sock.getpeername()[0])
        if not is_loopback(peer):
            self.close()
            raise ConnectionError(f"{self.host} is {peer}, which is not this machine")


class SecureConnection(_Connection, HTTPSConnection):
    """TLS; the certificate is verified before a request is sent."""


class _Pool(HTTPConnectionPool):
    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = cast("_Connection", super()._get_conn(timeout))
        exchange = current()
        exchange.begun = False
        idle = exchange.clock() - connection.idle_since
        if not connection.is_closed and idle > exchange.max_idle:
            connection.close()  # the service may be closing it
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.put_back()
        super()._put_conn(conn)


class _PlainPool(_Pool):
    ConnectionCls = PlainConnection


class _SecurePool(_Pool, HTTPSConnectionPool):
    ConnectionCls = SecureConnection


_POOLS: dict[str, type[ConnectionPool]] = {"http": _PlainPool, "https": _SecurePool}


def build_response(request: PreparedRequest, raw: HTTPResponse) -> Response:
    """The response as an object of the requests library, with an unread body and without
    cookies."""
    response = Response()
    response.status_code, response.reason = raw.status, raw.reason or ""
    response.headers = raw.headers  # type: ignore[assignment]  # also case-insensitive
    response.url, response.request, response.raw = request.url or "", request, raw
    return response


class PooledAdapter(HTTPAdapter):
    """The adapter of requests with these connections, for one origin; sends each request once,
    without retries.

    Thread-safe. `origin` is `SCHEME://HOST[:PORT]`, and `connections` the number that is kept
    alive. As all requests have the same origin and TLS settings, the pool is looked up only once: a
    lookup for each request took 5% of the time of an apply with many creates.
    """

    def __init__(self, origin: str, connections: int) -> None:
        self._origin = origin
        self._pool: Any = None
        super().__init__(pool_connections=4, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Raises InvalidURL for any other origin, because the pool belongs to one origin."""
        if not (request.url or "").startswith(f"{self._origin}/"):
            raise InvalidURL("not the address of this session")
        return super().send(request, *args, **kwargs)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def request_url(self, request: PreparedRequest, proxies: Any) -> str:
        del proxies  # plain HTTP is sent to loopback only, without a proxy
        return request.path_url

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        return build_response(req, resp)

    def close(self) -> None:
        """Closes the connections."""
        if self._pool is not None:
            self._pool.close()  # urllib3 leaves it to the garbage collector
        super().close()

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


def proxies_for(base: str) -> dict[str, str]:
    """The proxies for a URL, as requests expects them; none for loopback, because a proxy would see
    the token.

    Raises TaskctlError for a SOCKS proxy, and for an invalid URL, such as one with a raw `/` in
    its password: libraries would include parts of it in messages.
    """
    if is_loopback(urlsplit(base).hostname or ""):
        return {}
    proxies: dict[str, str] = get_environ_proxies(base)
    proxy = select_proxy(base, proxies) or ""
    if proxy.lower().startswith("socks"):
        raise TaskctlError.of(Code.PROXY, "socks", proxy=bare_url(proxy))
    parts = split_url(proxy if "://" in proxy else f"http://{proxy}")
    if proxy and (
        parts is None or not parts.hostname or "@" in parts.path + parts.query + parts.fragment
    ):
        raise TaskctlError.of(Code.PROXY, "invalid")
    return proxies


def proxy_for(base: str) -> str:
    """The proxy for a URL; empty if there is none. Raises TaskctlError as `proxies_for` does."""
    return select_proxy(base, proxies_for(base)) or ""


def ca_bundle() -> bool | str:
    """The PEM file of certificate authorities, or True for the default. Raises TaskctlError if the
    file is missing."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        path = os.environ.get(name)
        if not path:
            continue
        if not Path(path).exists():
            raise TaskctlError.of(Code.CERTIFICATE, "no-bundle", name=name, path=shown_text(path))
        return path
    return True


class AddressSession(requests.Session):
    """Sends requests to the origin of the URL `base`, and nowhere else: two addresses never share a
    session, so nothing of one can be sent to the other.

    It has no credentials: a token is a header of each request. It accepts no cookies, reads neither
    `.netrc` nor proxies by itself, and follows no redirects. Thread-safe. `adapter` replaces the
    connections to the network. Raises TaskctlError as `proxies_for` and `ca_bundle` do.
    """

    def __init__(
        self, base: str, *, connections: int = 1, adapter: BaseAdapter | None = None
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.clear()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.proxies, self.verify = {}, True
        if adapter is None:
            self.proxies = proxies_for(base)
            self.verify = ca_bundle() if base.startswith("https:") else True
            url = requests.Request("GET", base).prepare().url or ""
            adapter = PooledAdapter("/".join(url.split("/")[:3]), connections)
        self.adapters.clear()
        self.mount("", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Returns None: requests would read the body of a redirect to its end, although it does not
        follow it."""

    def open(self, request: requests.PreparedRequest, exchange: Exchange) -> requests.Response:
        """Sends a request once, in the context of `exchange`; the response's body is unread."""
        return self.send(
            request,
            stream=True,
            timeout=(exchange.connect, exchange.read),
            verify=self.verify,
            proxies=self.proxies,
            allow_redirects=False,
        )
