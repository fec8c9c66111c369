"""A run's access to a state: locking, reading, appending events and saving.

Each event is made durable in the journal when it happens. The state is saved once, at the end; if a
run is killed before that, the next run folds its journal.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Self

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, StateError
from reconciler.model.reference import Reference
from reconciler.model.service import RemoteTask
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.state.attempt import Author, RecordChange, kept_outputs
from reconciler.state.ledger import Ledger
from reconciler.state.location import Claim, StateLocation, Taken
from reconciler.state.lock import LastApply
from reconciler.state.model import Attempted, Event, Ran, Record, Recorded, State


def read_state(location: StateLocation, *, backend: str) -> State:
    """The current state with its journal folded in; takes no lock and writes nothing.

    Raises StateError if it is unreadable, belongs to another backend, or was moved elsewhere.
    """
    state = location.read(backend)
    _refuse_moved(state, location.display_name)
    return state


def read_any_state(location: StateLocation, *, backend: str) -> State:
    """As `read_state`, for a state of any backend, to list its records."""
    try:
        return read_state(location, backend=backend)
    except StateError as problem:
        (first, *_) = problem.diagnostics
        if first.code is not Code.STATE_BACKEND:
            raise
        return read_state(location, backend=str(first.args["found"]))


def _refuse_moved(state: State, display_name: str) -> None:
    if (move := state.move) is not None:
        raise StateError.of(Code.STATE_MOVED, move.stage, file=display_name, place=move.place)


class Session:
    """Exclusive access to a state, from `open` to `close`. Thread-safe.

    As a context manager, it saves and closes, however the block ends.
    """

    def __init__(self, taken: Taken) -> None:
        self._locked = locked = taken.locked
        self._run: Author | None = None
        self._run_name = ""
        self._had_events = bool(taken.events)
        self._saved: State | None = None
        self._ledger = Ledger(taken.saved)
        self._guard = threading.Lock()
        self._number = 0
        self._view: State | None = None
        self._closed = False
        self._fold(taken.events)
        self._saved = taken.saved  # as last saved
        self._log = locked.log(self._fold)

    @classmethod
    def open(cls, location: StateLocation, claim: Claim, *, moves: bool = False) -> Session:
        """Takes the lock and reads. Raises StateError if the state is locked or unusable; a state
        that was moved elsewhere is usable only with `moves`."""
        taken = location.take(claim)
        try:
            if not moves:
                _refuse_moved(taken.saved, location.display_name)
        except StateError:
            taken.locked.release()
            raise
        return cls(taken)

    @property
    def exists(self) -> bool:
        """Whether the state was ever saved, or a run has events to save."""
        return self._locked.exists or self._had_events

    def warnings(self) -> list[Diagnostic]:
        """Warnings about the location of this state."""
        return self._locked.warnings()

    @property
    def declared(self) -> LastApply | None:
        """The last declarations, which are kept with the lock."""
        return self._locked.declared

    @property
    def state(self) -> State:
        """The current state, including everything appended."""
        with self._guard:
            if self._view is None:
                self._view = self._ledger.state()
            return self._view

    def closed(self, ref: TaskRef) -> tuple[str, ...]:
        """`state.closed.get(ref)`, without a copy of a state that has many records."""
        with self._guard:
            return self._ledger.closed.get(ref, ())

    def record(self, ref: TaskRef) -> Record | None:
        """`state.records.get(ref)`, without a copy."""
        with self._guard:
            return self._ledger.records.get(ref)

    def next_reference(self, key: str) -> Reference:
        """The reference of the next request for a key. No other request has its number."""
        with self._guard:
            known = self._ledger.provenance
            self._number = max(self._number, known.counter) + 1
            return Reference(key, self._number, known.id)

    def check_lock(self) -> None:
        """Call it right before each request that creates or changes a task; for a create request,
        after its attempt was appended.

        Raises StateError if this run may have lost the lock, the log or the state. Then nothing may
        be sent, and nothing is written.
        """
        self._locked.check_lock()

    def sign(self, run: Author) -> None:
        """Sets this run for the attempts and records that are appended from now on."""
        self._run, self._run_name = run, run.name

    def append(self, *events: Event) -> None:
        """Makes the events durable and part of `state`. If it raises StateError, they are neither.

        Concurrent callers share one write. The events of one call are written together.
        """
        if events:
            self._locked.note_edit()
            self._log.append(self._signed(events))

    def edit(self, events: Sequence[Event]) -> None:
        """Saves a state with these events and ends the session. The events are not journaled, so
        they can have any size, but no request may depend on them. If it raises StateError, or is
        interrupted, the saved state has either none or all of them."""
        self._closed = True
        try:
            with self._log.paused(), ExitStack() as then:
                then.callback(self._locked.release)
                self._locked.note_edit()
                self._fold(self._signed(events))
                self._save((), last=True)
        except StateError as problem:
            raise _of_edit(problem) from problem

    def _signed(self, events: Sequence[Event]) -> Sequence[Event]:
        """The events, with the name of this run in those that name no run yet. The first such
        events are preceded by the event that describes the run."""
        if self._run is None:
            return events
        signed = [_with_run(event, self._run_name) for event in events]
        with self._guard:
            is_known = self._run_name in self._ledger.runs
        if is_known or all(new is old for new, old in zip(signed, events, strict=True)):
            return signed
        return (Ran(self._run), *signed)

    def put(self, state: State) -> None:
        """Replaces the current state; the next save adds one to the serial. Nothing may have been
        appended before."""
        self._locked.note_edit()
        with self._guard:
            self._ledger, self._view = Ledger(state), None

    def save(self) -> None:
        """Saves the state, if it changed, and clears the journal.

        A state file without changes is not rewritten. If `save` raises StateError, the journal
        still has everything, and the next run continues from it.
        """
        with self._log.paused():
            self._save((), last=False)

    def close(self, seen: Sequence[RemoteTask] = ()) -> None:
        """Saves, and releases the lock even if that fails. May be called again. The current outputs
        of the tasks in `seen` are recorded only if the state has other changes."""
        if self._closed:
            return
        self._closed = True
        with self._log.paused(), ExitStack() as then:
            then.callback(self._locked.release)
            self._save(seen, last=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fold(self, events: Sequence[Event]) -> None:
        with self._guard:
            self._ledger.add(events)
            self._view = None

    def _save(self, seen: Sequence[RemoteTask], *, last: bool) -> None:
        locked = self._locked
        locked.check_lock()
        state = self.state.pruned()
        if state != self._saved and (locked.exists or _has_content(state)):
            state = _with_seen(replace(state, serial=state.serial + 1), seen)
            state = locked.save(state, last=last)
            with self._guard:
                self._saved = self._view = state
                self._ledger = Ledger(state)
        locked.clear_log(state)


def _has_content(state: State) -> bool:
    """Whether a new state has to be saved."""
    parts = (state.records, state.attempts, state.closed, state.retired, state.dismissed)
    return any(parts) or bool(state.baselines) or state.provenance.is_new


def _with_seen(state: State, seen: Iterable[RemoteTask]) -> State:
    read, fresh = {task.id: task.raw for task in seen}, {}
    for ref, record in state.records.items():
        raw = read.get(record.task_id)
        if raw is not None and (outputs := kept_outputs(raw)) != record.outputs:
            fresh[ref] = replace(record, outputs=outputs)
    return replace(state, records={**state.records, **fresh}) if fresh else state


_OF_EDITS = (
    Code.STATE_LOCK_LOST,
    Code.STATE_CHANGED,
    Code.STATE_NOT_SAVED,
    Code.STATE_FENCED,
)


def _of_edit(problem: StateError) -> StateError:
    """The error for an edit, which is not journaled."""
    return StateError(
        [replace(d, case="edit") if d.code in _OF_EDITS else d for d in problem.diagnostics]
    )


def _with_run(event: Event, name: str) -> Event:
    """The event, with this run if it has no run yet."""
    if isinstance(event, Attempted) and not event.attempt.run:
        return Attempted(replace(event.attempt, run=name))
    if isinstance(event, Recorded) and "" in [change.run for change in event.record.changes]:
        return Recorded(replace(event.record, changes=_named(event.record.changes, name)))
    return event


def _named(changes: tuple[RecordChange, ...], name: str) -> tuple[RecordChange, ...]:
    """The changes with this run's name. Several changes by one run count as one."""
    named = tuple(change if change.run else replace(change, run=name) for change in changes)
    return named[:1] if named[0].run == named[-1].run else named
