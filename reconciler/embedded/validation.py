"""Validation of request bodies. Unknown fields are ignored, and null means absent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from reconciler.embedded.wsgi import ApiError, JsonObject
from reconciler.model.fields import BY_NAME, DEFAULTS

NAME_LIMIT = 255

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_ZERO_TIME = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A create request, with the service's defaults filled in."""

    message: JsonObject
    approval_mode: str
    permission_mode: str
    tool_execution_mode: str
    source: str
    plan_mode: bool
    role: str
    agent_definition_id: str


@dataclass(frozen=True, slots=True)
class PatchRequest:
    """A patch request, by the columns that it changes. None leaves a setting unchanged."""

    name: str | None
    shared: bool | None
    approval_mode: str | None
    permission_mode: str | None
    role: str | None


def create_request(body: JsonObject, now: str) -> CreateRequest:
    """Validates a `CreateAgentTaskRequest`. Raises ApiError 400 where the real service would.

    object integration counts as connected. A `message` without a timestamp gets the service's time,
    `now` (RFC 3339).
    """
    message = obj(body, "message")
    if message is None:
        raise ApiError(400, "prompt is required: message is missing")
    for item in objects(body, "enabledIntegrations"):
        _required(item, "id", "enabledIntegrations")
    for item in objects(body, "cliIntegrations"):
        _required(item, "catalogId", "cliIntegrations")
        _required(item, "name", "cliIntegrations")
    return CreateRequest(
        message=user_message(message, now),
        approval_mode=_chosen(body, "approvalMode") or "manual",
        permission_mode=_chosen(body, "permissionMode") or DEFAULTS["permissionMode"],
        tool_execution_mode=_chosen(body, "toolExecutionMode") or DEFAULTS["toolExecutionMode"],
        source=_chosen(body, "source") or DEFAULTS["source"],
        plan_mode=flag(body, "planMode") or False,
        role=text(body, "role") or "",
        agent_definition_id=text(body, "agentDefinitionId") or "",
    )


def _chosen(body: JsonObject, name: str) -> str | None:
    return choice(body, name, BY_NAME[name].choices)


def patch_request(body: JsonObject) -> PatchRequest:
    """Validates an `UpdateTaskRequest`. Raises ApiError 400 for an invalid value."""
    name = text(body, "name")
    if name is not None:
        name = name.strip()
        if not 1 <= len(name) <= NAME_LIMIT:
            raise ApiError(400, f"name must be between 1 and {NAME_LIMIT} characters")
    return PatchRequest(
        name=name,
        shared=flag(body, "isShared"),
        approval_mode=_chosen(body, "approvalMode"),
        permission_mode=_chosen(body, "permissionMode"),
        role=text(body, "role"),
    )


def respond_request(body: JsonObject, now: str) -> JsonObject:
    """The validated event of an `AgentRespondToTaskRequest`; `now`: see `create_request`."""
    event = obj(body, "event")
    if event is None:
        raise ApiError(400, "event field is required")
    match event.get("type"):
        case "user_message":
            return user_message(event, now)
        case "user_confirmation":
            return _user_confirmation(event, now)
        case "user_cancel":
            return _user_event(event, "user_cancel", now)
        case "exec_tool_call":
            call = {name: _required(event, name, "event") for name in ("tool_call_id", "name")}
            return {**_user_event(event, "exec_tool_call", now), **call}
        case "tool_result":
            return _tool_result(event, now)
        case kind:
            raise ApiError(400, f"event.type: {kind!r} is not a supported event type")


def cancel_request(body: JsonObject) -> None:
    """Raises ApiError 400 unless `force` is true; this endpoint has no graceful cancel."""
    if flag(body, "force") is not True:
        raise ApiError(400, "force must be true (send a user_cancel event for a graceful cancel)")


def user_message(event: JsonObject, now: str) -> JsonObject:
    if event.get("type") != "user_message":
        raise ApiError(400, 'message.type must be "user_message"')
    content = text(event, "content")
    if content is None or not content.strip():
        raise ApiError(400, "prompt is required: message.content is blank")
    checked = {**_user_event(event, "user_message", now), "content": content}
    commands = obj(event, "commands")
    if commands is not None:
        checked["commands"] = {
            name: _command(_as_object(command, f"commands.{name}"))
            for name, command in commands.items()
        }
    return checked


def _user_confirmation(event: JsonObject, now: str) -> JsonObject:
    checked = _user_event(event, "user_confirmation", now)
    checked["approval_request_id"] = _required(event, "approval_request_id", "event")
    checked["ok"] = flag(event, "ok") or False
    instructions = text(event, "instructions")
    return checked if instructions is None else {**checked, "instructions": instructions}


