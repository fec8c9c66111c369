"""What went wrong between us and the service, in words: what, where, and what to do next."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from requests.exceptions import InvalidProxyURL
from urllib3.exceptions import (
    ConnectTimeoutError,
    IncompleteRead,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from reconciler.model.diagnostics import error
from reconciler.model.errors import RemoteError
from reconciler.remote.connections import TooLateError
from reconciler.remote.sanitize import shown

_PROXY_HINT = (
    "The proxy comes from HTTPS_PROXY, https_proxy or ALL_PROXY. Correct it, or name the service's "
    "host in NO_PROXY."
)
_CA_HINT = (
    "If a company proxy or a self-hosted service uses its own authority, name that authority's "
    "PEM file:\n  export REQUESTS_CA_BUNDLE=/path/to/ca.pem"
)


def causes(exc: BaseException) -> Iterator[BaseException]:
    """The exception and all beneath it, however requests and urllib3 wrapped them."""
    waiting: list[object] = [exc]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [getattr(one, "reason", None), getattr(one, "original_error", None)]
        waiting += [*one.args, one.__cause__, one.__context__]


def passes_by_itself(exc: BaseException) -> bool:
    """Whether trying again may help: not with a bad certificate or a name that does not exist."""
    for cause in causes(exc):
        if isinstance(cause, ssl.SSLCertVerificationError | InvalidProxyURL):
            return False
        if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
            return False
    return True


def explain(exc: BaseException, *, begun: bool) -> tuple[str, str]:
    """What was wrong, and what to do next, for a request that got no whole answer.

    `begun`: the request was on its way, so the connection stood; urllib3 blames the proxy all the
    same, for a reset long after it made the connection.
    """
    found = list(causes(exc))
    last = next((str(c) for c in reversed(found) if str(c)), type(exc).__name__)
    if not begun and any(isinstance(c, ProxyError | InvalidProxyURL) for c in found):
        return f"the proxy did not make the connection ({shown(_reason(found), 200)})", _PROXY_HINT
    for cause in found:
        words = _words(cause)
        if words is not None:
            return words
    return (
        f"the connection failed ({shown(last, 200)})",
        "Check the network and --backend, then run the same command again.",
    )


def _reason(found: list[BaseException]) -> str:
    beneath = [c for c in found if isinstance(c, OSError) and c.args]
    return str(beneath[-1]) if beneath else str(found[-1])


def _words(cause: BaseException) -> tuple[str, str] | None:
    again = "Run the same command again; if it stays so, check the network and --backend."
    match cause:
        case TooLateError():
            return "the connection was not open in time, so nothing was sent", again
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate could not be verified ({shown(cause.verify_message, 200)})",
                _CA_HINT,
            )
        case ssl.SSLError():
            return (
                f"no TLS connection came about ({shown(str(cause.reason or cause), 200)})",
                "Check that the address speaks https and that nothing in between breaks it up.",
            )
        case socket.gaierror() | NameResolutionError():
            return (
                "the name of its host could not be resolved",
                "Check --backend for a typing error, and that this machine can resolve names.",
            )
        case ConnectTimeoutError() if not isinstance(cause, NewConnectionError):
            return "no connection came about in time", again
        case ReadTimeoutError() | TimeoutError():
            return "it did not answer in time", again
        case ConnectionRefusedError():
            return (
                "nothing listens there (connection refused)",
                "Check --backend, and that the service is running.",
            )
        case ConnectionResetError() | BrokenPipeError():
            return "the connection was reset", again
        case IncompleteRead():
            return "the answer was cut off", again
    return None


def remote_error(summary: str, detail: str, status: int | None = None) -> RemoteError:
    return RemoteError([error(summary, detail)], status)
