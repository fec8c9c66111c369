"""`taskctl cancel KEY`: end what a task does."""

from __future__ import annotations

import click

from reconciler.cli.completion.candidates import recorded_keys
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection, connection_options
from reconciler.cli.options.shared import common_options, make_command


@make_command(
    "cancel",
    examples=[
        ("taskctl cancel rotate-iam-keys", "ask it to stop, after a question"),
        ("taskctl cancel rotate-iam-keys --task 0192f0c4", "one that `--replace` left behind"),
        ("taskctl cancel rotate-iam-keys --force -y", "end its session, if it did not stop"),
    ],
)
@click.argument("key", metavar="KEY", shell_complete=recorded_keys)
@click.option("--force", is_flag=True, help="End the session at once: for a task that is stuck.")
@click.option("--task", "task_id", metavar="ID", help="A task that the key had before.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@connection_options
@common_options
def command(
    key: str,
    force: bool,  # noqa: FBT001 - click passes it by name
    task_id: str | None,
    yes: bool,  # noqa: FBT001
    connection: Connection,
    out: Output,
) -> int:
    """Cancel what a task does. The task stays, and can be told something else.

    The agent is asked to stop. With --force it is not asked: its session is ended.
    """
    from reconciler.app.respond import addressed, confirm, show_last_words
    from reconciler.app.task_sessions import watched
    from reconciler.tasks.status import SETTLED

    with watched(connection, out) as tasks:
        task = addressed(tasks, key, task_id)
        show_last_words(task)
        if task.status.standing in SETTLED and not force:
            return task.done("nothing to cancel.", sent=None)
        question = f"{'End the session of' if force else 'Cancel'} {task.name}?"
        flag = (f" --task {task_id}" if task_id else "") + (" --force" if force else "")
        again = f"taskctl cancel {task.name}{flag} -y"
        if not confirm(out, question, yes=yes, otherwise=again):
            out.note("Nothing was sent.")
            return 1
        if force:
            ref, task_id = task.record.ref, task.record.task_id
            outcome = tasks.following.cancel_by_force(ref.org_name, task_id)
            task.judge(outcome, "the cancel", forced=True)
            return task.done("its session was ended.", sent={"force": True})
        event = task.event("user_cancel")
        task.respond(event, "the cancel")
        return task.done("cancelled.", sent=event)
