"""`taskctl wait`: until the tasks are done."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.completing import files, recorded_keys_or_files
from reconciler.cli.follow_options import duration, interval_option
from reconciler.cli.options import common_options, make_command
from reconciler.cli.output import Output
from reconciler.cli.service_options import Connection, connection_options
from reconciler.errors import TaskctlError

if TYPE_CHECKING:
    from reconciler.cli.following import Watched
    from reconciler.follow.status import TaskStatus
    from reconciler.model import TaskRef


@make_command(
    "wait",
    examples=[
        ("taskctl wait", "until every recorded task is done, 30 minutes at most"),
        ("taskctl wait rotate-iam-keys --timeout 2h", "for one task"),
        ("taskctl wait --junit wait.xml", "with a report for a CI system"),
    ],
)
@click.argument("words", nargs=-1, metavar="[KEY|PATH]...", shell_complete=recorded_keys_or_files)
@click.option(
    "--timeout",
    callback=duration,
    default="30m",
    show_default=True,
    metavar="DURATION",
    help="How long to wait at most.",
)
@click.option("--junit", metavar="FILE", shell_complete=files, help="A JUnit report to FILE.")
@interval_option
@connection_options
@common_options
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
    """
    from reconciler.cli.following import chosen, watched
    from reconciler.cli.wiring import utcnow
    from reconciler.follow.status import exit_code
    from reconciler.render.json import dump
    from reconciler.render.status import status_document, status_table

    with watched(connection, out) as tasks:
        refs = chosen(tasks.state, words, out)
        found = _wait(tasks, refs, timeout.total_seconds(), interval.total_seconds())
        now = tasks.client.service_clock() or utcnow()
    if junit is not None:
        _write(out.common.path(junit), junit, found)
    if out.common.format == "json":
        out.document(dump(status_document(found, now)))
    elif not out.common.quiet:
        fold = out.is_terminal(sys.stdout)
        out.document(status_table(found, out.style_of_result(), now, fold=fold))
    return exit_code(found)


def _wait(
    tasks: Watched, refs: tuple[TaskRef, ...], timeout: float, interval: float
) -> tuple[TaskStatus, ...]:
    """How the tasks stand in the end; what changes meanwhile is told on stderr."""
    from reconciler.follow.status import SETTLED, Standing

    out, deadline = tasks.out, time.monotonic() + timeout
    before: dict[TaskRef, Standing] = {}
    while True:
        found = tasks.statuses(refs)
        for status in found:
            if before.get(status.ref) is not status.standing:
                out.note(_line(status))
        before = {status.ref: status.standing for status in found}
        if all(standing in SETTLED for standing in before.values()):
            return found
        left = deadline - time.monotonic()
        if left <= 0:
            out.note("the time is up: not all are done. See how they stand:\n    taskctl status")
            return found
        time.sleep(min(left, max(0.1, interval)))


def _line(status: TaskStatus) -> str:
    """What became of a task, and what a person can do about it."""
    from reconciler.follow.status import Standing

    text = f"{status.ref}: {status.standing.value}"
    if status.course.words and status.standing is Standing.FAILED:
        text += f" ({status.course.words})"
    if status.approvals:
        text += f"; answer it with `taskctl approve {status.ref}` or `taskctl reject {status.ref}`"
    return text.replace("\n", " ")


def _write(path: Path, name: str, found: tuple[TaskStatus, ...]) -> None:
    from reconciler.render.status_junit import junit

    try:
        path.write_text(junit(found), encoding="utf-8")
    except OSError as problem:
        raise TaskctlError.of(
            f"cannot write the report: {problem.strerror}",
            "Name a file in a folder that is there.",
            file=name,
        ) from problem
