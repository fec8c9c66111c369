"""`state`: lists and repairs records; creates, unlocks, copies and moves states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from reconciler.app.ci import this_run
from reconciler.app.context import Context
from reconciler.app.named_tasks import with_named_ids
from reconciler.app.new_state import (
    Continued,
    confirm_continuation,
    continuation,
    is_new,
    left_of,
    note_new,
    show_continuation,
)
from reconciler.app.reading import Reader
from reconciler.app.recorded_tasks import confirm, select_keys, select_refs
from reconciler.app.ui import FailureReport
from reconciler.app.workspace import open_workspace
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, RemoteError, StateError, TaskctlError, error
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import Arg
from reconciler.model.service import FirstMessage
from reconciler.model.shell import is_org_name, is_task_id
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.value import Value, replace
from reconciler.plan.ages import AttemptAges, time_left, waited_totals
from reconciler.state import edit, move
from reconciler.state.beginning import LONG_AGO, begin
from reconciler.state.codec import StateSource, decode_state
from reconciler.state.edit import is_known
from reconciler.state.local import LocalState
from reconciler.state.location import StateLocation
from reconciler.state.model import Aged, Dismissed, Event, State
from reconciler.state.session import Session, read_any_state, read_state
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


def assign_task(ctx: Context, key: str, task_id: str) -> Edit:
    """Records an existing task as that of a key that is recorded, attempted or declared. Raises
    TaskctlError."""
    with ctx.open_state("state assign") as session:
        state, now, caller = session.state, ctx.clock.now(), ctx.client.identity()
        session.sign(this_run(ctx.client, ctx.clock))
        ref, desired = _find_any(ctx, state, key)
        known = state.records.get(ref)
        if known is not None and known.task_id == task_id and not state.attempts_for(ref):
            return Edit(ref, "assigned", False, task_id)
        task = ctx.client.get_task(ref.org_name, task_id)
        if task is None:
            raise TaskctlError.of(Code.NO_SUCH_TASK, task_id=task_id, org=ref.org_name)
        events = edit.assign(
            state,
            ref,
            task,
            caller=caller,
            number=session.next_reference(ref.key).number,
            at=now,
            message=_first_message(ctx, state, ref, task_id),
            desired=desired,
        )
        session.append(*events)
    return Edit(ref, "assigned", True, task_id)


def _first_message(ctx: Context, state: State, ref: TaskRef, task_id: str) -> FirstMessage | None:
    """The first message of a task; None also if it cannot be read, unless the task may be that of
    another key's attempt. Raises RemoteError."""
    try:
        return ctx.client.first_message(ref.org_name, task_id)
    except RemoteError:
        if any(a.ref.org_name == ref.org_name and a.ref != ref for a in state.attempts.values()):
            raise
        return None


def _find_any(ctx: Context, state: State, key: str) -> tuple[TaskRef, DesiredTask | None]:
    """The key `KEY` or `ORG/KEY` in the state or in the manifests, and its manifest."""
    if is_known(state, key):
        return edit.find(state, key), None
    declared = ctx.with_organizations(ctx.read(())).tasks
    found = [task for task in declared if key in (task.key, str(task.ref))]
    if len(found) != 1:
        raise edit.unknown(key, [*edit.known_refs(state), *(task.ref for task in declared)])
    return found[0].ref, found[0]


def close_attempts(ctx: Context, key: str) -> Edit | None:
    """Records that the open attempts for a key created no task, once they are old enough. None if
    the wait was interrupted. Raises TaskctlError."""
    with ctx.open_state("state close") as session:
        ref = edit.find(session.state, key)
        if session.state.attempts_for(ref) and not _is_old(ctx, session, ref):
            return None
        session.append(*edit.close(session.state, ref, at=ctx.clock.now()))
    return Edit(ref, "closed", True)


_NOTED_EVERY = 15.0


def _is_old(ctx: Context, session: Session, ref: TaskRef) -> bool:
    """Waits until the open attempts for a key can no longer create a task. Only journaled waiting
    counts. False if it was interrupted."""
    attempts = session.state.attempts_for(ref)
    ages = AttemptAges(ctx.clock.boot(), attempts)
    last = FailureReport((error(Code.INTERRUPTED, "secondSignal"),))
    is_noted = False
    with ctx.ui.interruptible("stopping", last) as stop:
        while True:
            boot = ctx.clock.boot()
            left = max(time_left(each, ctx.settle_time, ages, boot) for each in attempts)
            if left > 0 and not is_noted:
                ctx.ui.note("waits_for_attempt", ref=str(ref), seconds=max(1, round(left)))
                is_noted = True
            over = left <= 0 or not stop.wait(min(left, _NOTED_EVERY))
            totals = dict(waited_totals(attempts, ctx.settle_time, ages, ctx.clock.boot()))
            session.append(*([Aged(totals)] if totals else ()))
            if over:
                return left <= 0


