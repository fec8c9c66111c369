"""The statuses of tasks."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Self


class Progress(StrEnum):
    """The progress of a task that others wait for. A task that waits for a person, also to merge
    its pull requests, or that may exist (unresolved), is unfinished. Failed, cancelled and gone
    tasks have failed. Unknown: it has finished, and whether it has succeeded cannot be
    determined."""

    MISSING = "missing"
    UNFINISHED = "unfinished"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Traits(NamedTuple):
    """The meaning of a status.

    - `exit_code`: of `--exit-code` for such a task: 0 done, 1 unsuccessful, 2 running, 3 waiting
    - `progress`: for the tasks that wait for it
    - `sign`, `color`: in reports; a color of `Palette`
    - `label`: for readers; empty if it is the value
    """

    exit_code: int
    progress: Progress
    sign: str
    color: str
    label: str = ""


class TaskState(StrEnum):
    """The states, in the order of tables: those that need a person come first."""

    WAITING = "waiting", Traits(3, Progress.UNFINISHED, "?", "yellow")
    TO_MERGE = "toMerge", Traits(3, Progress.UNFINISHED, "?", "yellow", label="to merge")
    FAILED = "failed", Traits(1, Progress.FAILED, "x", "red")
    UNMET = "unmet", Traits(1, Progress.FAILED, "x", "red")
    UNKNOWN = "unknown", Traits(1, Progress.UNKNOWN, "x", "red")
    GONE = "gone", Traits(1, Progress.FAILED, "x", "red")
    NOT_VISIBLE = "notVisible", Traits(1, Progress.UNFINISHED, "x", "red", label="not visible")
    UNRESOLVED = "unresolved", Traits(1, Progress.FAILED, "x", "red")
    STOPPED = "stopped", Traits(1, Progress.FAILED, "x", "red")
    CANCELLED = "cancelled", Traits(1, Progress.FAILED, "x", "red")
    RUNNING = "running", Traits(2, Progress.UNFINISHED, "~", "cyan")
    DONE = "done", Traits(0, Progress.DONE, "=", "green")

    traits: Traits

    def __new__(cls, value: str, traits: Traits) -> Self:
        member = str.__new__(cls, value)
        member._value_, member.traits = value, traits
        return member

    @property
    def is_finished(self) -> bool:
        """Whether only user input can change it."""
        return self.traits.exit_code not in (2, 3)

    @property
    def is_decided(self) -> bool:
        """Whether a person has decided that nothing more is to be done."""
        return self is TaskState.CANCELLED

    @property
    def has_ended(self) -> bool:
        """Whether the task exists, and its agent has stopped working."""
        lost = (TaskState.GONE, TaskState.NOT_VISIBLE, TaskState.UNRESOLVED)
        return self is TaskState.TO_MERGE or (self.is_finished and self not in lost)

    @property
    def label(self) -> str:
        """The status for readers."""
        return self.traits.label or self.value


def state_of_absent(
    created_at: datetime | None, now: datetime, settle_time: timedelta, *, is_own: bool
) -> TaskState:
    """The status of a recorded task that the service does not return: two 404s while the list
    responds. Only the user who created it (`is_own`) can tell that it is gone, and only once it is
    older than the settle time: until then, the service may not show it yet."""
    if not is_own:
        return TaskState.NOT_VISIBLE
    is_fresh = created_at is not None and abs(now - created_at) < settle_time
    return TaskState.RUNNING if is_fresh else TaskState.GONE
