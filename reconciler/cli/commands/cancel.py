"""`taskctl cancel`: cancels tasks."""

from __future__ import annotations

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, SELECTED, STATE, YES, option
from reconciler.cli.responses import show_responses
from reconciler.cli.usage import UsageError


@make_command(
    "cancel",
    SELECTED,
    option("--force", is_flag=True, help="End the session of a stuck task immediately."),
    option(
        "--task",
        "task_id",
        metavar="ID",
        help="Cancel this task of the key instead: one that was replaced, or a duplicate.",
    ),
    *(YES, BACKEND, STATE),
    examples=[
        ("taskctl cancel rotate-iam-keys", "ask the task to stop, after confirmation"),
        ("taskctl cancel 'rotate-*'", "several, each after confirmation"),
        ("taskctl cancel rotate-iam-keys --task 0192f0c4", "a task that was replaced"),
        ("taskctl cancel rotate-iam-keys --force -y", "end its session if it did not stop"),
    ],
)
def command(
    call: Call, selectors: tuple[str, ...], force: bool, task_id: str | None, yes: bool
) -> int:
    """Cancel running tasks. They continue to exist, and accept further messages.

    Each agent is asked to stop; with --force, its session is ended instead.
    """
    from reconciler.app import respond

    if task_id is not None and len(selectors) > 1:
        raise UsageError("oneKey", option="--task")
    return show_responses(
        call.out, respond.cancel(call.ctx, selectors, task_id=task_id, force=force, yes=yes)
    )
