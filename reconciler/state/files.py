"""The files of a local state: the state itself, and its backup, journal and lock beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from reconciler import disk
from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.state.codec import StateSource, check_backend, decode_state
from reconciler.state.journal import Replay, read_journal
from reconciler.state.model import State

FileVersion = tuple[int, int, int]
"""Identifies the content of a file: inode, size and modification time."""


class Loaded(NamedTuple):
    """`saved` is the content of the state file, without the journal. `version` None: no file.

    `replay` has no events if the state has already folded its journal; the journal file still
    exists then, and the first append replaces it.
    """

    saved: State
    version: FileVersion | None
    replay: Replay


class StateFiles(NamedTuple):
    """`path` is the state file itself, never a link to it, because replacing a link would detach
    the state from its location. `shown` is the path as the user gave it, for messages."""

    path: Path
    shown: str

    @classmethod
    def of(cls, path: Path) -> StateFiles:
        """Resolves links. StateError if they form a cycle."""
        try:
            return cls(path.resolve(), str(path))
        except (OSError, RuntimeError) as problem:  # RuntimeError: a cycle, before Python 3.13
            reason = str(problem)
            raise StateError.about(
                str(path), Code.STATE_PLACE, "circle", reason=reason
            ) from problem

    @property
    def backup(self) -> Path:
        return self._beside(".backup")

    @property
    def journal(self) -> Path:
        return self._beside(".journal")

    @property
    def lock(self) -> Path:
        return self._beside(".lock")

    @property
    def journal_shown(self) -> str:
        return self.shown + ".journal"

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def source(self) -> StateSource:
        return StateSource(self.shown, self.backup.exists())

    def make_folder(self) -> None:
        """Creates the directory of the state. StateError."""
        try:
            disk.make_folder(self.path.parent)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            code = Code.STATE_PLACE
            raise StateError.about(self.shown, code, "directory", reason=reason) from problem

    def check_place(self) -> None:
        """StateError for a mount point: it cannot be replaced, and processes on the other side of
        the mount look for the lock and the journal elsewhere."""
        if is_mount_point(self.path):
            raise StateError.about(self.shown, Code.STATE_PLACE, "mount")

    def version(self) -> FileVersion | None:
        """None if there is no state file. OSError."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return None
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def links(self) -> int:
        """The number of hard links to the state file; 0 if there is none. OSError."""
        try:
            return os.lstat(self.path).st_nlink
        except FileNotFoundError:
            return 0

    def read(self, backend: str) -> State | None:
        """The state file without its journal; None if there is none. StateError."""
        with _reading(self.shown):
            data = disk.read_file(self.path)
        return None if data is None else decode_state(data, self.source(), backend=backend)

    def replace(self, data: bytes) -> None:
        """Replaces the state file durably, and keeps its previous content as the backup. OSError;
        the file is unchanged then."""
        known = disk.read_file(self.path)
        if known is not None:
            _replace(self.backup, known)
        _replace(self.path, data)

    def load(self, backend: str) -> Loaded:
        """State file and journal, which must belong together. StateError."""
        with _reading(self.shown):
            version = self.version()
        saved = self.read(backend)
        with _reading(self.journal_shown):
            data = disk.read_file(self.journal)
        replay = read_journal(data or b"", file=self.journal_shown)
        header = replay.header
        if header is not None:
            check_backend(header.backend, backend, self.journal_shown)
        if saved is None:
            lineage = header.lineage if header is not None else os.urandom(16).hex()
            saved = State(lineage=lineage, serial=0, backend=backend, is_new=True)
        elif header is not None:
            if header.lineage == saved.lineage and header.id == saved.journal:
                return Loaded(saved, version, replay.folded())
            # A journal that this state has not folded starts from exactly this version of it.
            if header.lineage != saved.lineage:
                raise self._mismatch("lineage", saved.lineage, header.lineage)
            if header.serial != saved.serial:
                raise self._mismatch("serial", saved.serial, header.serial)
        return Loaded(saved, version, replay)

    def is_at(self, version: FileVersion | None) -> bool:
        """Whether the state file still has that version. StateError."""
        with _reading(self.shown):
            return self.version() == version

    def _mismatch(self, case: str, state: str | int, journal: str | int) -> StateError:
        file, code = self.journal_shown, Code.JOURNAL_MISMATCH
        aside = f"{file}.bad"
        return StateError.about(file, code, case, aside=aside, state=state, journal=journal)


def is_mount_point(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether `path` itself is a mount point; `mounts` is Linux's list of them, if it exists."""
    try:
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return os.path.ismount(path)
    points = {fields[4] for line in lines if len(fields := line.split(b" ")) > 4}
    escaped = os.fsencode(path).replace(b"\\", b"\\134").replace(b" ", b"\\040")
    return escaped.replace(b"\t", b"\\011").replace(b"\n", b"\\012") in points


def _replace(path: Path, data: bytes) -> None:
    disk.replace_file(path, data, mode=disk.PRIVATE, spare=path.with_name(path.name + ".tmp"))


@contextmanager
def _reading(shown: str) -> Iterator[None]:
    """Turns an OSError into the StateError for a file that exists and cannot be read."""
    try:
        yield
    except OSError as problem:
        case, facts = "", {"reason": problem.strerror or str(problem)}
        if isinstance(problem, IsADirectoryError):
            case, facts = "folder", {"inside": f"{shown}/taskctl.state.json"}
        elif isinstance(problem, disk.NotRegularError):
            case, facts = "special", {}
        elif isinstance(problem, disk.FileTooLargeError):
            case, facts = "large", {"limit": "2 GiB"}
        raise StateError.about(shown, Code.STATE_UNREADABLE, case, **facts) from problem
