"""Interprets responses: data, the outcome of a create, or a diagnostic."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.model import wire
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Arg, error
from reconciler.model.errors import RemoteError
from reconciler.model.service import Created, CreateOutcome, NotSent, Refused, Unknown
from reconciler.remote.exchange import NoResponseError, ServiceResponse
from reconciler.remote.failures import reason
from reconciler.remote.retries import retry_after
from reconciler.remote.sanitize import Scrubber, bare_url, shown_text

MAY_HAVE_CREATED = frozenset({408, 409, 425, 429, 499})
"""4xx statuses that do not prove that no task was created (contract, section 1)."""

_DEEPEST = 100
_NESTING = frozenset({dict, list})


@dataclass(frozen=True, slots=True)
class About:
    """The request; `where` is its address without secrets."""

    method: str
    where: str
    org_name: str | None = None
    is_task: bool = False


class NotFoundError(RemoteError):
    """A 404 of the service itself, not of something in between."""


def decode(body: bytes) -> object:
    """JSON. Raises ValueError for anything else, including NaN, infinities and extreme nesting."""
    try:
        data = _DECODER.decode(body.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    level: list[Any] = [data] if type(data) in _NESTING else []
    for _ in range(_DEEPEST):
        inside = (part.values() if type(part) is dict else part for part in level)
        level = [inner for part in inside for inner in part if type(inner) in _NESTING]
        if not level:
            return data
    raise ValueError("nested too deeply")


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def read(response: ServiceResponse, about: About, scrub: Scrubber) -> object:
    """The data of a 2xx, without the token. Raises RemoteError for everything else, without
    secrets."""
    args: dict[str, Any] = {"where": about.where, "answer": response_name(response)}
    if 200 <= response.status < 300:
        try:
            return scrub.values(decode(response.body), response.body)
        except ValueError:
            code, case = Code.NOT_THE_SERVICE, ""
    else:
        code, case, facts = _classified(response, about)
        args |= facts
    kind = NotFoundError if says(response, 404) else RemoteError
    cleaned: dict[str, Any] = {
        name: scrub(arg) if isinstance(arg, str) else arg for name, arg in args.items()
    }
    raise kind([error(code, case, **cleaned)], response.status)


_BY_STATUS = {
    401: (Code.UNAUTHORIZED, ""),
    403: (Code.FORBIDDEN, ""),
    407: (Code.PROXY, "login"),
}


def _classified(response: ServiceResponse, about: About) -> tuple[Code, str, dict[str, Arg]]:
    status = response.status
    if status in _BY_STATUS:
        return (*_BY_STATUS[status], {})
    if 300 <= status < 400:
        target = bare_url(response.headers.get("Location", "")) or "nowhere"
        return Code.REDIRECTED, "", {"status": status, "target": target}
    if status == 404:
        if about.is_task or about.org_name is None:
            return Code.NOT_FOUND, "task" if about.is_task else "", {}
        return Code.NOT_FOUND, "organization", {"org": about.org_name}
    if status == 429:
        asked = retry_after(response.headers, datetime.now(UTC))
        return Code.RATE_LIMITED, "seconds" if asked else "", {"seconds": round(asked or 0)}
    if status >= 500:
        return Code.SERVICE_FAILED, "", {}
    return Code.REQUEST_REJECTED, "", {"method": about.method}


def unreadable_response(case: str, where: str, **facts: Any) -> RemoteError:
    """A 2xx that violates the API."""
    return RemoteError.of(Code.UNREADABLE_RESPONSE, case, where=where, **facts)


def says(response: ServiceResponse, *statuses: int) -> bool:
    """Whether the service itself sent one of these statuses: a proxy's error page proves
    nothing."""
    return response.status in statuses and _service_words(response) is not None


def refusal(response: ServiceResponse, scrub: Scrubber) -> tuple[int, str]:
    """Status and message of a rejection. Status 0 if something else answered, which proves
    nothing."""
    words = _service_words(response)
    return (response.status, scrub(words)) if words else (0, scrub(response_name(response)))


def create_outcome(response: ServiceResponse, scrub: Scrubber) -> CreateOutcome:
    """The outcome of a create with a complete response. If in doubt: Unknown."""
    status, name = response.status, scrub(response_name(response))
    if 200 <= status < 300:
        task_id = _created_id(response)
        return Created(task_id) if task_id and scrub(task_id) == task_id else Unknown(name)
    if status == 429:
        return Unknown(name, retry_after(response.headers, datetime.now(UTC)), throttled=True)
    words = _refusal_words(response)
    if 400 <= status < 500 and status not in MAY_HAVE_CREATED and words is not None:
        return Refused(scrub(words), status)
    return Unknown(name)


def lost_create(lost: NoResponseError, scrub: Scrubber) -> CreateOutcome:
    """The outcome of a create without a complete response."""
    why = reason(lost, scrub)
    return Unknown(why) if lost.begun else NotSent(why)


def _object(response: ServiceResponse) -> Mapping[str, Any]:
    """The body if it is a JSON object, else an empty one."""
    try:
        data = decode(response.body)
    except ValueError:
        return {}
    return data if isinstance(data, Mapping) else {}


def _created_id(response: ServiceResponse) -> str | None:
    return wire.created_task_id(_object(response))


def _service_words(response: ServiceResponse) -> str | None:
    """The `message` of the service's error response, or None."""
    data = _object(response)
    if not ("message" in data or "code" in data):
        return None
    message = data.get("message")
    return (
        shown_text(message) if isinstance(message, str) and message.strip() else "no reason given"
    )


def _refusal_words(response: ServiceResponse) -> str | None:
    """The message of a rejection that certainly comes from the service: JSON that repeats the
    status. A gateway's page with the same status proves nothing about a create."""
    data = _object(response)
    code, message = data.get("code"), data.get("message")
    if type(code) is not int or code != response.status:
        return None
    return shown_text(message) if isinstance(message, str) and message.strip() else None


def response_name(response: ServiceResponse) -> str:
    """A response in a few words: status, message, and the request ID of a failure."""
    words = _service_words(response)
    text = f"{response.status}: {words}" if words else f"{response.status}, {_beginning(response)}"
    if response.status < 500 or not response.request_id:
        return text
    return f"{text} (X-Pulumi-Request-ID {response.request_id})"


def _beginning(response: ServiceResponse) -> str:
    kind = shown_text(response.headers.get("Content-Type", "no content type"), 80)
    text = shown_text(response.body[:400].decode("utf-8", "replace"), 80)
    return f"{kind}: {text}" if text else f"{kind}, empty"
