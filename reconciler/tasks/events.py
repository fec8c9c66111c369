"""Events of a task and their summary. Pure.

Any member of an event may be missing, have another type, or be new to taskctl.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from reconciler.model import limits
from reconciler.model.task import instant
from reconciler.model.value import Moment, Stored, replace
from reconciler.model.wire import USER_EVENT_TYPES, pull_request_id

MAX_WORDS = 1 << 20
"""Characters of an answer. A longer answer is cut to one more, so that readers notice the cut."""

Event = Mapping[str, Any]
"""An `AgentConsoleEvent` of the API document, as the service sent it."""


def event_id(event: Event) -> str:
    """The ID of an event; empty if missing."""
    return text_in(event, "id")


def body_of(event: Event) -> Mapping[str, Any]:
    """The body of an event; empty if missing."""
    body = event.get("eventBody")
    return body if isinstance(body, Mapping) else {}


def is_user_event(event: Event) -> bool:
    """Whether it was sent by a user or on a user's behalf; otherwise, the agent sent it."""
    return event.get("type") in USER_EVENT_TYPES


def kind_of(event: Event) -> str:
    """The type of the body, or else of the event."""
    return text_in(body_of(event), "type") or text_in(event, "type") or "unknown"


def time_of(event: Event) -> datetime | None:
    """The time of an event, UTC; None if missing."""
    return instant(body_of(event).get("timestamp"))


def text_in(values: Mapping[str, Any], name: str) -> str:
    """A text member; empty if it is missing or has another type."""
    value = values.get(name)
    return value if isinstance(value, str) else ""


_ASK_USER = re.compile(r"(.*?__)?ask_user")
"""The tool with which an agent asks a question: `ask_user`, or `SERVER__ask_user`. There is no
approval type for questions; Pulumi's CLI recognizes them by this name, too."""


class Approval(Stored, frozen=True):
    """A request of the agent that a person answers. `body` is the whole event body."""

    id: str
    message: str
    body: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return text_in(self.body, "approval_type")

    @property
    def since(self) -> datetime | None:
        """The time of the request, UTC; None if missing."""
        return instant(self.body.get("timestamp"))

    @property
    def is_sensitive(self) -> bool:
        return self.body.get("sensitivity") == "sensitive"

    @property
    def is_question(self) -> bool:
        """Whether it needs a text as its answer instead of yes or no."""
        return _ASK_USER.fullmatch(text_in(self.context, "tool_name")) is not None

    def reply(self, *, ok: bool, text: str = "") -> dict[str, object]:
        """The user event that answers it, without a timestamp. The agent receives text only with
        `ok: false`, even if it answers a question (Pulumi's CLI does the same)."""
        instructions = {"instructions": text} if text else {}
        ok = ok and not (self.is_question and text)
        reply = {"type": "user_confirmation", "approval_request_id": self.id, "ok": ok}
        return {**reply, **instructions}

    @property
    def context(self) -> Mapping[str, object]:
        context = self.body.get("context")
        return context if isinstance(context, Mapping) else {}


def approval_in(event: Event) -> Approval | None:
    """The approval request in an event; None if there is no request that can be answered."""
    body = body_of(event)
    request_id = text_in(body, "id")
    if is_user_event(event) or kind_of(event) != "user_approval_request" or not request_id:
        return None
    return Approval(request_id, text_in(body, "message"), body)


class ToolCall(Stored, frozen=True):
    """A tool call that pauses the agent until a program outside the service has run it.

    `mode` is its `execution_mode`: `cli`, `worker`, or empty for the task's default.
    """

    id: str
    name: str
    mode: str


def parked_calls_in(event: Event) -> tuple[ToolCall, ...]:
    """The tool calls in a final message that the service does not run: all but those marked for
    the cloud."""
    body = body_of(event)
    calls = body.get("tool_calls") if body.get("is_final") is True else None
    found = [
        ToolCall(text_in(call, "id"), text_in(call, "name"), text_in(call, "execution_mode"))
        for call in (calls if isinstance(calls, list) else ())
        if isinstance(call, Mapping)
    ]
    return tuple(call for call in found if call.mode != "cloud")[: limits.SUMMARY_ITEMS]


