"""`results`: what came out of each task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.app.context import Context
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.model.diagnostics import has_errors
from reconciler.model.task import TaskRef
from reconciler.render.wait.report import WaitedReport
from reconciler.state.edit import known_refs
from reconciler.tasks.status import TaskStatus, natural


def results(ctx: Context, selectors: Sequence[str]) -> WaitedReport:
    """The results of the selected tasks, in the order of the manifests, orphans last. Without
    `selectors`, the tasks that are not created yet are counted. TaskctlError."""
    tasks, refs = RecordedTasks.select(ctx, selectors)
    declared = declared_refs(ctx)
    statuses = in_manifest_order(tasks.statuses(refs), declared)
    missing = 0 if selectors else len(set(declared) - known_refs(tasks.state))
    return WaitedReport(
        (),
        tuple(tasks.expectations.problems),
        statuses=statuses,
        read_at=ctx.now(),
        command="results",
        missing=missing,
    )


def declared_refs(ctx: Context) -> tuple[TaskRef, ...]:
    """The tasks of the manifests at the standard locations; empty if these have errors."""
    manifests = ctx.load(())
    if has_errors(manifests.diagnostics):
        return ()
    return tuple(task.ref for task in ctx.with_organizations(manifests).tasks)


def in_manifest_order(
    statuses: Iterable[TaskStatus], declared: Iterable[TaskRef]
) -> tuple[TaskStatus, ...]:
    """The statuses in the order of the tables of results: that of the manifests, others last."""
    order = {ref: number for number, ref in enumerate(declared)}
    last = len(order)
    return tuple(sorted(statuses, key=lambda s: (order.get(s.ref, last), natural(s.ref))))
