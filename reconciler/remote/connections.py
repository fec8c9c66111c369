"""Connections that know whether a request has begun to leave, and how long they have idled.

urllib3 tells neither. Both decide whether a create can have reached the service, and so whether it
may be sent again.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool

from reconciler.remote.addresses import is_loopback

NEVER_USED = float("-inf")


@dataclass(slots=True)
class Exchange:
    """One request and its answer, as the connection beneath sees it.

    `max_idle`: a pooled connection that idled for longer (seconds) is closed, not used.
    `begun` is False only where it is known that no byte of the request itself was handed to a
    socket, so that nothing can have reached the service. It is True in every doubt: also when
    something other than the connections below does the sending. A proxy's CONNECT and a TLS
    handshake do not count.
    """

    max_idle: float
    clock: Callable[[], float] = time.monotonic
    begun: bool = True


_CURRENT: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def watched(exchange: Exchange) -> Iterator[None]:
    """What this thread sends within it is noted in `exchange`."""
    token = _CURRENT.set(exchange)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def _note_begun() -> None:
    exchange = _CURRENT.get()
    if exchange is not None:
        exchange.begun = True


class _Noting(HTTPConnection):
    """Notes when a request begins to leave: not the handshakes of connecting, which urllib3 does
    before it."""

    idle_since = NEVER_USED
    _connecting = False

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False

    def send(self, data: Any) -> None:
        if not self._connecting:
            if self.is_closed:
                self.connect()
            _note_begun()
        super().send(data)


class PlainConnection(_Noting):
    """Plain http, to loopback alone: a `localhost` that leads elsewhere is given up."""

    def connect(self) -> None:
        super().connect()
        sock: socket.socket = self.sock
        peer = str(sock.getpeername()[0])
        if not is_loopback(peer):
            self.close()
            raise ConnectionError(f"{self.host} is {peer}, which is not this machine")


class SecureConnection(_Noting, HTTPSConnection):
    """Over TLS, with the certificate verified before a request."""


def _hand_out(connection: object) -> None:
    """From here on it is known what leaves. A connection that idled is closed: the other side
    may be about to drop it, and a create lost that way costs the settle time."""
    exchange = _CURRENT.get()
    if exchange is None or not isinstance(connection, _Noting):
        return
    exchange.begun = False
    if not connection.is_closed and exchange.clock() - connection.idle_since > exchange.max_idle:
        connection.close()


def _stamp(connection: object) -> None:
    exchange = _CURRENT.get()
    if isinstance(connection, _Noting):
        connection.idle_since = exchange.clock() if exchange is not None else NEVER_USED


class _Handing(HTTPConnectionPool):
    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)
        _hand_out(connection)
        return connection

    def _put_conn(self, conn: Any) -> None:
        _stamp(conn)
        super()._put_conn(conn)


class _PlainPool(_Handing):
    ConnectionCls = PlainConnection


class _SecurePool(_Handing, HTTPSConnectionPool):
    ConnectionCls = SecureConnection


_POOLS: dict[str, type[ConnectionPool]] = {"http": _PlainPool, "https": _SecurePool}


class PooledAdapter(HTTPAdapter):
    """requests' own adapter over these connections; sends each request once, never again.

    Safe to use from many threads. `connections` is how many are kept alive. It is for one address
    and one way to verify it, so their pool is looked up once, and no cookies are kept: with many
    creates both took a tenth of the time.
    """

    def __init__(self, connections: int) -> None:
        self._pool: Any = None
        super().__init__(pool_connections=4, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        response = Response()
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw = resp
        response.url = req.url or ""
        response.request = req
        return response

    def close(self) -> None:
        self._pool = None
        super().close()

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
