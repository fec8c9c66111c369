"""`taskctl logs KEY`: the conversation of a task."""

from __future__ import annotations

import sys

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, KEY, STATE, option


@make_command(
    "logs",
    KEY,
    option("-f", "--follow", is_flag=True, help="Continue until the task is settled."),
    option("--since", metavar="DURATION|TIME", help="Only what is newer than this."),
    *(BACKEND, STATE),
    examples=[
        ("taskctl logs rotate-iam-keys", "the conversation so far"),
        ("taskctl logs rotate-iam-keys --follow", "and what follows, until the task is settled"),
        ("taskctl logs rotate-iam-keys --since 10m -v", "the last ten minutes in full"),
        ("taskctl logs rotate-iam-keys --format json", "for a program: one event per line"),
    ],
)
def command(
    call: Call,
    key: str,
    follow: bool,  # noqa: FBT001 - click passes it by name
    since: str | None,
) -> int:
    """Show the conversation of a task: user, assistant, tools, approvals, warnings, errors.

    Times are UTC. What the service sends is shown as text only; it cannot control the terminal.
    """
    from reconciler.app.logs import logs
    from reconciler.render.conversation import ConversationText
    from reconciler.render.json import line

    out = call.out
    as_json = out.common.format == "json"
    text = ConversationText(out.style_of_result(), rich=sys.stdout.isatty())
    try:
        for event, entries in logs(call.ctx, key, follow=follow, since=since):
            out.document(line(event) if as_json else text.text(entries))
    except KeyboardInterrupt:
        if not follow:
            raise
        return 130  # how a person ends it
    return 0