def answered_calls_in(event: Event) -> frozenset[str]:
    """The ids of the tool calls that a `tool_result` or a `tool_response` answers."""
    body = body_of(event)
    results = body.get("tool_results") if is_user_event(event) else [body]
    return frozenset(
        text_in(result, "tool_call_id")
        for result in (results if isinstance(results, list) else ())
        if isinstance(result, Mapping)
    )


class Last(StrEnum):
    """The meaning of the last relevant event of a task."""

    NOTHING = "nothing"
    ASKED = "asked"
    WORKING = "working"
    FINAL = "final"
    FAILED = "failed"
    CANCELLED = "cancelled"


class EventSummary(Stored, frozen=True):
    """All events up to `event_id` (empty: none yet).

    `words` are the text of the last error or final message, `approvals` the unanswered requests,
    `parked` the tool calls that run outside the service. `attached` are the IDs of the pull
    requests that users' messages added (`model.wire.pull_request_id`). If there are very many, only
    the last are kept.
    """

    event_id: str = ""
    last: Last = Last.NOTHING
    words: str = ""
    at: Moment | None = None
    approvals: tuple[Approval, ...] = ()
    parked: tuple[ToolCall, ...] = ()
    attached: tuple[str, ...] = ()


_WORKING = frozenset({"exec_tool_call", "exec_tool_call_progress", "user_approval_request"})
"""Event types of a working agent. Other types change nothing: a task that is renamed after its end
has still ended."""


def advance(summary: EventSummary, events: Iterable[Event]) -> EventSummary:
    """The summary after further events, in order."""
    for event in events:
        summary = replace(
            (_after_user if is_user_event(event) else _after_agent)(summary, event),
            event_id=event_id(event) or summary.event_id,
            at=time_of(event) or summary.at,
        )
    return summary


def _after_user(summary: EventSummary, event: Event) -> EventSummary:
    """A message does not answer a request: the agent stays blocked until there is a confirmation
    (API document, AwaitingApprovals). A parked call blocks it until there is a result."""
    match kind_of(event):
        case "user_message":
            attached = tuple(dict.fromkeys((*summary.attached, *_attached_in(event))))
            attached = attached[-limits.SUMMARY_ITEMS :]
            return replace(summary, last=Last.ASKED, words="", attached=attached)
        case "user_confirmation":
            answered = body_of(event).get("approval_request_id")
            left = tuple(approval for approval in summary.approvals if approval.id != answered)
            return replace(summary, last=Last.ASKED, words="", approvals=left)
        case "tool_result":
            return replace(summary, last=Last.ASKED, words="", parked=_parked(summary, event))
        case _:
            return summary


def _after_agent(summary: EventSummary, event: Event) -> EventSummary:
    body, kind = body_of(event), kind_of(event)
    match kind:
        case "error":
            words = text_in(body, "message")[: MAX_WORDS + 1]
            return replace(summary, last=Last.FAILED, words=words, parked=())
        case "cancelled":
            return replace(summary, last=Last.CANCELLED, words="", approvals=(), parked=())
        case "assistant_message" if body.get("is_final") is True:
            words, parked = text_in(body, "content")[: MAX_WORDS + 1], parked_calls_in(event)
            return replace(summary, last=Last.FINAL, words=words, approvals=(), parked=parked)
        case "assistant_message":
            return replace(summary, last=Last.WORKING, words="", parked=())
        case "tool_response":
            return replace(summary, last=Last.WORKING, words="", parked=_parked(summary, event))
        case _:
            pass
    if kind not in _WORKING:
        return summary
    approvals = summary.approvals
    if (asked := approval_in(event)) is not None:
        approvals = (*(approval for approval in approvals if approval.id != asked.id), asked)
        approvals = approvals[-limits.SUMMARY_ITEMS :]
    return replace(summary, last=Last.WORKING, words="", approvals=approvals)


def _attached_in(event: Event) -> Iterator[str]:
    diff = body_of(event).get("entity_diff")
    added = diff.get("add") if isinstance(diff, Mapping) else None
    for entity in added if isinstance(added, list) else ():
        if (known := pull_request_id(entity)) is not None:
            yield known


def _parked(summary: EventSummary, event: Event) -> tuple[ToolCall, ...]:
    answered = answered_calls_in(event)
    return tuple(call for call in summary.parked if call.id not in answered)
