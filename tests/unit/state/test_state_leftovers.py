"""Opening a state next to journals of killed runs, links, or files changed by other programs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.state.local import LocalState
from reconciler.state.location import Claim
from reconciler.state.model import Aged, Attempted, Closed, Forgotten, Recorded, Retired, State
from reconciler.state.session import read_state
from reconciler.system import disk
from tests.support.diagnostics import raises_with
from tests.support.state_files import folder_contents, open_at, save_history, sibling
from tests.support.state_samples import (
    BACKEND,
    NOON,
    PROVENANCE,
    attempt,
    history,
    record,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "taskctl.state.json"


def test_the_journal_of_a_killed_run_is_folded(path: Path) -> None:
    save_history(path)
    with open_at(path) as session:
        session.append(Attempted(attempt(7)))
        left = sibling(path, ".journal").read_bytes()
    old = sibling(path, ".backup").read_bytes()
    path.write_bytes(old)
    sibling(path, ".journal").write_bytes(left)
    assert 8 in read_state(LocalState(path), backend=BACKEND).attempts
    assert path.read_bytes() == old
    with open_at(path) as session:
        assert 8 in session.state.attempts
    assert not sibling(path, ".journal").exists()
    assert "8" in json.loads(path.read_bytes())["attempts"]


def test_an_already_folded_journal_changes_nothing(path: Path) -> None:
    with open_at(path) as session:
        session.append(*history(3))
        left = sibling(path, ".journal").read_bytes()
    before = path.read_bytes()
    sibling(path, ".journal").write_bytes(left)
    with open_at(path):
        pass
    assert path.read_bytes() == before
    assert not sibling(path, ".journal").exists()


def test_a_journal_without_a_state_starts_a_new_state(path: Path) -> None:
    save_history(path)
    with open_at(path) as session:
        session.append(Attempted(attempt(7)), Recorded(record(8)))
        lineage = session.state.lineage
        left = sibling(path, ".journal").read_bytes()
    path.unlink()
    sibling(path, ".journal").write_bytes(left)
    state = read_state(LocalState(path), backend=BACKEND)
    assert (state.lineage, state.serial) == (lineage, 0)
    assert set(state.records) == {record(8).ref}
    assert set(state.attempts) == {8}


def test_a_truncated_first_write_does_not_block_a_lost_state(path: Path) -> None:
    sibling(path, ".journal").write_bytes(b'0123abcd 77 {"backend"')
    assert read_state(LocalState(path), backend=BACKEND).records == {}
    with open_at(path) as session:
        session.append(Recorded(record(0)))
    assert set(read_state(LocalState(path), backend=BACKEND).records) == {record(0).ref}


def test_a_truncated_first_write_does_not_block_another_state(path: Path) -> None:
    """Of its lines, only the header is complete; then the state of a colleague was pulled, or one
    was moved here."""
    session = open_at(path)
    session.append(Attempted(attempt(7)))
    left = sibling(path, ".journal").read_bytes()
    session.close()
    path.unlink()
    sibling(path, ".journal").write_bytes(left[:-10])
    other = State("another", 3, BACKEND, PROVENANCE)
    assert LocalState(path).create(other)
    assert read_state(LocalState(path), backend=BACKEND) == other
    with open_at(path) as session:
        session.append(Attempted(attempt(8)))
    assert set(read_state(LocalState(path), backend=BACKEND).attempts) == {9}
    assert not sibling(path, ".journal").exists()


def test_a_journal_of_another_state_is_rejected(tmp_path: Path) -> None:
    path, other = tmp_path / "one" / "state.json", tmp_path / "other" / "state.json"
    save_history(path)
    with open_at(other) as session:
        session.append(Recorded(record(0)))
        left = sibling(other, ".journal").read_bytes()
    sibling(path, ".journal").write_bytes(left)
    before = folder_contents(path.parent)
    for refused in (lambda: read_state(LocalState(path), backend=BACKEND), lambda: open_at(path)):
        with pytest.raises(StateError) as caught:
            refused()
        (said,) = caught.value.diagnostics
        assert said.code is Code.JOURNAL_MISMATCH
    assert folder_contents(path.parent) == before


@pytest.mark.parametrize("lost", [True, False])
def test_another_backend_is_rejected(path: Path, lost: bool) -> None:
    save_history(path)
    with open_at(path) as session:
        session.append(Recorded(record(9)))
        left = sibling(path, ".journal").read_bytes()
    if lost:
        path.unlink()
        sibling(path, ".journal").write_bytes(left)
    before = folder_contents(path.parent)
    with pytest.raises(StateError) as caught:
        read_state(LocalState(path), backend="https://other.example.com")
    assert caught.value.diagnostics[0].code is Code.STATE_BACKEND
    with pytest.raises(StateError) as caught:
        open_at(path, backend="https://other.example.com")
    assert caught.value.diagnostics[0].code is Code.STATE_BACKEND
    assert folder_contents(path.parent) == before


def test_a_symlink_is_followed_and_kept(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "real.json"
    link = tmp_path / "here" / "taskctl.state.json"
    link.parent.mkdir()
    link.symlink_to("../elsewhere/real.json")
    for number in range(2):
        with open_at(link) as session:
            session.append(Recorded(record(number)))
            with raises_with(StateError, "is locked"):
                open_at(target)
    assert link.is_symlink()
    assert [found.name for found in link.parent.iterdir()] == [link.name]
    assert read_state(LocalState(target), backend=BACKEND) == read_state(
        LocalState(link), backend=BACKEND
    )
    assert sibling(target, ".backup").exists()


def test_a_symlink_loop_is_rejected(tmp_path: Path) -> None:
    link = tmp_path / "taskctl.state.json"
    link.symlink_to(link)
    with pytest.raises(StateError):
        read_state(LocalState(link), backend=BACKEND)


def test_a_partial_file_of_a_killed_run_does_not_block_others(path: Path) -> None:
    sibling(path, ".tmp").write_bytes(b"half")
    save_history(path)
    assert not sibling(path, ".tmp").exists()


@pytest.mark.parametrize("rewritten", [0, 5])
@pytest.mark.parametrize("is_restored", [False, True])
def test_a_change_by_another_program_is_not_overwritten(
    path: Path, rewritten: int, is_restored: bool
) -> None:
    """Only the attempts of the run that lost its state are folded into another version of it."""
    save_history(path)
    before = path.read_bytes()
    session = open_at(path)
    session.append(Attempted(attempt(8)), Attempted(attempt(9)), Aged({attempt(8).reference: 5.0}))
    session.append(Recorded(record(9)), Forgotten(record(2).ref))
    value = json.loads(before)
    value["serial"] += rewritten
    del value["tasks"]["acme/moved"], value["checksum"]
    theirs = json.dumps(value)
    path.write_text(theirs)
    with raises_with(StateError, "changed by another") as caught:
        session.close()
    assert caught.value.diagnostics[0].code is Code.STATE_CHANGED
    assert path.read_text() == theirs
    if is_restored:
        path.write_bytes(before)
    with open_at(path) as session:
        found = session.state
    assert not sibling(path, ".journal").exists()
    assert (record(9).ref in found.records, record(2).ref in found.records) == (
        (True, False) if is_restored else (False, True)
    )
    known = {number: attempt.waited for number, attempt in found.attempts.items()}
    assert known[9] == 5.0
    assert known.get(10) == (None if is_restored else 0.0)
    assert found.provenance.counter >= 10


@pytest.mark.parametrize("outcome", ["recorded", "not created", "retired", "open"])
def test_attempts_whose_outcome_the_state_knows_stay_closed(path: Path, outcome: str) -> None:
    """The state is newer than the journal that is next to it."""
    save_history(path)
    with open_at(path) as session:
        session.append(Attempted(attempt(9)), Recorded(record(9)))
        left = sibling(path, ".journal").read_bytes()
        match outcome:
            case "not created":
                session.append(Forgotten(record(9).ref), Attempted(attempt(9)), Closed(10, ""))
            case "retired":
                session.append(Retired(record(9).retired(NOON)))
            case "open":
                session.append(Forgotten(record(9).ref), Attempted(attempt(9)))
            case _:
                pass
        session.save()
        session.append(Attempted(attempt(7)), Closed(8, "refused"))
    sibling(path, ".journal").write_bytes(left)
    before = read_state(LocalState(path), backend=BACKEND).attempts
    assert (10 in before) is (outcome == "open")
    data = path.read_bytes()
    open_at(path).close()
    assert path.read_bytes() == data
    assert not sibling(path, ".journal").exists()


def test_carried_attempts_are_never_lost(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first append replaces the journal at once, so that no moment is without them."""
    save_history(path)
    session = open_at(path)
    session.append(Attempted(attempt(9)))
    path.write_bytes(path.read_bytes() + b" ")
    with raises_with(StateError, "changed by another"):
        session.close()
    real, seen = os.fsync, list[bool]()

    def fsync(fd: int) -> None:
        real(fd)
        seen.append(10 in read_state(LocalState(path), backend=BACKEND).attempts)

    with open_at(path) as session:
        monkeypatch.setattr(os, "fsync", fsync)
        session.append(Attempted(attempt(7)))
        session.append(Attempted(attempt(8)))
    assert len(seen) > 3
    assert all(seen)
    attempts = read_state(LocalState(path), backend=BACKEND).attempts
    assert {8, 9, 10} <= set(attempts)


