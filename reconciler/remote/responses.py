"""Interprets responses, and exceptions without a response: data, the outcome of a create request,
or a diagnostic."""

from __future__ import annotations

import re
import socket
import ssl
from codecs import BOM_UTF8
from collections.abc import Mapping
from datetime import UTC, datetime
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

from reconciler.model import limits, wire
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, RemoteError, error
from reconciler.model.remarks import Arg, Remark, map_fact, remark, said
from reconciler.model.service import Created, CreateOutcome, Refused, Unknown
from reconciler.model.typed_json import decode_outline
from reconciler.model.value import replace
from reconciler.remote.exchange import (
    NOT_JSON,
    NoResponseError,
    Request,
    ServiceResponse,
    TooLargeError,
    TooLateError,
)
from reconciler.remote.retries import causes, retry_after
from reconciler.remote.sanitize import Scrubber, bare_url, shown_text

MAY_HAVE_CREATED = frozenset({408, 409, 425, 429, 499})
"""4xx statuses that do not prove that no task was created (docs/contributing/exactly-once.md)."""

_MAX_DEPTH = 100
_REASON_LIMIT = 200
_CONTAINERS = frozenset({dict, list})

_Classified = tuple[Code, str, dict[str, Arg]]


class NotFoundError(RemoteError):
    """A 404 of the service itself, not of a proxy."""


class LargeResponseError(RemoteError):
    """A response exceeds the limits."""


def decode(body: bytes | bytearray) -> object:
    """Decodes JSON. Raises TooLargeError for too many values, which could take fifty times the
    memory of the body, and ValueError for anything else, including NaN, infinities, and extreme
    nesting."""
    most = limits.RESPONSE_VALUES
    if len(body) > most and _marks(body) > most and _marks(_TEXT.sub(b"", body)) > most:
        raise TooLargeError
    data = _value(body.removeprefix(BOM_UTF8))
    level: list[Any] = [data] if type(data) in _CONTAINERS else []
    for _ in range(_MAX_DEPTH):
        values = (part.values() if type(part) is dict else part for part in level)
        level = [inner for part in values for inner in part if type(inner) in _CONTAINERS]
        if not level:
            return data
    raise ValueError("nested too deeply")


def _value(body: bytes | bytearray) -> object:
    """The value, with U+FFFD instead of a lone surrogate, with which a truncated text can end."""
    try:
        return decode_outline(object, body)
    except ValueError:
        whole = _ESCAPE.sub(lambda found: rb"\ufffd" if found["half"] else found[0], body)
        if whole == body:
            raise
        return _value(whole)


_HEX = rb"[0-9a-fA-F]{2}"
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB]%b\\u[dD][c-fC-F]%b|(?P<half>u[dD][89a-fA-F]%b)|.)" % (_HEX, _HEX, _HEX),
    re.DOTALL,
)


def _marks(body: bytes | bytearray) -> int:
    return sum(map(body.count, b",:[{"))


_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def read(response: ServiceResponse, request: Request, where: str, scrub: Scrubber) -> object:
    """The data of a 2xx response. Raises RemoteError for other statuses, and without JSON. `where`
    is the address of the request without secrets, for messages."""
    classified: _Classified = (Code.NOT_THE_SERVICE, "", {})
    if not 200 <= response.status < 300:
        classified = _classified(response, request)
    elif response.data is not NOT_JSON:
        return response.data
    problem = _diagnostic(classified, scrub, where=where, answer=answer(response, scrub))
    is_own = service_sent(response, response.status)
    kind = NotFoundError if is_own and response.status == 404 else RemoteError
    raise kind([problem], response.status, is_own=is_own)


def _diagnostic(classified: _Classified, scrub: Scrubber, **facts: Arg) -> Diagnostic:
    code, case, more = classified
    return error(code, case, **_scrubbed({**facts, **more}, scrub))


def _scrubbed(facts: Mapping[str, Arg], scrub: Scrubber) -> dict[str, Any]:
    def clean(found: Remark) -> Remark:
        return replace(found, facts=_scrubbed(found.facts, scrub))

    return {
        name: scrub(fact) if isinstance(fact, str) else map_fact(clean, Remark, fact)
        for name, fact in facts.items()
    }


_BY_STATUS = {
    401: (Code.UNAUTHORIZED, ""),
    403: (Code.FORBIDDEN, ""),
    407: (Code.PROXY, "login"),
}


def _classified(response: ServiceResponse, request: Request) -> _Classified:
    status = response.status
    if status in _BY_STATUS:
        return (*_BY_STATUS[status], {})
    if 300 <= status < 400:
        target = bare_url(response.headers.get("Location", "")) or "nowhere"
        return Code.REDIRECTED, "", {"status": status, "target": said(target)}
    if status == 404:
        if request.is_task or request.org_name is None:
            return Code.NOT_FOUND, "task" if request.is_task else "", {}
        return Code.NOT_FOUND, "organization", {"org": request.org_name}
    if status == 429:
        seconds = retry_after(response.headers, datetime.now(UTC)) or 0
        return Code.RATE_LIMITED, "seconds" if seconds else "", {"seconds": round(seconds)}
    if status >= 500:
        return Code.SERVICE_FAILED, "", {}
    return Code.REQUEST_REJECTED, "", {"method": request.method}


