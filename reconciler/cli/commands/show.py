"""`taskctl show PLANFILE`: a saved plan, as the plan was shown."""

from __future__ import annotations

import click

from reconciler.cli.options import common_options, make_command
from reconciler.cli.output import Output


@make_command(
    "show",
    examples=[
        ("taskctl show plan.taskctl", "what `taskctl plan --out plan.taskctl` kept"),
        ("taskctl show plan.taskctl -v", "with whole prompts"),
        ("taskctl show plan.taskctl --format json", "as a document for a program"),
    ],
)
@click.argument("planfile", metavar="PLANFILE")
@common_options
def command(planfile: str, out: Output) -> int:
    """Show a saved plan. Nothing is read but the file, nothing is changed."""
    from reconciler.cli.planfile import read_plan_file

    out.report(read_plan_file(out.common.path(planfile), planfile).plan)
    return 0
