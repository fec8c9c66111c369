"""`taskctl show PLANFILE`: a saved plan, as the plan was shown."""

from __future__ import annotations

import click

from reconciler.cli.completing import files
from reconciler.cli.options import make_command, report_options
from reconciler.cli.output import Output


@make_command(
    "show",
    examples=[
        ("taskctl show plan.taskctl", "what `taskctl plan --out plan.taskctl` kept"),
        ("taskctl show plan.taskctl -v", "with whole prompts"),
        ("taskctl show plan.taskctl --format json", "as a document for a program"),
        ("taskctl show plan.taskctl --report html=plan.html", "as a page for a browser"),
    ],
)
@click.argument("planfile", metavar="PLANFILE", shell_complete=files)
@report_options
def command(planfile: str, out: Output) -> int:
    """Show a saved plan. Nothing is read but the file, nothing is changed."""
    from reconciler.cli.planfile import read_plan_file

    out.report(read_plan_file(out.common.path(planfile), planfile).plan)
    return 0
