"""`taskctl wait`: until the tasks are done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import click

from reconciler.app.wait import ON, Wait, Waiting, farewell, tell, timeout_option
from reconciler.cli.completion.candidates import files, recorded_keys_or_files
from reconciler.cli.console.output import Output
from reconciler.cli.options.common import ReportFile
from reconciler.cli.options.service import Connection, connection_options
from reconciler.cli.options.shared import make_command, report_options
from reconciler.cli.options.tasks import interval_option


@make_command(
    "wait",
    examples=[
        ("taskctl wait", "until every recorded task is done, 30 minutes at most"),
        ("taskctl wait rotate-iam-keys --timeout 2h", "for one task"),
        ("taskctl wait --junit wait.xml", "with a report for a CI system"),
        ("taskctl wait --report markdown=wait.md", "with another report, for a summary"),
    ],
)
@click.argument("words", nargs=-1, metavar="[KEY|PATH]...", shell_complete=recorded_keys_or_files)
@timeout_option
@click.option(
    "--junit", metavar="FILE", shell_complete=files, help="The same as --report junit=FILE."
)
@interval_option
@connection_options
@report_options
def command(
    words: tuple[str, ...],
    timeout: timedelta,
    junit: str | None,
    interval: timedelta,
    connection: Connection,
    out: Output,
) -> int:
    """Wait until no task runs or waits for a person.

    Exits 0 if all are done; 2 if some still ran and 3 if some still waited when the time was up;
    1 if some failed. What did not end well counts as failed: gone, stopped, cancelled.
    Ctrl-C ends the waiting alone.
    """
    from reconciler.app.context import utcnow
    from reconciler.app.task_sessions import chosen, watched
    from reconciler.cli.signals import Interrupts
    from reconciler.render.wait import WaitedReport

    if junit is not None:
        reports = (*out.common.reports, ReportFile("junit", junit))
        out.common = replace(out.common, reports=reports)
    with watched(connection, out) as tasks:
        refs = chosen(tasks.state, words, out)
        with Interrupts("" if out.common.quiet else ON, farewell(out)) as interrupts:
            found, end = Waiting(tasks, refs, Wait(timeout, interval)).run(interrupts)
        now = tasks.client.service_clock() or utcnow()
    report = WaitedReport((), statuses=found, end=end, read_at=now)
    tell(out, report)
    return report.code if interrupts.exit_code is None else interrupts.exit_code
