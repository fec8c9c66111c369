"""`taskctl approve`: approves the open requests of tasks."""

from __future__ import annotations

import click

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, REQUEST, SELECTED, STATE, YES, message_text, option


@make_command(
    "approve",
    SELECTED,
    option("-m", "--message", metavar="TEXT", help="The answer to a question."),
    *(REQUEST, YES, BACKEND, STATE),
    examples=[
        ("taskctl approve rotate-iam-keys", "show the request, then ask"),
        ("taskctl approve 'rotate-*'", "one waiting task after the other"),
        ('taskctl approve rotate-iam-keys -m "eu-west-1"', "the answer to a question"),
        ("taskctl approve rotate-iam-keys --request ID -y", "exactly the request that you saw"),
    ],
)
def command(
    call: Call,
    words: tuple[str, ...],
    message: str | None,
    request: str | None,
    yes: bool,
) -> int:
    """Approve the open requests of tasks. Each request is shown first, on stderr.

    An answer is rejected if the request has changed since it was shown.
    """
    from reconciler.app.respond import approve
    from reconciler.cli.console.responses import show_responses

    if (request is not None or message is not None) and len(words) > 1:
        raise click.UsageError("--request and --message require a single KEY")
    answer = "" if message is None else message_text(message, "-m TEXT")
    sent = approve(call.ctx, words, answer=answer, request_id=request, yes=yes)
    return show_responses(call.out, sent)
