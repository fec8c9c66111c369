"""`taskctl cancel KEY`: cancels what a task does."""

from __future__ import annotations

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, KEY, STATE, YES, option


@make_command(
    "cancel",
    KEY,
    option("--force", is_flag=True, help="End the session at once, for a task that is stuck."),
    option("--task", "task_id", metavar="ID", help="A task that the key had before."),
    *(YES, BACKEND, STATE),
    examples=[
        ("taskctl cancel rotate-iam-keys", "ask the task to stop, after confirmation"),
        ("taskctl cancel rotate-iam-keys --task 0192f0c4", "a task that was replaced"),
        ("taskctl cancel rotate-iam-keys --force -y", "end its session if it did not stop"),
    ],
)
def command(
    call: Call,
    key: str,
    force: bool,  # noqa: FBT001 - click passes it by name
    task_id: str | None,
    yes: bool,  # noqa: FBT001
) -> int:
    """Cancel what a task does. The task remains, and accepts further messages.

    The agent is asked to stop; with --force, its session is ended instead.
    """
    from reconciler.app.respond import CancelRequest, cancel
    from reconciler.render.response import response_document, response_text

    response = cancel(call.ctx, CancelRequest(key, task_id, force, yes))
    if response is None:
        return 1
    call.out.result(lambda: response_document(response), lambda _s: response_text(response))
    return 0
