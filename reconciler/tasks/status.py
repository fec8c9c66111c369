"""The state of a task, from what the service shows of it and from its events. Pure.

The service itself only says running or idle; the rest follows from the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from reconciler.model.task import TaskRef, instant
from reconciler.tasks.event_summary import Course, Last
from reconciler.tasks.events import Approval, ToolCall


class Standing(StrEnum):
    """In the order of tables: what needs a person comes first."""

    WAITING = "waiting"
    FAILED = "failed"
    GONE = "gone"
    NOT_VISIBLE = "notVisible"
    UNRESOLVED = "unresolved"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    RUNNING = "running"
    DONE = "done"


SETTLED = frozenset(Standing) - {Standing.RUNNING, Standing.WAITING}
"""What does not change by itself."""

MOST = 2**63 - 1
"""The API's int64: anything beyond it, or negative, is not a number of tokens."""

_BAD = SETTLED - {Standing.DONE}


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """One task. `raw` is all that the service shows of it, empty if it shows nothing."""

    ref: TaskRef
    standing: Standing
    file: str = ""
    task_id: str | None = None
    url: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)
    course: Course = field(default_factory=Course)

    @property
    def approvals(self) -> tuple[Approval, ...]:
        return self.course.approvals

    @property
    def parked(self) -> tuple[ToolCall, ...]:
        """The tool calls that it waits for, each with its mode, `cli` or `worker`."""
        return parked_calls(self.raw, self.course)

    @property
    def queued_input(self) -> int:
        """How much input is queued for it. It processes that by itself: nobody is asked."""
        return _number(self.raw, "pendingInputCount") or 0

    @property
    def phase(self) -> str:
        phase = self.raw.get("runtimePhase")
        return phase if isinstance(phase, str) else ""

    @property
    def created_at(self) -> datetime | None:
        return instant(self.raw.get("createdAt"))

    @property
    def tokens_used(self) -> int | None:
        return _number(self.raw, "tokensUsed")

    @property
    def context_percent(self) -> int | None:
        """How much of the context window is used; None if the service does not say."""
        used = _number(self.raw, "contextUsedTokens")
        window = _number(self.raw, "contextWindowTokens")
        return None if used is None or not window else round(100 * used / window)


def standing_of(raw: Mapping[str, Any], course: Course) -> Standing:
    """The state of a task that the service shows."""
    if course.approvals or parked_calls(raw, course):
        return Standing.WAITING
    if raw.get("status") != "idle" or (_number(raw, "pendingInputCount") or 0) > 0:
        return Standing.RUNNING
    match course.last:
        case Last.FAILED:
            return Standing.FAILED
        case Last.CANCELLED:
            return Standing.CANCELLED
        case Last.FINAL:
            return Standing.DONE
        case Last.WORKING:
            return Standing.STOPPED
    return Standing.RUNNING  # it received a message and has not begun on it yet


def parked_calls(raw: Mapping[str, Any], course: Course) -> tuple[ToolCall, ...]:
    """The tool calls that wait for a result from outside the service. One without a mode has that
    of its task (API document)."""
    default = str(raw.get("toolExecutionMode") or "cloud")
    calls = (replace(call, mode=call.mode or default) for call in course.parked)
    return tuple(call for call in calls if call.mode != "cloud")


def in_order(statuses: Iterable[TaskStatus]) -> tuple[TaskStatus, ...]:
    """By state, in the order of tables, then by key."""
    order = list(Standing)
    return tuple(sorted(statuses, key=lambda s: (order.index(s.standing), s.ref)))


def counts(statuses: Iterable[TaskStatus]) -> dict[Standing, int]:
    """How many there are of each state, in the order of tables; without zeros."""
    listed = [status.standing for status in statuses]
    return {standing: listed.count(standing) for standing in Standing if standing in listed}


def exit_code(statuses: Iterable[TaskStatus]) -> int:
    """0 all done, 2 some running, 3 some waiting, 1 some that ended otherwise; the worst counts."""
    found = {status.standing for status in statuses}
    if found & _BAD:
        return 1
    if Standing.WAITING in found:
        return 3
    return 2 if Standing.RUNNING in found else 0


def _number(raw: Mapping[str, Any], name: str) -> int | None:
    value = raw.get(name)
    return value if type(value) is int and 0 <= value <= MOST else None
