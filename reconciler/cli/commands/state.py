"""`taskctl state`: shows, repairs and moves the state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli import completion
from reconciler.cli.command import Call, Group, make_command
from reconciler.cli.options import (
    BACKEND,
    EDITS,
    PATHS,
    SELECTED,
    SELECTION,
    STATE,
    YES,
    argument,
    option,
)
from reconciler.cli.usage import UsageError
from reconciler.render import KEYS

if TYPE_CHECKING:
    from reconciler.app.state import Edit, LocationChange


@make_command(
    "list",
    *(SELECTION, BACKEND, STATE),
    formats=KEYS,
    examples=[
        ("taskctl state list", "list all recorded tasks"),
        (
            "taskctl state list 'rotate-*' tasks/iam.yaml",
            "list tasks that match a pattern, and the tasks of a manifest",
        ),
    ],
)
def list_records(call: Call, selectors: tuple[str, ...]) -> int:
    """List the recorded tasks, and the unresolved attempts.

    LAST STATUS is the last status in the state; `taskctl status` asks the service.
    """
    from reconciler.app.state import read_tasks
    from reconciler.render.formats.keys import key_lines
    from reconciler.render.state import state_document, state_table

    state, refs = read_tasks(call.ctx, selectors)
    if call.out.options.format in KEYS:
        call.out.document(key_lines(refs))
        return 0
    missing = call.ctx.missing_state
    call.out.result(
        lambda: state_document(state, refs, missing=missing),
        lambda style: state_table(state, refs, style, missing=missing),
    )
    return 0


@make_command(
    "mv",
    argument("old", "OLD|GLOB", completion.keys),
    argument("new", "NEW", completion.desired_keys),
    *(YES, *EDITS),
    examples=[
        ("taskctl state mv old-key new-key", "change the key of a task"),
        ("taskctl state mv rotate rotate-keys", "move all tasks of a renamed entry"),
    ],
)
def rename_record(call: Call, old: str, new: str, yes: bool) -> int:
    """Move the record of OLD to the key NEW (ORG/KEY to move it to another organization).

    OLD and NEW may be entries. Each * in NEW is replaced by the text that the corresponding *
    in OLD matched. Asks for confirmation if several keys match.
    """
    from reconciler.app.state import move_records

    return _show_edits(call, *move_records(call.ctx, old, new, yes=yes))


@make_command(
    "rm",
    *(SELECTED, YES, *EDITS),
    examples=[
        ("taskctl state rm old-key", "remove the record; the task is not affected"),
        ("taskctl state rm 'old-*'", "remove several records, after confirmation"),
    ],
)
def rm_record(call: Call, selectors: tuple[str, ...], yes: bool) -> int:
    """Remove records. The tasks are not affected. Asks for confirmation if several match."""
    from reconciler.app.state import remove_records

    code = _show_edits(call, *remove_records(call.ctx, selectors, yes=yes))
    if not code:
        call.out.note("removed")
    return code


@make_command(
    "accept",
    argument("key", "KEY|GLOB", completion.keys),
    *(PATHS, YES, *EDITS),
    examples=[
        ("taskctl state accept cost-review", "mark a corrected typo as applied"),
        (
            "taskctl state accept 'cost-*'",
            "mark changes of several tasks as applied, after confirmation",
        ),
    ],
)
def accept_inputs(call: Call, key: str, paths: tuple[str, ...], yes: bool) -> int:
    """Mark KEY as applied: store its current manifest as the inputs of its task.

    Use it after an edit that does not matter, such as a corrected typo. The plan then no
    longer shows that the task differs.
    """
    from reconciler.app.state import accept_manifest

    return _show_edits(call, *accept_manifest(call.ctx, key, paths, yes=yes))


@make_command(
    "assign",
    argument("key", "KEY", completion.keys),
    argument("task_id", "TASK_ID"),
    *EDITS,
    examples=[("taskctl state assign cost-review 4f1c...", "record the task that exists")],
)
def assign_task(call: Call, key: str, task_id: str) -> int:
    """Record an existing task as the task of KEY.

    Closes the unresolved attempt for KEY. A task that another key has cannot be assigned; set
    `taskID` in the manifest instead, which also survives the loss of the state.
    """
    from reconciler.app import state

    return _show_edits(call, state.assign_task(call.ctx, key, task_id))


@make_command(
    "close",
    argument("key", "KEY", completion.keys),
    *EDITS,
    examples=[("taskctl state close cost-review", "let the next apply create the task")],
)
def close_attempt(call: Call, key: str) -> int:
    """Record that the unresolved attempt for KEY created no task.

    Check the service first: if the task exists, the next apply creates a second one. Waits until
    the request can no longer create a task.
    """
    from reconciler.app.state import close_attempts

    closed = close_attempts(call.ctx, key)
    return _show_edits(call, *([closed] if closed is not None else []))


@make_command(
    "dismiss",
    argument("task", "ORG/TASK_ID"),
    *EDITS,
    examples=[("taskctl state dismiss acme/4f1c...", "ignore a task that cannot be read")],
)
def dismiss_task(call: Call, task: str) -> int:
    """Ignore a task that taskctl cannot explain, because it belongs to no key.

    A recorded task keeps its record, and lists of the service may lack it from now on.
    """
    from reconciler.app import state

    return _show_edits(call, state.dismiss_task(call.ctx, task))


@make_command(
    "init",
    argument("address", "[URL]", required=False),
    option("--new", is_flag=True, help="The state replaces no lost state."),
    option("--continue", "state_id", metavar="ID", help="Take over the tasks of a lost state."),
    option("--dry-run", is_flag=True, help="With --continue, show the tasks; write nothing."),
    *(YES, *EDITS),
    examples=[
        ("taskctl state init git:origin --new", "create it in a ref of the repository's remote"),
        ("taskctl state init s3://acme-states/taskctl --new", "create it in an existing bucket"),
        (
            "taskctl state init --continue kibor-tanuf-lisab --dry-run",
            "show the tasks of a lost state",
        ),
        ("taskctl state init --continue kibor-tanuf-lisab", "continue a lost state"),
    ],
)
def init_state(
    call: Call, address: str | None, new: bool, state_id: str | None, dry_run: bool, yes: bool
) -> int:
    """Begin a state at URL, or at the address of --state.

    With --continue, records the tasks that the state with this ID has created, after showing
    them, and creates none. `taskctl plan` shows the ID; so does the last line of each prompt.
    """
    from reconciler.app.state import continue_lost_state, create_state
    from reconciler.render.state import continued_document, continued_text

    if state_id is None:
        if dry_run:
            raise UsageError("requires", option="--dry-run", needed="--continue")
        change = create_state(call.ctx, address, new=new)
        return _show_change(call, change) or int(change.done == "declined")
    if new:
        raise UsageError("exclusive", option="--continue", other="--new")
    result = continue_lost_state(call.ctx, address, state_id, yes=yes, dry_run=dry_run)
    if result is None:
        return 1
    call.out.result(lambda: continued_document(result), lambda _style: continued_text(result))
    return 0


def _epoch(value: str) -> int:
    if not (value.isascii() and value.isdecimal()):
        raise UsageError("epoch", value=value)
    return int(value)


@make_command(
    "unlock",
    argument("epoch", "EPOCH", type=_epoch),
    *(BACKEND, STATE),
    examples=[("taskctl state unlock 7", "release the lock with epoch 7")],
)
def unlock_state(call: Call, epoch: int) -> int:
    """Release the lock of a shared state.

    EPOCH is the number in the error message about the locked state. If the run that holds the lock
    is still active, it sends no further requests. The lock of a run that was killed expires by
    itself.
    """
    from reconciler.app.state import release_lock

    return _show_change(call, release_lock(call.ctx, epoch))


@make_command(
    "pull",
    *(BACKEND, STATE),
    examples=[("taskctl state pull >state.json", "save a copy, which includes all prompts")],
)
def print_state(call: Call) -> int:
    """Print the whole state as JSON, in the format of a state file. It contains all prompts."""
    from reconciler.app.state import pull_state
    from reconciler.render.state import copy_document, copy_text

    state = pull_state(call.ctx)
    call.out.result(lambda: copy_document(state), lambda _style: copy_text(state))
    return 0


@make_command(
    "push",
    argument("file", "FILE", type=click.Path()),
    option("--force", is_flag=True, help="Also push an older version of the state."),
    *EDITS,
    examples=[("taskctl state push state.json", "push an edited copy from `state pull`")],
)
def push_file(call: Call, file: str, force: bool) -> int:
    """Replace the state with FILE, an edited copy of it.

    FILE must have the lineage of the state and, without --force, a higher serial. It must contain
    all of its tasks and unresolved attempts. If there is no state file, FILE is restored.
    """
    from reconciler.app.state import push_state

    change = push_state(call.ctx, file, force=force)
    return _show_change(call, change)


@make_command(
    "migrate",
    option("--to", metavar="URL", help="Address or path of the new location."),
    option("--abort", is_flag=True, help="Undo a move that was interrupted."),
    *EDITS,
    examples=[
        ("taskctl state migrate --to git:origin", "move from a file to the repository's remote"),
        ("taskctl --state git:origin state migrate --to taskctl.state.json", "move back to a file"),
    ],
)
def migrate_state(call: Call, to: str | None, abort: bool) -> int:
    """Move the state to another location, which must not have a state yet.

    If it is interrupted, run it again with the same address, or undo it with --abort. Until then,
    no other command uses the state. After the move, the old location refers to the new
    location.
    """
    from reconciler.app.state import abort_move, move_state

    if (to is None) is not abort:
        raise UsageError("either", choices=("--to URL", "--abort"))
    return _show_change(call, abort_move(call.ctx) if to is None else move_state(call.ctx, to))


command = Group(
    "state",
    commands=[
        *(list_records, rename_record, rm_record, accept_inputs),
        *(assign_task, close_attempt, dismiss_task),
        *(init_state, unlock_state, print_state, push_file, migrate_state),
    ],
    short_help="Inspect and repair the state.",
    help="""Inspect and repair the records of tasks.

    KEY is a task key, or ORG/KEY if the key exists in several organizations. Commands that change
    a state file keep the previous file as STATE.backup.
    """,
    examples=[
        ("taskctl state list", "list all recorded tasks"),
        ("taskctl state mv old-key new-key", "move a record after its key was renamed"),
        (
            "taskctl state close cost-review",
            "record that no task was created, after checking the service",
        ),
    ],
)


def _show_edits(call: Call, *edits: Edit) -> int:
    """Shows the edits. The exit code is 1 if they were declined."""
    from reconciler.render.state import edit_text, edits_document

    call.out.result(lambda: edits_document(edits), lambda _style: "".join(map(edit_text, edits)))
    return int(not edits)


def _show_change(call: Call, change: LocationChange) -> int:
    from reconciler.render.state import location_document, location_text

    call.out.result(lambda: location_document(change), lambda _style: location_text(change))
    return 0
