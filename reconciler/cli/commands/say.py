"""`taskctl say`: sends tasks a message."""

from __future__ import annotations

import sys

from reconciler.cli import completion
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, STATE, YES, argument
from reconciler.cli.responses import message_text, show_responses


@make_command(
    "say",
    argument("key", "KEY|GLOB|PATH", completion.keys_or_files),
    *(argument("text", "TEXT|-"), YES, BACKEND, STATE),
    examples=[
        ('taskctl say rotate-iam-keys "The audit role as well."', "send a message to an idle task"),
        (
            "taskctl say 'rotate-*' \"The audit role as well.\"",
            "send it to several tasks, after confirmation",
        ),
        ("taskctl say rotate-iam-keys - < note.md", "send the contents of a file"),
    ],
)
def command(call: Call, key: str, text: str, yes: bool) -> int:
    """Send a follow-up message to a task. The task resumes work, which costs tokens.

    The message is sent once; a busy task rejects it. The last message of the task is shown first,
    on stderr.
    """
    from reconciler.app import respond

    stdin = text == "-"
    given = sys.stdin.buffer.read().decode("utf-8", "surrogateescape") if stdin else text
    message = message_text(given, "TEXT")
    return show_responses(call.out, respond.say(call.ctx, key, message, yes=yes))
