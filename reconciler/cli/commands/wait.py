"""`taskctl wait`: waits until tasks are done."""

from __future__ import annotations

from datetime import timedelta

from reconciler.cli import exit_codes
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import INTERVAL, READS, SELECTION, STOP_ON, TIMEOUT


@make_command(
    "wait",
    *(SELECTION, TIMEOUT, STOP_ON, INTERVAL, *READS),
    reports=True,
    examples=[
        ("taskctl wait", "wait for all recorded tasks, at most 30 minutes"),
        ("taskctl wait rotate-iam-keys --timeout 2h", "wait for one task"),
        ("taskctl wait --stop-on waiting", "do not block while a task waits for a person"),
        ("taskctl wait --report junit=wait.xml", "also write a report for a CI system"),
        ("taskctl wait --report markdown=wait.md", "also write a report for a summary"),
    ],
)
def command(
    call: Call,
    selectors: tuple[str, ...],
    timeout: timedelta,
    stop_on: str | None,
    interval: timedelta,
) -> int:
    """Wait until no task is running or waiting for a person.

    Exits 0 if all tasks are done, and 1 if some failed. At the timeout, exits 2 if some are still
    running, and 3 if some wait for a person. Also exits 3 once no task is running and pull requests
    have to be merged. A task that is unmet, gone, stopped or cancelled counts as failed. Ctrl-C
    stops waiting; the tasks keep running.
    """
    from reconciler.app.wait import WaitOptions, wait

    report, signal = wait(call.ctx, selectors, WaitOptions(timeout, interval, stop_on is not None))
    call.out.report(report)
    if signal is not None:
        return signal
    return exit_codes.of_statuses(report.statuses, report.diagnostics)
