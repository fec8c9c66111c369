"""What a task's events come to, one after the other: so that each is read once only. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from reconciler.model.task import instant, rfc3339
from reconciler.tasks.events import (
    Approval,
    Event,
    approval_in,
    body_of,
    event_id,
    is_users,
    kind_of,
    moment_of,
    text_in,
)


class Last(StrEnum):
    """What the last event that says anything of the course of a task says."""

    NOTHING = "nothing"
    ASKED = "asked"
    WORKING = "working"
    FINAL = "final"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Course:
    """All events up to `event_id` (empty: none yet), oldest first.

    `words` are those of the last error or final message, `approvals` the requests without an
    answer, in their order.
    """

    event_id: str = ""
    last: Last = Last.NOTHING
    words: str = ""
    at: datetime | None = None
    approvals: tuple[Approval, ...] = ()


_WORKING = frozenset(
    {"tool_response", "exec_tool_call", "exec_tool_call_progress", "user_approval_request"}
)
"""Types of an agent at work. What names, warns, counts or is unknown leaves the course as it is:
a task that was named after its end has ended all the same."""


def advanced(course: Course, events: Iterable[Event]) -> Course:
    """The course after further events."""
    for event in events:
        course = replace(
            _after_user(course, event) if is_users(event) else _after_agent(course, event),
            event_id=event_id(event) or course.event_id,
            at=moment_of(event) or course.at,
        )
    return course


def _after_user(course: Course, event: Event) -> Course:
    match kind_of(event):
        case "user_message":
            return replace(course, last=Last.ASKED, words="", approvals=())
        case "user_confirmation":
            answered = body_of(event).get("approval_request_id")
            kept = tuple(one for one in course.approvals if one.id != answered)
            return replace(course, last=Last.ASKED, words="", approvals=kept)
    return course


def _after_agent(course: Course, event: Event) -> Course:
    body, kind = body_of(event), kind_of(event)
    match kind:
        case "error":
            return replace(course, last=Last.FAILED, words=text_in(body, "message"))
        case "cancelled":
            return replace(course, last=Last.CANCELLED, words="", approvals=())
        case "assistant_message" if body.get("is_final") is True:
            words = text_in(body, "content")
            return replace(course, last=Last.FINAL, words=words, approvals=())
        case "assistant_message":
            return replace(course, last=Last.WORKING, words="")
    if kind not in _WORKING:
        return course
    asked = approval_in(event)
    if asked is None:
        return replace(course, last=Last.WORKING, words="")
    kept = tuple(one for one in course.approvals if one.id != asked.id)
    return replace(course, last=Last.WORKING, words="", approvals=(*kept, asked))


def to_json(course: Course) -> dict[str, Any]:
    """For a cache; `from_json` reads it."""
    return {
        "event": course.event_id,
        "last": course.last.value,
        "words": course.words,
        "at": rfc3339(course.at) if course.at else None,
        "approvals": [dict(approval.body) for approval in course.approvals],
    }


def from_json(kept: object) -> Course | None:
    """None for what `to_json` did not write."""
    if not isinstance(kept, Mapping):
        return None
    listed, words, last_id = kept.get("approvals"), kept.get("words"), kept.get("event")
    if not isinstance(listed, list) or not isinstance(words, str) or not isinstance(last_id, str):
        return None
    found = [
        approval_in({"type": "agentResponse", "eventBody": body})
        for body in listed
        if isinstance(body, Mapping)
    ]
    try:
        last = Last(str(kept.get("last")))
    except ValueError:
        return None
    approvals = tuple(one for one in found if one is not None)
    return Course(last_id, last, words, instant(kept.get("at")), approvals)
