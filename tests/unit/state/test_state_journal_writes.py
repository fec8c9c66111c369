from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.state.commit import GroupCommit, _Caller
from reconciler.state.model import Closed, Event
from reconciler.system import disk
from tests.support.diagnostics import failed, raises_with, words_of
from tests.support.state_files import HEADER, JournalFile


@pytest.fixture
def journal_file(tmp_path: Path) -> Iterator[JournalFile]:
    made = JournalFile(tmp_path / "x.journal")
    yield made
    made.close()


def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        time.sleep(0.001)


class Slow:
    """Syncs that block until they are released, and are counted."""

    def __init__(self) -> None:
        self.count = 0
        self.reached, self.gate = threading.Event(), threading.Event()

    def __call__(self, fd: int) -> None:
        self.count += 1
        self.reached.set()
        assert self.gate.wait()


def test_concurrent_appends_share_syncs(
    journal_file: JournalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal_file.journal.append([Closed(1, "first")])
    slow = Slow()
    monkeypatch.setattr(os, "fsync", slow)

    def append(number: int) -> bool:
        journal_file.journal.append([Closed(number + 1, "x"), Closed(number + 1, "y")])
        return slow.gate.is_set()

    with ThreadPoolExecutor(10) as pool:
        returned = [pool.submit(append, 0)]
        assert slow.reached.wait()
        returned += [pool.submit(append, number) for number in range(1, 10)]
        until(lambda: journal_file.journal.waiting == 9)
        assert not any(future.done() for future in returned)
        slow.gate.set()
    assert all(future.result() for future in returned)
    assert slow.count == 2
    assert journal_file.events() == journal_file.durable
    assert len(journal_file.durable) == 21
    pairs = [event for event in journal_file.durable[1:] if isinstance(event, Closed)]
    assert [(e.number, e.reason) for e in pairs[::2]] == [(e.number, "x") for e in pairs[1::2]]


def test_a_caller_knows_that_a_write_failed_before_it_may_return(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A caller that was woken already runs beside the thread that sets both."""
    order: list[str] = []

    class Watched(_Caller):
        def __setattr__(self, name: str, value: object) -> None:
            if value and name in ("done", "failure"):
                order.append(name)
            super().__setattr__(name, value)

    def write(texts: Sequence[bytes]) -> None:
        raise failed(StateError, "no space")

    monkeypatch.setattr("reconciler.state.commit._Caller", Watched)
    log = GroupCommit(write, lambda events: None, display_name="x")
    with raises_with(StateError, "no space"):
        log.append([Closed(1, "x")])
    assert order == ["failure", "done"]


def test_many_threads_lose_no_entry(journal_file: JournalFile) -> None:
    def work(worker: int) -> None:
        for number in range(50):
            event = Closed(worker * 100 + number + 1, "x")
            journal_file.journal.append([event])
            assert event in journal_file.durable

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(work, range(10)))
    assert len(journal_file.events()) == 500
    assert journal_file.events() == journal_file.durable


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A disk with room for this many more bytes; the last write is partial."""
    room = [0]
    real = os.write

    def write(fd: int, data: memoryview) -> int:
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = data[: room[0]]
        room[0] -= len(part)
        return real(fd, part)

    monkeypatch.setattr(os, "write", write)
    return room


def test_a_full_disk_loses_no_entry_and_leaves_no_partial_line(
    journal_file: JournalFile, full: list[int]
) -> None:
    full[0] = 10_000
    journal_file.journal.append([Closed(1, "kept")])
    before = journal_file.bytes()
    for room in (0, 1, 20, 60):
        full[0] = room
        with pytest.raises(StateError) as caught:
            journal_file.journal.append([Closed(2, "no room")])
        assert "No space left" in words_of(caught.value)
        assert [each.code for each in caught.value.diagnostics] == [Code.JOURNAL_NOT_WRITTEN]
        assert journal_file.bytes() == before
    full[0] = 10_000
    journal_file.journal.append([Closed(3, "room again")])
    assert [e.number for e in journal_file.events() if isinstance(e, Closed)] == [1, 3]
    assert journal_file.durable == journal_file.events()


def test_after_a_failed_first_write_the_next_one_starts_over(
    journal_file: JournalFile, full: list[int]
) -> None:
    full[0] = 30
    with pytest.raises(StateError):
        journal_file.journal.append([Closed(1, "x")])
    assert journal_file.bytes() == b""
    full[0] = 10_000
    journal_file.journal.append([Closed(2, "y")])
    assert journal_file.events() == [Closed(2, "y")]


def test_a_failed_write_fails_every_waiting_append(
    journal_file: JournalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal_file.journal.append([Closed(1, "kept")])
    slow = Slow()

    def fails(fd: int) -> None:
        slow(fd)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)

    def append(number: int) -> str:
        with pytest.raises(StateError) as caught:
            journal_file.journal.append([Closed(number + 1, "lost")])
        return words_of(caught.value)

    with ThreadPoolExecutor(10) as pool:
        futures = [pool.submit(append, number) for number in range(1, 11)]
        slow.gate.set()
        said = [future.result() for future in futures]
    assert all("Input/output error" in words for words in said)
    assert slow.count == 1
    assert journal_file.durable == [Closed(1, "kept")]


def test_if_events_of_a_write_cannot_be_applied_none_of_its_callers_continues() -> None:
    """The state lacks them, and is saved in place of the journal: an attempt in it must not have
    been sent."""
    writing, gate = threading.Event(), threading.Event()

    def write(texts: Sequence[bytes]) -> None:
        writing.set()
        assert gate.wait()

    def durable(events: Sequence[Event]) -> None:
        if Closed(2, "x") in events:
            raise MemoryError

    log = GroupCommit(write, durable, display_name="x")
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(log.append, [Closed(1, "x")])
        assert writing.wait()
        others = []
        for number in (1, 2):
            others.append(pool.submit(log.append, [Closed(number + 1, "x")]))
            until(lambda: log.waiting == len(others))
        gate.set()
        first.result()
        for other, problem in zip(others, (MemoryError, StateError), strict=True):
            with pytest.raises(problem):
                other.result()


def test_an_append_that_was_interrupted_is_not_written_later() -> None:
    """Its caller has gone on, and nothing of it may be sent or recorded."""
    written: list[Sequence[Event]] = []
    pauses = [KeyboardInterrupt]

    def linger() -> float:
        if pauses:
            raise pauses.pop()
        return 0.0

    log = GroupCommit(lambda _: None, written.append, display_name="x", linger=linger)
    with pytest.raises(KeyboardInterrupt):
        log.append([Closed(2, "x")])
    log.append([Closed(3, "x")])
    assert written == [[Closed(3, "x")]]
    assert log.waiting == 0


def test_after_a_failed_sync_the_journal_is_unusable(
    journal_file: JournalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    journal_file.journal.append([Closed(1, "kept")])
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails)
        with pytest.raises(StateError):
            journal_file.journal.append([Closed(2, "in doubt")])
    with raises_with(StateError, "earlier write to it failed"):
        journal_file.journal.append([Closed(3, "refused")])
    assert Closed(3, "refused") not in journal_file.events()


def test_a_partial_write_that_cannot_be_removed_makes_the_journal_unusable(
    journal_file: JournalFile, full: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(fd: int, length: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    full[0] = 10_000
    journal_file.journal.append([Closed(1, "kept")])
    with monkeypatch.context() as patched:
        patched.setattr(os, "ftruncate", fails)
        full[0] = 20
        with pytest.raises(StateError):
            journal_file.journal.append([Closed(2, "half")])
    full[0] = 10_000
    with raises_with(StateError, "earlier write"):
        journal_file.journal.append([Closed(3, "never after a hole")])
    assert journal_file.events() == [Closed(1, "kept")]


def test_an_interrupted_write_makes_the_journal_unusable(
    journal_file: JournalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(fd: int) -> None:
        raise KeyboardInterrupt

    journal_file.journal.append([Closed(1, "kept")])
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal_file.journal.append([Closed(2, "in doubt")])
    with raises_with(StateError, "interrupted"):
        journal_file.journal.append([Closed(3, "refused")])


def test_a_journal_whose_name_is_not_durable_is_unusable(
    journal_file: JournalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(folder: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(disk, "sync_folder", fails)
        with pytest.raises(StateError):
            journal_file.journal.append([Closed(1, "x")])
    with pytest.raises(StateError):
        journal_file.journal.append([Closed(2, "y")])
    assert journal_file.durable == []


def test_paused_appends_wait_and_then_start_a_new_journal(journal_file: JournalFile) -> None:
    journal_file.journal.append([Closed(1, "old")])
    with ThreadPoolExecutor(1) as pool:
        with journal_file.journal.paused():
            later = pool.submit(journal_file.journal.append, [Closed(2, "new")])
            until(lambda: bool(journal_file.journal.waiting))
            journal_file.journal.remove(HEADER)
            assert not journal_file.path.exists()
            assert not later.done()
        later.result()
    assert journal_file.events() == [Closed(2, "new")]


def test_a_closed_journal_stays_closed(journal_file: JournalFile) -> None:
    with journal_file.journal.paused():
        journal_file.journal.shut()
    with raises_with(StateError, "already released"):
        journal_file.journal.append([Closed(1, "x")])
    assert not journal_file.path.exists()


def test_a_file_system_without_folder_sync_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code, allowed in ((errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False)):

        def refuses(fd: int, code: int = code) -> None:
            raise OSError(code, "no")

        monkeypatch.setattr(os, "fsync", refuses)
        if allowed:
            disk.sync_folder(tmp_path)
        else:
            with pytest.raises(OSError, match="no"):
                disk.sync_folder(tmp_path)
