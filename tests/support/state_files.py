"""Journals and state files on disk, and their content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reconciler.state.codec import VERSION
from reconciler.state.journal import Header, Journal, Replay, read_journal
from reconciler.state.local import LocalState
from reconciler.state.location import Claim
from reconciler.state.model import Event
from reconciler.state.session import Session
from tests.support.state_samples import BACKEND, LINEAGE, PROVENANCE, history

HEADER = Header(LINEAGE, BACKEND, PROVENANCE, "", "0123456789abcdef", VERSION)


def read(data: bytes) -> Replay:
    return read_journal(data, file="x.journal")


class JournalFile:
    """A journal on disk, and the events that it reported as durable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.durable: list[Event] = []
        self._opened: list[Journal] = []
        self.journal = self.reopen()

    def reopen(self) -> Journal:
        """Opens the journal as another run would. Earlier ones stay open until `close`."""
        replay = read(self.bytes())
        made = Journal(self.path, HEADER, replay, self.durable.extend, display_name="x.journal")
        self._opened.append(made)
        return made

    def close(self) -> None:
        for journal in self._opened:
            journal.shut()
        self._opened.clear()

    def bytes(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""

    def events(self) -> list[Event]:
        return list(read(self.bytes()).events)


def journal_of(path: Path, happened: Sequence[Event]) -> bytes:
    journal = Journal(path, HEADER, Replay(), lambda _: None, display_name="x")
    for event in happened:
        journal.append([event])
    data = path.read_bytes()
    with journal.paused():
        journal.remove(HEADER)
    return data


def open_at(path: Path, *, backend: str = BACKEND) -> Session:
    return Session.open(LocalState(path), Claim(backend, "a test"))


def sibling(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def folder_contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        found.name: (found.read_bytes(), found.stat().st_mtime_ns)
        for found in folder.iterdir()
        if found.suffix != ".lock"
    }


def save_history(path: Path, *, count: int = 4) -> None:
    with open_at(path) as session:
        session.append(*history(count))
