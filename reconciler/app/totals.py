"""`status --totals`: the tokens that tasks have used, also those whose key is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reconciler.app.context import Context
from reconciler.app.import_selection import since_when
from reconciler.app.task_sessions import TaskSessions, select_refs, with_retired
from reconciler.plan.budget import Outlook
from reconciler.tasks.status import TaskState
from reconciler.tasks.totals import By, Totals, known_usages, totals


@dataclass(frozen=True, slots=True)
class TotalsRequest:
    """`words` select tasks; `states`, if given, those with such a status. `since`: only those
    created since then, or within that time (as the user wrote it). `by`: the groups to show."""

    words: tuple[str, ...] = ()
    states: frozenset[TaskState] = frozenset()
    since: str | None = None
    by: Sequence[By] = (By.FILE, By.DAY)


@dataclass(frozen=True, slots=True)
class TotalsReport:
    """The tokens used, and the budgets of the organizations."""

    totals: Totals
    budgets: tuple[Outlook, ...]


def read_totals(ctx: Context, request: TotalsRequest) -> TotalsReport:
    """Reads the tasks, but no events unless a status is asked for. TaskctlError."""
    tasks = TaskSessions.open(ctx, request.words)
    refs = frozenset(select_refs(ctx, with_retired(tasks.state), request.words))
    if request.states:
        attempted = {attempt.ref for attempt in tasks.state.attempts.values()}
        found = tasks.statuses(sorted(refs & (tasks.state.records.keys() | attempted)))
        refs = frozenset(status.ref for status in found if status.state in request.states)
    known = list(known_usages(tasks.state, refs))
    wanted = {(usage.ref.org_name, usage.task_id) for usage in known if usage.task_id}
    shown = ctx.reader.outputs(wanted, ctx.connection.parallelism)
    read = [
        replace(usage, outputs=shown.get((usage.ref.org_name, usage.task_id), usage.outputs))
        for usage in known
    ]
    now = ctx.now()
    since = since_when(request.since, now) if request.since is not None else None
    organizations = sorted({usage.ref.org_name for usage in known})
    budgets = [budget for name in organizations if (budget := ctx.budget(name)) is not None]
    return TotalsReport(
        totals(read, request.by, since), tuple(Outlook(budget, now) for budget in budgets)
    )
