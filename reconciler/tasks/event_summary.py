"""The summary of a task's events, updated event by event, so that each is read only once. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from reconciler.tasks.events import (
    Approval,
    Event,
    ToolCall,
    approval_in,
    body_of,
    calls_left,
    event_id,
    is_users,
    kind_of,
    moment_of,
    results_in,
    text_in,
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
    """All events up to `event_id` (empty: none yet), oldest first.

    `words` are those of the last error or final message, `approvals` the requests without an
    answer, `parked` the tool calls without a result that others than the service have to run.
    """

    event_id: str = ""
    last: Last = Last.NOTHING
    words: str = ""
    at: datetime | None = None
    approvals: tuple[Approval, ...] = ()
    parked: tuple[ToolCall, ...] = ()


_WORKING = frozenset({"exec_tool_call", "exec_tool_call_progress", "user_approval_request"})
"""Types of an agent at work. All others leave the summary as it is: a task that is named after
its end has ended all the same."""


def advanced(summary: EventSummary, events: Iterable[Event]) -> EventSummary:
    """The summary after further events."""
    for event in events:
        summary = replace(
            _after_user(summary, event) if is_users(event) else _after_agent(summary, event),
            event_id=event_id(event) or summary.event_id,
            at=moment_of(event) or summary.at,
        )
    return summary


def _after_user(summary: EventSummary, event: Event) -> EventSummary:
    """A message does not answer a request: the agent stays blocked until there is a confirmation
    (API document, AwaitingApprovals), and on a parked call until there is its result."""
    match kind_of(event):
        case "user_message":
            return replace(summary, last=Last.ASKED, words="")
        case "user_confirmation":
            answered = body_of(event).get("approval_request_id")
            kept = tuple(one for one in summary.approvals if one.id != answered)
            return replace(summary, last=Last.ASKED, words="", approvals=kept)
        case "tool_result":
            done = results_in(event)
            left = tuple(call for call in summary.parked if call.id not in done)
            return replace(summary, last=Last.ASKED, words="", parked=left)
    return summary


def _after_agent(summary: EventSummary, event: Event) -> EventSummary:
    body, kind = body_of(event), kind_of(event)
    match kind:
        case "error":
            return replace(summary, last=Last.FAILED, words=text_in(body, "message"), parked=())
        case "cancelled":
            return replace(summary, last=Last.CANCELLED, words="", approvals=(), parked=())
        case "assistant_message" if body.get("is_final") is True:
            words, parked = text_in(body, "content"), calls_left(event)
            return replace(summary, last=Last.FINAL, words=words, approvals=(), parked=parked)
        case "assistant_message":
            return replace(summary, last=Last.WORKING, words="", parked=())
        case "tool_response":
            answered = text_in(body, "tool_call_id")
            left = tuple(call for call in summary.parked if call.id != answered)
            return replace(summary, last=Last.WORKING, words="", parked=left)
    if kind not in _WORKING:
        return summary
    asked = approval_in(event)
    if asked is None:
        return replace(summary, last=Last.WORKING, words="")
    kept = tuple(one for one in summary.approvals if one.id != asked.id)
    return replace(summary, last=Last.WORKING, words="", approvals=(*kept, asked))
