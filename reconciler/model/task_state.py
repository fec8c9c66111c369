"""The statuses of tasks."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import NamedTuple, Self


class Progress(StrEnum):
    """The progress of a task that other tasks wait for. UNFINISHED includes tasks that wait for a
    person (also to merge pull requests) and tasks that may exist (unresolved). FAILED includes
    cancelled and gone tasks. UNKNOWN: the task has finished, but its success cannot be
    determined."""

    MISSING = "missing"
    UNFINISHED = "unfinished"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_lost(self) -> bool:
        """Whether it will not become DONE unless a person acts."""
        match self:
            case Progress.FAILED | Progress.UNKNOWN:
                return True
            case Progress.MISSING | Progress.UNFINISHED | Progress.DONE:
                return False

    @property
    def takes_slot(self) -> bool:
        """Whether the task counts for `atOnce`."""
        match self:
            case Progress.UNFINISHED | Progress.UNKNOWN:
                return True
            case Progress.MISSING | Progress.DONE | Progress.FAILED:
                return False


class Kind(Enum):
    """The kind of a status. HIDDEN: the service does not show the task. ACTIVE: the agent works, or
    waits for a person. ENDED: the agent has stopped without a result. JUDGED: the agent has
    finished, and its result was compared with the expectation of its manifest."""

    HIDDEN = auto()
    ACTIVE = auto()
    ENDED = auto()
    JUDGED = auto()


class Traits(NamedTuple):
    """The meaning of a status.

    - `exit_code`: with `--exit-code`: 0 done, 1 unsuccessful, 2 running, 3 waiting
    - `progress`: for the tasks that wait for this task
    - `kind`: see Kind
    - `sign`, `color`: in reports; a color of `Palette`
    - `label`: as shown to people; empty if it equals the value
    """

    exit_code: int
    progress: Progress
    kind: Kind
    sign: str
    color: str
    label: str = ""


class TaskState(StrEnum):
    """The statuses, in the order of tables: those that need a person come first."""

    WAITING = "waiting", Traits(3, Progress.UNFINISHED, Kind.ACTIVE, "?", "yellow")
    TO_MERGE = (
        "toMerge",
        Traits(3, Progress.UNFINISHED, Kind.JUDGED, "?", "yellow", label="to merge"),
    )
    FAILED = "failed", Traits(1, Progress.FAILED, Kind.ENDED, "x", "red")
    UNMET = "unmet", Traits(1, Progress.FAILED, Kind.JUDGED, "x", "red")
    UNKNOWN = "unknown", Traits(1, Progress.UNKNOWN, Kind.JUDGED, "x", "red")
    GONE = "gone", Traits(1, Progress.FAILED, Kind.HIDDEN, "x", "red")
    NOT_VISIBLE = (
        "notVisible",
        Traits(1, Progress.UNFINISHED, Kind.HIDDEN, "x", "red", label="not visible"),
    )
    UNRESOLVED = "unresolved", Traits(1, Progress.UNFINISHED, Kind.HIDDEN, "x", "red")
    STOPPED = "stopped", Traits(1, Progress.FAILED, Kind.ENDED, "x", "red")
    CANCELLED = "cancelled", Traits(1, Progress.FAILED, Kind.ENDED, "x", "red")
    RUNNING = "running", Traits(2, Progress.UNFINISHED, Kind.ACTIVE, "~", "cyan")
    DONE = "done", Traits(0, Progress.DONE, Kind.JUDGED, "=", "green")

    traits: Traits

    def __new__(cls, value: str, traits: Traits) -> Self:
        member = str.__new__(cls, value)
        member._value_, member.traits = value, traits
        return member

    @property
    def is_finished(self) -> bool:
        """Whether only a person can change the status."""
        return self.traits.exit_code not in (2, 3)

    @property
    def is_decided(self) -> bool:
        """Whether a person has decided that nothing more is to be done."""
        return self is TaskState.CANCELLED

    @property
    def is_shown(self) -> bool:
        """Whether the service shows the task."""
        return self.traits.kind is not Kind.HIDDEN

    @property
    def has_failed(self) -> bool:
        """Whether the agent has stopped working without success, so that a retry is possible."""
        return self.has_ended and self.traits.progress is Progress.FAILED

    @property
    def is_judged(self) -> bool:
        """Whether the result was compared with the expectation of the task's manifest."""
        return self.traits.kind is Kind.JUDGED

    @property
    def has_ended(self) -> bool:
        """Whether the service shows the task, and the agent has stopped working."""
        return self.traits.kind in (Kind.ENDED, Kind.JUDGED)

    @property
    def label(self) -> str:
        """The status as shown to people."""
        return self.traits.label or self.value


def state_of_absent(
    created_at: datetime | None, now: datetime, settle_time: timedelta, *, is_own: bool
) -> TaskState:
    """The status of a recorded task for which the service responds with 404 (twice, while the task
    list is available). The task is only gone if this user created it (`is_own`), and it is older
    than the settle time: before that, the service may not show it yet."""
    if not is_own:
        return TaskState.NOT_VISIBLE
    is_fresh = created_at is not None and abs(now - created_at) < settle_time
    return TaskState.RUNNING if is_fresh else TaskState.GONE
