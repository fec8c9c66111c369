"""A run's access to a state: the lock, the state with its journal folded in, and the save.

Each event is durable in the journal when it happens. The state is saved once, at the end; a run
that dies before leaves the journal, which the next one folds in. Where all that is, and how it is
locked, is the place's own affair (`state/local.py`, `state/manager.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.errors import StateError
from reconciler.model.mark import mint
from reconciler.model.task import RemoteTask
from reconciler.state.attempt import Baseline, kept_outputs
from reconciler.state.held import Claim, HeldState, StatePlace
from reconciler.state.local import LocalState
from reconciler.state.model import Event, State, fold_into, with_untold


def read_state(place: StatePlace | Path, *, backend: str) -> State:
    """The state as it is, its journal folded in: no lock, nothing written. For `plan`.

    StateError for what cannot be read, is another backend's, or was moved elsewhere.
    """
    found = _place(place)
    state = found.read(backend)
    _refuse_moved(state, found.shown)
    return state


def _refuse_moved(state: State, shown: str) -> None:
    if (move := state.move) is not None:
        raise StateError.of(Code.STATE_MOVED, move.stage, file=shown, place=move.place)


def _place(place: StatePlace | Path) -> StatePlace:
    return LocalState(place) if isinstance(place, Path) else place


class Session:
    """Exclusive access to a state, from `open` to `close`. Its methods are thread-safe.

    As a context manager it closes, and so saves, at the end, whatever ended it.
    """

    def __init__(self, held: HeldState) -> None:
        self._held, saved = held, held.saved
        self._saved = self._rest = with_untold(saved, held.events)
        self._records, self._attempts = dict(saved.records), dict(saved.attempts)
        self._baselines = dict(saved.baselines)
        self._retired = dict(saved.retired)
        self._accounted: dict[str, Mapping[str, Baseline]] = {}
        self._is_new, self._searched = saved.is_new, saved.searched
        self._guard = threading.Lock()
        self._last_mark = self._given_mark = saved.last_mark
        self._view: State | None = None
        self._seen: Mapping[str, Mapping[str, object]] = {}
        self._closed = False
        self._fold(held.events)
        self._log = held.log(self._fold)

    @classmethod
    def open(
        cls,
        place: StatePlace | Path,
        *,
        backend: str,
        lock_timeout: timedelta,
        purpose: str,
        waiting: Callable[[str], None] | None = None,
        moves: bool = False,
    ) -> Session:
        """Takes the lock and reads (see `Claim`). StateError where the lock is held or the state
        unusable; one that is moved elsewhere is usable only for what `moves` it."""
        found = _place(place)
        held = found.take(Claim(backend, purpose, lock_timeout, waiting))
        try:
            if not moves:
                _refuse_moved(held.saved, found.shown)
        except StateError:
            held.release()
            raise
        return cls(held)

    @property
    def is_there(self) -> bool:
        """Whether the state was saved before, or a run began to."""
        return self._held.is_there or bool(self._held.events)

    def warnings(self) -> list[Diagnostic]:
        """What is risky about the place of this state, for the user."""
        return self._held.warnings()

    @property
    def state(self) -> State:
        """What is known now, all that was appended included."""
        with self._guard:
            if self._view is None:
                self._view = replace(
                    self._rest,
                    records=dict(self._records),
                    attempts=dict(self._attempts),
                    baselines=dict(self._baselines),
                    retired=dict(self._retired),
                    last_mark=self._last_mark,
                    is_new=self._is_new,
                    searched=self._searched,
                )
            return self._view

    def next_mark(self, now: datetime) -> str:
        """The mark of the next attempt: `now`, or just later than the latest one ever given."""
        with self._guard:
            try:
                self._given_mark = mint(now, self._given_mark)
            except OverflowError:
                raise self._held.damaged("mark") from None
            return self._given_mark

    def check_held(self) -> None:
        """Call this right before each request that creates or changes a task: a create after its
        attempt was appended.

        StateError if the lock may not be this run's any more: nothing may be sent then.
        """
        self._held.check_held()

    def append(self, *events: Event) -> None:
        """Durable when it returns, and part of `state`. StateError: neither of both.

        Many threads at once share one write. The events of one call are written together.
        """
        if events:
            self._log.append(events)

    def put(self, state: State) -> None:
        """Another state instead of what is known: for the next save, which adds one to the serial.
        Nothing may be appended before it."""
        with self._guard:
            self._rest, self._view = state, None
            self._records, self._attempts = dict(state.records), dict(state.attempts)
            self._baselines, self._retired = dict(state.baselines), dict(state.retired)
            self._last_mark = self._given_mark = max(state.last_mark, self._given_mark)
            self._is_new, self._searched = state.is_new, state.searched

    def refresh(self, tasks: Iterable[RemoteTask]) -> None:
        """Outputs as last read: written with the next save that something else needs."""
        self._seen = {task.id: task.raw for task in tasks}

    def established(
        self, scope: Sequence[str] = (), baselines: Mapping[str, Baseline] | None = None
    ) -> None:
        """An apply for the PATHs `scope` has accounted for all tasks that may be theirs.

        For everything (no PATH, or `.`) the state is not new any more; else for those PATHs only.
        `baselines` are those that it read, by organization: no task in them is a look-alike from
        then on. They are kept by the next save that something else needs.
        """
        with self._guard:
            paths = ["."] if not scope or "." in scope else list(scope)
            self._accounted = dict.fromkeys(paths, baselines or {})
            if not self._is_new:
                return
            self._is_new = bool(scope) and "." not in scope
            self._searched = tuple(sorted({*self._searched, *scope})) if self._is_new else ()
            self._view = None

    def save(self) -> None:
        """Folds all into the state file and removes the journal.

        Nothing new: the file stays as it is, byte for byte. StateError: the journal still holds
        everything, and the next run goes on from there.
        """
        with self._log.paused():
            self._save(last=False)

    def close(self) -> None:
        """Saves and gives the lock back, the latter even where saving fails. Once is enough."""
        if self._closed:
            return
        self._closed = True
        with ExitStack() as then, self._log.paused():
            then.callback(self._held.release)
            self._save(last=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _fold(self, events: Sequence[Event]) -> None:
        with self._guard:
            self._last_mark = fold_into(
                self._last_mark,
                events,
                records=self._records,
                attempts=self._attempts,
                baselines=self._baselines,
                retired=self._retired,
            )
            self._given_mark = max(self._given_mark, self._last_mark)
            self._view = None

    def _save(self, *, last: bool) -> None:
        held = self._held
        held.retake()
        state = self.state.pruned()
        if self._is_worth_saving(state):
            state = self._with_accounted(state).pruned()
            journal = held.journal_id or state.journal
            state = replace(state, serial=state.serial + 1, journal=journal)
            state = self._with_refreshed(state)
            held.save(state, last=last)
            with self._guard:
                self._saved = self._rest = self._view = state
                self._records.update(state.records)
                self._baselines = dict(state.baselines)
        held.settle()

    def _is_worth_saving(self, state: State) -> bool:
        if not self._held.is_there and not state.records and not state.attempts:
            return bool(state.last_mark)
        return state != self._saved

    def _with_accounted(self, state: State) -> State:
        if not self._accounted:
            return state
        latest = {} if "." in self._accounted else dict(state.latest)
        known = dict(state.baselines)
        for path, by_org in self._accounted.items():
            names = {org_name: baseline.name for org_name, baseline in by_org.items()}
            latest[path] = {**state.latest.get(path, {}), **names}
            known.update({baseline.name: baseline for baseline in by_org.values()})
        return replace(state, latest=latest, baselines=known)

    def _with_refreshed(self, state: State) -> State:
        seen = self._seen
        fresh = {
            ref: replace(record, outputs=kept_outputs(seen[record.task_id]))
            for ref, record in state.records.items()
            if record.task_id in seen
        }
        return replace(state, records={**state.records, **fresh}) if fresh else state
