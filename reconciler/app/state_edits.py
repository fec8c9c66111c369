"""`state list | show | mv | rm | accept | resolve`: reads and repairs the state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from reconciler.app.context import Context
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, error
from reconciler.model.errors import TaskctlError
from reconciler.model.task import TaskRef
from reconciler.render.response import Edited
from reconciler.state import edit

if TYPE_CHECKING:
    from reconciler.model.task import DesiredTask, RemoteTask
    from reconciler.state.model import Event, State


def read_tasks(ctx: Context, key: str | None = None) -> tuple[State, tuple[TaskRef, ...]]:
    """The state as it may be shown, and the tasks in it, or the one of `key`. TaskctlError."""
    from reconciler.render.masking import masked_state

    state = masked_state(ctx.read_state())
    if key is not None:
        return state, (edit.find(state, key),)
    return state, tuple(sorted({*state.records, *(a.ref for a in state.attempts.values())}))


def move_record(ctx: Context, old: str, new: str) -> Edited:
    """Gives the record of one key to another key. TaskctlError."""

    def change(state: State) -> tuple[list[Event], Edited]:
        ref = edit.find(state, old)
        to = edit.destination(new, ref)
        return edit.mv(state, ref, to, at=ctx.clock.now()), Edited(ref, "moved", True, str(to))

    return _change(ctx, "state mv", change)


def remove_record(ctx: Context, key: str) -> Edited:
    """Removes a record; the task keeps running. TaskctlError."""

    def change(state: State) -> tuple[list[Event], Edited]:
        ref = edit.find(state, key)
        return edit.rm(state, ref), Edited(ref, "removed", True)

    return _change(ctx, "state rm", change)


def accept_manifest(ctx: Context, key: str, paths: Sequence[str]) -> Edited:
    """Records the manifest's inputs as those that the task was created with. TaskctlError."""
    tasks = ctx.read(paths).tasks

    def change(state: State) -> tuple[list[Event], Edited]:
        ref = edit.find(state, key)
        task = _declared(tasks, ref)
        events = edit.accept(state, ref, task.inputs, task.file, sensitive=task.sensitive)
        return events, Edited(ref, "accepted", bool(events), task.file)

    return _change(ctx, "state accept", change)


def resolve_attempt(ctx: Context, key: str, task_id: str | None) -> Edited:
    """Records the outcome of an attempt: the task that it created, or none. TaskctlError."""

    def change(state: State) -> tuple[list[Event], Edited]:
        ref = edit.find(state, key)
        if task_id is None:
            events = edit.resolved_attempts(state, ref, None, at=ctx.clock.now())
            done = "keptTask" if ref in state.records else "notCreated"
            return events, Edited(ref, done, bool(events))
        task = _at_service(ctx, ref, task_id)
        events = edit.resolved_attempts(
            state, ref, task_id, created_at=task.created_at, at=ctx.clock.now()
        )
        return events, Edited(ref, "resolved", bool(events), task_id)

    return _change(ctx, "state resolve", change)


def _change(
    ctx: Context, purpose: str, change: Callable[[State], tuple[list[Event], Edited]]
) -> Edited:
    with ctx.open_state(purpose) as session:
        events, edited = change(session.state)
        session.append(*events)
    return edited


def _declared(tasks: Sequence[DesiredTask], ref: TaskRef) -> DesiredTask:
    for task in tasks:
        if task.key == ref.key and task.org_name in (None, ref.org_name):
            return task
    facts = {"ref": str(ref), "task_key": ref.key}
    raise TaskctlError([error(Code.NOT_DECLARED, at=Place(key=ref.key), **facts)])


def _at_service(ctx: Context, ref: TaskRef, task_id: str) -> RemoteTask:
    task = ctx.client.get_task(ref.org_name, task_id)
    if task is None:
        raise TaskctlError([error(Code.NO_SUCH_TASK, task_id=task_id, org=ref.org_name)])
    return task
