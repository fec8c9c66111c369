"""`taskctl inbox`: shows what tasks ask for, and responds."""

from __future__ import annotations

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import READS, SELECTION
from reconciler.cli.responses import show_responses


@make_command(
    "inbox",
    SELECTION,
    *READS,
    examples=[
        ("taskctl inbox", "respond to the open requests, the oldest first"),
        ("taskctl inbox 'rotate-*'", "only those of some tasks"),
        ("taskctl inbox --format json", "list them for a program"),
    ],
)
def command(call: Call, selectors: tuple[str, ...]) -> int:
    """List open requests, oldest first. On a terminal, answer them one by one.

    An answer is rejected if the request has changed since it was shown. Tool calls that run outside
    the service are only listed.
    """
    from reconciler.app.inbox import answer_inbox, inbox
    from reconciler.render.inbox import inbox_document, inbox_text

    listed = inbox(call.ctx, selectors)
    if call.ctx.ui.interactive and listed.requests:
        return show_responses(call.out, answer_inbox(listed), skippable=True)
    call.out.result(
        lambda: inbox_document(listed.requests, listed.read_at),
        lambda style: inbox_text(listed.requests, style, listed.read_at),
    )
    return 0