def dismiss_task(ctx: Context, name: str) -> Edit:
    """Records that the task `ORG/TASK_ID` does not matter. Raises TaskctlError."""
    org_name, _, task_id = name.partition("/")
    if not (is_org_name(org_name) and is_task_id(task_id)):
        raise StateError.of(Code.STATE_EDIT, "task-name", name=name)
    with ctx.open_state("state dismiss") as session:
        changed = name not in session.state.dismissed
        session.append(*([Dismissed(org_name, task_id)] if changed else ()))
    return Edit(TaskRef(org_name, task_id), "dismissed", changed)


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
    """Creates a state for the backend, unless it exists already. `new`: it replaces no lost state;
    otherwise, a person is asked. Raises StateError."""
    location = ctx.location if address is None else ctx.location_of(address)
    backend = ctx.backend.name
    others = location.others() if isinstance(location, SharedState) and not new else ()
    shared = location if isinstance(location, SharedState) else None
    exists = _exists(location, backend)
    if isinstance(location, LocalState) and not exists and (left := left_of(location)):
        note_new(ctx, location, left)
    if shared is not None and others and not exists:
        if not ctx.ui.interactive:
            raise shared.missing()
        if not ctx.ui.ask("ask.new_state", strict=False, file=location.display_name, states=others):
            return LocationChange(location.display_name, "declined", False)
    elif not exists and not new and ctx.ui.interactive:
        new = ctx.ui.ask("ask.is_new", strict=False, file=location.display_name)
        if not new:
            ctx.ui.note("continue_state")
    created = location.create(_begin(ctx, is_new=new), ctx.claim("state init"))
    is_used = address in (None, ctx.connection.state, ctx.settings.state)
    if created:
        return LocationChange(location.display_name, "created", True, is_used=is_used)
    state = read_state(location, backend=backend)
    if new and not state.provenance.is_new:
        with ctx.open_state("state init", location) as session:
            session.append(*is_new(session.state))
        return LocationChange(location.display_name, "answered", True, is_used=is_used)
    return LocationChange(location.display_name, "exists", False, is_used=is_used)


def _exists(location: StateLocation, backend: str) -> bool:
    if isinstance(location, SharedState):
        return location.exists(backend)
    return not (isinstance(location, LocalState) and location.is_new)


def _begin(ctx: Context, *, is_new: bool = False) -> State:
    if not is_new:
        return begin(ctx.backend.name, serial=1)
    with suppress(TaskctlError):  # a state can begin offline, and without a token
        _ = ctx.client.identity()
    at = ctx.client.service_clock() if ctx.has_client else None
    return begin(ctx.backend.name, at or LONG_AGO, serial=1, is_new=True)


def continue_lost_state(
    ctx: Context, address: str | None, state_id: str, *, yes: bool, dry_run: bool
) -> Continued | None:
    """Takes over the tasks of a lost state; `dry_run` shows them, and writes nothing. None if it
    was declined. Raises TaskctlError."""
    location = ctx.location if address is None else ctx.location_of(address)
    space = open_workspace(ctx, (), PlanOptions(settle_time=ctx.settle_time))
    backend, name = ctx.backend.name, location.display_name
    exists = _exists(location, backend)
    state = read_state(location, backend=backend) if exists else _begin(ctx)
    found = continuation(ctx, space, state, Reader(ctx), state_id, name)
    if dry_run:
        show_continuation(ctx, found.result)
        return replace(found.result, is_dry_run=True)
    if not confirm_continuation(ctx, found, yes=yes, address=address):
        return None
    if not exists:
        location.create(state, ctx.claim("state init"))
    with ctx.open_state("state init", location) as session:
        _ = ctx.client.identity()
        session.sign(this_run(ctx.client, ctx.clock))
        if session.state != state:  # others have changed it meanwhile
            found = continuation(ctx, space, session.state, Reader(ctx), state_id, name)
            if not confirm_continuation(ctx, found, yes=yes, address=address):
                return None
        session.append(*found.events)
        return found.result


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
    try:
        data = disk.read_file(ctx.settings.path(file))
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise TaskctlError.of(
            Code.STATE_UNREADABLE, at=Place(file), file=file, reason=reason
        ) from problem
    if data is None:
        raise TaskctlError.of(Code.STATE_UNREADABLE, "missing", at=Place(file), file=file)
    with ctx.open_state("state push") as session:
        state, location = session.state, ctx.location
        known, given = state, _decode_copy(data, file, state.backend)
        if isinstance(location, LocalState):
            if location.version() is None:
                before = given if location.is_new else state
                known = State(before.lineage, 0, state.backend, before.provenance)
                given = location.restored(given)
            elif ctx.settings.path(file).resolve() == location.path:
                given = state  # with the journal
        _refuse_attempted(ctx, state, given)
        session.put(edit.push(known, given, force=force))
        session.save()
        changed = session.state.serial != state.serial
    return LocationChange(ctx.location.display_name, "pushed", changed, file)


def _refuse_attempted(ctx: Context, state: State, given: State) -> None:
    """Raises StateError if a task that only the copy records was created by an open attempt of
    another key."""
    known = state.recorded_ids()
    new = [r for r in given.records.values() if r.task_id not in known] if state.attempts else []
    for record in new:
        message = ctx.client.first_message(record.ref.org_name, record.task_id)
        edit.refuse_attempted(state, record.ref, record.task_id, message)


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
