"""`taskctl inbox`: shows what tasks ask for."""

from __future__ import annotations

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import READS, SELECTION


@make_command(
    "inbox",
    SELECTION,
    *READS,
    examples=[
        ("taskctl inbox", "show the open requests, and the commands that answer them"),
        ("taskctl inbox 'rotate-*'", "show only the requests of some tasks"),
        ("taskctl inbox --format json", "list them for a program"),
    ],
)
def command(call: Call, selectors: tuple[str, ...]) -> int:
    """List open requests, oldest first, each with the command that answers it.

    `taskctl approve GLOB` shows each request and asks before approving it.
    """
    from reconciler.app.inbox import inbox
    from reconciler.render.inbox import inbox_document, inbox_text

    requests, read_at = inbox(call.ctx, selectors)
    call.out.result(
        lambda: inbox_document(requests, read_at),
        lambda style: inbox_text(requests, style, read_at),
    )
    return 0
