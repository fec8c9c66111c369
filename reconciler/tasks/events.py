"""Events of a task. object member may be missing, have another type, or be new."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.model.task import instant
from reconciler.model.wire import USER_EVENT_TYPES

Event = Mapping[str, Any]
"""An `AgentConsoleEvent` of the API document, as the service sent it."""


def event_id(event: Event) -> str:
    """The event's id; empty if it has none."""
    return text_in(event, "id")


def body_of(event: Event) -> Mapping[str, Any]:
    """The event's body; empty if it has none."""
    body = event.get("eventBody")
    return body if isinstance(body, Mapping) else {}


def is_users(event: Event) -> bool:
    """Whether it is a user's, or of something that acts as one; else it is the agent's."""
    return event.get("type") in USER_EVENT_TYPES


def kind_of(event: Event) -> str:
    """The type of the body; of an event without a body its own."""
    return text_in(body_of(event), "type") or text_in(event, "type") or "unknown"


def moment_of(event: Event) -> datetime | None:
    """When it happened, UTC; None if the event does not say."""
    return instant(body_of(event).get("timestamp"))


def text_in(values: Mapping[str, Any], name: str) -> str:
    """A member that is text; empty if it is missing or something else."""
    value = values.get(name)
    return value if isinstance(value, str) else ""


_QUESTION = re.compile(r"(.*?__)?ask_user")
"""The tool by which an agent asks something: `ask_user`, or `SERVER__ask_user`. No approval type
tells such a request from others; Pulumi's CLI goes by this name too."""


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
    def since(self) -> datetime | None:
        """When it was asked, UTC; None if the service does not say."""
        return instant(self.body.get("timestamp"))

    @property
    def is_sensitive(self) -> bool:
        return self.body.get("sensitivity") == "sensitive"

    @property
    def is_question(self) -> bool:
        """Whether it wants an answer in words, not a yes or no."""
        return _QUESTION.fullmatch(text_in(self.context, "tool_name")) is not None

    def reply(self, *, ok: bool, text: str = "") -> dict[str, object]:
        """The user event that answers it, without a timestamp. Words go to the agent only with
        `ok: false`, also those that answer a question (as Pulumi's CLI sends them)."""
        answers = {"instructions": text} if text else {}
        ok = ok and not (self.is_question and text)
        return {"type": "user_confirmation", "approval_request_id": self.id, "ok": ok, **answers}

    @property
    def context(self) -> Mapping[str, object]:
        context = self.body.get("context")
        return context if isinstance(context, Mapping) else {}


def approval_in(event: Event) -> Approval | None:
    """The approval request that the event is, if it is one that can be answered."""
    body = body_of(event)
    request_id = text_in(body, "id")
    if is_users(event) or kind_of(event) != "user_approval_request" or not request_id:
        return None
    return Approval(request_id, text_in(body, "message"), body)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that ends the agent's turn until something outside of the service runs it.

    `mode` is its `execution_mode`: `cli`, `worker`, or empty for the task's own.
    """

    id: str
    name: str
    mode: str


def calls_left(event: Event) -> tuple[ToolCall, ...]:
    """The tool calls that a final message leaves to others: those not marked for the cloud."""
    body = body_of(event)
    calls = body.get("tool_calls") if body.get("is_final") is True else None
    found = [
        ToolCall(text_in(call, "id"), text_in(call, "name"), text_in(call, "execution_mode"))
        for call in (calls if isinstance(calls, list) else ())
        if isinstance(call, Mapping)
    ]
    return tuple(call for call in found if call.mode != "cloud")


def results_in(event: Event) -> frozenset[str]:
    """The ids of the tool calls that a user's `tool_result` answers."""
    results = body_of(event).get("tool_results")
    listed = results if isinstance(results, list) else ()
    return frozenset(text_in(one, "tool_call_id") for one in listed if isinstance(one, Mapping))
