"""`taskctl approve`: approves requests of tasks, or answers a question."""

from __future__ import annotations

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, SELECTED, STATE, YES, option
from reconciler.cli.responses import REQUEST, check_request, message_text, show_responses
from reconciler.cli.usage import UsageError


@make_command(
    "approve",
    SELECTED,
    option("-m", "--message", metavar="TEXT", help="The answer to a question."),
    *(REQUEST, YES, BACKEND, STATE),
    examples=[
        ("taskctl approve rotate-iam-keys", "show the request, then ask for confirmation"),
        (
            "taskctl approve 'rotate-*'",
            "approve the requests of all waiting tasks, one after another",
        ),
        ('taskctl approve rotate-iam-keys -m "eu-west-1"', "answer a question"),
        (
            "taskctl approve rotate-iam-keys --request ID -y",
            "approve only the request that you saw",
        ),
    ],
)
def command(
    call: Call, selectors: tuple[str, ...], message: str | None, request: str | None, yes: bool
) -> int:
    """Approve the open requests of tasks. Each request is shown first, on stderr.

    An answer is rejected if the request has changed since it was shown.
    """
    from reconciler.app import respond

    if (request is not None or message is not None) and len(selectors) > 1:
        raise UsageError("oneKey", option="--message" if request is None else "--request")
    check_request(request, yes=yes)
    answer = "" if message is None else message_text(message, "-m TEXT")
    return show_responses(
        call.out, respond.approve(call.ctx, selectors, answer=answer, request_id=request, yes=yes)
    )
