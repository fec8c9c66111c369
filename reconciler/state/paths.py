"""Where the parts of a local state are, and how they are read and refused together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from reconciler import disk
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Arg, Place, error
from reconciler.model.errors import StateError
from reconciler.state.codec import StateSource, check_backend, decode_state
from reconciler.state.engines.file import FileVersion, LocalStore
from reconciler.state.journal import Replay, read_journal
from reconciler.state.model import State


@dataclass(frozen=True, slots=True)
class StatePaths:
    """Where the parts of a state are, and how messages name them (as the user did)."""

    store: LocalStore
    shown: str

    @classmethod
    def of(cls, path: Path) -> StatePaths:
        """A link is followed once, here: replacing it would cut the state off from its place."""
        try:
            target = path.resolve()
        except (OSError, RuntimeError) as problem:  # RuntimeError: links in a circle, until 3.13
            raise _misplaced(path, "circle", reason=str(problem)) from problem
        return cls(LocalStore(target), str(path))

    @property
    def journal(self) -> Path:
        return self.store.path.with_name(self.store.path.name + ".journal")

    @property
    def lock(self) -> Path:
        return self.store.path.with_name(self.store.path.name + ".lock")

    @property
    def journal_shown(self) -> str:
        return self.shown + ".journal"

    def source(self) -> StateSource:
        return StateSource(self.shown, self.store.backup.exists())

    def make_folder(self) -> None:
        """The directory of the state. Raises StateError."""
        try:
            disk.make_folder(self.store.path.parent)
        except OSError as problem:
            raise _misplaced(Path(self.shown), "directory", reason=_reason(problem)) from problem

    def check_place(self) -> None:
        """StateError for a mount point: neither its lock nor its journal is where the other side
        looks for them, and it cannot be replaced."""
        if is_mount_point(self.store.path):
            raise _misplaced(Path(self.shown), "mount")


@dataclass(frozen=True, slots=True)
class Loaded:
    """`saved` is what the state file holds, without the journal. `version` None: no file.

    `replay` has no events if the state names its journal as folded already; the file is still
    there, and is replaced at the first append.
    """

    saved: State
    version: FileVersion | None
    replay: Replay


def is_mount_point(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> bool:
    """Whether something is mounted right on `path`; `mounts` is Linux's list, if there is one."""
    try:
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return os.path.ismount(path)
    points = {fields[4] for line in lines if len(fields := line.split(b" ")) > 4}
    escaped = os.fsencode(path).replace(b"\\", b"\\134").replace(b" ", b"\\040")
    return escaped.replace(b"\t", b"\\011").replace(b"\n", b"\\012") in points


def version_of(paths: StatePaths) -> FileVersion | None:
    """Which bytes the state file holds; None where there is none."""
    try:
        return paths.store.version()
    except OSError as problem:
        refuse_unreadable(problem, paths.shown)


def saved_state(paths: StatePaths, backend: str) -> State | None:
    """The state file alone; None where there is none."""
    try:
        data = paths.store.read()
    except OSError as problem:
        refuse_unreadable(problem, paths.shown)
    return None if data is None else decode_state(data, paths.source(), backend=backend)


def load_state(paths: StatePaths, backend: str) -> Loaded:
    """State file and journal, each whole and both of one state; StateError for all else."""
    version = version_of(paths)
    saved = saved_state(paths, backend)
    replay = _journal(paths)
    header = replay.header
    if header is not None:
        check_backend(header.backend, backend, paths.journal_shown)
    if saved is None:
        lineage = header.lineage if header is not None else os.urandom(16).hex()
        saved = State(lineage=lineage, serial=0, backend=backend, is_new=True)
    elif header is not None:
        if header.lineage == saved.lineage and header.id == saved.journal:
            return Loaded(saved, version, replay.folded())
        _check_match(paths, saved, replay)
    return Loaded(saved, version, replay)


def _journal(paths: StatePaths) -> Replay:
    try:
        data = disk.read_file(paths.journal)
    except OSError as problem:
        refuse_unreadable(problem, paths.journal_shown)
    return read_journal(data or b"", file=paths.journal_shown)


def _check_match(paths: StatePaths, saved: State, replay: Replay) -> None:
    """A journal that this state did not fold was begun on just this version of it."""
    header = replay.header
    if header is None or (header.lineage, header.serial) == (saved.lineage, saved.serial):
        return
    at = Place(file=paths.journal_shown)
    file = paths.journal_shown
    names: dict[str, Arg] = {"file": file, "aside": f"{file}.bad"}
    if header.lineage != saved.lineage:
        facts: dict[str, Arg] = {"state": saved.lineage, "journal": header.lineage}
        raise StateError([error(Code.JOURNAL_MISMATCH, "lineage", at=at, **names, **facts)])
    facts = {"state": saved.serial, "journal": header.serial}
    raise StateError([error(Code.JOURNAL_MISMATCH, "serial", at=at, **names, **facts)])


def refuse_unreadable(problem: OSError, shown: str) -> NoReturn:
    """Something is there and cannot be read."""
    at = Place(file=shown)
    if isinstance(problem, IsADirectoryError):
        inside = f"{shown}/taskctl.state.json"
        said = error(Code.STATE_UNREADABLE, "folder", at=at, file=shown, inside=inside)
    elif isinstance(problem, disk.NotRegularError):
        said = error(Code.STATE_UNREADABLE, "special", at=at, file=shown)
    elif isinstance(problem, disk.FileTooLargeError):
        said = error(Code.STATE_UNREADABLE, "large", at=at, file=shown, limit="2 GiB")
    else:
        said = error(Code.STATE_UNREADABLE, at=at, file=shown, reason=_reason(problem))
    raise StateError([said]) from problem


def _reason(problem: OSError) -> str:
    return problem.strerror or str(problem)


def _misplaced(path: Path, case: str, **facts: Arg) -> StateError:
    at = Place(file=str(path))
    return StateError([error(Code.STATE_PLACE, case, at=at, file=str(path), **facts)])
