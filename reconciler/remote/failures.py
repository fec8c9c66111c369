"""Network exceptions as diagnostics."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from requests.exceptions import InvalidProxyURL
from urllib3.exceptions import (
    ConnectTimeoutError,
    IncompleteRead,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from reconciler.messages import word
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Arg, Diagnostic, error
from reconciler.remote.exchange import NoResponseError, TooLargeError, TooLateError
from reconciler.remote.retries import causes
from reconciler.remote.sanitize import Scrubber, shown_text

_REASON = 200


def failure(lost: NoResponseError, scrub: Scrubber, where: str = "") -> Diagnostic:
    """Why there is no complete response; `where` is the address."""
    code, case, facts = _classified(lost)
    clean: dict[str, Any] = {
        name: scrub(arg) if isinstance(arg, str) else arg for name, arg in facts.items()
    }
    return error(code, case, where=scrub(where), **clean)


def reason(lost: NoResponseError, scrub: Scrubber) -> str:
    """Why there is no complete response, in a few words without the address."""
    return word(failure(lost, scrub)).summary


_Classified = tuple[Code, str, dict[str, Arg]]


def _classified(lost: NoResponseError) -> _Classified:
    """The proxy can only be the cause before the request has begun: urllib3 also raises ProxyError
    for a reset long after the connection was opened."""
    found = list(causes(lost.cause))
    if not lost.begun and any(isinstance(c, ProxyError | InvalidProxyURL) for c in found):
        beneath = [c for c in found if isinstance(c, OSError) and c.args]
        return Code.PROXY, "", {"reason": shown_text(str((beneath or found)[-1]), _REASON)}
    for cause in found:
        known = _known(cause)
        if known is not None:
            return known
    last = next((str(c) for c in reversed(found) if str(c)), type(lost.cause).__name__)
    return Code.NO_RESPONSE, "other", {"reason": shown_text(last, _REASON)}


def _known(cause: BaseException) -> _Classified | None:
    match cause:
        case TooLateError():
            return Code.UNREACHABLE, "late", {}
        case ssl.SSLCertVerificationError():
            return Code.CERTIFICATE, "", {"reason": shown_text(cause.verify_message, _REASON)}
        case ssl.SSLError():
            text = shown_text(str(cause.reason or cause), _REASON)
            return Code.UNREACHABLE, "tls", {"reason": text}
        case socket.gaierror() | NameResolutionError():
            return Code.UNREACHABLE, "name", {}
        case ConnectTimeoutError() if not isinstance(cause, NewConnectionError):
            return Code.UNREACHABLE, "timeout", {}
        case ReadTimeoutError() | TimeoutError():
            return Code.NO_RESPONSE, "timeout", {}
        case ConnectionRefusedError():
            return Code.UNREACHABLE, "refused", {}
        case ConnectionResetError() | BrokenPipeError():
            return Code.NO_RESPONSE, "reset", {}
        case IncompleteRead():
            return Code.NO_RESPONSE, "cut", {}
        case TooLargeError():
            return Code.NO_RESPONSE, "large", {"limit": cause.limit}
    return None
