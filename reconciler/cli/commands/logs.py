"""`taskctl logs`: shows the conversations of tasks."""

from __future__ import annotations

import sys

from reconciler.cli import exit_codes
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, SELECTED, STATE, option


@make_command(
    "logs",
    SELECTED,
    option("-f", "--follow", is_flag=True, help="Show new events until the task has finished."),
    *(BACKEND, STATE),
    examples=[
        ("taskctl logs rotate-iam-keys", "show the conversation so far"),
        ("taskctl logs rotate-iam-keys --follow", "follow it until the task has finished"),
        ("taskctl logs 'rotate-*'", "show several conversations, one after another"),
        ("taskctl logs rotate-iam-keys -v", "show it in full"),
        ("taskctl logs rotate-iam-keys --format json", "print one event per line, for scripts"),
    ],
)
def command(call: Call, selectors: tuple[str, ...], follow: bool) -> int:
    """Show the conversation of tasks: messages, tool calls, approvals, warnings, errors.

    Times are UTC. --follow and --format json require a single task. Text from the service cannot
    control the terminal.
    """
    from reconciler.app.logs import logs
    from reconciler.render import safe
    from reconciler.render.conversation import ConversationText
    from reconciler.render.document import json_line

    out = call.out
    as_json = out.options.format == "json"
    try:
        found = logs(call.ctx, selectors, follow=follow, single=as_json)
        for ref, conversation in found:
            if len(found) > 1:
                out.document(f"==> {safe.line(str(ref))} <==\n")
            text = ConversationText(out.style_of_result(), terminal=sys.stdout.isatty())
            for event, entries in conversation:
                out.document(json_line(event) if as_json else text.text(entries))
    except KeyboardInterrupt:
        if not follow:
            raise
        return exit_codes.INTERRUPTED  # the usual way to end it
    return 0
