"""What an answer means: data, an outcome of a create, or an error with what to do next."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.model import wire
from reconciler.model.diagnostics import error
from reconciler.model.errors import RemoteError
from reconciler.model.service import Created, CreateOutcome, NotSent, Refused, Unknown
from reconciler.remote.failures import explain, remote_error
from reconciler.remote.retries import retry_after
from reconciler.remote.sanitize import bare_url, shown
from reconciler.remote.transport import Answer, NoAnswerError

MAY_HAVE_CREATED = frozenset({408, 409, 425, 429, 499})
"""4xx after which a task may exist all the same."""

Scrub = Callable[[str], str]

_DEEPEST = 100
_NESTING = frozenset({dict, list})

_UNAUTHORIZED = (
    "It may have expired, or belong to another backend. Make one in the service's console and set "
    "it:\n  export PULUMI_ACCESS_TOKEN=..."
)
_FORBIDDEN = (
    "Its owner must be a member of the organization, and agent tasks must be enabled there. Use "
    "another PULUMI_ACCESS_TOKEN, or another organization:\n  --org NAME"
)
_NO_TASK = (
    "A task is seen by its creator alone until it is shared, and changed by its creator alone: use "
    "the token of the one who created it."
)
_NO_ORG = (
    "Either the name is wrong, or this token's owner is no member of it (check orgName and --org), "
    "or the service is self-hosted and has no agent tasks (check --backend)."
)
_NOT_PULUMI = "Check that --backend is the address of a Pulumi Cloud service."
_PROXY_LOGIN = "Give them in HTTPS_PROXY, as http://USER:PASSWORD@HOST:PORT."
_FAILED = (
    "Run the same command again. If it stays so, look at https://status.pulumi.com, and give the "
    "request id to whoever runs the service."
)
_REFUSED = "Mend what the service's words say it did not like, and run the same command again."
_NOT_JSON = (
    "A proxy, a login page or a wrong address answers in the service's place. Check --backend and "
    "the proxy variables (HTTPS_PROXY, NO_PROXY), then run the same command again."
)
_MOVED = (
    "A token is sent to no address but the one it was meant for. If the service has moved, name "
    "its new address:\n  --backend URL"
)


@dataclass(frozen=True, slots=True)
class About:
    """What was asked for, for the wording: `where` is the address, without secrets."""

    method: str
    where: str
    org_name: str | None = None
    is_task: bool = False


class NotFoundError(RemoteError):
    """404 in the service's own words, not from something in between."""


