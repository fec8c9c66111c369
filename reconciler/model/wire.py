"""Between the service's JSON and our values. Unknown fields and event types pass through unread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from reconciler.interning import share_parts
from reconciler.model.fields import PATCHED_AFTER_CREATE
from reconciler.model.task import (
    FirstMessage,
    Identity,
    Inputs,
    RemoteTask,
    instant,
)

REDACTED = "[REDACTED]"
"""What stands for a secret: what the service writes for credential-like text, and we for the
access token in whatever a response holds."""


USER_EVENT_TYPES = ("userInput", "triggerUserInput")


_UNSET = (None, "0001-01-01T00:00:00Z")
"""What unset properties are sent as: null, or the zero time of Go."""


def create_body(inputs: Inputs, mark: str) -> dict[str, Any]:
    """The create request for `inputs`; `mark` is the RFC 3339 timestamp the attempt is known by."""
    body = {name: value for name, value in inputs.items() if name not in PATCHED_AFTER_CREATE}
    body["message"] = {**inputs["message"], "type": "user_message", "timestamp": mark}
    return body


def patch_after_create(inputs: Inputs) -> dict[str, Any]:
    """What a create must be followed by: the name and the sharing that a create cannot say.

    A task begins unshared, so `isShared: false` asks for nothing.
    """
    changes = {name: inputs[name] for name in PATCHED_AFTER_CREATE if name in inputs}
    if changes.get("isShared") is False:
        del changes["isShared"]
    return changes


def remote_task(org_name: str, raw: object) -> RemoteTask | None:
    """A task of a list or get answer; None where it has no id and so is no task."""
    if not isinstance(raw, dict):
        return None
    task_id = raw.get("id")
    if not isinstance(task_id, str) or not task_id:
        return None
    if any(value in raw.values() for value in _UNSET):
        raw = {name: value for name, value in raw.items() if value not in _UNSET}
    share_parts(raw)
    return RemoteTask(org_name, task_id, raw)


def created_task_id(response: object) -> str | None:
    """The id in the response to a create: `taskId`, as documented, and nothing like it (a gateway's
    `{"id": "req-123"}` is no task)."""
    value = response.get("taskId") if isinstance(response, Mapping) else None
    return value if isinstance(value, str) and value else None


def first_user_message(events: Iterable[object]) -> Mapping[str, Any] | None:
    """The body of the first message that a user sent, which is what the task was created with.

    Synthetic events, other types and unknown ones are passed over (contract, section 1).
    """
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
    """Events that do not show what a task was created with, although they may hold it."""


def first_message(events: Sequence[object]) -> FirstMessage | None:
    """What a task was created with, given its first events; None if they hold no user's message.

    UnreadableEventsError: an entry that is not an event, a user's message without text, or a
    descending order, in which the first message is not the one that comes first.
    """
    if not _ascend(events) or any(_is_unreadable(event) for event in events):
        raise UnreadableEventsError
    body = first_user_message(events)
    if body is None:
        return None
    diff = body.get("entity_diff")
    added = (diff.get("add") if isinstance(diff, Mapping) else diff) or []
    if not isinstance(added, list) or not all(isinstance(entity, Mapping) for entity in added):
        raise UnreadableEventsError
    return FirstMessage(str(body.get("timestamp") or ""), body["content"], tuple(added))


def _is_unreadable(event: object) -> bool:
    """Whether an event may be a user's message that cannot be read."""
    if not isinstance(event, Mapping):
        return True
    if event.get("type") not in USER_EVENT_TYPES or event.get("isSynthetic") is True:
        return False
    body = event.get("eventBody")
    if not isinstance(body, Mapping):
        return True
    return body.get("type") == "user_message" and not isinstance(body.get("content"), str)


def _ascend(events: Iterable[object]) -> bool:
    """Whether the events are oldest first, as far as their times tell: the agent's by the service's
    clock, else those of users, each by a clock of its own."""
    agent, users = _times(events, ("agentResponse",)), _times(events, USER_EVENT_TYPES)
    times = agent if len(set(agent)) > 1 else users
    return not times or times[0] <= times[-1]


def _times(events: Iterable[object], types: Sequence[str]) -> list[datetime]:
    found = []
    for event in events:
        if isinstance(event, Mapping) and event.get("type") in types:
            body = event.get("eventBody")
            at = instant(body.get("timestamp")) if isinstance(body, Mapping) else None
            found += [at] if at is not None else []
    return found


def identity(user: object) -> Identity | None:
    """Who `GET /api/user` says we are; None for an answer without an id."""
    if not isinstance(user, Mapping) or not isinstance(user.get("id"), str) or not user["id"]:
        return None
    token = user.get("tokenInfo")
    token = token if isinstance(token, Mapping) else {}
    return Identity(
        id=user["id"],
        organization=token.get("organization") or None,
        team=token.get("team") or None,
        login=str(user.get("githubLogin") or ""),
    )


def console_url(backend: str, org_name: str, task_id: str) -> str | None:
    """A task's page: `api.` at the head of the backend's host gives way to `app.`.

    None where the backend is in the process and has no pages.
    """
    parts = urlsplit(backend)
    if parts.scheme not in ("http", "https"):
        return None
    host = parts.netloc
    host = "app." + host[4:] if host.startswith("api.") else host
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}/{org_name}/neo/tasks/{task_id}"
