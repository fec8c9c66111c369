"""Finds duplicates: further tasks with one of our marks, because a create was delivered twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from reconciler.apply.context import ApplyContext
from reconciler.model.diagnostics import Diagnostic, RemoteError
from reconciler.model.mark import microseconds
from reconciler.model.remote_task import RemoteTask
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.plan.lookup import Depth
from reconciler.plan.plan import PlannedTask
from reconciler.plan.planner import duplicate_warning
from reconciler.state.model import Recorded

MAX_READ = 50
"""The maximum of first messages of unrecorded tasks that are read."""


def record_duplicates(
    ctx: ApplyContext, created: Collection[TaskRef]
) -> tuple[list[RemoteTask], list[Diagnostic]]:
    """Looks for duplicates of all keys in the organizations of the `created` keys, and adds them to
    their records, from which plans report them. Returns the tasks that were listed, and a warning
    for each duplicate.

    This check is best effort: organizations that cannot be read are skipped.
    """
    listed: list[RemoteTask] = []
    found: list[Diagnostic] = []
    for org_name in sorted({ref.org_name for ref in created}):
        try:
            tasks = _newest(ctx, org_name)
            listed += tasks
            found += _record(ctx, org_name, tasks)
        except RemoteError:
            continue
    return listed, found


def found_duplicates(ctx: ApplyContext, tasks: Iterable[PlannedTask]) -> Iterator[Diagnostic]:
    """A warning for each duplicate that was found with the task that an attempt has created."""
    records = ctx.log.state.records
    for task in tasks:
        if task.duplicates and (record := records.get(task.ref)) is not None:
            yield from (duplicate_warning(record, e, ctx.service.backend) for e in task.duplicates)


def _newest(ctx: ApplyContext, org_name: str) -> list[RemoteTask]:
    """The list down to the tasks that existed before this apply."""
    baseline = ctx.baselines.get(org_name)
    depth = Depth.of(baseline)
    found: dict[str, RemoteTask] = {}
    for page in ctx.service.list_tasks(org_name):
        found.update((task.id, task) for task in page.tasks)
        if depth.is_reached(found):
            break
    return list(found.values())


def _record(ctx: ApplyContext, org_name: str, tasks: Iterable[RemoteTask]) -> Iterator[Diagnostic]:
    state = ctx.log.state
    baseline = ctx.baselines.get(org_name)
    known = {*state.recorded_ids(), *(baseline.ids if baseline is not None else ())}
    owners = {us: ref for mark, ref in state.marks() if (us := microseconds(mark)) is not None}
    unrecorded = [task for task in tasks if task.id not in known]
    for task in unrecorded[:MAX_READ]:
        message = ctx.service.first_message(org_name, task.id)
        shown = microseconds(message.mark) if message is not None else None
        owner = owners.get(shown) if shown is not None else None
        record = ctx.log.state.records.get(owner) if owner is not None else None
        if record is not None and record.ref.org_name == org_name:
            duplicates = (*record.duplicates, task.id)
            ctx.log.append(Recorded(replace(record, duplicates=duplicates)))
            yield duplicate_warning(record, task.id, ctx.service.backend)
