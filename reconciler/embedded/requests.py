"""The bodies of requests, as in the API document.

As in the real service, unknown fields are ignored, and null means absent. Invalid settings,
messages and types of entities raise ApiError 400.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from reconciler.embedded.wsgi import ApiError, JsonObject
from reconciler.model.fields import BY_NAME, CHOSEN, DEFAULTS
from reconciler.model.typed_json import shareable

NAME_LIMIT = 255
_ENTITIES: dict[str, tuple[str, ...]] = {
    "stack": ("name", "project"),
    "repository": ("name", "org"),
    "pull_request": ("number", "repo"),
    "policy_issue": (),
    "policy_finding": (),
}
"""The types of entities, and the names that each requires."""
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

T = TypeVar("T")
Required = Annotated[str, Meta(pattern=r"\S")]
Optional = str | UnsetType
"""Text that `event_document` omits if it is absent."""


class EntityDiff(Struct, omit_defaults=True):
    add: list[JsonObject] = []
    remove: list[JsonObject] = []

    def __post_init__(self) -> None:
        for entity in (*self.add, *self.remove):
            _check_entity(entity)


def _check_entity(entity: JsonObject) -> None:
    kind = str(entity.get("type"))
    required = _ENTITIES.get(kind)
    if required is None:
        raise ValueError(f"entity_diff: {kind!r} is not a type of entity")
    if not all(map(entity.get, required)):
        raise ValueError(f"entity_diff: an entity of type {kind} needs {' and '.join(required)}")
    if kind == "pull_request":
        _check_entity({**cast("JsonObject", entity["repo"]), "type": "repository"})


class _Event(Struct, tag_field="type", kw_only=True):
    """The timestamp is kept exactly as it was sent; an event without a timestamp gets the service's
    time."""

    timestamp: Optional = UNSET
    entity_diff: EntityDiff | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.timestamp is not UNSET:
            _check_timestamp(self.timestamp)


class UserMessage(_Event, tag="user_message"):
    content: str = ""
    commands: dict[str, JsonObject] | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.content.strip():
            raise ValueError("prompt is required: content is blank")


class UserConfirmation(_Event, tag="user_confirmation", kw_only=True):
    approval_request_id: Required
    ok: bool = False
    instructions: Optional = UNSET


class UserCancel(_Event, tag="user_cancel"):
    pass


Event = UserMessage | UserConfirmation | UserCancel


def _one_of(name: str) -> Meta:
    return Meta(pattern=rf"^({'|'.join(BY_NAME[name].choices)})\Z")


ApprovalMode = Annotated[str, _one_of("approvalMode")]
PermissionMode = Annotated[str, _one_of("permissionMode")]
ToolExecutionMode = Annotated[str, _one_of("toolExecutionMode")]
Source = Annotated[str, _one_of("source")]


class CreateRequest(Struct, rename="camel"):
    """`CreateAgentTaskRequest`, with the service's defaults. Integrations count as connected."""

    message: UserMessage
    approval_mode: ApprovalMode = "manual"
    permission_mode: PermissionMode = DEFAULTS["permissionMode"]
    tool_execution_mode: ToolExecutionMode = DEFAULTS["toolExecutionMode"]
    source: Source = DEFAULTS["source"]
    plan_mode: bool = False
    role: str = ""
    agent_definition_id: str = ""
    enabled_integrations: list[JsonObject] = []
    cli_integrations: list[JsonObject] = []


class PatchRequest(Struct, rename="camel"):
    """`UpdateTaskRequest`, by the columns that it changes. None leaves a setting unchanged."""

    name: str | None = None
    shared: bool | None = msgspec.field(default=None, name="isShared")
    approval_mode: ApprovalMode | None = None
    permission_mode: PermissionMode | None = None
    role: str | None = None

    def __post_init__(self) -> None:
        if self.name is not None:
            self.name = self.name.strip()
            if not 1 <= len(self.name) <= NAME_LIMIT:
                raise ValueError(f"name must be between 1 and {NAME_LIMIT} characters")

    def changes(self) -> dict[str, str | bool]:
        values = msgspec.structs.asdict(self)
        return {name: value for name, value in values.items() if value is not None}


def create_request(body: JsonObject, now: str) -> CreateRequest:
    """A message without a timestamp gets the service's time, `now` (RFC 3339)."""
    message = body.get("message")
    if message is None:
        raise ApiError(400, "prompt is required: message is missing")
    if isinstance(message, dict) and message.get("type") != "user_message":
        raise ApiError(400, 'message.type must be "user_message"')
    request = converted(body, CreateRequest)
    if request.message.timestamp is UNSET:
        request.message.timestamp = now
    return request


def respond_request(body: JsonObject, now: str) -> Event:
    """The event of an `AgentRespondToTaskRequest`; `now`: see `create_request`."""
    if body.get("event") is None:
        raise ApiError(400, "event field is required")
    event: Event = converted(body["event"], cast("Any", Event))
    if event.timestamp is UNSET:
        event.timestamp = now
    return event


def check_cancel(body: JsonObject) -> None:
    """Raises ApiError 400 unless `force` is true; this endpoint has no graceful cancel."""
    if body.get("force") is not True:
        raise ApiError(400, "force must be true (send a user_cancel event for a graceful cancel)")


def event_document(event: Event) -> JsonObject:
    """The event as JSON, with its known fields only."""
    fields: JsonObject = msgspec.to_builtins(event)
    return fields


def converted(body: object, kind: type[T]) -> T:
    """The body as one of these structs. Raises ApiError 400."""
    try:
        return msgspec.convert(_without_unset(body), shareable(kind))
    except (msgspec.ValidationError, RecursionError) as problem:
        raise ApiError(400, f"invalid request body: {problem}") from None


def _without_unset(value: object) -> object:
    """Removes nulls, and empty enums, which some SDKs send for unset fields."""
    if isinstance(value, list):
        return [_without_unset(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_unset(item)
        for name, item in value.items()
        if item is not None and (item != "" or name not in CHOSEN)
    }


def _check_timestamp(value: str) -> None:
    try:
        if not _RFC3339.fullmatch(value):
            raise ValueError
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"timestamp: {value!r} is not an RFC 3339 timestamp") from None
