"""`taskctl show PLANFILE|KEY`: a saved plan as it was shown, or all of one task."""

from __future__ import annotations

import re

import click

from reconciler.cli.completion.candidates import keys_or_files
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection, connection_options
from reconciler.cli.options.shared import make_command, report_options
from reconciler.render import BASIC_FORMATS

_KEY = re.compile(r"[a-z0-9][a-z0-9_-]*(?:[./][a-z0-9._-]+)*", re.IGNORECASE)
_PLAN = (".taskctl", ".plan", ".json")


@make_command(
    "show",
    examples=[
        ("taskctl show plan.taskctl", "what `taskctl plan --out plan.taskctl` kept"),
        ("taskctl show plan.taskctl -v", "with whole prompts"),
        ("taskctl show plan.taskctl --format json", "as a document for a program"),
        ("taskctl show plan.taskctl --report html=plan.html", "as a page for a browser"),
        ("taskctl show rotate-iam-keys", "one task: its record, its manifest, the service's side"),
    ],
)
@click.argument("planfile", metavar="PLANFILE|KEY", shell_complete=keys_or_files)
@connection_options
@report_options
def command(planfile: str, connection: Connection, out: Output) -> int:
    """Show a saved plan, or everything about one task. Nothing is changed.

    A word that names no file and looks like a key is one; ORG/KEY always is. Of a plan nothing is
    read but the file.
    """
    from reconciler.app.plan_file import read_plan_file

    path = out.common.path(planfile)
    if not path.exists() and _KEY.fullmatch(planfile) and not planfile.endswith(_PLAN):
        from reconciler.app.show import has_tasks, show_task

        if not has_tasks(connection, out):
            read_plan_file(path, planfile)  # it says that the file is not there
        if out.common.format not in BASIC_FORMATS:
            raise click.UsageError("of a task there is text or json; other formats are of plans")
        return show_task(planfile, connection, out)
    out.report(read_plan_file(out.common.path(planfile), planfile).plan)
    return 0
