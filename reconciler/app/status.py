"""`status`: the status of recorded tasks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from reconciler.app.context import Context
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value
from reconciler.tasks.status import TaskStatus


class StatusReport(Value, frozen=True):
    """The tasks in the order of the table, at `read_at`. `diagnostics` are about expectations that
    cannot be read."""

    statuses: tuple[TaskStatus, ...]
    read_at: datetime
    diagnostics: tuple[Diagnostic, ...] = ()


def status(
    ctx: Context, selectors: Sequence[str], *, states: Collection[TaskState] = ()
) -> StatusReport:
    """The status of the selected tasks that have one of `states`, if given. Raises TaskctlError."""
    tasks, refs = RecordedTasks.select(ctx, selectors)
    statuses = tasks.statuses(refs)
    if states:
        statuses = tuple(status for status in statuses if status.state in states)
    problems = tuple(dict.fromkeys(tasks.expectations.problems))
    return StatusReport(statuses, ctx.now(), problems)
