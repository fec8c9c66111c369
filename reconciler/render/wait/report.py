"""The result of waiting for tasks, after an apply or alone."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

from reconciler.apply.report import ApplyReport
from reconciler.plan.plan import PlannedTask
from reconciler.tasks.status import TaskStatus, exit_code


class End(StrEnum):
    """Why the wait ended."""

    FINISHED = "finished"  # no task runs or waits for a person
    WAITING = "waiting"  # no task runs, and `--stop-on waiting` was given
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"


_NEVER = datetime.min.replace(tzinfo=UTC)


class WaitedReport(ApplyReport, frozen=True):
    """`statuses` are in the table's order, as they were `read_at`. `command` is `apply`, `wait` or
    `results`; only a report of `apply` has `tasks`, and `held_tasks`, which were not created. For
    `results`, `missing` is the number of tasks that are not created yet, None if not counted."""

    statuses: tuple[TaskStatus, ...] = ()
    end: End = End.FINISHED
    read_at: datetime = _NEVER
    command: str = "wait"
    held_tasks: tuple[PlannedTask, ...] = ()
    missing: int | None = None

    @property
    def code(self) -> int:
        """The exit code of `taskctl status --exit-code`; 1 if tasks are done and others held."""
        return exit_code(self.statuses) or int(bool(self.held_tasks) or self.failed())
