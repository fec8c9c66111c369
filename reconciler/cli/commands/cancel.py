"""`taskctl cancel`: cancels tasks."""

from __future__ import annotations

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, SELECTED, STATE, YES, option
from reconciler.cli.responses import show_responses


@make_command(
    "cancel",
    SELECTED,
    option("--force", is_flag=True, help="End the session of a stuck task immediately."),
    *(YES, BACKEND, STATE),
    examples=[
        ("taskctl cancel rotate-iam-keys", "ask the task to stop, after confirmation"),
        ("taskctl cancel 'rotate-*'", "cancel several tasks, each after confirmation"),
        ("taskctl cancel acme/0192f0c4", "cancel a replaced task or a duplicate by its ID"),
        ("taskctl cancel rotate-iam-keys --force -y", "end its session if it did not stop"),
    ],
)
def command(call: Call, selectors: tuple[str, ...], force: bool, yes: bool) -> int:
    """Cancel running tasks. They continue to exist, and accept further messages.

    ORG/TASK_ID also selects a task that the state does not know. Each agent is asked to stop; with
    --force, its session is ended instead.
    """
    from reconciler.app import respond

    return show_responses(call.out, respond.cancel(call.ctx, selectors, force=force, yes=yes))
