"""`state list | show | mv | rm | accept | resolve`: reads and repairs records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from reconciler.app.context import Context
from reconciler.app.recipient import confirm
from reconciler.app.task_sessions import select_keys, select_refs, with_named_ids
from reconciler.messages.notes import Question
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError
from reconciler.model.task import TaskRef
from reconciler.render.outcomes import Edit
from reconciler.state import edit

T = TypeVar("T")

if TYPE_CHECKING:
    from reconciler.model.task import DesiredTask, RemoteTask
    from reconciler.state.model import Event, State


def read_tasks(ctx: Context, words: Sequence[str] = ()) -> tuple[State, tuple[TaskRef, ...]]:
    """The state without sensitive prompts, and the tasks that `words` select. TaskctlError."""
    from reconciler.render.masking import masked_state

    state = masked_state(with_named_ids(ctx.read_state(), words))
    return state, select_refs(ctx, state, words)


def move_records(ctx: Context, old: str, new: str, *, yes: bool) -> tuple[Edit, ...]:
    """Moves records to other keys, several after confirmation. Returns nothing if it was declined.
    TaskctlError."""

    def change(state: State) -> tuple[list[Event], tuple[Edit, ...]]:
        refs = select_keys(state, old)
        moves = edit.destinations(refs, old, new)
        at = ctx.clock.now()
        events = [event for ref, to in moves for event in edit.mv(state, ref, to, at=at)]
        again = ("state", "mv", old, new, "-y")
        shown = [f"{ref} to {to}" for ref, to in moves]
        if not _confirm(ctx, Question.MOVE, shown, yes=yes, again=again):
            return [], ()
        return events, tuple(Edit(ref, "moved", True, str(to)) for ref, to in moves)

    return _change(ctx, "state mv", change)


def remove_records(ctx: Context, words: Sequence[str], *, yes: bool) -> tuple[Edit, ...]:
    """Removes records, several after confirmation; the tasks keep running. Returns nothing if it
    was declined. TaskctlError."""

    def change(state: State) -> tuple[list[Event], tuple[Edit, ...]]:
        refs = select_refs(ctx, state, words)
        events = [event for ref in refs for event in edit.rm(state, ref, at=ctx.clock.now())]
        if not _confirm(ctx, Question.REMOVE, refs, yes=yes, again=("state", "rm", *words, "-y")):
            return [], ()
        return events, tuple(Edit(ref, "removed", True) for ref in refs)

    return _change(ctx, "state rm", change)


def accept_manifest(
    ctx: Context, word: str, paths: Sequence[str], *, yes: bool
) -> tuple[Edit, ...]:
    """Records the manifests' inputs as those that the tasks were created with; of several tasks,
    after confirmation. TaskctlError."""
    tasks = ctx.read(paths).tasks

    def change(state: State) -> tuple[list[Event], tuple[Edit, ...]]:
        refs = select_refs(ctx, state, [word])
        events: list[Event] = []
        edited = []
        for ref in refs:
            task = _declared(tasks, ref)
            new = edit.accept(state, ref, task.inputs, task.file, sensitive=task.sensitive)
            edited.append(Edit(ref, "accepted", bool(new), task.file))
            events += new
        again = ("state", "accept", word, *paths, "-y")
        if not _confirm(ctx, Question.ACCEPT, refs, yes=yes, again=again):
            return [], ()
        return events, tuple(edited)

    return _change(ctx, "state accept", change)


def resolve_attempt(ctx: Context, key: str, task_id: str | None) -> Edit:
    """Records the outcome of an attempt: the task that it created, or None. With a task, the key
    may also be in the manifests only. TaskctlError."""

    def change(state: State) -> tuple[list[Event], Edit]:
        if task_id is not None and not edit.is_known(state, key):
            desired = _of_manifests(ctx, state, key)
            remote = _at_service(ctx, desired.ref, task_id)
            who, now = ctx.client.identity(), ctx.clock.now()
            events = edit.record_existing(state, desired, remote, who, at=now)
            return events, Edit(desired.ref, "resolved", True, task_id)
        ref = edit.find(state, key)
        if task_id is None:
            events = edit.close_attempts(state, ref, None, at=ctx.clock.now())
            done = "keptTask" if ref in state.records else "notCreated"
            return events, Edit(ref, done, bool(events))
        task = _at_service(ctx, ref, task_id)
        events = edit.close_attempts(
            state, ref, task_id, created_at=task.created_at, at=ctx.clock.now()
        )
        return events, Edit(ref, "resolved", bool(events), task_id)

    return _change(ctx, "state resolve", change)


def _of_manifests(ctx: Context, state: State, key: str) -> DesiredTask:
    """The declared task of a `KEY` or `ORG/KEY`, which must be unique."""
    tasks = ctx.with_organizations(ctx.read(())).tasks
    found = [task for task in tasks if key in (task.key, str(task.ref))]
    return found[0] if len(found) == 1 else _declared(tasks, edit.find(state, key))


def _confirm(
    ctx: Context, question: Question, refs: Sequence[object], *, yes: bool, again: tuple[str, ...]
) -> bool:
    """Whether to edit these entries; a single one needs no confirmation."""
    shown = tuple(map(str, refs))
    return len(refs) < 2 or confirm(ctx, question, yes=yes, again=again, refs=shown)


def _change(ctx: Context, purpose: str, change: Callable[[State], tuple[list[Event], T]]) -> T:
    with ctx.open_state(purpose) as session:
        events, edited = change(session.state)
        session.append(*events)
    return edited


def _declared(tasks: Sequence[DesiredTask], ref: TaskRef) -> DesiredTask:
    for task in tasks:
        if task.key == ref.key and task.org_name in (None, ref.org_name):
            return task
    facts = {"ref": str(ref), "task_key": ref.key}
    raise TaskctlError.of(Code.NOT_DECLARED, at=Place(key=ref.key), **facts)


def _at_service(ctx: Context, ref: TaskRef, task_id: str) -> RemoteTask:
    task = ctx.client.get_task(ref.org_name, task_id)
    if task is None:
        raise TaskctlError.of(Code.NO_SUCH_TASK, task_id=task_id, org=ref.org_name)
    return task