@pytest.mark.parametrize("found", ["nothing", "own events", "an incomplete line"])
def test_events_of_a_run_that_had_a_removed_lock_meanwhile_are_kept(path: Path, found: str) -> None:
    save_history(path)
    if found == "an incomplete line":
        sibling(path, ".journal").write_bytes(b"0123")
    first = open_at(path)
    if found == "own events":
        first.append(Recorded(record(8)))
    sibling(path, ".lock").unlink()
    held = LocalState(path).take(Claim(BACKEND, "a test")).locked
    held.log(lambda _: None).append([Attempted(attempt(7))])
    held.release()  # as if it were killed
    with raises_with(StateError, "was removed, replaced or written to"):
        first.append(Recorded(record(9)))
    with raises_with(StateError, "was removed, replaced or written to"):
        first.close()
    state = read_state(LocalState(path), backend=BACKEND)
    assert 8 in state.attempts
    assert record(9).ref not in state.records


def test_a_touched_but_unchanged_file_is_overwritten(path: Path) -> None:
    save_history(path)
    with open_at(path) as session:
        session.append(Recorded(record(9)))
        os.utime(path, (1, 1))
    assert record(9).ref in read_state(LocalState(path), backend=BACKEND).records


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_plan_reads_a_consistent_state_and_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch, goes_on: bool
) -> None:
    """A save between the two reads would hide entries that were only in the journal."""
    with open_at(path) as session:
        session.append(Recorded(record(3)))
    session = open_at(path)
    session.append(Recorded(record(0)))

    def save() -> None:
        session.append(Recorded(record(1)))
        session.save()
        if goes_on:
            session.append(Recorded(record(2)))

    before_journals(path, monkeypatch, iter([save]))
    state = read_state(LocalState(path), backend=BACKEND)
    numbers = (0, 1, 2, 3) if goes_on else (0, 1, 3)
    assert set(state.records) == {record(number).ref for number in numbers}
    assert state.serial == 2


def test_a_file_that_keeps_changing_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_history(path)
    times = ((1, tick) for tick in range(1, 1000))
    before_journals(path, monkeypatch, (lambda: os.utime(path, next(times)) for _ in count()))
    with raises_with(StateError, "changes faster"):
        read_state(LocalState(path), backend=BACKEND)


def before_journals(
    path: Path, monkeypatch: pytest.MonkeyPatch, calls: Iterator[Callable[[], object]]
) -> None:
    """Makes the next of `calls` before each read of the journal."""
    real = disk.read_file

    def read_file(file: Path, **words: Any) -> bytes | None:
        if file == sibling(path, ".journal"):
            next(calls, lambda: None)()
        return real(file, **words)

    monkeypatch.setattr(disk, "read_file", read_file)
