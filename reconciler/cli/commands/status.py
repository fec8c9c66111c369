"""`taskctl status`: shows the status of recorded tasks, and the tokens that they used."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from reconciler.cli.command import Call, make_command
from reconciler.cli.completion import candidates
from reconciler.cli.options import READS, SELECTION, duration, first_given, option
from reconciler.cli.usage import UsageError
from reconciler.model.diagnostics import Severity
from reconciler.model.options import By
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.render import KEYS, TABLE_FORMATS

if TYPE_CHECKING:
    from reconciler.app.status import StatusReport
    from reconciler.cli.console.output import Output
    from reconciler.render.style import Style

_STATUSES = {state.value: state for state in TaskState}


def _states(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> frozenset[TaskState]:
    names = [name.strip() for value in values for name in value.split(",")]
    if unknown := [name for name in names if name not in _STATUSES]:
        raise UsageError("status", name=unknown[0], known=tuple(_STATUSES))
    found = {_STATUSES[name] for name in names}
    return frozenset(found | {TaskState.UNMET} if TaskState.FAILED in found else found)


@make_command(
    "status",
    SELECTION,
    option(
        "--status",
        "states",
        multiple=True,
        callback=_states,
        shell_complete=candidates.task_statuses,
        metavar="LIST",
        help="Only tasks with one of these statuses, such as waiting,failed. failed includes "
        "unmet.",
    ),
    option(
        "--exit-code",
        "exits",
        is_flag=True,
        help="Exit 1 if some tasks failed; otherwise 3 if some wait for a person, 2 if some are "
        "running, 0 if all are done.",
    ),
    option(
        "--totals",
        is_flag=True,
        help="Show the tokens used, by manifest and by day of creation (UTC), including removed "
        "tasks.",
    ),
    option(
        "--since",
        metavar="DATE|DURATION",
        help="With --totals: only tasks created since a date such as 2026-11-01 (UTC), or within a "
        "duration such as 30d.",
    ),
    option(
        "--by",
        type=click.Choice([by.value for by in By]),
        help="With --totals: how to group. `team` is the team of the token that created the "
        "task, or the user for personal tokens.",
    ),
    option(
        "--notify",
        is_flag=True,
        help="Notify the webhook in TASKCTL_NOTIFY_URL of newly waiting and failed tasks.",
    ),
    option(
        "--notify-since",
        type=duration,
        default="1h",
        help="With --notify: report changes within this time, which must be at least the interval "
        "of the schedule.",
    ),
    *READS,
    formats=(*TABLE_FORMATS, *KEYS),
    examples=[
        ("taskctl status", "show all recorded tasks, those that need attention first"),
        (
            "taskctl status tasks/iam.yaml 'rotate-*'",
            "show the tasks of a manifest, and tasks that match a pattern",
        ),
        ("taskctl status --status waiting,failed", "show only tasks that need attention"),
        (
            "taskctl status --status failed --format keys",
            "print only the keys of failed tasks, one per line",
        ),
        ("taskctl status --totals", "show the tokens used, by manifest and by day"),
        (
            "taskctl status --totals --since 30d --by team --format csv",
            "print CSV for a spreadsheet",
        ),
        ("taskctl status --notify -q", "in a scheduled job: notify a chat of changes"),
        (
            "taskctl status --exit-code -q",
            "in scripts: exit 0 (done), 2 (running), 3 (waiting) or 1 (failed)",
        ),
    ],
)
def command(
    call: Call,
    selectors: tuple[str, ...],
    states: frozenset[TaskState],
    exits: bool,
    totals: bool,
    since: str | None,
    by: str | None,
    notify: bool,
    notify_since: timedelta,
) -> int:
    """Show the status of recorded tasks, and their open requests. Changes nothing.

    The service only reports running or idle; the other statuses are derived from its events. A task
    that is unmet, gone, stopped, cancelled or unresolved counts as failed.
    """
    from reconciler.app.status import NOTIFY_URL, Notify, read_totals, status
    from reconciler.render.notification import notification_text
    from reconciler.tasks.status import exit_code

    out = call.out
    as_table = out.options.format in TABLE_FORMATS
    _check_options(call.click, out.options.format)
    if notify and not os.environ.get(NOTIFY_URL, "").strip():
        raise UsageError("notifyUrl", variable=NOTIFY_URL)
    if totals:
        groups = (By(by),) if by else (By.TASK,) if as_table else (By.FILE, By.DAY)
        out.report(read_totals(call.ctx, selectors, groups, states=states, since=since))
        return 0
    news = Notify(notify_since, notification_text) if notify else None
    report = status(call.ctx, selectors, states=states, notify=news)
    _show(out, report, Severity.ERROR if exits else Severity.WARNING)
    return exit_code(report.statuses) or int(bool(report.diagnostics)) if exits else 0


def _check_options(ctx: click.Context, format_name: str) -> None:
    """UsageError for options that do not fit together."""
    own = ctx.params
    if own["totals"]:
        if format_name in KEYS:
            raise UsageError("exclusive", option="--totals", other="--format keys")
        if other := first_given(ctx, ["notify", "exits"]):
            name = "--exit-code" if other == "exits" else f"--{other}"
            raise UsageError("exclusive", option="--totals", other=name)
    elif own["since"] or own["by"] or format_name in TABLE_FORMATS:
        raise UsageError("totals")


def _show(out: Output, report: StatusReport, severity: Severity) -> None:
    from reconciler.render.formats.keys import key_lines
    from reconciler.render.status import status_document, status_rows

    problems = [replace(each, severity=severity) for each in report.diagnostics]
    problems += report.duplicates
    if out.options.format in KEYS:
        out.diagnostics(problems)
        out.document(key_lines([status.ref for status in report.statuses]))
        return

    def text(style: Style) -> str:
        rows = status_rows(report.statuses, style, report.read_at, selected=report.selected)
        return "".join(f"{row}\n" for row in rows)

    out.result(lambda: status_document(report.statuses, report.read_at, problems), text, problems)
