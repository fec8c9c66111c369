"""`results`: what came out of each task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from reconciler.app.context import Context
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Severity, has_errors
from reconciler.model.kept import Kept
from reconciler.model.task import TaskRef, natural
from reconciler.model.value import Value
from reconciler.state.edit import known_refs
from reconciler.state.model import State
from reconciler.tasks.results import MAX_COLUMNS, result_of, scalar_names
from reconciler.tasks.status import TaskStatus, exit_code


class ResultsReport(Value, frozen=True):
    """`statuses` are in the order of the manifests, orphans last, as they were `read_at`. `missing`
    is the number of tasks that are not created yet, None if not counted. `columns` are the
    properties of the data that a table shows."""

    statuses: tuple[TaskStatus, ...]
    read_at: datetime
    missing: int | None = None
    columns: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def code(self) -> int:
        """The exit code of `taskctl status --exit-code`."""
        return exit_code(self.statuses) or int(has_errors(self.diagnostics))


def results(ctx: Context, selectors: Sequence[str]) -> ResultsReport:
    """The results of the selected tasks. Without `selectors`, counts the tasks that are not created
    yet. TaskctlError."""
    tasks, refs = RecordedTasks.select(ctx, selectors)
    declared = declared_refs(ctx, tasks.state)
    statuses = tasks.statuses(refs)
    missing, kept = None, Kept("results")
    for status in statuses:
        kept.keep(status.ref, result_of(status))
    if declared is None:
        ctx.ui.note("not_counted")
    elif not selectors:
        missing = len(set(declared) - known_refs(tasks.state))
    statuses = in_manifest_order(statuses, declared or ())
    records = tasks.records(status.ref for status in statuses)
    schemas = (tasks.expectations.schema_of(r) for r in records if not r.sensitive)
    columns = dict.fromkeys(name for schema in schemas for name in scalar_names(schema))
    return ResultsReport(
        statuses,
        ctx.now(),
        missing,
        tuple(columns)[:MAX_COLUMNS],
        tuple(tasks.expectations.problems),
    )


def declared_refs(ctx: Context, state: State) -> tuple[TaskRef, ...] | None:
    """The tasks of the manifests that are read without a PATH; None if these have errors. The
    policy does not matter. If a manifest names no organization, its tasks are those with their keys
    in the state: only apply needs to know which organization it is."""
    from reconciler.manifest.loader import load

    manifests = load(ctx.settings.paths, root=ctx.settings.root, now=ctx.clock.now)
    errors = {d.code for d in manifests.diagnostics if d.severity is Severity.ERROR}
    if errors - {Code.NO_MANIFESTS}:
        return None
    named = {task.ref for task in manifests.tasks if task.org_name is not None}
    recorded: dict[str, list[TaskRef]] = {}
    for ref in sorted(known_refs(state) - named):
        recorded.setdefault(ref.key, []).append(ref)
    found: list[TaskRef] = []
    for task in manifests.tasks:
        found += [task.ref] if task.ref in named else recorded.get(task.key, [task.ref])
    return tuple(found)


def in_manifest_order(
    statuses: Iterable[TaskStatus], declared: Iterable[TaskRef]
) -> tuple[TaskStatus, ...]:
    """The statuses in the order of the tables of results: that of the manifests, others last."""
    order = {ref: number for number, ref in enumerate(declared)}
    last = len(order)
    return tuple(sorted(statuses, key=lambda s: (order.get(s.ref, last), natural(s.ref))))
