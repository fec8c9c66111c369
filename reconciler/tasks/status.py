"""The state of a task, derived from its outputs and its events. Pure.

The service itself only reports running or idle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from reconciler.model.task import TaskRef, instant
from reconciler.tasks.event_summary import EventSummary, Last
from reconciler.tasks.events import Approval, ToolCall


class TaskState(StrEnum):
    """In the order of tables: states that need a person come first."""

    WAITING = "waiting"
    FAILED = "failed"
    GONE = "gone"
    NOT_VISIBLE = "notVisible"
    UNRESOLVED = "unresolved"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    RUNNING = "running"
    DONE = "done"


SETTLED = frozenset(TaskState) - {TaskState.RUNNING, TaskState.WAITING}
"""States that do not change without user input."""

_MAX_INT64 = 2**63 - 1
_BAD = SETTLED - {TaskState.DONE}


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """One task. `raw` are its outputs, empty if it is not visible."""

    ref: TaskRef
    state: TaskState
    file: str = ""
    task_id: str | None = None
    url: str | None = None
    raw: Mapping[str, object] = field(default_factory=dict)
    summary: EventSummary = field(default_factory=EventSummary)

    @property
    def approvals(self) -> tuple[Approval, ...]:
        return self.summary.approvals

    @property
    def parked(self) -> tuple[ToolCall, ...]:
        """The tool calls that it waits for; `mode` is `cli` or `worker`."""
        return parked_calls(self.raw, self.summary)

    @property
    def queued_input(self) -> int:
        """The number of queued messages, which the agent processes without a person."""
        return count_in(self.raw, "pendingInputCount") or 0

    @property
    def phase(self) -> str:
        phase = self.raw.get("runtimePhase")
        return phase if isinstance(phase, str) else ""

    @property
    def created_at(self) -> datetime | None:
        return instant(self.raw.get("createdAt"))

    @property
    def tokens_used(self) -> int | None:
        return count_in(self.raw, "tokensUsed")

    @property
    def context_percent(self) -> int | None:
        """The share of the context window in use; None if unknown."""
        used = count_in(self.raw, "contextUsedTokens")
        window = count_in(self.raw, "contextWindowTokens")
        return None if used is None or not window else round(100 * used / window)


def state_of(raw: Mapping[str, object], summary: EventSummary) -> TaskState:
    """The state of a visible task."""
    if summary.approvals or parked_calls(raw, summary):
        return TaskState.WAITING
    if raw.get("status") != "idle" or (count_in(raw, "pendingInputCount") or 0) > 0:
        return TaskState.RUNNING
    match summary.last:
        case Last.FAILED:
            return TaskState.FAILED
        case Last.CANCELLED:
            return TaskState.CANCELLED
        case Last.FINAL:
            return TaskState.DONE
        case Last.WORKING:
            return TaskState.STOPPED
    return TaskState.RUNNING  # it has received a message and not started on it yet


def parked_calls(raw: Mapping[str, object], summary: EventSummary) -> tuple[ToolCall, ...]:
    """The tool calls that wait for a result from outside the service. A call without a mode has
    that of its task (API document)."""
    default = str(raw.get("toolExecutionMode") or "cloud")
    calls = (replace(call, mode=call.mode or default) for call in summary.parked)
    return tuple(call for call in calls if call.mode != "cloud")


def by_state(statuses: Iterable[TaskStatus]) -> tuple[TaskStatus, ...]:
    """Sorted by state, in the order of tables, then by key."""
    order = list(TaskState)
    return tuple(sorted(statuses, key=lambda s: (order.index(s.state), s.ref)))


def counts(statuses: Iterable[TaskStatus]) -> dict[TaskState, int]:
    """The number of tasks by state, in the order of tables, without zeros."""
    listed = [status.state for status in statuses]
    return {state: listed.count(state) for state in TaskState if state in listed}


def exit_code(statuses: Iterable[TaskStatus]) -> int:
    """1 if any task was unsuccessful; else 3 if any is waiting; 2 if any is running; 0
    otherwise."""
    found = {status.state for status in statuses}
    if found & _BAD:
        return 1
    if TaskState.WAITING in found:
        return 3
    return 2 if TaskState.RUNNING in found else 0


def count_in(outputs: Mapping[str, object], name: str) -> int | None:
    """A non-negative int64 (API document); None for anything else."""
    value = outputs.get(name)
    return value if type(value) is int and 0 <= value <= _MAX_INT64 else None
