"""`taskctl say KEY TEXT`: a follow-up message to a task."""

from __future__ import annotations

import sys

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, KEY, STATE, argument, message_text


@make_command(
    "say",
    *(KEY, argument("text", "TEXT|-"), BACKEND, STATE),
    examples=[
        ('taskctl say rotate-iam-keys "The audit role as well."', "to a task that is idle"),
        ("taskctl say rotate-iam-keys - < note.md", "the contents of a file"),
    ],
)
def command(call: Call, key: str, text: str) -> int:
    """Send a follow-up message to a task. The task resumes work, which spends tokens.

    The message is sent once; a busy task refuses it. What the task said last is shown first, on
    stderr.
    """
    from reconciler.app.respond import send_message
    from reconciler.render.response import response_document, response_text

    stdin = text == "-"
    given = sys.stdin.buffer.read().decode("utf-8", "surrogateescape") if stdin else text
    response = send_message(call.ctx, key, message_text(given, "TEXT"))
    call.out.result(lambda: response_document(response), lambda _s: response_text(response))
    return 0
