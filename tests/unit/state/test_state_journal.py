from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.remarks import Arg
from reconciler.state.journal import Replay
from reconciler.state.model import Closed, Event
from tests.support.diagnostics import damage_of
from tests.support.state_files import HEADER, JournalFile, journal_of, read
from tests.support.state_samples import attempt, history
from tests.support.state_strategies import histories


def refusal(data: bytes) -> tuple[int | None, Arg]:
    with pytest.raises(StateError) as caught:
        read(data)
    (said,) = caught.value.diagnostics
    assert (said.code, said.file) == (Code.JOURNAL_DAMAGED, "x.journal")
    return said.line, damage_of(said)[1]


@pytest.fixture
def journal_file(tmp_path: Path) -> Iterator[JournalFile]:
    made = JournalFile(tmp_path / "x.journal")
    yield made
    made.close()


TEXT = [
    b'{"backend":"https://api.example.com","id":"0123456789abcdef",%b}'
    % b'"lineage":"5f0c1b9de2a74a6f8f3b7d1c9a04e6b2",%b'
    % b'"provenance":{"begunAt":"2026-11-24T12:00:00Z","ids":["bafol-rusab-tizok"]},%b'
    % b'"state":"","version":5',
    b'{"event":"closed","number":1,"reason":"refused"}',
]


def test_a_journal_has_the_documented_text(journal_file: JournalFile) -> None:
    journal_file.journal.append([Closed(1, "refused")])
    lines = journal_file.bytes().splitlines()
    assert [line[9:] for line in lines] == [b"%d %b" % (len(text), text) for text in TEXT]
    assert journal_file.path.stat().st_mode & 0o777 == 0o600


def test_no_journal_is_created_before_the_first_event(journal_file: JournalFile) -> None:
    assert not journal_file.path.exists()
    assert read(b"") == Replay()


def test_a_reopened_journal_is_appended_to(journal_file: JournalFile) -> None:
    happened = history(4)
    for event in happened[:3]:
        journal_file.journal.append([event])
    journal_file.reopen().append(happened[3:])
    assert journal_file.events() == happened == journal_file.durable


@given(histories)
def test_appended_events_are_read_back(tmp_path: Path, happened: list[Event]) -> None:
    if happened:
        replay = read(journal_of(tmp_path / "j", happened))
        assert (replay.header, list(replay.events)) == (HEADER, happened)


def test_every_prefix_of_a_journal_reads_as_a_prefix_of_its_events(tmp_path: Path) -> None:
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
def test_zeros_at_the_end_are_ignored(tmp_path: Path, zeros: int) -> None:
    data = journal_of(tmp_path / "j", history(3))
    for length in range(len(data) + 1):
        cut, padded = read(data[:length]), read(data[:length] + b"\0" * zeros)
        assert (padded.events, padded.end) == (cut.events, cut.end)


def test_a_truncated_entry_is_removed_before_the_next_append(journal_file: JournalFile) -> None:
    happened = history(3)
    data = journal_of(journal_file.path, happened)
    for length in range(len(data)):
        if length % 7 and b"\n" not in data[max(length - 16, 0) : length + 3]:
            continue  # within the text of a line, every position is alike
        journal_file.path.write_bytes(data[:length] + b"\0" * (length % 3))
        before = journal_file.events()
        journal_file.reopen().append([Closed(10, "new")])
        journal_file.close()
        assert journal_file.events() == [*before, Closed(10, "new")]


@pytest.mark.parametrize("flip", [lambda b: b ^ 1, lambda b: b ^ 0x80, lambda b: 0, lambda b: 10])
def test_a_changed_byte_is_never_read_as_another_event(
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


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_journal_never_yields_other_events(tmp_path: Path, data: st.DataObject) -> None:
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


def test_moved_and_removed_lines_are_detected(tmp_path: Path) -> None:
    lines = journal_of(tmp_path / "j", history(4)).splitlines(keepends=True)
    for at in range(len(lines) - 1):
        line, said = refusal(b"".join(lines[:at] + lines[at + 1 :]))
        assert (line, said) == (at + 1, "shape.checksum")
        swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
        assert refusal(b"".join(swapped))[0] == at + 1
        assert refusal(b"".join([*lines[: at + 1], *lines[at:]]))[0] == at + 2


def test_two_joined_lines_are_not_a_truncated_one(tmp_path: Path) -> None:
    lines = journal_of(tmp_path / "j", history(4)).splitlines(keepends=True)
    grown = b"".join(lines[:-2]) + lines[-2].rstrip() + b"x" + lines[-1][:20]
    assert refusal(grown)[0] == len(lines) - 1


@pytest.mark.parametrize(
    "data", [b"hello", b"hello\n", b"\n", b"{}\n", b"\xff\xfe", b"00000000 2 {}\n", b"deadbeefx"]
)
def test_garbage_is_rejected(data: bytes) -> None:
    assert refusal(data)[0] == 1


@pytest.mark.parametrize("version", [1, 2, 99])
def test_the_journal_of_another_version_is_rejected(version: int) -> None:
    import zlib

    text = b'{"version":%d}' % version
    counted = b"%d %b" % (len(text), text)
    with pytest.raises(StateError) as caught:
        read(b"%08x %b\n" % (zlib.crc32(counted), counted))
    assert caught.value.diagnostics[0].code is Code.STATE_VERSION


def test_an_attempt_is_one_line(tmp_path: Path) -> None:
    from reconciler.state.model import Attempted

    data = journal_of(tmp_path / "j", [Attempted(attempt(1))])
    assert data.count(b"\n") == 2