def decode(body: bytes) -> object:
    """JSON; ValueError for anything else, NaN and infinities included, and what is nested deeper
    than those who walk through it can go."""
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
    raise ValueError(f"{constant} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def read(answer: Answer, about: About, scrub: Scrub) -> object:
    """The data of a good answer. RemoteError for every other: worded, without secrets."""
    if 200 <= answer.status < 300:
        try:
            return decode(answer.body)
        except ValueError:
            raise _not_json(answer, about.where, scrub) from None
    summary, detail = _wording(answer, about)
    kind = NotFoundError if says(answer, 404) else RemoteError
    raise kind([error(scrub(summary), scrub(detail))], answer.status)


def says(answer: Answer, *statuses: int) -> bool:
    """Whether the service itself answered so: a proxy's page with that status proves nothing."""
    return answer.status in statuses and _service_words(answer) is not None


def refusal(answer: Answer, scrub: Scrub) -> tuple[int, str]:
    """Status and words of an answer that says no; status 0 where another than the service
    answered: its 404 or 409 proves nothing."""
    words = _service_words(answer)
    return (answer.status, scrub(words)) if words else (0, scrub(name_of(answer)))


def malformed(where: str, what: str) -> RemoteError:
    return remote_error(f"{where}: the answer holds {what}", _NOT_PULUMI)


def create_outcome(answer: Answer, scrub: Scrub) -> CreateOutcome:
    """What became of a create that got a whole answer. In any doubt: Unknown."""
    status = answer.status
    if 200 <= status < 300:
        task_id = _created_id(answer)
        if task_id is None:
            return Unknown(scrub(f"{name_of(answer)} without a task id"))
        return Created(task_id) if scrub(task_id) == task_id else Unknown("a task id with a secret")
    if status == 429:
        asked = retry_after(answer.headers, datetime.now(UTC))
        return Unknown(scrub(name_of(answer)), asked, throttled=True)
    words = _refusal_words(answer)
    if 400 <= status < 500 and status not in MAY_HAVE_CREATED and words is not None:
        return Refused(scrub(words), status)
    return Unknown(scrub(name_of(answer)))


def lost_create(lost: NoAnswerError, scrub: Scrub) -> CreateOutcome:
    """What became of a create that got no whole answer."""
    why = scrub(explain(lost.cause, begun=lost.begun)[0])
    return Unknown(why) if lost.begun else NotSent(why)


def _created_id(answer: Answer) -> str | None:
    try:
        return wire.created_task_id(decode(answer.body))
    except ValueError:
        return None


def _service_words(answer: Answer) -> str | None:
    """The `message` of the service's error answer; None where it is not one."""
    try:
        data = decode(answer.body)
    except ValueError:
        return None
    if not isinstance(data, Mapping) or not ("message" in data or "code" in data):
        return None
    message = data.get("message")
    return shown(message) if isinstance(message, str) and message.strip() else "no reason given"


def _refusal_words(answer: Answer) -> str | None:
    """The message of a refusal that is the service's own beyond doubt: JSON that repeats the
    status. A gateway's page with the same status proves nothing about a create."""
    try:
        data = decode(answer.body)
    except ValueError:
        return None
    if not isinstance(data, Mapping) or type(data.get("code")) is not int:
        return None
    message = data.get("message")
    if data["code"] != answer.status or not isinstance(message, str) or not message.strip():
        return None
    return shown(message)


def name_of(answer: Answer) -> str:
    """An answer in few words: its status, its own words, and a failure's request id."""
    words = _service_words(answer)
    text = f"{answer.status}: {words}" if words else f"{answer.status}, {_beginning(answer)}"
    if answer.status < 500 or not answer.request_id:
        return text
    return f"{text} (X-Pulumi-Request-ID {answer.request_id})"


def _beginning(answer: Answer) -> str:
    kind = shown(answer.headers.get("Content-Type", "no content type"), 80)
    text = shown(answer.body[:400].decode("utf-8", "replace"), 80)
    return f"{kind}: {text}" if text else f"{kind}, empty"


def _not_json(answer: Answer, where: str, scrub: Scrub) -> RemoteError:
    return remote_error(
        scrub(f"{where}: a non-JSON answer from something in between ({name_of(answer)})"),
        _NOT_JSON,
        answer.status,
    )


def _wording(answer: Answer, about: About) -> tuple[str, str]:
    """What was wrong and where, and what to do next."""
    status, where, name = answer.status, about.where, name_of(answer)
    if 300 <= status < 400:
        target = bare_url(answer.headers.get("Location", "")) or "nowhere"
        return f"{where}: a redirect ({status}) to {target}, which is not followed", _MOVED
    if status == 401:
        return f"{where}: the access token was not accepted ({name})", _UNAUTHORIZED
    if status == 403:
        return f"{where}: the access token may not do this ({name})", _FORBIDDEN
    if status == 404:
        return _missing(about, name)
    if status == 407:
        return f"{where}: the proxy wants a user and a password ({name})", _PROXY_LOGIN
    if status == 429:
        asked = retry_after(answer.headers, datetime.now(UTC))
        when = f"in {asked:.0f} seconds" if asked else "in some minutes"
        return (
            f"{where}: the service asks to slow down, and kept asking ({name})",
            f"Run the same command again {when}, with a lower --parallelism.",
        )
    if status >= 500:
        return f"{where}: the service failed ({name})", _FAILED
    return f"{where}: the service refused the {about.method} ({name})", _REFUSED


def _missing(about: About, name: str) -> tuple[str, str]:
    if about.is_task:
        return f"{about.where}: the task is not there, or not this token's ({name})", _NO_TASK
    if about.org_name is not None:
        org_name = shown(about.org_name, 80)
        return f"{about.where}: no agent tasks of an organization {org_name} ({name})", _NO_ORG
    return f"{about.where}: not there ({name})", _NOT_PULUMI
