"""A run's access to a state: the lock, the state with its journal folded in, and the save.

Each event is durable in the journal when it happens. The state file is written once, at the end,
and the journal is removed when that is durable; a run that dies in between leaves both, and the
state names the journal that it contains.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Arg, Diagnostic, Place, error, warning
from reconciler.model.errors import StateError
from reconciler.model.mark import mint
from reconciler.model.task import RemoteTask
from reconciler.state.attempt import Baseline
from reconciler.state.codec import encode_state
from reconciler.state.engines.file import LocalStore
from reconciler.state.journal import Header, Journal
from reconciler.state.lock import Lock
from reconciler.state.model import Event, State, fold, fold_into, kept_outputs, with_untold
from reconciler.state.paths import Loaded, StatePaths, load, saved_state, version_of

_READS = 10


def read_state(path: Path, *, backend: str) -> State:
    """The state as it is, its journal folded in: no lock, nothing written. For `plan`.

    No file and no journal: a new state with a lineage of its own. StateError for what cannot be
    read or is another backend's.
    """
    paths = StatePaths.of(path)
    for _ in range(_READS):
        loaded = load(paths, backend)
        # A run that saves meanwhile first replaces the state and then removes the journal.
        if version_of(paths) == loaded.version:
            return fold(with_untold(loaded.saved, loaded.replay.events), loaded.replay.events)
    at = Place(file=paths.shown)
    raise StateError([error(Code.STATE_CHANGED, "busy", at=at, file=paths.shown)])


class Session:
    """Exclusive access to a state, from `open` to `close`. Its methods are thread-safe.

    As a context manager it closes, and so saves, at the end, whatever ended it.
    """

    def __init__(self, paths: StatePaths, lock: Lock, loaded: Loaded, purpose: str) -> None:
        self._paths, self._lock, self._purpose = paths, lock, purpose
        self._saved = with_untold(loaded.saved, loaded.replay.events)
        self._version = loaded.version
        self._records, self._attempts = dict(loaded.saved.records), dict(loaded.saved.attempts)
        self._baselines = dict(loaded.saved.baselines)
        self._accounted: dict[str, Mapping[str, Baseline]] = {}
        self._is_new, self._searched = loaded.saved.is_new, loaded.saved.searched
        self._guard = threading.Lock()
        self._last_mark = self._given_mark = loaded.saved.last_mark
        self._view: State | None = None
        self._seen: Mapping[str, Mapping[str, object]] = {}
        self._closed = False
        self._fold(loaded.replay.events)
        self._journal = Journal(
            paths.journal, self._header(), loaded.replay, self._fold, shown=paths.journal_shown
        )

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        backend: str,
        lock_timeout: timedelta,
        purpose: str,
        waiting: Callable[[str], None] | None = None,
    ) -> Session:
        """Takes the lock and reads. StateError where the lock is held or the state unusable.

        `purpose` is shown to whoever finds the lock taken (`apply`). `waiting` is called once, with
        the holder in words, if the lock has to be waited for.
        """
        paths = StatePaths.of(path)
        paths.make_folder()
        paths.check_place()
        lock = Lock(paths.lock, shown=paths.shown)
        lock.take(purpose, lock_timeout, waiting)
        try:
            if paths.store.links() > 1:
                lock.take_file(paths.store.path)
            return cls(paths, lock, load(paths, backend), purpose)
        except BaseException:
            lock.release()
            raise

    def warnings(self) -> list[Diagnostic]:
        """What is risky about the place of this state, for the user."""
        paths = self._paths
        if (count := paths.store.links()) < 2:
            return []
        at = Place(file=paths.shown)
        return [warning(Code.STATE_SHARED_FILE, at=at, file=paths.shown, count=count)]

    @property
    def state(self) -> State:
        """What is known now, all that was appended included."""
        with self._guard:
            if self._view is None:
                self._view = replace(
                    self._saved,
                    records=dict(self._records),
                    attempts=dict(self._attempts),
                    baselines=dict(self._baselines),
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
                raise self._paths.source().damaged("mark") from None
            return self._given_mark

    def check_held(self) -> None:
        """Call this right before each request that creates a task, after its attempt was appended.

        StateError if the lock or the journal is no longer the file that this run opened: another
        run may have locked the new one, so nothing may be sent. Costs four calls of `stat`.
        """
        self._lock.check_held()
        self._journal.check_held()

    def append(self, *events: Event) -> None:
        """Durable when it returns, and part of `state`. StateError: neither of both.

        Many threads at once share one fsync. The events of one call are written together.
        """
        if events:
            self._journal.append(events)

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
        with self._journal.paused():
            self._save()

    def close(self) -> None:
        """Saves and gives the lock back, the latter even where saving fails. Once is enough."""
        if self._closed:
            return
        self._closed = True
        with ExitStack() as then, self._journal.paused():
            then.callback(self._lock.release)
            then.callback(self._journal.shut)
            self._save()

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
                self._records, self._attempts, self._baselines, self._last_mark, events
            )
            self._given_mark = max(self._given_mark, self._last_mark)
            self._view = None

    def _header(self) -> Header:
        saved = self._saved
        return Header.new(saved.lineage, saved.backend, saved.serial)

    def _save(self) -> None:
        self._lock.retake(self._purpose)
        state = self.state.pruned()
        if self._is_worth_saving(state):
            state = self._with_accounted(state).pruned()
            journal = self._journal.id or state.journal
            state = replace(state, serial=state.serial + 1, journal=journal)
            self._write(self._with_refreshed(state))
        try:
            self._journal.remove(self._header())
        except OSError as problem:
            self._cannot_save(problem)

    def _is_worth_saving(self, state: State) -> bool:
        if self._version is None and not state.records and not state.attempts:
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

    def _write(self, state: State) -> None:
        store = self._paths.store
        try:
            self._refuse_changed(store)
            store.replace(encode_state(state))
            self._version = store.version()
        except OSError as problem:
            self._cannot_save(problem)
        with self._guard:
            self._saved = self._view = state
            self._records.update(state.records)
            self._baselines = dict(state.baselines)

    def _refuse_changed(self, store: LocalStore) -> None:
        """Another hand changed the file under the lock, say a checkout: its word is not lost."""
        if store.version() == self._version:
            return
        there = saved_state(self._paths, self._saved.backend)
        # Two branches may have gone on from one serial, each to the same next one.
        if there is None or encode_state(there) != encode_state(self._saved):
            paths = self._paths
            facts: dict[str, Arg] = {"file": paths.shown, "journal": paths.journal_shown}
            at, serial = Place(file=paths.shown), self._saved.serial
            raise StateError([error(Code.STATE_CHANGED, at=at, serial=serial, **facts)])

    def _cannot_save(self, problem: OSError) -> NoReturn:
        at, shown = Place(file=self._paths.shown), self._paths.shown
        reason = problem.strerror or str(problem)
        said = error(Code.STATE_NOT_SAVED, at=at, file=shown, reason=reason)
        raise StateError([said]) from problem
