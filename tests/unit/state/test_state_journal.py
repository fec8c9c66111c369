from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import StateError
from reconciler.state import disk
from reconciler.state.journal import Header, Journal, Replay, read_journal
from reconciler.state.model import Closed, Event
from tests.support.state_samples import BACKEND, LINEAGE, attempt, history, mark_at
from tests.support.state_strategies import histories

HEADER = Header(LINEAGE, BACKEND)


def read(data: bytes) -> Replay:
    return read_journal(data, file="x.journal", way_out="the way out")


def refusal(data: bytes) -> tuple[int | None, str]:
    with pytest.raises(StateError) as caught:
        read(data)
    (said,) = caught.value.diagnostics
    assert (said.file, said.detail) == ("x.journal", "the way out")
    return said.line, said.summary


class Written:
    """A journal on the disk, what it said was durable, and how often it was synced."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.durable: list[Event] = []
        self.journal = self.again()

    def again(self) -> Journal:
        replay = read(self.bytes())
        return Journal(self.path, HEADER, replay, self.durable.extend, shown="x.journal")

    def bytes(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""

    def events(self) -> list[Event]:
        return list(read(self.bytes()).events)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "x.journal")


def journal_of(path: Path, happened: Sequence[Event]) -> bytes:
    journal = Journal(path, HEADER, Replay(), lambda _: None, shown="x")
    for event in happened:
        journal.append([event])
    data = path.read_bytes()
    with journal.paused():
        journal.remove()
    return data


def test_its_text_is_what_it_always_was(written: Written) -> None:
    written.journal.append([Closed(mark_at(0), "refused")])
    assert written.bytes() == (
        b'a0796d97 94 {"backend":"https://api.example.com",'
        b'"lineage":"5f0c1b9de2a74a6f8f3b7d1c9a04e6b2","version":1}\n'
        b'56d87a25 71 {"event":"closed","mark":"2026-11-24T12:00:00.000Z","reason":"refused"}\n'
    )
    assert written.path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_made_before_the_first_event(written: Written) -> None:
    assert not written.path.exists()
    assert read(b"") == Replay()


def test_it_goes_on_where_it_ended(written: Written) -> None:
    happened = history(4)
    for event in happened[:3]:
        written.journal.append([event])
    written.again().append(happened[3:])
    assert written.events() == happened == written.durable


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories)
def test_what_was_appended_is_what_is_read(tmp_path: Path, happened: list[Event]) -> None:
    if happened:
        replay = read(journal_of(tmp_path / "j", happened))
        assert (replay.header, list(replay.events)) == (HEADER, happened)


def test_every_beginning_of_it_reads_as_the_beginning_of_what_happened(tmp_path: Path) -> None:
    happened = history(4)
    data = journal_of(tmp_path / "j", happened)
    whole = 0
    for length in range(len(data) + 1):
        replay = read(data[:length])
        assert list(replay.events) == happened[: len(replay.events)]
        assert replay.end <= length
        assert data[:length].count(b"\n") == len(replay.events) + (replay.header is not None)
        assert len(replay.events) >= whole
        whole = len(replay.events)
    assert whole == len(happened)


@pytest.mark.parametrize("zeros", [1, 511, 4096])
def test_zeros_at_the_end_are_a_write_that_never_came(tmp_path: Path, zeros: int) -> None:
    data = journal_of(tmp_path / "j", history(3))
    for length in range(len(data) + 1):
        cut, padded = read(data[:length]), read(data[:length] + b"\0" * zeros)
        assert (padded.events, padded.end) == (cut.events, cut.end)


def test_what_was_cut_off_is_gone_before_the_next_event(written: Written) -> None:
    happened = history(3)
    data = journal_of(written.path, happened)
    for length in range(len(data)):
        written.path.write_bytes(data[:length] + b"\0" * (length % 3))
        before = written.events()
        written.again().append([Closed(mark_at(9), "new")])
        assert written.events() == [*before, Closed(mark_at(9), "new")]


@pytest.mark.parametrize("flip", [lambda b: b ^ 1, lambda b: b ^ 0x80, lambda b: 0, lambda b: 10])
def test_a_changed_byte_is_never_read_as_something_else(
    tmp_path: Path, flip: Callable[[int], int]
) -> None:
    happened = history(3)
    data = journal_of(tmp_path / "j", happened)
    last = data.rindex(b"\n", 0, -1) + 1
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] = flip(changed[at])
        if bytes(changed) == data:
            continue
        try:
            events = list(read(bytes(changed)).events)
        except StateError:
            continue
        assert at >= last
        assert events == happened[:-1]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_is_read_as_something_that_did_not_happen(
    tmp_path: Path, data: st.DataObject
) -> None:
    happened = history(4)
    whole = journal_of(tmp_path / "j", happened)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    damaged = whole[:start] + data.draw(st.binary(max_size=40)) + whole[end:]
    try:
        events = list(read(damaged).events)
    except StateError:
        return
    assert events == happened[: len(events)]


def test_lines_that_were_moved_or_taken_out_are_missed(tmp_path: Path) -> None:
    lines = journal_of(tmp_path / "j", history(4)).splitlines(keepends=True)
    for at in range(len(lines) - 1):
        line, said = refusal(b"".join(lines[:at] + lines[at + 1 :]))
        assert (line, "checksum" in said) == (at + 1, True)
        swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
        assert refusal(b"".join(swapped))[0] == at + 1
        assert refusal(b"".join([*lines[: at + 1], *lines[at:]]))[0] == at + 2


def test_two_lines_that_grew_together_are_no_cut_off_one(tmp_path: Path) -> None:
    lines = journal_of(tmp_path / "j", history(4)).splitlines(keepends=True)
    grown = b"".join(lines[:-2]) + lines[-2].rstrip() + b"x" + lines[-1][:20]
    assert refusal(grown)[0] == len(lines) - 1


@pytest.mark.parametrize(
    "data", [b"hello", b"hello\n", b"\n", b"{}\n", b"\xff\xfe", b"00000000 2 {}\n", b"deadbeefx"]
)
def test_garbage_is_no_journal(data: bytes) -> None:
    assert refusal(data)[0] == 1


def test_a_newer_one_is_left_to_a_newer_taskctl() -> None:
    import zlib

    text = b'{"version":2}'
    counted = b"%d %b" % (len(text), text)
    with pytest.raises(StateError) as caught:
        read(b"%08x %b\n" % (zlib.crc32(counted), counted))
    assert "newer taskctl" in str(caught.value)
    assert "pip install --upgrade" in caught.value.diagnostics[0].detail


class Slow:
    """Syncs that wait until they are let through, and are counted."""

    def __init__(self) -> None:
        self.count = 0
        self.gate = threading.Event()

    def __call__(self, fd: int) -> None:
        self.count += 1
        assert self.gate.wait(10)


def test_ten_at_once_share_their_syncs(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    written.journal.append([Closed(mark_at(0), "first")])
    slow = Slow()
    monkeypatch.setattr(disk.os, "fsync", slow)
    everyone = threading.Barrier(11)

    def append(number: int) -> bool:
        everyone.wait(10)
        written.journal.append([Closed(mark_at(number), "x"), Closed(mark_at(number), "y")])
        return slow.gate.is_set()

    with ThreadPoolExecutor(10) as pool:
        returned = [pool.submit(append, number) for number in range(10)]
        everyone.wait(10)
        while len(written.journal._waiting) < 9:
            pass
        assert not any(future.done() for future in returned)
        slow.gate.set()
    assert all(future.result() for future in returned)
    assert slow.count == 2
    assert written.events() == written.durable
    assert len(written.durable) == 21
    pairs = [event for event in written.durable[1:] if isinstance(event, Closed)]
    assert [(e.mark, e.reason) for e in pairs[::2]] == [(e.mark, "x") for e in pairs[1::2]]


def test_many_threads_lose_nothing_and_sync_less_often_than_they_append(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = 0
    real = os.fsync

    def counted(fd: int) -> None:
        nonlocal syncs
        syncs += 1
        real(fd)

    monkeypatch.setattr(disk.os, "fsync", counted)

    def work(worker: int) -> None:
        for number in range(50):
            event = Closed(mark_at(worker * 100 + number), "x")
            written.journal.append([event])
            assert event in written.durable

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(work, range(10)))
    assert len(written.events()) == 500
    assert written.events() == written.durable
    assert syncs < 500


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A disk with room for so many bytes more; the last write is a short one."""
    room = [0]
    real = os.write

    def write(fd: int, data: memoryview) -> int:
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = data[: room[0]]
        room[0] -= len(part)
        return real(fd, part)

    monkeypatch.setattr(disk.os, "write", write)
    return room


