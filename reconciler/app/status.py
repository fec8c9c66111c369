"""`status`: the status of recorded tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from reconciler.app.context import Context
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value, field
from reconciler.tasks.status import TaskStatus, remedy


class StatusReport(Value, frozen=True):
    """The tasks in the order of the table, at `read_at`. `remedies` has the command for each task
    without success that has one. `diagnostics` are about expectations that cannot be read.
    `is_new`: the state has no tasks."""

    statuses: tuple[TaskStatus, ...]
    read_at: datetime
    diagnostics: tuple[Diagnostic, ...] = ()
    remedies: Mapping[TaskRef, tuple[str, ...]] = field(default_factory=dict)
    is_new: bool = False


def status(
    ctx: Context, selectors: Sequence[str], *, states: Collection[TaskState] = ()
) -> StatusReport:
    """The status of the selected tasks that have one of `states`, if given. Raises TaskctlError."""
    tasks, refs = RecordedTasks.select(ctx, selectors)
    statuses = tasks.statuses(refs)
    if states:
        statuses = tuple(status for status in statuses if status.state in states)
    problems = tuple(dict.fromkeys(tasks.expectations.problems))
    is_new = not (tasks.state.records or tasks.state.attempts)
    return StatusReport(statuses, ctx.now(), problems, _remedies(tasks, statuses), is_new)


def _remedies(
    tasks: RecordedTasks, statuses: Sequence[TaskStatus]
) -> dict[TaskRef, tuple[str, ...]]:
    """The commands of the tasks; none if a manifest has errors."""
    failed = [status for status in statuses if status.state.traits.exit_code == 1]
    if not failed:
        return {}
    from reconciler.app.declared import declared_refs

    declared = declared_refs(tasks.ctx, tasks.state)
    if declared is None:
        return {}
    refs = frozenset(declared)
    return {status.ref: words for status in failed if (words := remedy(status, refs))}
