"""A state in a local file, with its backup, journal and lock in files next to it."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, StateError, warning
from reconciler.model.value import replace
from reconciler.state.beginning import begin
from reconciler.state.codec import StateSource, check_backend, decode_state, encode_state
from reconciler.state.commit import Durable
from reconciler.state.journal import Header, Journal, Replay, full, read_journal
from reconciler.state.ledger import attempts_alone, fold, without_baselines
from reconciler.state.location import Claim, Taken
from reconciler.state.lock import LastApply, Lock
from reconciler.state.model import Learned, State, room_in
from reconciler.system import disk

_READS = 10

FileVersion = tuple[int, int, int, int]
"""Identifies the content of a file: inode, size, and the times of modification and change."""


class Loaded(NamedTuple):
    """`saved` is the content of the state file, without the journal; `version` is None if there is
    no file. `content` identifies its bytes; it is "" if they will not be compared.

    `replay` has no events if the state has already folded its journal; the journal file still
    exists then, and the first append replaces it.
    """

    saved: State
    version: FileVersion | None
    content: str
    replay: Replay


class LocalState:
    """The `state.location.StateLocation` of a state file.

    `path` is the state file itself, never a link to it, because replacing a link would detach the
    state from its location. `display_name` is the path as the user wrote it, for messages.
    """

    def __init__(self, path: Path) -> None:
        """Raises StateError if links form a cycle."""
        self.display_name = f"./{path}" if ":" in "".join(path.parts[:1]) else str(path)
        self.journal_display_name = f"{path}.journal"
        try:
            self.path = path.resolve()
        except (OSError, RuntimeError) as problem:  # RuntimeError: a cycle, before Python 3.13
            reason = str(problem)
            code = Code.STATE_PLACE
            raise StateError.about(self.display_name, code, "circle", reason=reason) from problem
        self.backup = Path(f"{self.path}.backup")
        self.journal = Path(f"{self.path}.journal")
        self.lock = Path(f"{self.path}.lock")

    def create(self, state: State, claim: Claim | None = None) -> bool:
        locked, _, events = self.take(claim or Claim(state.backend, "state migrate"))
        try:
            if locked.exists or events:
                return False
            locked.save(state, last=True)
        finally:
            locked.release()
        return True

    def read(self, backend: str) -> State:
        """Reads the state. If neither a state file nor a journal exists, returns a new state with a
        new lineage."""
        loaded = self._load(backend)
        events = loaded.replay.events
        return fold(loaded.saved, events)

    def take(self, claim: Claim) -> Taken:
        self._make_folder()
        if is_mount_point(self.path):
            # A mount point cannot be replaced. Outside the mount, other processes would
            # use another lock and another journal.
            raise StateError.about(self.display_name, Code.STATE_PLACE, "mount")
        lock = Lock(self.lock, display_name=self.display_name)
        lock.take(claim.lock_timeout, lambda holder: claim.waiting(holder, None))
        try:
            lock.write(claim.purpose, claim.declared(lock.content.declared, self.display_name))
            if self.links() > 1:
                lock.take_file(self.path)
            loaded = self._load(claim.backend, is_locked=True)
            return Taken(LockedFile(self, lock, loaded, claim), loaded.saved, loaded.replay.events)
        except BaseException:
            lock.release()
            raise

    @property
    def is_new(self) -> bool:
        """Whether the state was never written."""
        return not (self.path.exists() or self.journal.exists())

    def restored(self, given: State) -> State:
        """The state `given`, in place of a missing state file, with the attempts of the journal.
        Raises StateError."""
        with _reading(self.journal_display_name):
            journal = disk.read_file(self.journal, most=limits.STATE_FILE_BYTES) or b""
        events = read_journal(journal, file=self.journal_display_name).events
        return fold(given, attempts_alone(events, given))

    def source(self) -> StateSource:
        return StateSource(self.display_name, self.backup.exists())

    def version(self) -> FileVersion | None:
        """The version of the state file; None if there is no file. Raises OSError."""
        try:
            status = os.lstat(self.path)
        except FileNotFoundError:
            return None
        return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def links(self) -> int:
        """The number of hard links to the state file; 0 if there is none. Raises OSError."""
        try:
            return os.lstat(self.path).st_nlink
        except FileNotFoundError:
            return 0

    def replace(self, data: bytes) -> None:
        """Replaces the state file durably, and keeps its previous content as the backup. Raises
        OSError as `disk.replace_file` does."""
        if (before := disk.read_file(self.path)) is not None:
            _replace(self.backup, before)
        _replace(self.path, data)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Turns an OSError into a StateError."""
        try:
            yield
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise StateError.about(
                self.display_name, Code.STATE_NOT_SAVED, reason=reason
            ) from problem

    def _make_folder(self) -> None:
        try:
            disk.make_folder(self.path.parent)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            code = Code.STATE_PLACE
            raise StateError.about(self.display_name, code, "directory", reason=reason) from problem

    def _load(self, backend: str, *, is_locked: bool = False) -> Loaded:
        """Reads the state file and the journal as of the same moment. Raises StateError."""
        for _ in range(_READS):
            with _reading(self.display_name):
                version, data = self.version(), _read_state(self.path)
            with _reading(self.journal_display_name):
                journal = disk.read_file(self.journal, most=limits.STATE_FILE_BYTES) or b""
            with _reading(self.display_name):
                is_current = self.version() == version
            # A concurrent save replaces the state first and then removes the journal.
            if is_current:
                content = content_of(data) if is_locked or journal else ""
                room = room_in(limits.STATE_FILE_BYTES, len(data or b"") + len(journal))
                saved = None if data is None else decode_state(data, self.source(), backend=backend)
                state, replay = self._joined(saved, content, journal, backend)
                return Loaded(replace(state, room=room), version, content, replay)
        raise StateError.about(self.display_name, Code.STATE_CHANGED, "busy")

    def _joined(
        self, saved: State | None, content: str, journal: bytes, backend: str
    ) -> tuple[State, Replay]:
        """A state and its journal, which must belong together. Raises StateError."""
        name = self.display_name if saved is not None else ""
        replay = read_journal(journal, file=self.journal_display_name, state=name)
        header = replay.header
        if header is not None:
            check_backend(header.backend, backend, self.journal_display_name)
        if saved is None and header is not None:
            saved = State(header.lineage, 0, backend, header.provenance)
            if header.state:
                replay = replay._replace(events=without_baselines(replay.events))
        elif saved is None:
            saved = begin(backend)
        elif header is not None:
            if header.id == saved.journal or not replay.events:  # its first write was incomplete
                replay = replay.carrying(())
            elif header.lineage != saved.lineage:
                raise self._mismatch(saved.lineage, header.lineage)
            elif header.state != content:  # another version of the state was restored
                continues = not {*header.provenance.ids} <= {*saved.provenance.ids}
                known = Learned(header.provenance, continues=continues)
                replay = replay.carrying((known, *attempts_alone(replay.events, saved)))
        return saved, replay

    def _mismatch(self, state: str, journal: str) -> StateError:
        file, code = self.journal_display_name, Code.JOURNAL_MISMATCH
        facts = {"aside": f"{file}.bad", "saved": self.display_name}
        return StateError.about(file, code, state=state, journal=journal, **facts)


