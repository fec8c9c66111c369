"""`taskctl status`: how the tasks stand."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import click

from reconciler.cli.completion.candidates import recorded_keys_or_files
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection, connection_options
from reconciler.cli.options.shared import common_options, make_command
from reconciler.cli.options.tasks import interval_option


@make_command(
    "status",
    examples=[
        ("taskctl status", "every recorded task, those that need a person first"),
        ("taskctl status tasks/iam.yaml", "those of one manifest"),
        ("taskctl status --watch", "redrawn in place until nothing is left to do"),
        ("taskctl status --totals", "the tokens used, by manifest file and by day"),
        ("taskctl status --exit-code -q", "for a script: 0 done, 2 running, 3 waiting, 1 failed"),
    ],
)
@click.argument("words", nargs=-1, metavar="[PATH|KEY]...", shell_complete=recorded_keys_or_files)
@click.option("--watch", is_flag=True, help="Show it again whenever it changes, until all is done.")
@interval_option
@click.option(
    "--exit-code",
    "tell",
    is_flag=True,
    help="Exit 0 if all are done, 2 if some run, 3 if some wait for a person, 1 if some failed.",
)
@click.option(
    "--totals",
    "summed",
    is_flag=True,
    help="Sum up the tokens used, by manifest file and by the day of the create (UTC).",
)
@connection_options
@common_options
def command(
    words: tuple[str, ...],
    watch: bool,  # noqa: FBT001 - click passes it by name
    interval: timedelta,
    tell: bool,  # noqa: FBT001
    summed: bool,  # noqa: FBT001
    connection: Connection,
    out: Output,
) -> int:
    """Show how the tasks stand that the state knows. Nothing is changed.

    The service says running or idle; waiting, failed, cancelled and done follow from the events.
    What did not end well counts as failed: gone, stopped, cancelled, an attempt without outcome.
    """
    from reconciler.app.context import utcnow
    from reconciler.app.status import Listing, Summing
    from reconciler.app.task_sessions import chosen, watched
    from reconciler.cli.console.live import Screen
    from reconciler.render.json import dump
    from reconciler.tasks.status import SETTLED, exit_code

    if watch and out.common.format == "json":
        raise click.UsageError("--watch shows text; for a program, run status again and again")
    with watched(connection, out) as tasks:
        refs = chosen(tasks.state, words, out)
        screen = Screen(sys.stdout, in_place=watch and out.is_terminal(sys.stdout))
        looks = Summing(tasks, refs) if summed else Listing(out, screen if watch else None)
        silent = out.common.quiet and tell
        try:
            while True:
                found, now = tasks.statuses(refs), tasks.client.service_clock() or utcnow()
                if out.common.format == "json":
                    out.document(dump(looks.document(found, now)))
                elif not silent:
                    out.told = True
                    screen.show(looks.rows(found, now))
                if not watch or all(status.standing in SETTLED for status in found):
                    break
                time.sleep(max(0.1, interval.total_seconds()))
        except KeyboardInterrupt:
            if not watch:
                raise
            return 130  # how a person ends it
    return exit_code(found) if tell else 0
