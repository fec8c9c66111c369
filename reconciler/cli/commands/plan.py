"""`taskctl plan`: what apply would do, and nothing done."""

from __future__ import annotations

import shlex
from dataclasses import replace

import click

from reconciler.cli.completion.candidates import files
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection, connection_options, plan_options
from reconciler.cli.options.shared import make_command, paths_argument, report_options
from reconciler.model.diagnostics import has_errors
from reconciler.model.options import PlanOptions


@make_command(
    "plan",
    examples=[
        ("taskctl plan", "tasks/ and *.tasks.yaml in this folder"),
        ("taskctl plan --backend local", "on the embedded service, no account needed"),
        ("taskctl plan --out plan.taskctl", "keep it, for `taskctl apply plan.taskctl`"),
        ("taskctl plan --detailed-exitcode", "exit 2 where apply would have something to do"),
        ("taskctl plan --report markdown=plan.md", "for a comment on the pull request, too"),
    ],
)
@paths_argument
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 if there is something to do.")
@click.option(
    "--out",
    "out_file",
    metavar="FILE",
    shell_complete=files,
    help="Keep the plan in FILE for apply.",
)
@plan_options
@connection_options
@report_options
def command(
    paths: tuple[str, ...],
    detailed_exitcode: bool,  # noqa: FBT001 - click passes it by name
    out_file: str | None,
    options: PlanOptions,
    connection: Connection,
    out: Output,
) -> int:
    """Show what apply would do: nothing is changed, here or at the service.

    A PATH is a file, or a folder whose *.yaml and *.yml are all read.
    """
    from reconciler.app.context import Planning, open_workspace, tell_if_new
    from reconciler.app.plan_file import write_plan_file
    from reconciler.plan.budget import budget_problems
    from reconciler.plan.codec import SavedPlan, basis_of
    from reconciler.plan.digest import plan_digest
    from reconciler.render.masking import masked_plan
    from reconciler.state.session import read_state

    space = open_workspace(paths, connection, options, out)
    try:
        state = read_state(space.state_path, backend=space.backend.name)
        tell_if_new(space, state)
        made = Planning(space).plan(state, space.options)
    finally:
        space.close()
    money = budget_problems(made.budgets, over_budget=space.options.over_budget, refusing=False)
    made = replace(made, diagnostics=(*space.warnings, *made.diagnostics, *money))
    if out_file is not None:
        saved = SavedPlan(masked_plan(made), basis_of(made, space.desired, state))
        write_plan_file(out.common.path(out_file), out_file, saved)
    out.report(made, space.manifests.text_of)
    if out_file is not None:
        way = f"To do just that:\n    taskctl apply {shlex.quote(out_file)}"
        out.note(f"The plan was kept. {way if made.can_apply() else 'There is nothing to do.'}")
    if has_errors(made.diagnostics):
        return 1
    used_up = any(outlook.budget.exhausted for outlook in made.budgets)
    refused = used_up and not space.options.over_budget
    if out_file is None and made.can_apply() and not refused:
        command_line = shlex.join(["taskctl", "apply", *paths, "--expect-plan", plan_digest(made)])
        out.note(f"To do just that, with the same options:\n    {command_line}")
    return 2 if detailed_exitcode and made.has_changes() else 0
