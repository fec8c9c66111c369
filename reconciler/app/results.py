"""`results`: what came out of each task."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconciler.app.context import Context
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.model.diagnostics import has_errors
from reconciler.model.task import TaskRef
from reconciler.render.wait.report import WaitedReport
from reconciler.state.edit import known_refs


def results(ctx: Context, selectors: Sequence[str]) -> WaitedReport:
    """The results of the selected tasks, in the order of the manifests, orphans last. Without
    `selectors`, the tasks that are not created yet are counted. TaskctlError."""
    tasks, refs = RecordedTasks.select(ctx, selectors)
    manifests = ctx.load(())
    declared: tuple[TaskRef, ...] = ()
    if not has_errors(manifests.diagnostics):
        declared = tuple(task.ref for task in ctx.with_organizations(manifests).tasks)
    order = {ref: number for number, ref in enumerate(declared)}
    statuses = sorted(
        tasks.statuses(refs), key=lambda s: (order.get(s.ref, len(order)), _natural(s.ref))
    )
    missing = 0 if selectors else len(set(declared) - known_refs(tasks.state))
    return WaitedReport(
        (),
        tuple(tasks.expectations.problems),
        statuses=tuple(statuses),
        read_at=ctx.now(),
        command="results",
        missing=missing,
    )


def _natural(ref: TaskRef) -> tuple[object, ...]:
    """Sorts numbers in keys numerically."""
    parts = re.split(r"([0-9]{1,18})", ref.key)
    return ref.org_name, *(int(p) if n % 2 else p for n, p in enumerate(parts))
