"""How a task stands, from what the service shows of it and from its events. Pure.

The service itself says running or idle, no more. From its events follow the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from reconciler.model.task import TaskRef, instant
from reconciler.tasks.event_summary import Course, Last
from reconciler.tasks.events import Approval


class Standing(StrEnum):
    """In the order of the table: those that need a person come first."""

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
"""What stays so until somebody does something about it."""

MOST = 2**63 - 1
"""The API's int64: what is beyond it, or below nothing, is no number of tokens."""

_BAD = SETTLED - {Standing.DONE}


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """One task. `raw` is all that the service shows of it, empty where it shows nothing."""

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
        """How much of the context window is used; None where the service does not say."""
        used = _number(self.raw, "contextUsedTokens")
        window = _number(self.raw, "contextWindowTokens")
        return None if used is None or not window else round(100 * used / window)


def standing_of(raw: Mapping[str, Any], course: Course) -> Standing:
    """How a task stands that the service shows."""
    pending = _number(raw, "pendingInputCount")
    if (pending or 0) > 0 or course.approvals:
        return Standing.WAITING
    if raw.get("status") != "idle":
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
    return Standing.RUNNING  # it was told something and has not begun on it yet


def in_order(statuses: Iterable[TaskStatus]) -> tuple[TaskStatus, ...]:
    """Those that need a person first, then running ones, then done ones; then by key."""
    order = list(Standing)
    return tuple(sorted(statuses, key=lambda s: (order.index(s.standing), s.ref)))


def counts(statuses: Iterable[TaskStatus]) -> dict[Standing, int]:
    """How many there are of each, in the table's order; those of which there is none left out."""
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