def test_a_full_disk_loses_nothing_and_leaves_no_half_line(
    written: Written, full: list[int]
) -> None:
    full[0] = 10_000
    written.journal.append([Closed(mark_at(0), "kept")])
    before = written.bytes()
    for room in (0, 1, 20, 60):
        full[0] = room
        with pytest.raises(StateError) as caught:
            written.journal.append([Closed(mark_at(1), "no room")])
        assert "No space left" in str(caught.value)
        assert "same command again" in caught.value.diagnostics[0].detail
        assert written.bytes() == before
    full[0] = 10_000
    written.journal.append([Closed(mark_at(2), "room again")])
    assert [e.mark for e in written.events() if isinstance(e, Closed)] == [mark_at(0), mark_at(2)]
    assert written.durable == written.events()


def test_a_first_write_that_fails_begins_again(written: Written, full: list[int]) -> None:
    full[0] = 30
    with pytest.raises(StateError):
        written.journal.append([Closed(mark_at(0), "x")])
    assert written.bytes() == b""
    full[0] = 10_000
    written.journal.append([Closed(mark_at(1), "y")])
    assert written.events() == [Closed(mark_at(1), "y")]


def test_all_who_wait_for_a_write_hear_that_it_failed(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.journal.append([Closed(mark_at(0), "kept")])
    slow = Slow()

    def fails(fd: int) -> None:
        slow(fd)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(disk.os, "fsync", fails)

    def append(number: int) -> str:
        with pytest.raises(StateError) as caught:
            written.journal.append([Closed(mark_at(number), "lost")])
        return str(caught.value)

    with ThreadPoolExecutor(10) as pool:
        futures = [pool.submit(append, number) for number in range(1, 11)]
        slow.gate.set()
        said = [future.result() for future in futures]
    assert all("Input/output error" in words for words in said)
    assert slow.count == 1
    assert written.durable == [Closed(mark_at(0), "kept")]


def test_after_a_failed_sync_nothing_is_trusted(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    written.journal.append([Closed(mark_at(0), "kept")])
    with monkeypatch.context() as patched:
        patched.setattr(disk.os, "fsync", fails)
        with pytest.raises(StateError):
            written.journal.append([Closed(mark_at(1), "in doubt")])
    with pytest.raises(StateError, match="earlier write to it failed"):
        written.journal.append([Closed(mark_at(2), "refused")])
    assert Closed(mark_at(2), "refused") not in written.events()


def test_a_write_that_can_not_be_taken_back_ends_it(
    written: Written, full: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(fd: int, length: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    full[0] = 10_000
    written.journal.append([Closed(mark_at(0), "kept")])
    with monkeypatch.context() as patched:
        patched.setattr(disk.os, "ftruncate", fails)
        full[0] = 20
        with pytest.raises(StateError):
            written.journal.append([Closed(mark_at(1), "half")])
    full[0] = 10_000
    with pytest.raises(StateError, match="earlier write"):
        written.journal.append([Closed(mark_at(2), "never after a hole")])
    assert written.events() == [Closed(mark_at(0), "kept")]


def test_an_interrupt_in_a_write_ends_it(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(fd: int) -> None:
        raise KeyboardInterrupt

    written.journal.append([Closed(mark_at(0), "kept")])
    with monkeypatch.context() as patched:
        patched.setattr(disk.os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            written.journal.append([Closed(mark_at(1), "in doubt")])
    with pytest.raises(StateError, match="interrupted"):
        written.journal.append([Closed(mark_at(2), "refused")])


def test_a_name_that_is_not_durable_is_no_journal(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(folder: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(disk, "sync_folder", fails)
        with pytest.raises(StateError):
            written.journal.append([Closed(mark_at(0), "x")])
    with pytest.raises(StateError):
        written.journal.append([Closed(mark_at(1), "y")])
    assert written.durable == []


def test_paused_appends_wait_and_then_begin_a_new_journal(written: Written) -> None:
    written.journal.append([Closed(mark_at(0), "old")])
    with ThreadPoolExecutor(1) as pool:
        with written.journal.paused():
            later = pool.submit(written.journal.append, [Closed(mark_at(1), "new")])
            while not written.journal._waiting:
                pass
            written.journal.remove()
            assert not written.path.exists()
            assert not later.done()
        later.result()
    assert written.events() == [Closed(mark_at(1), "new")]


def test_what_was_shut_stays_shut(written: Written) -> None:
    with written.journal.paused():
        written.journal.shut()
    with pytest.raises(StateError, match="given the state back"):
        written.journal.append([Closed(mark_at(0), "x")])
    assert not written.path.exists()


def test_a_folder_that_can_not_be_synced_is_left_to_its_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code, allowed in ((errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False)):

        def refuses(fd: int, code: int = code) -> None:
            raise OSError(code, "no")

        monkeypatch.setattr(disk.os, "fsync", refuses)
        if allowed:
            disk.sync_folder(tmp_path)
        else:
            with pytest.raises(OSError, match="no"):
                disk.sync_folder(tmp_path)


def test_an_attempt_is_one_line(tmp_path: Path) -> None:
    from reconciler.state.model import Attempted

    data = journal_of(tmp_path / "j", [Attempted(attempt(1))])
    assert data.count(b"\n") == 2
