"""`taskctl reject KEY`: rejects what tasks ask for."""

from __future__ import annotations

import click

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, REQUEST, SELECTED, STATE, YES, message_text


@make_command(
    "reject",
    SELECTED,
    click.Option(["-m", "--message"], required=True, metavar="TEXT", help="What to do instead."),
    *(REQUEST, YES, BACKEND, STATE),
    examples=[
        ('taskctl reject rotate-iam-keys -m "Not in production."', "and what to do instead"),
        ("taskctl reject 'rotate-*' -m \"Not today.\"", "one waiting task after the other"),
    ],
)
def command(
    call: Call,
    words: tuple[str, ...],
    message: str,
    request: str | None,
    yes: bool,  # noqa: FBT001 - click passes it by name
) -> int:
    """Reject what tasks ask for. Each request is shown first, on stderr.

    If several tasks are asking, each rejection is confirmed.
    """
    from reconciler.app.approvals import ReplyRequest, reject
    from reconciler.cli.console.responses import tell_sending

    if request is not None and len(words) > 1:
        raise click.UsageError("--request requires a single KEY")
    text = message_text(message, "-m TEXT")
    return tell_sending(call.out, reject(call.ctx, ReplyRequest(words, text, request, yes)))
