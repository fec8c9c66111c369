"""`taskctl reject`: rejects the open requests of tasks."""

from __future__ import annotations

import click

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, REQUEST, SELECTED, STATE, YES, message_text, option


@make_command(
    "reject",
    SELECTED,
    option("-m", "--message", required=True, metavar="TEXT", help="What to do instead."),
    *(REQUEST, YES, BACKEND, STATE),
    examples=[
        ('taskctl reject rotate-iam-keys -m "Not in production."', "and say what to do instead"),
        ("taskctl reject 'rotate-*' -m \"Not today.\"", "one waiting task after the other"),
    ],
)
def command(
    call: Call,
    words: tuple[str, ...],
    message: str,
    request: str | None,
    yes: bool,
) -> int:
    """Reject the open requests of tasks. Each request is shown first, on stderr.

    If several tasks have one, each rejection is confirmed.
    """
    from reconciler.app.respond import reject
    from reconciler.cli.console.responses import show_responses

    if request is not None and len(words) > 1:
        raise click.UsageError("--request requires a single KEY")
    text = message_text(message, "-m TEXT")
    sent = reject(call.ctx, words, text, request_id=request, yes=yes)
    return show_responses(call.out, sent)
