"""`taskctl reject KEY`: rejects what a task asks for."""

from __future__ import annotations

import click

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, KEY, REQUEST, STATE, message_text


@make_command(
    "reject",
    KEY,
    click.Option(["-m", "--message"], required=True, metavar="TEXT", help="What to do instead."),
    *(REQUEST, BACKEND, STATE),
    examples=[
        ('taskctl reject rotate-iam-keys -m "Not in production."', "and what to do instead"),
    ],
)
def command(call: Call, key: str, message: str, request: str | None) -> int:
    """Reject what a task asks for. The request is shown first, on stderr."""
    from reconciler.app.respond import reject
    from reconciler.render.response import response_document, response_text

    response = reject(call.ctx, key, message_text(message, "-m TEXT"), request_id=request)
    call.out.result(lambda: response_document(response), lambda _s: response_text(response))
    return 0
