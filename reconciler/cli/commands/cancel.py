"""`taskctl cancel`: cancels running tasks."""

from __future__ import annotations

import click

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, SELECTED, STATE, YES, option


@make_command(
    "cancel",
    SELECTED,
    option("--force", is_flag=True, help="End the session of a stuck task immediately."),
    option(
        "--task",
        "task_id",
        metavar="ID",
        help="A former task of the key, or a redundant one.",
    ),
    *(YES, BACKEND, STATE),
    examples=[
        ("taskctl cancel rotate-iam-keys", "ask the task to stop, after confirmation"),
        ("taskctl cancel 'rotate-*'", "several; each is confirmed"),
        ("taskctl cancel rotate-iam-keys --task 0192f0c4", "a task that was replaced"),
        ("taskctl cancel rotate-iam-keys --force -y", "end its session if it did not stop"),
    ],
)
def command(
    call: Call,
    words: tuple[str, ...],
    force: bool,
    task_id: str | None,
    yes: bool,
) -> int:
    """Cancel running tasks. They continue to exist, and accept further messages.

    Each agent is asked to stop; with --force, its session is ended instead.
    """
    from reconciler.app.respond import cancel
    from reconciler.cli.console.responses import show_responses

    if task_id is not None and len(words) > 1:
        raise click.UsageError("--task requires a single KEY")
    sent = cancel(call.ctx, words, task_id=task_id, force=force, yes=yes)
    return show_responses(call.out, sent)
