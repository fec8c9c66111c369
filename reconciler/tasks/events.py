"""Events of a task, read with care: any member may be missing, of another type, or new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.model.task import instant
from reconciler.model.wire import USER_EVENT_TYPES

Event = Mapping[str, Any]
"""An `AgentConsoleEvent` of the API document, as the service sent it."""


def event_id(event: Event) -> str:
    """The event's id; empty for one without."""
    return text_in(event, "id")


def body_of(event: Event) -> Mapping[str, Any]:
    """The event's body; empty for one without."""
    body = event.get("eventBody")
    return body if isinstance(body, Mapping) else {}


def is_users(event: Event) -> bool:
    """Whether a user, or what acts as one, said it; else it is the agent's."""
    return event.get("type") in USER_EVENT_TYPES


def kind_of(event: Event) -> str:
    """The type of the body; of an event without a body its own."""
    return text_in(body_of(event), "type") or text_in(event, "type") or "unknown"


def moment_of(event: Event) -> datetime | None:
    """When it happened, UTC; None where the event does not say."""
    return instant(body_of(event).get("timestamp"))


def text_in(values: Mapping[str, Any], name: str) -> str:
    """A member that is text; empty where there is none or it is something else."""
    value = values.get(name)
    return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Approval:
    """A request of the agent's that a person answers. `body` is all the service sent of it."""

    id: str
    message: str
    body: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return text_in(self.body, "approval_type")

    @property
    def is_sensitive(self) -> bool:
        return self.body.get("sensitivity") == "sensitive"

    @property
    def context(self) -> Mapping[str, Any]:
        context = self.body.get("context")
        return context if isinstance(context, Mapping) else {}


def approval_in(event: Event) -> Approval | None:
    """The approval request that the event is, if it is one that can be answered."""
    body = body_of(event)
    request_id = text_in(body, "id")
    if is_users(event) or kind_of(event) != "user_approval_request" or not request_id:
        return None
    return Approval(request_id, text_in(body, "message"), body)
