"""A request, its response, and the time limits of both."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field

from urllib3.exceptions import ProtocolError

from reconciler.model.service import SendWindow
from reconciler.model.value import Value

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,80}")


class Timeouts(Value, frozen=True):
    """Limits in seconds. `connect` limits each step of opening a connection, `read` the time
    without a byte of the response, `whole` the whole response, and `create` the whole response to a
    create request."""

    connect: float = 10.0
    read: float = 30.0
    create: float = 120.0
    whole: float = 120.0


class Request(Value, frozen=True):
    """A request. `path` is percent-encoded, begins with a slash and includes the query.

    For error messages, `org_name` is the organization that the request is about, if any, and
    `is_task` says whether it is about a task.
    """

    method: str
    path: str
    body: bytes | None = None
    org_name: str | None = None
    is_task: bool = False

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"  # not the body, which has prompts


NOT_JSON = object()


class ServiceResponse(Value, frozen=True):
    """A complete response. `headers` are case-insensitive. `data` is the JSON of the body without
    secrets, or NOT_JSON; `beginning` is the start of the body. `received` is the time of the
    transport's clock when the headers were received."""

    status: int
    headers: Mapping[str, str]
    data: object
    received: float
    beginning: bytes = b""

    def __repr__(self) -> str:
        return f"HTTP {self.status}"

    @property
    def request_id(self) -> str:
        """The request ID; empty if it is missing, or not a plain word: messages do not quote it."""
        found = self.headers.get("X-Pulumi-Request-ID", "")
        return found if _REQUEST_ID.fullmatch(found) else ""


class NoResponseError(Exception):
    """No complete response was received. If not `begun`, nothing was sent (see Exchange)."""

    def __init__(self, cause: BaseException, *, begun: bool) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause
        self.begun = begun


class TooLargeError(ProtocolError):
    """A response exceeds the limits, and is not used."""


class TooLateError(Exception):
    """The send window closed before the request was written: nothing was sent."""


@dataclass(slots=True)
class Exchange:
    """The time limits of one request and its response, in seconds.

    `connect`, `read` and `whole` are as in Timeouts; `whole` starts when the request is written. A
    pooled connection that was idle for longer than `max_idle`, by `clock`, is opened again. With
    `resets`, a connection that is closed early is reset, so that bytes of the request that the
    kernel still holds cannot arrive later.

    `begun` is False while it is certain that no byte of the request was passed to a socket. The
    CONNECT to a proxy and the TLS handshake are not part of the request.
    """

    connect: float
    read: float
    whole: float
    max_idle: float = float("inf")
    window: SendWindow | None = None
    resets: bool = False
    clock: Callable[[], float] = time.monotonic
    begun: bool = True
    _deadline: float = float("inf")
    _token: Token[Exchange] = field(init=False, repr=False, compare=False)

    def __enter__(self) -> None:
        """Makes this the `current` exchange, whose limits apply to the requests of this thread."""
        self._token = _CURRENT.set(self)

    def __exit__(self, *_: object) -> None:
        _CURRENT.reset(self._token)

    def read_timeout(self) -> float:
        """The timeout for the next read. Raises TimeoutError if no time is left."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the response took too long")
        return min(self.read, left)

    def begin_connecting(self) -> None:
        """Starts the time limit of opening a connection."""
        self._deadline = time.monotonic() + self.connect

    def begin_sending(self) -> None:
        """Records that the request is about to be written, and starts the time limit of the
        response. Raises TooLateError if the send window has closed."""
        if self.window is not None and not self.window.is_open():
            raise TooLateError
        self.begun = True
        self._deadline = time.monotonic() + self.whole


_CURRENT: ContextVar[Exchange] = ContextVar("exchange")


def current() -> Exchange:
    """The exchange whose context this thread has entered. Raises LookupError if there is none."""
    return _CURRENT.get()
