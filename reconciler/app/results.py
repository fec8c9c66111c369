"""`results`: the result of each task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from reconciler.app.context import Context
from reconciler.app.declared import declared_refs, in_manifest_order
from reconciler.app.recorded_tasks import RecordedTasks, select_refs, with_retired
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.kept import Kept
from reconciler.model.task import TaskId
from reconciler.model.value import Value, replace
from reconciler.state.edit import known_refs
from reconciler.tasks.results import OtherTask, other_tasks, result_of
from reconciler.tasks.status import TaskStatus, retried_names


class ResultsReport(Value, frozen=True):
    """`statuses` are in the order of the manifests, orphans last, as they were `read_at`. `missing`
    is the number of tasks that are not created yet, None if not counted. `others`: former tasks of
    the keys, and duplicates. `retry`: the names of those that `--retry` can start over."""

    statuses: tuple[TaskStatus, ...]
    read_at: datetime
    missing: int | None = None
    others: tuple[OtherTask, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    retry: tuple[str, ...] = ()


def results(ctx: Context, selectors: Sequence[str], *, with_others: bool = False) -> ResultsReport:
    """The results of the selected tasks. Without `selectors`, counts the tasks that are not created
    yet. `with_others`: includes former tasks of keys, even if the key was removed. Raises
    TaskctlError."""
    tasks = RecordedTasks.open(ctx, selectors)
    every = with_retired(tasks.state) if with_others else tasks.state
    refs = select_refs(ctx, every, selectors)
    known = known_refs(tasks.state)
    declared = declared_refs(ctx, tasks.state)
    statuses = tasks.statuses([ref for ref in refs if ref in known])
    missing, kept = None, Kept("results")
    for status in statuses:
        kept.keep(result_of(status))
    if declared is None:
        ctx.ui.note("not_counted")
    elif not selectors:
        missing = len(set(declared) - known)
    statuses = in_manifest_order(statuses, declared or ())
    others = other_tasks(tasks.state, set(refs)) if with_others else ()
    return ResultsReport(
        statuses,
        ctx.now(),
        missing,
        tuple(_read(ctx, others)),
        tuple(tasks.expectations.problems),
        retried_names(statuses, set(declared or ())),
    )


def _read(ctx: Context, others: Sequence[OtherTask]) -> Iterator[OtherTask]:
    """The tasks with their current outputs. A removed task that had finished is read only if a
    requested list contains it."""
    ids = {other.task_id: TaskId(other.ref.org_name, other.task_id) for other in others}
    ended = {ids[o.task_id] for o in others if o.outputs.get("status") == "idle"}
    wanted = set(ids.values()) - ended
    outputs = ctx.reader.outputs(wanted, ctx.connection.parallelism, ended)
    for other in others:
        yield replace(other, outputs=outputs.get(ids[other.task_id], other.outputs))
