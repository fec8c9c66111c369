"""`state`: lists and repairs records; creates, unlocks, copies and moves states."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import chain

from reconciler.app.ci import this_run
from reconciler.app.context import Context
from reconciler.app.named_tasks import with_named_ids
from reconciler.app.new_state import (
    begin_recoveries,
    find_missing,
    find_new_keys,
    find_unresolved,
)
from reconciler.app.recorded_tasks import confirm, select_keys, select_refs, with_entry
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, RemoteError, StateError, TaskctlError
from reconciler.model.glob import is_glob
from reconciler.model.remarks import Arg
from reconciler.model.service import RemoteTask
from reconciler.model.task import DesiredTask, TaskRef, natural
from reconciler.model.value import Value, replace
from reconciler.model.work import inputs_of
from reconciler.plan.lost_state import answer_entries, waiting_keys
from reconciler.state import edit, move
from reconciler.state.codec import StateSource, decode_state
from reconciler.state.edit import is_known
from reconciler.state.ledger import fold
from reconciler.state.local import LocalState
from reconciler.state.model import Event, Recovering, State
from reconciler.state.session import read_any_state, read_state
from reconciler.state.shared import SharedState
from reconciler.system import disk

# Records


class Edit(Value, frozen=True):
    """`done` is the kind of edit of `ref`, `to` the new key, task or file. `changed` is False if
    nothing had to change."""

    ref: TaskRef
    done: str
    changed: bool
    to: str = ""


def read_tasks(ctx: Context, selectors: Sequence[str] = ()) -> tuple[State, tuple[TaskRef, ...]]:
    """The state, also of another backend, and the selected tasks. Raises TaskctlError."""
    state = with_named_ids(read_any_state(ctx.location, backend=ctx.backend.name), selectors)
    return state, select_refs(ctx, state, selectors)


def move_records(ctx: Context, old: str, new: str, *, yes: bool) -> tuple[Edit, ...]:
    """Moves records to other keys, several after confirmation. Returns nothing if it was declined.
    Raises TaskctlError."""
    with ctx.open_state("state mv") as session:
        state, at = session.state, ctx.clock.now()
        pattern, refs = select_keys(state, old)
        to = new if "*" in new else new + pattern[len(old) :]
        moves = edit.destinations(refs, pattern, to)
        events = [event for ref, to in moves for event in edit.mv(state, ref, to, at=at)]
        again = ("state", "mv", old, new, "-y")
        shown = [f"{ref} to {to}" for ref, to in moves]
        if not _confirm(ctx, "ask.move", shown, yes=yes, again=again):
            return ()
        session.edit(events)
    return tuple(Edit(ref, "moved", True, str(to)) for ref, to in moves)


def remove_records(ctx: Context, selectors: Sequence[str], *, yes: bool) -> tuple[Edit, ...]:
    """Removes records, several after confirmation; the tasks keep running. Returns nothing if it
    was declined. Raises TaskctlError."""
    with ctx.open_state("state rm") as session:
        state, at = session.state, ctx.clock.now()
        refs = select_refs(ctx, state, selectors)
        events = [event for ref in refs for event in edit.rm(state, ref, at=at)]
        if not _confirm(ctx, "ask.remove", refs, yes=yes, again=("state", "rm", *selectors, "-y")):
            return ()
        session.edit(events)
    return tuple(Edit(ref, "removed", True) for ref in refs)


def accept_manifest(
    ctx: Context, selector: str, paths: Sequence[str], *, yes: bool
) -> tuple[Edit, ...]:
    """Records the manifests' inputs as those that the tasks were created with; of several tasks,
    after confirmation. Returns nothing if it was declined. Raises TaskctlError."""
    with ctx.open_state("state accept") as session:
        edits, events = _accepted(ctx, session.state, selector, paths)
        edits = [each for each in edits if each.changed] or edits
        again = ("state", "accept", selector, *paths, "-y")
        if not _confirm(ctx, "ask.accept", [each.ref for each in edits], yes=yes, again=again):
            return ()
        session.edit(events)
    return tuple(edits)


def _accepted(
    ctx: Context, state: State, selector: str, paths: Sequence[str]
) -> tuple[list[Edit], list[Event]]:
    declared = _by_name(ctx.read(ctx.settings.names(paths)).tasks)
    refs = select_refs(ctx, state, [selector])
    if len(refs) > 1:  # a glob may also match rows and periods that are no longer declared
        matching = (r for r in refs if r in declared or (None, r.key) in declared)
        refs = tuple(ref for ref in matching if ref in state.records) or refs
    edits: list[Edit] = []
    events: list[Event] = []
    for ref in refs:
        task = _find_declared(declared, ref)
        new = edit.accept(state, ref, task.inputs, task.file)
        edits.append(Edit(ref, "accepted", bool(new), task.file))
        events += new
    return edits, events


def resolve_to_task(ctx: Context, key: str, task_id: str) -> Edit:
    """Records the task of a key that has an open attempt, that is only in the manifests, or that
    waits for an answer. Raises TaskctlError."""
    with ctx.open_state("state resolve") as session:
        state, now = session.state, ctx.clock.now()
        who = ctx.client.identity()
        session.sign(this_run(ctx.client, ctx.clock))
        if not is_known(state, key):
            desired = find_missing(ctx, state, key)
            remote = _find_free(ctx, state, desired.ref, task_id)
            if not desired.file:
                shown = ctx.client.first_message(desired.ref.org_name, task_id)
                desired = replace(desired, inputs=inputs_of(shown))
            declared = ctx.with_organizations(ctx.read(())).tasks
            noted = begin_recoveries(ctx, declared, state, [desired.ref])
            session.append(*noted, *edit.record_existing(state, desired, remote, who, at=now))
            return Edit(desired.ref, "resolved", True, task_id)
        ref = edit.find(state, key)
        task = _find_free(ctx, state, ref, task_id)
        events = edit.resolve(state, ref, task_id, created_at=task.created_at, at=now)
        session.append(*events)
    return Edit(ref, "resolved", bool(events), task_id)


def resolve_to_none(ctx: Context, names: Sequence[str], *, yes: bool) -> tuple[Edit, ...]:
    """Records that keys have no task, several after confirmation: for a KEY, that its open attempt
    created no task; for a GLOB, for all keys without a task and an attempt. While a lost state is
    recovered, `ENTRY@*` also counts for later keys of the entry, and `ORG/*` ends the recovery.
    Returns nothing if it was declined. Raises TaskctlError."""
    with ctx.open_state("state resolve") as session:
        state, now = session.state, ctx.clock.now()
        edits: dict[TaskRef, Edit] = {}
        events: list[Event] = []
        # `ORG/*` comes last: afterwards, a key that only waits for an answer is unknown.
        for name in sorted(dict.fromkeys(names), key=lambda name: name.endswith("/*")):
            answers, new = _without_tasks(ctx, state, with_entry(ctx, state, name), now)
            for answer in answers:
                edits.setdefault(answer.ref, answer)
            events, state = events + new, fold(state, new)
        again = ("state", "resolve", *names, "--not-created", "-y")
        if not _confirm(ctx, "ask.not_created", [*edits], yes=yes, again=again):
            return ()
        ended = sorted(session.state.recovering.keys() - state.recovering.keys())
        session.append(*events)
    over = (Edit(TaskRef(org_name, "*"), "recovered", True) for org_name in ended)
    return (*edits.values(), *over)


def _without_tasks(
    ctx: Context, state: State, name: str, at: datetime
) -> tuple[list[Edit], list[Event]]:
    """The answers of a KEY or GLOB. `at` is now."""
    ended = [org for org in state.recovering if name == f"{org}/*"]
    if not ended and not is_glob(name):
        ref = find_unresolved(ctx, state, name)
        closed = _without_task(state, ref, at)
        done = "keptTask" if ref in state.records else "notCreated"
        return [Edit(ref, done, bool(closed))], closed
    refs = waiting_keys(state, ended) if ended else find_new_keys(ctx, state, name)
    recoveries = [*map(Recovering, ended)] if ended else answer_entries(state, name)
    events = {ref: edit.not_created(state, ref) for ref in sorted(refs, key=natural)}
    edits = [Edit(ref, "notCreated", bool(new or recoveries)) for ref, new in events.items()]
    if not edits and not ended:  # only later keys of an entry
        later = ((TaskRef(r.org_name, name.rpartition("/")[2]), r) for r in recoveries)
        edits = [Edit(ref, "laterNotCreated", fold(state, [r]) != state) for ref, r in later]
    return edits, [*chain.from_iterable(events.values()), *recoveries]


def _without_task(state: State, ref: TaskRef, at: datetime) -> list[Event]:
    """Records that the key has no task, or that its open attempts created none. `at` is now."""
    is_new = ref not in state.records and not state.attempts_for(ref)
    return edit.not_created(state, ref) if is_new else edit.resolve(state, ref, None, at=at)


def _confirm(
    ctx: Context, question: str, refs: Sequence[object], *, yes: bool, again: tuple[str, ...]
) -> bool:
    """Whether to edit these entries; a single one needs no confirmation."""
    shown = tuple(map(str, refs))
    return len(refs) < 2 or confirm(ctx, question, yes=yes, again=again, refs=shown)


_ByName = Mapping[tuple[str | None, str], "DesiredTask"]


def _by_name(tasks: Iterable[DesiredTask]) -> _ByName:
    return {(task.org_name, task.key): task for task in tasks}


def _find_declared(tasks: _ByName, ref: TaskRef) -> DesiredTask:
    task = tasks.get(ref) or tasks.get((None, ref.key))
    if task is None:
        raise TaskctlError.of(Code.NOT_DECLARED, at=Place(key=ref.key), ref=str(ref))
    return task


def _find_free(ctx: Context, state: State, ref: TaskRef, task_id: str) -> RemoteTask:
    """The service's task with this ID. Raises TaskctlError if there is none, or if it has the mark
    of another key's open attempt, which would then create a second task. Raises RemoteError if the
    mark cannot be read, unless this key has an open attempt."""
    task = ctx.client.get_task(ref.org_name, task_id)
    if task is None:
        raise TaskctlError.of(Code.NO_SUCH_TASK, task_id=task_id, org=ref.org_name)
    others = [a for a in state.attempts.values() if a.ref != ref]
    if others:
        with suppress(*([RemoteError] if state.attempts_for(ref) else [])):
            shown = ctx.client.first_message(ref.org_name, task_id)
            edit.refuse_marked(others, ref, task_id, shown.mark if shown is not None else "")
    return task


# States


class LocationChange(Value, frozen=True):
    """`done` is the kind of change of the state at `location`; `changed` is False if nothing had to
    change. `who` is the holder of the lock, or the file or location on the other side. `is_used`:
    commands without `--state` use this state."""

    location: str
    done: str
    changed: bool
    who: str = ""
    is_used: bool = True


def create_state(ctx: Context, address: str | None, *, new: bool) -> LocationChange:
    """Creates a shared state for the backend, unless it exists already. If the location has other
    states, it must be `new`, or a person confirms it. Raises StateError."""
    location, backend = _shared(ctx, address), ctx.backend.name
    others = () if new else location.others()
    if others and not location.exists(backend):
        if not ctx.ui.interactive:
            raise location.missing()
        if not ctx.ui.ask("ask.new_state", strict=False, file=location.display_name, states=others):
            return LocationChange(location.display_name, "declined", False)
    created = location.create(State(os.urandom(16).hex(), 1, backend))
    if not created:
        read_state(location, backend=backend)
    is_used = address in (None, ctx.connection.state, ctx.settings.state)
    return LocationChange(
        location.display_name, "created" if created else "exists", created, is_used=is_used
    )


def release_lock(ctx: Context, epoch: int) -> LocationChange:
    """Releases the lock of that epoch. Raises StateError."""
    location = _shared(ctx, None)
    holder = location.unlock(epoch)
    if holder is None:
        return LocationChange(location.display_name, "notLocked", False)
    return LocationChange(location.display_name, "unlocked", True, str(holder))


def pull_state(ctx: Context) -> State:
    """The state with its journal. Raises TaskctlError, also if there is none."""
    if missing := ctx.missing_state:
        raise TaskctlError.of(Code.STATE_NOT_INITIALIZED, "file", file=missing)
    return ctx.read_state()


def push_state(ctx: Context, file: str, *, force: bool) -> LocationChange:
    """Replaces the state with a later version of it from a file; `force`: also with an earlier
    version. If there is no state file, it is restored. Raises TaskctlError."""
    reason = "No such file or directory"
    try:
        data = disk.read_file(ctx.settings.path(file))
    except OSError as problem:
        data, reason = None, problem.strerror or str(problem)
    if data is None:
        raise TaskctlError.of(Code.STATE_UNREADABLE, at=Place(file), file=file, reason=reason)
    with ctx.open_state("state push") as session:
        state, location = session.state, ctx.location
        known, given = state, _decode_copy(data, file, state.backend)
        if isinstance(location, LocalState):
            if location.version() is None:
                lineage = given.lineage if location.is_new else state.lineage
                known, given = State(lineage, 0, state.backend), location.restored(given)
            elif ctx.settings.path(file).resolve() == location.path:
                given = state  # with the journal
        session.put(edit.push(known, given, force=force))
        session.save()
        changed = session.state.serial != state.serial
    return LocationChange(ctx.location.display_name, "pushed", changed, file)


def _decode_copy(data: bytes, file: str, backend: str) -> State:
    """A state for `state push`. Its advice differs from that for a damaged state."""
    try:
        return decode_state(data, StateSource(file), backend=backend)
    except StateError as problem:
        (found,) = problem.diagnostics
        if found.code is not Code.STATE_DAMAGED:
            raise
        facts: dict[str, Arg] = {"file": file, "reason": found.cause}
        raise StateError.of(Code.STATE_EDIT, "damaged", at=found.at, **facts) from problem


def move_state(ctx: Context, to: str) -> LocationChange:
    """Moves the state to another location, or completes an interrupted move. Raises StateError."""
    target = ctx.location_of(to)
    done = move.migrate(ctx.location, target, _opener(ctx))
    case = "moved" if done else "movedBefore"
    return LocationChange(
        ctx.location.display_name, case, done, target.display_name, is_used=not done
    )


def abort_move(ctx: Context) -> LocationChange:
    """Undoes an interrupted move. Raises StateError if it was completed."""
    done = move.abort(ctx.location, _opener(ctx))
    return LocationChange(ctx.location.display_name, "moveUndone" if done else "notMoving", done)


def _opener(ctx: Context) -> move.Opened:
    return lambda location: ctx.open_state("state migrate", location, moves=True)


def _shared(ctx: Context, address: str | None) -> SharedState:
    location = ctx.location if address is None else ctx.location_of(address)
    if not isinstance(location, SharedState):
        raise StateError.of(Code.STATE_ADDRESS, "local", file=address or ctx.state_address)
    return location
