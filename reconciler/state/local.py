"""A state in a local file: its journal and its lock are files next to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from reconciler import disk
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Arg, Diagnostic, Place, error, warning
from reconciler.model.errors import StateError
from reconciler.state.codec import encode_state
from reconciler.state.commit import Durable
from reconciler.state.held import Claim
from reconciler.state.journal import Header, Journal
from reconciler.state.lock import Lock
from reconciler.state.model import Event, State, fold, with_untold
from reconciler.state.paths import Loaded, StatePaths, load_state, saved_state, version_of

_READS = 10


class LocalState:
    """`state.held.StatePlace` of a file."""

    def __init__(self, path: Path) -> None:
        """StateError if the path cannot be resolved."""
        self._paths = StatePaths.of(path)

    @property
    def shown(self) -> str:
        return self._paths.shown

    def create(self, state: State) -> bool:
        held = self.take(Claim(state.backend, "state migrate"))
        try:
            if held.is_there or held.events:
                return False
            held.save(state, last=True)
        finally:
            held.release()
        return True

    def try_write(self) -> None:
        paths = self._paths
        paths.make_folder()
        try:
            scratch = paths.lock.with_suffix(".write-test")
            disk.replace_file(scratch, b"1", mode=disk.PRIVATE)
            disk.remove(scratch)
        except OSError as problem:
            _cannot_save(paths.shown, problem)

    def read(self, backend: str) -> State:
        """No file and no journal: a new state with a lineage of its own."""
        paths = self._paths
        for _ in range(_READS):
            loaded = load_state(paths, backend)
            # A run that saves meanwhile first replaces the state and then removes the journal.
            if version_of(paths) == loaded.version:
                return fold(with_untold(loaded.saved, loaded.replay.events), loaded.replay.events)
        at = Place(file=paths.shown)
        raise StateError([error(Code.STATE_CHANGED, "busy", at=at, file=paths.shown)])

    def take(self, claim: Claim) -> HeldFile:
        paths = self._paths
        paths.make_folder()
        paths.check_place()
        lock = Lock(paths.lock, shown=paths.shown)
        lock.take(claim.purpose, claim.lock_timeout, claim.waiting)
        try:
            if paths.store.links() > 1:
                lock.take_file(paths.store.path)
            return HeldFile(paths, lock, load_state(paths, claim.backend), claim.purpose)
        except BaseException:
            lock.release()
            raise


class HeldFile:
    """`state.held.HeldState` of a file."""

    def __init__(self, paths: StatePaths, lock: Lock, loaded: Loaded, purpose: str) -> None:
        self._paths, self._lock, self._purpose = paths, lock, purpose
        self._replay, self._version = loaded.replay, loaded.version
        self._journal: Journal | None = None
        self.saved: State = loaded.saved
        self.events: Sequence[Event] = loaded.replay.events

    @property
    def is_there(self) -> bool:
        return self._version is not None

    @property
    def journal_id(self) -> str:
        return self._journal.id if self._journal is not None else ""

    def log(self, durable: Durable) -> Journal:
        paths = self._paths
        self._journal = Journal(
            paths.journal, self._header(), self._replay, durable, shown=paths.journal_shown
        )
        return self._journal

    def warnings(self) -> list[Diagnostic]:
        paths = self._paths
        if (count := paths.store.links()) < 2:
            return []
        at = Place(file=paths.shown)
        return [warning(Code.STATE_SHARED_FILE, at=at, file=paths.shown, count=count)]

    def check_held(self) -> None:
        """Whether lock and journal are still the files that this run opened; four `stat`s."""
        self._lock.check_held()
        if self._journal is not None:
            self._journal.check_held()

    def retake(self) -> None:
        self._lock.retake(self._purpose)

    def save(self, state: State, *, last: bool) -> None:
        del last  # the lock is another file
        store = self._paths.store
        try:
            self._refuse_changed()
            store.replace(encode_state(state))
            self._version = store.version()
        except OSError as problem:
            _cannot_save(self._paths.shown, problem)
        self.saved = state

    def settle(self) -> None:
        if self._journal is None:
            return
        try:
            self._journal.remove(self._header())
        except OSError as problem:
            _cannot_save(self._paths.shown, problem)

    def release(self) -> None:
        if self._journal is not None:
            self._journal.shut()
        self._lock.release()

    def damaged(self, case: str) -> StateError:
        return self._paths.source().damaged(case)

    def _header(self) -> Header:
        saved = self.saved
        return Header.new(saved.lineage, saved.backend, saved.serial)

    def _refuse_changed(self) -> None:
        """Another hand changed the file under the lock, say a checkout: its word is not lost."""
        paths = self._paths
        if paths.store.version() == self._version:
            return
        there = saved_state(paths, self.saved.backend)
        # Two branches may have gone on from one serial, each to the same next one.
        if there is None or encode_state(there) != encode_state(self.saved):
            facts: dict[str, Arg] = {"file": paths.shown, "journal": paths.journal_shown}
            at, serial = Place(file=paths.shown), self.saved.serial
            raise StateError([error(Code.STATE_CHANGED, at=at, serial=serial, **facts)])


def _cannot_save(shown: str, problem: OSError) -> NoReturn:
    reason = problem.strerror or str(problem)
    said = StateError.of(Code.STATE_NOT_SAVED, at=Place(file=shown), file=shown, reason=reason)
    raise said from problem