def _tool_result(event: JsonObject, now: str) -> JsonObject:
    results: list[JsonObject] = []
    for item in objects(event, "tool_results"):
        result: JsonObject = {
            name: _required(item, name, "tool_results") for name in ("tool_call_id", "name")
        }
        if "content" not in item:
            raise ApiError(400, "tool_results: content is required")
        failed = flag(item, "is_error") or False
        results.append({**result, "content": item["content"], "is_error": failed})
    if not results:
        raise ApiError(400, "tool_results is required and must not be empty")
    return {**_user_event(event, "tool_result", now), "tool_results": results}


def _user_event(event: JsonObject, kind: str, now: str) -> JsonObject:
    """The fields that all user events have. A timestamp is kept exactly as it was sent; without
    one (Pulumi's CLI sends none after the first message), it is `now`."""
    timestamp = text(event, "timestamp")
    if timestamp is None:
        timestamp = now
    if not _is_timestamp(timestamp):
        raise ApiError(400, f"timestamp: {timestamp!r} is not an RFC 3339 timestamp")
    checked: JsonObject = {"type": kind, "timestamp": timestamp}
    diff = obj(event, "entity_diff")
    if diff is not None:
        sides = {side: objects(diff, side) for side in ("add", "remove") if diff.get(side)}
        checked["entity_diff"] = {
            side: [entity(item) for item in items] for side, items in sides.items()
        }
    page = obj(event, "pageContext")
    return checked if page is None else {**checked, "pageContext": _page(page)}


def entity(item: JsonObject) -> JsonObject:
    """A validated entity, with the fields of its type."""
    kind = item.get("type")
    match kind:
        case "stack":
            fields = {name: _required(item, name, "stack") for name in ("name", "project")}
            return {"type": "stack", **fields}
        case "repository":
            return _repository(item)
        case "pull_request":
            number, repo = item.get("number"), obj(item, "repo")
            if not isinstance(number, int) or isinstance(number, bool) or repo is None:
                raise ApiError(400, "pull_request: number and repo are required")
            merged = flag(item, "merged") or False
            return {
                "type": kind,
                "number": number,
                "merged": merged,
                "repo": _repository({"type": "repository", **repo}),
            }
        case "policy_issue" | "policy_finding":
            name = text(item, "name")
            named: JsonObject = {} if name is None else {"name": name}
            return {"type": kind, "id": _required(item, "id", str(kind)), **named}
    raise ApiError(400, f"entity_diff: invalid entity type {kind!r}")


def _repository(item: JsonObject) -> JsonObject:
    if item.get("type") not in (None, "repository"):
        raise ApiError(400, "pull_request: repo must be a repository")
    checked: JsonObject = {"type": "repository"}
    for name in ("name", "org"):
        checked[name] = _required(item, name, "repository")
    for name in ("forge", "host"):
        value = text(item, name)
        if value is not None:
            checked[name] = value
    return checked


def _command(item: JsonObject) -> JsonObject:
    """A slash command. As in the real service, missing fields get the zero value of their type."""
    names = ("name", "prompt", "description", "tag")
    checked: JsonObject = {name: text(item, name) or "" for name in names}
    checked["builtIn"] = flag(item, "builtIn") or False
    modified = text(item, "modifiedAt") or _ZERO_TIME
    if not _is_timestamp(modified):
        raise ApiError(400, f"commands: modifiedAt: {modified!r} is not a timestamp")
    return {**checked, "modifiedAt": modified}


def _page(item: JsonObject) -> JsonObject:
    checked: JsonObject = {
        name: value for name in ("kind", "path") if (value := text(item, name)) is not None
    }
    params = obj(item, "params")
    if params is not None:
        checked["params"] = {name: text(params, name) or "" for name in params}
    return checked


def _required(item: Mapping[str, object], name: str, where: str) -> str:
    value = text(item, name)
    if value is None or not value.strip():
        raise ApiError(400, f"{where}: {name} is required and must not be empty")
    return value


def _is_timestamp(value: str) -> bool:
    if not _RFC3339.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def text(body: Mapping[str, object], name: str) -> str | None:
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value
    raise ApiError(400, f"{name} must be a string")


def flag(body: Mapping[str, object], name: str) -> bool | None:
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise ApiError(400, f"{name} must be true or false")


def choice(body: Mapping[str, object], name: str, allowed: Sequence[str]) -> str | None:
    """One of `allowed`, or None for null, absent, or empty (how SDKs send an unset enum)."""
    value = text(body, name)
    if not value:
        return None
    if value not in allowed:
        raise ApiError(400, f"{name}: {value!r} is not one of {', '.join(allowed)}")
    return value


def obj(body: Mapping[str, object], name: str) -> JsonObject | None:
    value = body.get(name)
    return None if value is None else _as_object(value, name)


def objects(body: Mapping[str, object], name: str) -> list[JsonObject]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ApiError(400, f"{name} must be a list")
    return [_as_object(item, name) for item in value]


def _as_object(value: object, where: str) -> JsonObject:
    if not isinstance(value, dict):
        raise ApiError(400, f"{where} must be an object")
    return cast("JsonObject", value)