class LockedFile:
    """`state.location.LockedState` of a file."""

    def __init__(self, place: LocalState, lock: Lock, loaded: Loaded, claim: Claim) -> None:
        self._place, self._lock, self._replay = place, lock, loaded.replay
        self._purpose, self._edited = claim.purpose, claim.edited(lock.content.declared)
        self._version, self._content = loaded.version, loaded.content
        self._header = Header.of(loaded.saved, loaded.content)
        self._journal: Journal | None = None
        self._problem: StateError | None = None
        self._file_guard = threading.Lock()

    @property
    def exists(self) -> bool:
        return self._version is not None

    @property
    def declared(self) -> LastApply | None:
        return self._lock.content.declared

    def note_edit(self) -> None:
        if self._edited != self.declared:
            self._lock.write(self._purpose, self._edited)

    def log(self, durable: Durable) -> Journal:
        self._journal = Journal(
            self._place.journal,
            self._header,
            self._replay,
            durable,
            display_name=self._place.journal_display_name,
            check_lock=self.check_lock,
        )
        return self._journal

    def warnings(self) -> list[Diagnostic]:
        display_name = self._place.display_name
        if (count := self._place.links()) < 2:
            return []
        return [
            warning(
                Code.STATE_SHARED_FILE, at=Place(file=display_name), file=display_name, count=count
            )
        ]

    def check_lock(self) -> None:
        """Calls `stat` for three files. If one of them was replaced, the run never continues, even
        if the file returns: another run may have used it meanwhile."""
        try:
            if self._problem is None:
                self._lock.check_lock()
                if self._journal is not None:
                    self._journal.check_lock()
                self._check_file()
        except StateError as problem:
            self._problem = problem
        if self._problem is not None:
            raise self._problem

    def _check_file(self) -> None:
        """Raises StateError if a program that ignores the lock, such as git, has changed the state
        file. If only its times have changed, its bytes are compared."""
        place = self._place
        try:
            if place.version() == self._version:
                return
        except OSError:
            pass  # reading below raises the error
        with self._file_guard, _reading(place.display_name):  # the guard waits for a save
            version = place.version()
            if version != self._version and content_of(_read_state(place.path)) != self._content:
                raise StateError.about(place.display_name, Code.STATE_CHANGED)
            self._version = version

    def save(self, state: State, *, last: bool) -> State:
        if self._journal is not None and self._journal.id:
            state = replace(state, journal=self._journal.id)
        data = encode_state(state)
        if len(data) > limits.STATE_FILE_BYTES:
            raise full(self._place.display_name, len(data))
        with self._place.saving(), self._file_guard:
            self._place.replace(data)
            self._version = self._place.version()
            # The lock is released after the last save, and then nothing is compared with the file.
            self._content = "" if last else content_of(data)
        return state

    def clear_log(self, state: State) -> None:
        if self._journal is not None:
            with self._place.saving():
                self._journal.remove(Header.of(state, self._content))

    def release(self) -> None:
        if self._journal is not None:
            self._journal.shut()
        self._lock.release()


