"""`taskctl reject`: rejects requests of tasks."""

from __future__ import annotations

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, SELECTED, STATE, YES, option
from reconciler.cli.responses import REQUEST, check_request, message_text, show_responses
from reconciler.cli.usage import UsageError


@make_command(
    "reject",
    SELECTED,
    option("-m", "--message", required=True, metavar="TEXT", help="What to do instead."),
    *(REQUEST, YES, BACKEND, STATE),
    examples=[
        (
            'taskctl reject rotate-iam-keys -m "Not in production."',
            "reject, and tell the agent what to do instead",
        ),
        (
            "taskctl reject 'rotate-*' -m \"Not today.\"",
            "reject the requests of all waiting tasks, one after another",
        ),
    ],
)
def command(
    call: Call, selectors: tuple[str, ...], message: str, request: str | None, yes: bool
) -> int:
    """Reject the open requests of tasks. Each request is shown first, on stderr.

    If several tasks have open requests, asks for confirmation of each. Without a terminal,
    --request is required.
    """
    from reconciler.app import respond

    if request is not None and len(selectors) > 1:
        raise UsageError("oneKey", option="--request")
    check_request(request, yes=yes)
    text = message_text(message, "-m TEXT")
    return show_responses(call.out, respond.reject(call.ctx, selectors, text, request_id=request))
