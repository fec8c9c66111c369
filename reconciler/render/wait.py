"""What waiting for tasks came to: how each stands; and what was applied before it, if anything."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from reconciler.apply.report import ApplyReport
from reconciler.tasks.status import TaskStatus, exit_code


class End(StrEnum):
    """Why the waiting ended."""

    SETTLED = "settled"  # no task runs or waits for a person
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"


_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class WaitedReport(ApplyReport):
    """`statuses` are in the table's order, as they were `read_at`. `command` is whose report it
    is, apply's or wait's; of the latter there are no `tasks`."""

    statuses: tuple[TaskStatus, ...] = ()
    end: End = End.SETTLED
    read_at: datetime = _NEVER
    command: str = "wait"

    @property
    def code(self) -> int:
        """As `taskctl status --exit-code` has it."""
        return exit_code(self.statuses)


def waited_after(
    report: ApplyReport, statuses: tuple[TaskStatus, ...], end: End, read_at: datetime
) -> WaitedReport:
    """The report of an apply that waited, too."""
    applied: dict[str, Any] = {f.name: getattr(report, f.name) for f in fields(report)}
    return WaitedReport(**applied, statuses=statuses, end=end, read_at=read_at, command="apply")
