"""A state that does not exist yet, or has keys without a task: it may replace a lost state."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from reconciler.app.context import Context
from reconciler.app.planning import Workspace
from reconciler.model.remarks import Arg
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.value import replace
from reconciler.plan.lookup import matches_key
from reconciler.plan.lost_state import answer_entries, new_keys, noted_recoveries, waiting_keys
from reconciler.plan.plan import Plan, Reason
from reconciler.state.edit import find, is_known, not_created, unknown
from reconciler.state.local import LocalState
from reconciler.state.model import Event, Recovering, State
from reconciler.state.shared import SharedState


def read_state(ctx: Context, *, adopts: bool) -> State:
    """The state; to recover a lost state (`adopts`), a new state if a shared state does not
    exist."""
    location, backend = ctx.location, ctx.backend.name
    if adopts and isinstance(location, SharedState) and not location.exists(backend):
        return State(os.urandom(16).hex(), 0, backend)
    return ctx.read_state()


def begin_state(ctx: Context, space: Workspace) -> None:
    """Notes that this run begins a new state file, and lists those in parent directories. To
    recover a lost state, creates a shared state, in which no key is created without an answer."""
    location, adopts = ctx.location, space.options.adopt
    if isinstance(location, LocalState) and location.is_new and not adopts:
        others = _in_parents(ctx)
        case = "begins_state_below" if others else "begins_state"
        if others or not ctx.backend.is_local:
            ctx.ui.note(case, file=location.display_name, others=others)
    elif adopts and isinstance(location, SharedState) and not location.exists(ctx.backend.name):
        new = State(os.urandom(16).hex(), 0, ctx.backend.name)
        location.create(replace(new, recovering=noted_recoveries(space.desired, new)))
        ctx.ui.note("began_state", file=location.display_name)


_NAMED = 10
"""The number of keys that a question lists; the others are counted."""


def answers_about_rest(ctx: Context, plan: Plan, state: State) -> list[Event]:
    """The answers of a person about the keys without a task while a lost state is recovered."""
    refs = [task.ref for task in plan.tasks if task.reason is Reason.RECOVERING]
    if not refs or plan.options.adopt:
        return []
    keys, more = tuple(ref.key for ref in refs[:_NAMED]), max(0, len(refs) - _NAMED)
    facts: dict[str, Arg] = {"count": len(refs), "keys": keys, "more": more}
    if not ctx.ui.ask("ask.create_rest", strict=True, **facts):
        return []
    return [event for ref in refs for event in not_created(state, ref)]


def begin_recoveries(
    ctx: Context, declared: Iterable[DesiredTask], state: State, given: Collection[TaskRef]
) -> list[Event]:
    """The notes before a command records existing tasks for the keys `given`; none if the state
    knows an organization, since it was not lost. Shows them, too."""
    events: list[Event] = []
    if state.latest:
        return events
    for org_name, recovery in noted_recoveries(declared, state, given).items():
        if recovery.keys and recovery != state.recovering.get(org_name):
            events.append(Recovering(org_name, recovery))
            keys, more = recovery.keys[:_NAMED], max(0, len(recovery.keys) - _NAMED)
            ctx.ui.note("begins_recovery", org=org_name, keys=keys, more=more, glob=f"{org_name}/*")
    return events


def begun_recoveries(plan: Plan) -> list[Event]:
    """The notes of apply before it adopts anything."""
    return [] if plan.is_noted else [Recovering(*each) for each in plan.recovering.items()]


def ended_recoveries(plan: Plan, state: State) -> list[Event]:
    """Ends the recoveries that the plan completes, unless a task could not be recorded."""
    left = {t.ref.org_name for t in plan.tasks if t.adopts and t.ref not in state.records}
    return [Recovering(org_name) for org_name in plan.recovered if org_name not in left]


def find_new_keys(ctx: Context, state: State, glob: str) -> set[TaskRef]:
    """The keys without a task and an attempt that a glob selects: those in the manifests, and those
    that wait for an answer. Raises StateError if there are none."""
    new = new_keys(ctx.with_organizations(ctx.read(())).tasks, state)
    found = {ref for ref in new if matches_key(glob, [ref])}
    if not found and not answer_entries(state, glob):
        raise unknown(glob, new)
    return found


def find_unresolved(ctx: Context, state: State, key: str) -> TaskRef:
    """The key with an open attempt, in the manifests, or that waits for an answer."""
    if is_known(state, key):
        return find(state, key)
    waiting = waiting_keys(state, state.recovering)
    found = [ref for ref in waiting if key in (ref.key, str(ref))]
    return found[0] if len(found) == 1 else find_missing(ctx, state, key).ref


def find_missing(ctx: Context, state: State, key: str) -> DesiredTask:
    """The task of a `KEY` or `ORG/KEY`, which must be unique: as declared, or without inputs and a
    file if the key only waits for an answer."""
    tasks = ctx.with_organizations(ctx.read(())).tasks
    waiting = waiting_keys(state, state.recovering) - {task.ref for task in tasks}
    others = (DesiredTask(ref.key, ref.org_name, {}, "", 1, 1) for ref in waiting)
    found = [task for task in (*tasks, *others) if key in (task.key, str(task.ref))]
    if len(found) != 1:
        find(state, key)  # raises StateError, with similar names
    return found[0]


def _in_parents(ctx: Context) -> tuple[str, ...]:
    """The state files of the same name in the directories above, up to the repository's root."""
    name, here, found = Path(ctx.state_address), ctx.settings.folder.resolve(), []
    for folder in (here, *here.parents) if not name.is_absolute() else ():
        if folder != here and (folder / name).exists():
            found.append(str(folder / name))
        if os.path.lexists(folder / ".git"):
            break
    return tuple(found)
