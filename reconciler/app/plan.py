"""`plan`: shows what apply would do. Changes no task and no state."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime

from reconciler.app.ci import ci_system
from reconciler.app.context import Context
from reconciler.app.plan_file import write_plan_file
from reconciler.app.planning import failures_of, first_round
from reconciler.app.reading import Reader
from reconciler.app.workspace import inputs_of, open_workspace
from reconciler.model.diagnostics import has_errors
from reconciler.model.options import PlanOptions
from reconciler.model.value import replace
from reconciler.plan.digest import short_digest
from reconciler.plan.plan import Plan


def plan(
    ctx: Context,
    paths: Sequence[str],
    options: PlanOptions,
    *,
    out_file: str | None = None,
    fail_on: Sequence[str] = (),
    at: datetime | None = None,
) -> Plan:
    """The plan, also saved to `out_file`. Tasks of the kinds `fail_on` become errors. `at`: plans
    for that time. Raises TaskctlError."""
    space = open_workspace(ctx, ctx.settings.names(paths), options, at)
    inputs = inputs_of(ctx, space, ctx.read_state(), space.options)
    known, only_own = space.manifests.diagnostics, out_file is None
    made = first_round(ctx, Reader(ctx), inputs, known, only_own=only_own).plan
    if out_file is not None:
        write_plan_file(ctx.settings.folder, out_file, made)
    return replace(made, diagnostics=(*made.diagnostics, *failures_of(made, fail_on)))


def note_next_step(
    ctx: Context, made: Plan, paths: Sequence[str], out_file: str | None, *, over_budget: bool
) -> None:
    """Shows the command that applies exactly this plan."""
    if out_file is not None:
        if not made.has_changes():
            ctx.ui.note("empty_plan_saved")
        elif ci_system(os.environ) is None:  # a file on a runner is of no use to readers of its log
            ctx.ui.note("plan_saved", file=out_file)
        return
    used_up = any(outlook.budget.exhausted for outlook in made.budgets)
    if has_errors(made.diagnostics) or not made.has_changes() or (used_up and not over_budget):
        return
    if made.is_for_other:
        return
    ctx.ui.note("expect_plan", command=("apply", *paths, "--expect-plan", short_digest(made)))
