"""A state in a local file, with its journal and its lock in files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from reconciler import disk
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, StateError, warning
from reconciler.state.codec import encode_state
from reconciler.state.commit import Durable
from reconciler.state.files import Loaded, StateFiles
from reconciler.state.held import Claim
from reconciler.state.journal import Header, Journal
from reconciler.state.lock import Lock
from reconciler.state.model import Event, State, fold, with_unreported

_READS = 10


class LocalState:
    """`state.held.StatePlace` of a file."""

    def __init__(self, path: Path) -> None:
        """StateError if the path cannot be resolved."""
        self._files = StateFiles.of(path)

    @property
    def shown(self) -> str:
        return self._files.shown

    def create(self, state: State) -> bool:
        held = self.take(Claim(state.backend, "state migrate"))
        try:
            if held.exists or held.events:
                return False
            held.save(state, last=True)
        finally:
            held.release()
        return True

    def try_write(self) -> None:
        self._files.make_folder()
        scratch = self._files.lock.with_suffix(".write-test")
        try:
            disk.replace_file(scratch, b"1", mode=disk.PRIVATE)
            disk.remove(scratch)
        except OSError as problem:
            _cannot_save(self.shown, problem)

    def read(self, backend: str) -> State:
        """Without a file and a journal: a new state with its own lineage."""
        for _ in range(_READS):
            loaded = self._files.load(backend)
            # A concurrent save replaces the state first and then removes the journal.
            if self._files.is_at(loaded.version):
                events = loaded.replay.events
                return fold(with_unreported(loaded.saved, events), events)
        raise StateError.about(self.shown, Code.STATE_CHANGED, "busy")

    def take(self, claim: Claim) -> HeldFile:
        files = self._files
        files.make_folder()
        files.check_place()
        lock = Lock(files.lock, shown=files.shown)
        lock.take(claim.purpose, claim.lock_timeout, claim.waiting)
        try:
            if files.links() > 1:
                lock.take_file(files.path)
            return HeldFile(files, lock, files.load(claim.backend), claim.purpose)
        except BaseException:
            lock.release()
            raise


class HeldFile:
    """`state.held.HeldState` of a file."""

    def __init__(self, files: StateFiles, lock: Lock, loaded: Loaded, purpose: str) -> None:
        self._files, self._lock, self._purpose = files, lock, purpose
        self._replay, self._version = loaded.replay, loaded.version
        self._journal: Journal | None = None
        self.saved: State = loaded.saved
        self.events: Sequence[Event] = loaded.replay.events

    @property
    def exists(self) -> bool:
        return self._version is not None

    def log(self, durable: Durable) -> Journal:
        path, shown = self._files.journal, self._files.journal_shown
        self._journal = Journal(path, self._header(), self._replay, durable, shown=shown)
        return self._journal

    def warnings(self) -> list[Diagnostic]:
        shown = self._files.shown
        if (count := self._files.links()) < 2:
            return []
        return [warning(Code.STATE_SHARED_FILE, at=Place(file=shown), file=shown, count=count)]

    def check_held(self) -> None:
        """Checks that lock and journal are still the files that this run opened; four `stat`s."""
        self._lock.check_held()
        if self._journal is not None:
            self._journal.check_held()

    def retake(self) -> None:
        self._lock.retake(self._purpose)

    def save(self, state: State, *, last: bool) -> None:
        del last  # the lock is a separate file
        if self._journal is not None and self._journal.id:
            state = replace(state, journal=self._journal.id)
        try:
            self._refuse_changed()
            self._files.replace(encode_state(state))
            self._version = self._files.version()
        except OSError as problem:
            _cannot_save(self._files.shown, problem)
        self.saved = state

    def clear_log(self) -> None:
        if self._journal is None:
            return
        try:
            self._journal.remove(self._header())
        except OSError as problem:
            _cannot_save(self._files.shown, problem)

    def release(self) -> None:
        if self._journal is not None:
            self._journal.shut()
        self._lock.release()

    def damaged_mark(self) -> StateError:
        return self._files.source().damaged("mark")

    def _header(self) -> Header:
        saved = self.saved
        return Header.new(saved.lineage, saved.backend, saved.serial)

    def _refuse_changed(self) -> None:
        """StateError if something that ignores the lock, such as a checkout, has changed the file:
        the change is never overwritten."""
        files, serial = self._files, self.saved.serial
        if files.version() == self._version:
            return
        found = files.read(self.saved.backend)
        # Comparing serials is not enough: two branches may reach the same one independently.
        if found is None or encode_state(found) != encode_state(self.saved):
            journal = files.journal_shown
            raise StateError.about(files.shown, Code.STATE_CHANGED, serial=serial, journal=journal)


def _cannot_save(shown: str, problem: OSError) -> NoReturn:
    reason = problem.strerror or str(problem)
    raise StateError.about(shown, Code.STATE_NOT_SAVED, reason=reason) from problem