def service_sent(response: ServiceResponse, *statuses: int) -> bool:
    """Whether the response has one of these statuses and comes from the service: an error page of a
    proxy does not count."""
    return response.status in statuses and _message(response) is not None


def refusal(response: ServiceResponse, scrub: Scrubber) -> tuple[int, Remark]:
    """The status and the message of a rejection; status 0 if the response does not come from the
    service."""
    message = _message(response)
    return (response.status, said(scrub(message))) if message else (0, answer(response, scrub))


def create_outcome(response: ServiceResponse, scrub: Scrubber) -> CreateOutcome:
    """The outcome of a create request according to a complete response: Created or Refused only if
    that is certain, else Unknown."""
    status, data = response.status, _object(response)
    task_id = wire.created_task_id(data) if 200 <= status < 300 else None
    if task_id is not None:
        return Created(task_id)
    # The error page of a gateway proves nothing. The service's errors repeat the status as `code`.
    code, message = data.get("code"), data.get("message")
    is_proof = type(code) is int and code == status and status not in MAY_HAVE_CREATED
    if 400 <= status < 500 and is_proof and isinstance(message, str) and message.strip():
        return Refused(said(scrub(shown_text(message))), status)
    seconds = retry_after(response.headers, datetime.now(UTC))
    return Unknown(answer(response, scrub), seconds, throttled=status == 429)


def _object(response: ServiceResponse) -> Mapping[str, Any]:
    """The body if it is a JSON object, or else an empty object."""
    return response.data if isinstance(response.data, Mapping) else {}


def _message(response: ServiceResponse) -> str | None:
    """The `message` of an error from the service; None for any other response."""
    data = _object(response)
    if not ("message" in data or "code" in data):
        return None
    message = data.get("message")
    has_text = isinstance(message, str) and message.strip()
    return shown_text(str(message)) if has_text else "no reason given"


def answer(response: ServiceResponse, scrub: Scrubber) -> Remark:
    """A summary of a response: the status, the message or the beginning of the body, and the
    request ID if the status is 5xx."""
    case, text = "answer", _message(response)
    if text is None:
        kind = shown_text(response.headers.get("Content-Type", "no content type"), 80)
        beginning = shown_text(response.beginning.decode("utf-8", "replace"), 80)
        case, text = "answer.other", f"{kind}{f': {beginning}' if beginning else ', empty'}"
    request_id = response.request_id if response.status >= 500 else ""
    request = remark("answer.request", id=scrub(request_id)) if request_id else ""
    return remark(case, status=response.status, text=said(scrub(text)), request=request)


def failed(lost: NoResponseError, scrub: Scrubber, where: str) -> RemoteError:
    """The error for a request without a complete response; `where` is the request's address."""
    kind = LargeResponseError if isinstance(lost.cause, TooLargeError) else RemoteError
    return kind([_diagnostic(_classified_failure(lost), scrub, where=where)])


def reason(lost: NoResponseError, scrub: Scrubber) -> Remark:
    """The reason why there is no complete response, without the address."""
    return failed(lost, scrub, "").diagnostics[0].cause


def _classified_failure(lost: NoResponseError) -> _Classified:
    """The code, case and facts of a failure. ProxyError only counts before the request was sent:
    urllib3 also raises it for a reset long after the connection was opened."""
    chain = list(causes(lost.cause))
    if not lost.begun and any(isinstance(c, ProxyError | InvalidProxyURL) for c in chain):
        beneath = [c for c in chain if isinstance(c, OSError) and c.args]
        return Code.PROXY, "", {"reason": shown_text(str((beneath or chain)[-1]), _REASON_LIMIT)}
    for cause in chain:
        classified = _known(cause)
        if classified is not None:
            return classified
    last = next((str(c) for c in reversed(chain) if str(c)), type(lost.cause).__name__)
    return Code.NO_RESPONSE, "other", {"reason": said(shown_text(last, _REASON_LIMIT))}


def _known(cause: BaseException) -> _Classified | None:
    match cause:
        case TooLateError():
            return Code.UNREACHABLE, "late", {}
        case ssl.SSLCertVerificationError():
            return Code.CERTIFICATE, "", {"reason": shown_text(cause.verify_message, _REASON_LIMIT)}
        case ssl.SSLError():
            text = shown_text(str(cause.reason or cause), _REASON_LIMIT)
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
            return Code.NO_RESPONSE, "large", {"limit": limits.RESPONSE_BYTES >> 20}
        case _:
            return None
