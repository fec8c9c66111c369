"""`taskctl status`: shows the status of recorded tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from reconciler.cli import exit_codes
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import READS, SELECTION, option
from reconciler.cli.usage import not_among
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.render import KEYS

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
        raise not_among(unknown[0], tuple(_STATUSES))
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
    *READS,
    formats=KEYS,
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
) -> int:
    """Show the status of recorded tasks, and their open requests. Changes nothing.

    The service only reports running or idle; the other statuses are derived from its events. A task
    that is unmet, gone, stopped or unresolved counts as failed, until it is retried, replaced or
    removed. A cancelled task is done: a person decided it.
    """
    from reconciler.app.status import status

    out = call.out
    report = status(call.ctx, selectors, states=states)
    severity = Severity.ERROR if exits else Severity.WARNING
    problems = [replace(each, severity=severity) for each in report.diagnostics]
    _show(out, report, problems)
    return exit_codes.of_status(report.statuses, problems) if exits else 0


def _show(out: Output, report: StatusReport, problems: Sequence[Diagnostic]) -> None:
    from reconciler.render.formats.keys import key_lines
    from reconciler.render.status import status_document, status_rows

    if out.options.format in KEYS:
        out.diagnostics(problems)
        out.document(key_lines([status.ref for status in report.statuses]))
        return

    def text(style: Style) -> str:
        rows = status_rows(report, style)
        return "".join(f"{row}\n" for row in rows)

    out.result(
        lambda: status_document(report, problems, out.commands),
        text,
        problems,
    )
