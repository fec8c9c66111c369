"""One request and its response: their values, and their limits in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from urllib3.exceptions import ProtocolError

from reconciler.model.service import SendWindow
from reconciler.remote.sanitize import shown_text


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds. `connect` limits each step of opening a connection, `read` the silence of a
    response, `whole` a whole response, however steadily it trickles, and `create` that of a create
    (contract, section 1)."""

    connect: float = 10.0
    read: float = 30.0
    create: float = 120.0
    whole: float = 120.0


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is percent-encoded and begins with a slash, the query included."""

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ServiceResponse:
    """A whole response. `headers` ignore case; `received` is on the transport's clock."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    received: float

    @property
    def request_id(self) -> str:
        return shown_text(self.headers.get("X-Pulumi-Request-ID", ""), 80)


class NoResponseError(Exception):
    """No whole response came. `begun` False: the request never left (see Exchange)."""

    def __init__(self, cause: BaseException, *, begun: bool) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause
        self.begun = begun


class TooLargeError(ProtocolError):
    """A response beyond what any real one is: not read to its end. `limit` is in MiB."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class TooLateError(Exception):
    """The send window closed before the request was written: nothing was sent."""


@dataclass(slots=True)
class Exchange:
    """One request and its response, as the connection beneath sees it. All times in seconds.

    `opening` limits opening a connection, `silence` the time without a byte of the response,
    `whole` the response as a whole, from the moment the request was written. A pooled connection
    that idled for longer than `max_idle`, by `clock`, is reopened. `resets`: giving up resets the
    connection, so that what the kernel still holds of the request cannot arrive later.

    `begun` is False only if it is known that no byte of the request was handed to a socket; a
    proxy's CONNECT and a TLS handshake do not count.
    """

    opening: float
    silence: float
    whole: float
    max_idle: float
    window: SendWindow | None = None
    resets: bool = False
    clock: Callable[[], float] = time.monotonic
    begun: bool = True
    _deadline: float = float("inf")

    def patience(self) -> float:
        """How long the next read may take. TimeoutError once the time is up."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the response took too long")
        return min(self.silence, left)

    def open(self) -> None:
        """A connection is about to be opened."""
        self._deadline = time.monotonic() + self.opening

    def leave(self) -> None:
        """The request is about to be written. TooLateError if its window has closed."""
        if self.window is not None and not self.window.is_open():
            raise TooLateError
        self.begun = True
        self._deadline = time.monotonic() + self.whole


_CURRENT: ContextVar[Exchange] = ContextVar("exchange")


@contextmanager
def watched(exchange: Exchange) -> Iterator[None]:
    """What this thread sends within it belongs to `exchange`."""
    token = _CURRENT.set(exchange)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current() -> Exchange:
    """The exchange that this thread is in. LookupError outside of one."""
    return _CURRENT.get()
