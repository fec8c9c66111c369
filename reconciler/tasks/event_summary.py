"""The summary of a task's events, updated with each event, so that each is read only once. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from reconciler.tasks.events import (
    Approval,
    Event,
    ToolCall,
    answered_calls_in,
    approval_in,
    body_of,
    event_id,
    is_user_event,
    kind_of,
    parked_calls_in,
    text_in,
    time_of,
)


class Last(StrEnum):
    """What the last relevant event says about a task."""

    NOTHING = "nothing"
    ASKED = "asked"
    WORKING = "working"
    FINAL = "final"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class EventSummary:
    """All events up to `event_id` (empty: none yet).

    `words` are the text of the last error or final message, `approvals` the unanswered requests,
    `parked` the tool calls that something outside the service has to run.
    """

    event_id: str = ""
    last: Last = Last.NOTHING
    words: str = ""
    at: datetime | None = None
    approvals: tuple[Approval, ...] = ()
    parked: tuple[ToolCall, ...] = ()


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
    (API document, AwaitingApprovals), and by a parked call until there is a result."""
    match kind_of(event):
        case "user_message":
            return replace(summary, last=Last.ASKED, words="")
        case "user_confirmation":
            answered = body_of(event).get("approval_request_id")
            left = tuple(approval for approval in summary.approvals if approval.id != answered)
            return replace(summary, last=Last.ASKED, words="", approvals=left)
        case "tool_result":
            return replace(summary, last=Last.ASKED, words="", parked=_parked(summary, event))
    return summary


def _after_agent(summary: EventSummary, event: Event) -> EventSummary:
    body, kind = body_of(event), kind_of(event)
    match kind:
        case "error":
            return replace(summary, last=Last.FAILED, words=text_in(body, "message"), parked=())
        case "cancelled":
            return replace(summary, last=Last.CANCELLED, words="", approvals=(), parked=())
        case "assistant_message" if body.get("is_final") is True:
            words, parked = text_in(body, "content"), parked_calls_in(event)
            return replace(summary, last=Last.FINAL, words=words, approvals=(), parked=parked)
        case "assistant_message":
            return replace(summary, last=Last.WORKING, words="", parked=())
        case "tool_response":
            return replace(summary, last=Last.WORKING, words="", parked=_parked(summary, event))
    if kind not in _WORKING:
        return summary
    approvals = summary.approvals
    if (asked := approval_in(event)) is not None:
        approvals = (*(approval for approval in approvals if approval.id != asked.id), asked)
    return replace(summary, last=Last.WORKING, words="", approvals=approvals)


def _parked(summary: EventSummary, event: Event) -> tuple[ToolCall, ...]:
    answered = answered_calls_in(event)
    return tuple(call for call in summary.parked if call.id not in answered)