def content_of(data: bytes | None) -> str:
    """Identifies the bytes of a state file; "" if there is none. A serial would not be enough: two
    branches may reach the same serial."""
    return "" if data is None else hashlib.blake2b(data, digest_size=8).hexdigest()


def is_mount_point(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether `path` itself is a mount point; `mounts` is Linux's list of them, if it exists."""
    try:
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return os.path.ismount(path)
    points = {fields[4] for line in lines if len(fields := line.split(b" ")) > 4}
    escaped = os.fsencode(path).replace(b"\\", b"\\134").replace(b" ", b"\\040")
    return escaped.replace(b"\t", b"\\011").replace(b"\n", b"\\012") in points


def _read_state(path: Path) -> bytes | None:
    return disk.read_file(path, most=limits.STATE_FILE_BYTES)


def _replace(path: Path, data: bytes) -> None:
    disk.replace_file(path, data, mode=disk.PRIVATE, temporary=path.with_name(path.name + ".tmp"))


@contextmanager
def _reading(display_name: str) -> Iterator[None]:
    """Turns an OSError into the StateError for a file that exists and cannot be read."""
    try:
        yield
    except OSError as problem:
        case, facts = "", {"reason": problem.strerror or str(problem)}
        if isinstance(problem, IsADirectoryError):
            case, facts = "folder", {"inside": f"{display_name}/taskctl.state.json"}
        elif isinstance(problem, disk.NotRegularError):
            case, facts = "special", {}
        elif isinstance(problem, disk.FileTooLargeError):
            case, facts = "large", {"limit": f"{limits.STATE_FILE_BYTES} bytes"}
        raise StateError.about(display_name, Code.STATE_UNREADABLE, case, **facts) from problem
