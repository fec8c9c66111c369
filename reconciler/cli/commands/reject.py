"""`taskctl reject KEY`: no to what a task asks, and what to do instead."""

from __future__ import annotations

import click

from reconciler.cli.completion.candidates import recorded_keys
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection, connection_options
from reconciler.cli.options.shared import common_options, make_command
from reconciler.cli.options.tasks import request_option


@make_command(
    "reject",
    examples=[
        ('taskctl reject rotate-iam-keys -m "Not in production."', "no, and what to do instead"),
    ],
)
@click.argument("key", metavar="KEY", shell_complete=recorded_keys)
@click.option("-m", "--message", required=True, metavar="TEXT", help="What to do instead.")
@request_option
@connection_options
@common_options
def command(
    key: str, message: str, request: str | None, connection: Connection, out: Output
) -> int:
    """Reject what a task asks for. What it asks is shown first, on stderr."""
    from reconciler.app.respond import addressed, show_approval, words
    from reconciler.app.task_sessions import watched

    instructions = words(message, "-m TEXT")
    with watched(connection, out) as tasks:
        task = addressed(tasks, key)
        approval = task.approval(request)
        show_approval(task, approval)
        event = task.event(
            "user_confirmation",
            approval_request_id=approval.id,
            ok=False,
            instructions=instructions,
        )
        task.respond(event, "the rejection")
        return task.done("rejected.", answered=dict(approval.body), sent=event)
