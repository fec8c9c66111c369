"""`taskctl state`: what is recorded of each task, and how to repair it."""

from __future__ import annotations

import click

from reconciler.cli.command import Call, Group, make_command
from reconciler.cli.completion import candidates
from reconciler.cli.options import BACKEND, EDITS, KEY, PATHS, STATE, argument, option
from reconciler.render.response import Edited, edit_document, edit_text


@make_command("list", *(BACKEND, STATE), examples=[("taskctl state list", "all recorded tasks")])
def list_records(call: Call) -> int:
    """List the recorded tasks, and the unresolved attempts."""
    return _show(call, None)


@make_command(
    "show",
    *(KEY, BACKEND, STATE),
    examples=[("taskctl state show rotate-iam-keys", "everything in its record")],
)
def show_record(call: Call, key: str) -> int:
    """Show the record of one task: what it was created with, and what was last seen of it."""
    return _show(call, key)


@make_command(
    "mv",
    argument("old", "OLD", candidates.recorded_keys),
    argument("new", "NEW", candidates.desired_keys),
    *EDITS,
    examples=[("taskctl state mv old-key new-key", "the task is now new-key")],
)
def rename_record(call: Call, old: str, new: str) -> int:
    """Rename the record of OLD to NEW, in its organization or as ORG/KEY in another one."""
    from reconciler.app.state_edits import move_record

    return _tell(call, move_record(call.ctx, old, new))


@make_command(
    "rm",
    *(KEY, *EDITS),
    examples=[("taskctl state rm old-key", "remove the record; the task keeps running")],
)
def rm_record(call: Call, key: str) -> int:
    """Remove the record of KEY. The task keeps running."""
    from reconciler.app.state_edits import remove_record

    return _tell(call, remove_record(call.ctx, key))


@make_command(
    "accept",
    *(KEY, PATHS, *EDITS),
    examples=[("taskctl state accept cost-review", "a typo was corrected")],
)
def accept_inputs(call: Call, key: str, paths: tuple[str, ...]) -> int:
    """Record the manifest's inputs of KEY as those that its task was created with.

    For an edit that does not matter to the task, such as a corrected typo: it is no longer shown
    as changed.
    """
    from reconciler.app.state_edits import accept_manifest

    return _tell(call, accept_manifest(call.ctx, key, paths))


@make_command(
    "resolve",
    KEY,
    option("--task-id", metavar="ID", help="The attempt created this task."),
    option("--not-created", is_flag=True, help="The attempt created no task."),
    *EDITS,
    examples=[
        ("taskctl state resolve cost-review --task-id 4f1c...", "this is the task it created"),
        ("taskctl state resolve cost-review --not-created", "there is no task; it may be sent"),
    ],
)
def resolve_attempts(
    call: Call,
    key: str,
    task_id: str | None,
    not_created: bool,  # noqa: FBT001 - click passes it by name
) -> int:
    """Record the outcome of an attempt to create KEY that has none.

    Look at the service first: if the task exists, --not-created leads to a second one.
    """
    from reconciler.app.state_edits import resolve_attempt

    if (task_id is None) is not not_created:
        raise click.UsageError("specify either --task-id ID or --not-created")
    return _tell(call, resolve_attempt(call.ctx, key, task_id))


command = Group(
    "state",
    commands=[list_records, show_record, rename_record, rm_record, accept_inputs, resolve_attempts],
    short_help="Inspect and repair the state.",
    help="""Inspect and repair what is recorded of each task.

    KEY is a task key, or ORG/KEY if the key exists in several organizations. Commands that change
    the state keep the previous one as STATE.backup.
    """,
    examples=[
        ("taskctl state list", "all recorded tasks"),
        ("taskctl state show cost-review", "everything in one record"),
        ("taskctl state mv old-key new-key", "after a key was renamed"),
        ("taskctl state resolve cost-review --not-created", "after a look at the service"),
    ],
)


def _show(call: Call, key: str | None) -> int:
    from reconciler.app.state_edits import read_tasks
    from reconciler.render.state import state_document, state_table, task_text

    state, refs = read_tasks(call.ctx, key)
    call.out.result(
        lambda: state_document(state, refs),
        lambda style: (
            state_table(state, style) if key is None else task_text(state, refs[0], style)
        ),
    )
    return 0


def _tell(call: Call, edited: Edited) -> int:
    call.out.result(lambda: edit_document(edited), lambda _style: edit_text(edited))
    return 0
