"""Where the parts of a state are, and how they are read and refused together."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from reconciler.state.codec import check_backend, decode_state, refuse
from reconciler.state.engines.file import LocalStore, Version
from reconciler.state.journal import Replay, read_journal
from reconciler.state.model import State


@dataclass(frozen=True, slots=True)
class Files:
    """Where the parts of a state are, and how messages name them (as the user did)."""

    store: LocalStore
    shown: str

    @classmethod
    def of(cls, path: Path) -> Files:
        """A link is followed once, here: replacing it would cut the state off from its place."""
        try:
            return cls(LocalStore(path.resolve()), str(path))
        except (OSError, RuntimeError) as problem:  # RuntimeError: links in a circle, until 3.13
            refuse(f"the path of the state leads nowhere: {problem}", "", file=str(path))

    @property
    def journal(self) -> Path:
        return self.store.path.with_name(self.store.path.name + ".journal")

    @property
    def lock(self) -> Path:
        return self.store.path.with_name(self.store.path.name + ".lock")

    @property
    def journal_shown(self) -> str:
        return self.shown + ".journal"

    def way_out(self) -> str:
        """What to do about a state file that cannot be used."""
        state, backup = shlex.quote(self.shown), shlex.quote(self.shown + ".backup")
        first = (
            f"take the last good one, kept beside it:\n  cp {backup} {state}\n"
            if self.store.backup.exists()
            else "take the last good one from version control or a backup.\n"
        )
        return (
            f"It was left as it is; nothing counts as absent because it cannot be read. Either"
            f" {first}or put it aside:\n  mv {state} {state}.bad\n"
            "Then let taskctl find the tasks that it does not know of, before it creates any:\n"
            "  taskctl plan --adopt all"
        )

    def journal_way_out(self) -> str:
        journal = shlex.quote(self.journal_shown)
        return (
            "It holds what an earlier run did and could not save any more, and was left as it is."
            " Restore it from a copy, or put it aside:\n"
            f"  mv {journal} {journal}.bad\n"
            "and, at least the settle time after that run, let taskctl find what it did:\n"
            "  taskctl plan --adopt all"
        )


@dataclass(frozen=True, slots=True)
class Loaded:
    """`saved` is what the state file holds, without the journal. `version` None: no file."""

    saved: State
    version: Version | None
    replay: Replay


def version_of(files: Files) -> Version | None:
    """Which bytes the state file holds; None where there is none."""
    try:
        return files.store.version()
    except IsADirectoryError:
        refuse(
            "the state is a folder, not a file",
            "Name a file in it:\n"
            f"  taskctl plan --state {shlex.quote(files.shown + '/taskctl.state.json')}",
            file=files.shown,
        )
    except OSError as problem:
        _refuse_unreadable(problem, files.shown)


def saved_state(files: Files, backend: str) -> State | None:
    """The state file alone; None where there is none."""
    try:
        data = files.store.read()
    except OSError as problem:
        _refuse_unreadable(problem, files.shown)
    if data is None:
        return None
    return decode_state(data, file=files.shown, backend=backend, way_out=files.way_out())


def load(files: Files, backend: str) -> Loaded:
    """State file and journal, each whole and both of one state; StateError for all else."""
    version = version_of(files)
    saved = saved_state(files, backend)
    try:
        data = files.journal.read_bytes()
    except FileNotFoundError:
        data = b""
    except OSError as problem:
        _refuse_unreadable(problem, files.journal_shown)
    replay = read_journal(data, file=files.journal_shown, way_out=files.journal_way_out())
    header = replay.header
    if header is not None:
        check_backend(header.backend, backend, files.journal_shown)
    if saved is None:
        lineage = header.lineage if header is not None else os.urandom(16).hex()
        saved = State(lineage=lineage, serial=0, backend=backend, is_new=True)
    elif header is not None and header.lineage != saved.lineage:
        refuse(
            "the journal belongs to another state than the one beside it",
            f"The state's lineage is {saved.lineage}, the journal's {header.lineage}: one of the"
            " two was copied here. Put the right state back, or put the journal aside:\n"
            f"  mv {shlex.quote(files.journal_shown)} {shlex.quote(files.journal_shown)}.bad\n"
            "and let taskctl find what it held:\n  taskctl plan --adopt all",
            file=files.journal_shown,
        )
    return Loaded(saved, version, replay)


def _refuse_unreadable(problem: OSError, shown: str) -> NoReturn:
    refuse(
        f"it cannot be read: {problem.strerror or problem}",
        "It was left as it is; what cannot be read does not count as absent. See whose it is:\n"
        f"  ls -l {shlex.quote(shown)}",
        file=shown,
    )
