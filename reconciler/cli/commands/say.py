"""`taskctl say KEY TEXT`: a further message to a task."""

from __future__ import annotations

import sys

import click

from reconciler.cli.completion.candidates import recorded_keys
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection, connection_options
from reconciler.cli.options.shared import common_options, make_command


@make_command(
    "say",
    examples=[
        ('taskctl say rotate-iam-keys "The audit role as well."', "to a task that is idle"),
        ("taskctl say rotate-iam-keys - < note.md", "what is in a file"),
    ],
)
@click.argument("key", metavar="KEY", shell_complete=recorded_keys)
@click.argument("text", metavar="TEXT|-")
@connection_options
@common_options
def command(key: str, text: str, connection: Connection, out: Output) -> int:
    """Tell a task something further: it takes its work up again, which spends tokens.

    It is sent once. A task that is busy refuses it; what it said last is shown first, on stderr.
    """
    from reconciler.app.respond import addressed, show_last_words, words
    from reconciler.app.task_sessions import watched

    given = words(_stdin() if text == "-" else text, "TEXT")
    with watched(connection, out) as tasks:
        task = addressed(tasks, key)
        show_last_words(task)
        event = task.event("user_message", content=given)
        task.respond(event, "the message")
        return task.done("told.", sent=event)


def _stdin() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
