"""`taskctl approve KEY`: approves what a task asks for."""

from __future__ import annotations

import click

from reconciler.cli.command import Call, make_command
from reconciler.cli.completion import candidates
from reconciler.cli.options import BACKEND, REQUEST, STATE, YES, argument, message_text


@make_command(
    "approve",
    argument("words", "KEY|GLOB|PATH...", candidates.recorded_keys, nargs=-1, required=True),
    click.Option(["-m", "--message"], metavar="TEXT", help="The answer to a question."),
    *(REQUEST, YES, BACKEND, STATE),
    examples=[
        ("taskctl approve rotate-iam-keys", "show the request, then ask"),
        ("taskctl approve 'rotate-*'", "one waiting task after the other"),
        ('taskctl approve rotate-iam-keys -m "eu-west-1"', "the answer to a question"),
        ("taskctl approve rotate-iam-keys --request ID -y", "exactly the request that was seen"),
    ],
)
def command(
    call: Call,
    words: tuple[str, ...],
    message: str | None,
    request: str | None,
    yes: bool,  # noqa: FBT001 - click passes it by name
) -> int:
    """Approve what tasks ask for. Each request is shown first, on stderr."""
    from reconciler.app.respond import approve
    from reconciler.render.response import response_document, response_text

    if (request is not None or message is not None) and len(words) > 1:
        raise click.UsageError("--request and --message require a single KEY")
    answer = "" if message is None else message_text(message, "-m TEXT")
    code = 1
    for response in approve(call.ctx, words, request_id=request, yes=yes, answer=answer):
        code = 0
        call.out.result(lambda: response_document(response), lambda _s: response_text(response))  # noqa: B023
    return code
