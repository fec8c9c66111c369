"""`taskctl approve KEY`: yes to what a task asks."""

from __future__ import annotations

import shlex

import click

from reconciler.cli.completion.candidates import recorded_keys
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection, connection_options
from reconciler.cli.options.shared import common_options, make_command
from reconciler.cli.options.tasks import request_option


@make_command(
    "approve",
    examples=[
        ("taskctl approve rotate-iam-keys", "see what it asks, then say yes"),
        ("taskctl approve rotate-iam-keys --request ID -y", "just the request that was seen"),
    ],
)
@click.argument("key", metavar="KEY", shell_complete=recorded_keys)
@request_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@connection_options
@common_options
def command(
    key: str,
    request: str | None,
    yes: bool,  # noqa: FBT001 - click passes it by name
    connection: Connection,
    out: Output,
) -> int:
    """Approve what a task asks for. What it asks is shown first, on stderr."""
    from reconciler.app.respond import addressed, confirm, show_approval
    from reconciler.app.task_sessions import watched

    with watched(connection, out) as tasks:
        task = addressed(tasks, key)
        approval = task.approval(request)
        show_approval(task, approval)
        again = f"taskctl approve {task.name} --request {shlex.quote(approval.id)} -y"
        if not confirm(out, "Approve it?", yes=yes, otherwise=again):
            out.note("Nothing was sent.")
            return 1
        event = task.event("user_confirmation", approval_request_id=approval.id, ok=True)
        task.respond(event, "the approval")
        return task.done("approved.", answered=dict(approval.body), sent=event)
