"""`show`: everything about tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reconciler.app.context import Context
from reconciler.app.named_tasks import record_of_id
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error, has_errors
from reconciler.model.service import RemoteTask
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.value import Value, replace
from reconciler.plan.plan import Change
from reconciler.state.model import Record, State
from reconciler.tasks.status import TaskStatus


class TaskReport(Value, frozen=True):
    """One task. `desired`: None if no manifest has it. `diff`: the changes in the manifest; None if
    it could not be read. `replaced`: earlier tasks of the key with pull requests."""

    ref: TaskRef
    state: State
    status: TaskStatus
    desired: DesiredTask | None
    diff: tuple[Change, ...] | None
    diagnostics: tuple[Diagnostic, ...] = ()
    replaced: tuple[TaskStatus, ...] = ()


def show(ctx: Context, selectors: Sequence[str]) -> tuple[tuple[TaskReport, ...], datetime]:
    """The selected tasks, and the service's time. Raises TaskctlError."""
    tasks, refs = RecordedTasks.select(ctx, selectors)
    statuses = {status.ref: status for status in tasks.statuses(refs)}
    return tuple(_report(tasks, statuses[ref]) for ref in refs), ctx.now()


def _report(tasks: RecordedTasks, status: TaskStatus) -> TaskReport:
    from reconciler.plan.diff import differences

    state, ref = tasks.state, status.ref
    record = state.records.get(ref)
    if record is None:
        return TaskReport(ref, state, status, None, None)
    desired, problems = _desired(tasks, record)
    diff: tuple[Change, ...] | None = None if has_errors(problems) else ()
    if desired is not None:
        remote = RemoteTask(ref.org_name, record.task_id, status.raw) if status.raw else None
        diff = differences(record, desired.inputs, remote).changes
    problems = (*problems, *tasks.expectations.problems)
    return TaskReport(ref, state, status, desired, diff, problems, _replaced(tasks, record))


def _replaced(tasks: RecordedTasks, record: Record) -> tuple[TaskStatus, ...]:
    from reconciler.tasks.results import pull_requests

    org_name = record.ref.org_name
    former = [record_of_id(org_name, each, record.identity) for each in record.former]
    found = tasks.ctx.reader.statuses(former, tasks.ctx.connection.parallelism)
    return tuple(status for status in found if pull_requests(status))


def _desired(
    tasks: RecordedTasks, record: Record
) -> tuple[DesiredTask | None, tuple[Diagnostic, ...]]:
    """The task as its recorded manifest declares it now, and the problems of that manifest,
    without its lines. The policy is not checked."""
    from reconciler.manifest.loader import load

    settings, ref = tasks.ctx.settings, record.ref
    if record.file and tasks.expectations.manifest(record.file) is None:
        return None, (error(Code.OUTSIDE_REPOSITORY, "recorded", at=Place(record.file)),)
    if not (settings.root / record.file).is_file():
        return None, ()
    manifests = load([record.file], root=settings.root)
    # Another file may declare the tasks in `after`.
    found = (d for d in manifests.diagnostics if d.code is not Code.INVALID_AFTER)
    problems = tuple(replace(d, excerpt=None) for d in found)
    if has_errors(problems):
        return None, problems
    for task in manifests.tasks:
        if task.key == ref.key and task.org_name in (None, ref.org_name):
            return task, ()
    return None, ()
