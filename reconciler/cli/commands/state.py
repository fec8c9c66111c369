"""`taskctl state`: what is known of each task, and the kit to repair it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from reconciler.cli.completion.candidates import recorded_keys, wanted_keys
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection, connection_options
from reconciler.cli.options.shared import Group, common_options, make_command, paths_argument
from reconciler.model.errors import TaskctlError

if TYPE_CHECKING:
    from reconciler.model.task import DesiredTask, RemoteTask, TaskRef
    from reconciler.state.model import Event, State


@click.group(
    "state",
    cls=Group,
    short_help="Look at the state, and repair it.",
    examples=[
        ("taskctl state list", "every task that is recorded"),
        ("taskctl state show cost-review", "all that is known of one"),
        ("taskctl state mv old-key new-key", "after a key was renamed"),
        ("taskctl state resolve cost-review --not-created", "after a look at the service"),
    ],
)
def command() -> None:
    """Look at what is known of each task, and repair it.

    KEY is a task key, or ORG/KEY where one key is in several organizations. What changes the state
    keeps the last one beside it, as STATE.backup.
    """


@make_command("list", examples=[("taskctl state list", "every task that is recorded")])
@connection_options
@common_options
def list_tasks(connection: Connection, out: Output) -> int:
    """List the recorded tasks, and the attempts without outcome."""
    from reconciler.render.state import state_table

    state = _read(connection, out)
    refs = {*state.records, *(a.ref for a in state.attempts.values())}
    return _tell(out, state, sorted(refs), lambda: state_table(state, out.style_of_result()))


@make_command("show", examples=[("taskctl state show rotate-iam-keys", "all that is known of it")])
@click.argument("key", metavar="KEY", shell_complete=recorded_keys)
@connection_options
@common_options
def show(key: str, connection: Connection, out: Output) -> int:
    """Show one task: what it was made with, and what was last seen of it."""
    from reconciler.render.state import task_text
    from reconciler.state.edit import find

    state = _read(connection, out)
    ref = find(state, key)
    return _tell(out, state, [ref], lambda: task_text(state, ref, out.style_of_result()))


@make_command("mv", examples=[("taskctl state mv old-key new-key", "the task goes on as new-key")])
@click.argument("old", metavar="OLD", shell_complete=recorded_keys)
@click.argument("new", metavar="NEW", shell_complete=wanted_keys)
@connection_options
@common_options
def move(old: str, new: str, connection: Connection, out: Output) -> int:
    """Give the record of OLD to the key NEW, in its organization or as ORG/KEY in another."""
    from reconciler.app.context import utcnow
    from reconciler.state.edit import destination, find, mv

    def edit(state: State) -> tuple[list[Event], str]:
        ref = find(state, old)
        to = destination(new, ref)
        return mv(state, ref, to, at=utcnow()), f"{ref} is {to} now."

    return _change(connection, out, "state mv", edit)


@make_command("rm", examples=[("taskctl state rm old-key", "forget it; its task goes on")])
@click.argument("key", metavar="KEY", shell_complete=recorded_keys)
@connection_options
@common_options
def remove(key: str, connection: Connection, out: Output) -> int:
    """Forget the record of KEY. Its task at the service goes on."""
    from reconciler.state.edit import find, rm

    def edit(state: State) -> tuple[list[Event], str]:
        ref = find(state, key)
        return rm(state, ref), f"{ref} is forgotten; its task goes on."

    return _change(connection, out, "state rm", edit)


@make_command("accept", examples=[("taskctl state accept cost-review", "a typo was corrected")])
@click.argument("key", metavar="KEY", shell_complete=recorded_keys)
@paths_argument
@connection_options
@common_options
def accept_inputs(key: str, paths: tuple[str, ...], connection: Connection, out: Output) -> int:
    """Let the manifest's inputs of KEY count as those it was created with.

    For a change that is none to the task: a corrected typo. It is not shown as changed any more.
    """
    from reconciler.app.context import read_manifests
    from reconciler.state.edit import accept, find

    manifests = read_manifests(paths, out)

    def edit(state: State) -> tuple[list[Event], str]:
        ref = find(state, key)
        wanted = _wanted(manifests.tasks, ref)
        events = accept(state, ref, wanted.inputs, wanted.file, sensitive=wanted.sensitive)
        return events, f"{ref} counts as created with what {wanted.file} says."

    return _change(connection, out, "state accept", edit)


@make_command(
    "resolve",
    examples=[
        ("taskctl state resolve cost-review --task-id 4f1c...", "this is the task it made"),
        ("taskctl state resolve cost-review --not-created", "it made none: it may be sent again"),
    ],
)
@click.argument("key", metavar="KEY", shell_complete=recorded_keys)
@click.option("--task-id", metavar="ID", help="The attempt made this task.")
@click.option("--not-created", is_flag=True, help="The attempt made no task.")
@connection_options
@common_options
def settle_attempts(
    key: str,
    task_id: str | None,
    not_created: bool,  # noqa: FBT001 - click passes it by name
    connection: Connection,
    out: Output,
) -> int:
    """Say what came of an attempt to create KEY that has no outcome.

    Look at the service first: a task that exists and is settled as not created is made twice.
    """
    from reconciler.app.context import utcnow
    from reconciler.state.edit import find, settle

    if (task_id is None) is not not_created:
        raise click.UsageError("give either --task-id ID or --not-created")

    def edit(state: State) -> tuple[list[Event], str]:
        ref = find(state, key)
        if task_id is None:
            events = settle(state, ref, None, at=utcnow())
            if ref in state.records:
                return events, f"{ref} got no new task: it has the one that it had."
            return events, f"{ref} was not created; the next apply creates it."
        task = _at_service(ref, task_id, connection, out)
        events = settle(state, ref, task_id, created_at=task.created_at, at=utcnow())
        return events, f"{ref} is task {task_id}."

    return _change(connection, out, "state resolve", edit)


for _part in (list_tasks, show, move, remove, accept_inputs, settle_attempts):
    command.add_command(_part)


def _read(connection: Connection, out: Output) -> State:
    """The state as it may be shown."""
    from reconciler.app.context import find_backend, find_state
    from reconciler.render.masking import masked_state
    from reconciler.state.session import read_state

    backend = find_backend(connection, out)
    state = read_state(find_state(connection, backend, out), backend=backend.name)
    return masked_state(state)


def _change(
    connection: Connection,
    out: Output,
    purpose: str,
    edit: Callable[[State], tuple[list[Event], str]],
) -> int:
    from reconciler.app.context import find_backend, find_state
    from reconciler.render.json import dump
    from reconciler.state.session import Session

    backend = find_backend(connection, out)
    path = find_state(connection, backend, out)
    with Session.open(
        path, backend=backend.name, lock_timeout=connection.lock_timeout, purpose=purpose
    ) as session:
        events, said = edit(session.state)
        session.append(*events)
    if out.common.format == "json":
        document = {"formatVersion": 1, "diagnostics": [], "changed": bool(events), "done": said}
        out.document(dump(document))
    elif not out.common.quiet:
        out.document(f"{said}\n")
    return 0


def _tell(out: Output, state: State, refs: list[TaskRef], text: Callable[[], str]) -> int:
    from reconciler.render.json import dump
    from reconciler.render.state import state_document

    as_json = out.common.format == "json"
    out.document(dump(state_document(state, refs)) if as_json else text())
    return 0


def _wanted(tasks: tuple[DesiredTask, ...], ref: TaskRef) -> DesiredTask:
    for task in tasks:
        if task.key == ref.key and task.org_name in (None, ref.org_name):
            return task
    raise TaskctlError.of(
        f"{ref} is in no manifest: there is nothing to accept",
        "Name the manifest that has it, or forget the record:\n"
        f"    taskctl state accept {ref.key} PATH\n    taskctl state rm {ref}",
    )


def _at_service(ref: TaskRef, task_id: str, connection: Connection, out: Output) -> RemoteTask:
    from reconciler.app.context import connect, find_backend

    client = connect(find_backend(connection, out), connection, out)
    try:
        task = client.get_task(ref.org_name, task_id)
    finally:
        client.close()
    if task is None:
        raise TaskctlError.of(
            f"there is no task {task_id} in {ref.org_name}, or this token may not see it",
            "Nothing was changed. Look up the id, or use a token of the user who made the task.",
        )
    return task
