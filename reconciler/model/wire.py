"""Conversions between the service's JSON and taskctl's values. Unknown fields and event types are
ignored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from reconciler.model.fields import PATCHED_AFTER_CREATE
from reconciler.model.hosts import is_loopback
from reconciler.model.reference import Reference, split_prompt, with_reference
from reconciler.model.service import FirstMessage, Identity, RemoteTask
from reconciler.model.shell import is_org_name, is_task_id
from reconciler.model.task import Inputs, instant, rfc3339

USER_EVENT_TYPES = ("userInput", "triggerUserInput")

_PAGE = re.compile(r"(?P<url>https?://[^?#]+/(?P<org>[^/?#]+)/neo/tasks/(?P<id>[^/?#]+))")
"""The address of a task's web page."""

_ZERO_TIME = "0001-01-01T00:00:00Z"
"""Go's form of an unset time."""


def create_body(inputs: Inputs, reference: Reference, now: datetime) -> dict[str, object]:
    """The create request for `inputs`, sent `now`, whose prompt ends with the `reference`."""
    body = {name: value for name, value in inputs.items() if name not in PATCHED_AFTER_CREATE}
    message = with_reference(inputs["message"], reference)
    body["message"] = {**message, "type": "user_message", "timestamp": rfc3339(now)}
    return body


def patch_after_create(inputs: Inputs) -> dict[str, object]:
    """The changes that must follow the creation: name and sharing.

    A task starts unshared, so `isShared: false` needs no change.
    """
    changes = {name: inputs[name] for name in PATCHED_AFTER_CREATE if name in inputs}
    if changes.get("isShared") is False:
        del changes["isShared"]
    return changes


def remote_task(org_name: str, raw: object) -> RemoteTask | None:
    """A task from a list or get response; None without a well-formed ID."""
    if not isinstance(raw, dict):
        return None
    task_id = raw.get("id")
    if not isinstance(task_id, str) or not is_task_id(task_id):
        return None
    values = raw.values()
    if None in values or _ZERO_TIME in values:
        raw = {name: value for name, value in raw.items() if value not in (None, _ZERO_TIME)}
    return RemoteTask(org_name, task_id, raw)


def created_task_id(response: object) -> str | None:
    """The `taskId` in the response to a create request, if it is well-formed. Similar fields do not
    count: a gateway's `{"id": "req-123"}` is not a task."""
    value = response.get("taskId") if isinstance(response, Mapping) else None
    return value if isinstance(value, str) and is_task_id(value) else None


def first_user_message(events: Iterable[object]) -> Mapping[str, Any] | None:
    """The body of the first message that a user sent, which the task was created with. Synthetic
    events and other types are skipped."""
    for event in events:
        if not isinstance(event, Mapping) or event.get("isSynthetic") is True:
            continue
        body = event.get("eventBody")
        if event.get("type") not in USER_EVENT_TYPES or not isinstance(body, Mapping):
            continue
        if body.get("type") == "user_message" and isinstance(body.get("content"), str):
            return body
    return None


class UnreadableEventsError(ValueError):
    """The first message of a task cannot be determined from its events."""


class FirstMessageSearch:
    """Looks for the message that a task was created with, page by page of its first events."""

    def __init__(self) -> None:
        self._agent, self._users = list[datetime](), list[datetime]()

    def next(self, events: Sequence[object]) -> FirstMessage | None:
        """The message, if it is in this page. Call it for each page, in order.

        Raises UnreadableEventsError for an invalid event, for a user message without text, and for
        descending order, in which the first message comes last.
        """
        self._agent += _times(events, ("agentResponse",))
        self._users += _times(events, USER_EVENT_TYPES)
        # The service sets the timestamps of the agent's events; clients set those of user events.
        times = self._agent if len(set(self._agent)) > 1 else self._users
        if (times and times[0] > times[-1]) or any(_is_unreadable(event) for event in events):
            raise UnreadableEventsError
        body = first_user_message(events)
        return _message_of(body) if body is not None else None


def _message_of(body: Mapping[str, Any]) -> FirstMessage:
    diff = body.get("entity_diff")
    added = (diff.get("add") if isinstance(diff, Mapping) else diff) or []
    if not isinstance(added, list) or not all(isinstance(entity, Mapping) for entity in added):
        raise UnreadableEventsError
    text, reference = split_prompt(body["content"])
    return FirstMessage(text, tuple(added), reference)


def _is_unreadable(event: object) -> bool:
    """Whether an event may be an unreadable user message."""
    if not isinstance(event, Mapping):
        return True
    if event.get("type") not in USER_EVENT_TYPES or event.get("isSynthetic") is True:
        return False
    body = event.get("eventBody")
    if not isinstance(body, Mapping):
        return True
    return body.get("type") == "user_message" and not isinstance(body.get("content"), str)


def _times(events: Iterable[object], types: Sequence[str]) -> list[datetime]:
    found = []
    for event in events:
        if isinstance(event, Mapping) and event.get("type") in types:
            body = event.get("eventBody")
            at = instant(body.get("timestamp")) if isinstance(body, Mapping) else None
            found += [at] if at is not None else []
    return found


def identity(user: object) -> Identity | None:
    """The identity in the response of `GET /api/user`; None without an ID, or if the token's
    organization or team is invalid."""
    if not isinstance(user, Mapping) or not isinstance(user.get("id"), str) or not user["id"]:
        return None
    token = user.get("tokenInfo")
    token = token if isinstance(token, Mapping) else {}
    organization, team = token.get("organization") or None, token.get("team") or None
    if not isinstance(organization, str | None) or not isinstance(team, str | None):
        return None
    return Identity(
        id=user["id"],
        organization=organization,
        team=team,
        login=str(user.get("githubLogin") or ""),
    )


def console_url(backend: str, org_name: str, task_id: str) -> str | None:
    """The address of a task's web page: on `app.` instead of the backend's `api.`. None for the
    embedded service (in-process or on loopback), which has no pages."""
    parts = urlsplit(backend)
    if parts.scheme not in ("http", "https") or is_loopback(parts.hostname or ""):
        return None
    host = parts.netloc
    host = "app." + host[4:] if host.startswith("api.") else host
    tasks = f"{parts.path.rstrip('/')}/{quote(org_name, safe='')}/neo/tasks"
    return f"{parts.scheme}://{host}{tasks}/{quote(task_id, safe=':')}"


def named_task(backend: str, text: str) -> tuple[str, str] | None:
    """The organization and the ID of a task from the address of its web page, or from `ORG/ID`."""
    if (page := _PAGE.match(text)) is not None:
        org, task_id = unquote(page["org"]), unquote(page["id"])
        return (org, task_id) if page["url"] == console_url(backend, org, task_id) else None
    org, _, task_id = text.partition("/")
    return (org, task_id) if is_org_name(org) and is_task_id(task_id) else None


def pull_request_id(entity: object) -> str | None:
    """`ORG/NAME/NUMBER` of a pull request entity, in lower case; None for anything else. Ignores
    other fields: the service may add the forge and the host."""
    if not isinstance(entity, Mapping) or entity.get("type") != "pull_request":
        return None
    number, repo = entity.get("number"), entity.get("repo")
    if type(number) is not int or not isinstance(repo, Mapping):
        return None
    org, name = repo.get("org"), repo.get("name")
    if not isinstance(org, str) or not isinstance(name, str) or not org or not name:
        return None
    return f"{org}/{name}/{number}".lower()
