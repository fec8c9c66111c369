"""`taskctl apply`: shows the plan, asks, and creates what is missing, exactly once."""

from __future__ import annotations

import click

from reconciler.cli.options import (
    Connection,
    common_options,
    connection_options,
    make_command,
    plan_options,
)
from reconciler.cli.output import Output
from reconciler.settings import PlanOptions


@make_command(
    "apply",
    examples=[
        ("taskctl apply", "show the plan, ask, create"),
        ("taskctl apply --yes", "without asking, as CI does"),
        ("taskctl apply plan.taskctl", "just what `taskctl plan --out plan.taskctl` showed"),
        ("taskctl apply --backend local --yes", "on the embedded service, no account needed"),
    ],
)
@click.argument("paths", nargs=-1, metavar="[PATH... | PLANFILE]")
@click.option("-y", "--yes", "--auto-approve", "yes", is_flag=True, help="Do not ask.")
@plan_options
@connection_options
@common_options
def command(
    paths: tuple[str, ...],
    yes: bool,  # noqa: FBT001 - click passes it by name
    options: PlanOptions,
    connection: Connection,
    out: Output,
) -> int:
    """Create the tasks that are missing, after showing the plan and asking.

    A PATH is a file, or a folder whose *.yaml and *.yml are all read. A PLANFILE is what
    `taskctl plan --out` kept: it is refused once anything that it was made from has changed.
    """
    from reconciler.cli.applying import apply

    return apply(paths, connection, options, out, yes=yes)
