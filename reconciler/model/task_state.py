"""The statuses of tasks, and everything that depends on the status alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class Progress(StrEnum):
    """The progress of a task that others wait for. A task that waits for a person, or that may
    exist (unresolved), is unfinished. Failed, cancelled and gone tasks have failed. Unknown: it has
    finished, and whether it has succeeded cannot be determined."""

    MISSING = "missing"
    UNFINISHED = "unfinished"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class TaskState(StrEnum):
    """In the order of tables: states that need a person come first."""

    WAITING = "waiting"
    FAILED = "failed"
    UNMET = "unmet"
    UNKNOWN = "unknown"
    GONE = "gone"
    NOT_VISIBLE = "notVisible"
    UNRESOLVED = "unresolved"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    RUNNING = "running"
    DONE = "done"

    @property
    def traits(self) -> Traits:
        return TRAITS[self]

    @property
    def is_finished(self) -> bool:
        """Whether it does not change without user input."""
        return self.traits.exit_code not in (2, 3)

    @property
    def label(self) -> str:
        """The status for readers."""
        return self.traits.label or self.value


class Traits(NamedTuple):
    """What a status means.

    - `exit_code`: of `--exit-code` for such a task: 0 done, 1 unsuccessful, 2 running, 3 waiting
    - `progress`: for the tasks that wait for it
    - `sign`, `color`: in reports; a color of `Palette`
    - `is_news`: notifications report it as a failure
    - `label`: for readers; empty if it is the value
    """

    exit_code: int
    progress: Progress
    sign: str
    color: str
    is_news: bool = False
    label: str = ""


TRAITS = {
    TaskState.WAITING: Traits(3, Progress.UNFINISHED, "?", "yellow"),
    TaskState.FAILED: Traits(1, Progress.FAILED, "x", "red", is_news=True),
    TaskState.UNMET: Traits(1, Progress.FAILED, "x", "red", is_news=True),
    TaskState.UNKNOWN: Traits(1, Progress.UNKNOWN, "x", "red"),
    TaskState.GONE: Traits(1, Progress.FAILED, "x", "red"),
    TaskState.NOT_VISIBLE: Traits(1, Progress.UNFINISHED, "x", "red", label="not visible"),
    TaskState.UNRESOLVED: Traits(1, Progress.FAILED, "x", "red"),
    TaskState.STOPPED: Traits(1, Progress.FAILED, "x", "red", is_news=True),
    TaskState.CANCELLED: Traits(1, Progress.FAILED, "x", "red"),
    TaskState.RUNNING: Traits(2, Progress.UNFINISHED, "~", "cyan"),
    TaskState.DONE: Traits(0, Progress.DONE, "=", "green"),
}


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
