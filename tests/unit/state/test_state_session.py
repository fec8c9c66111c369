from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.reference import Reference
from reconciler.model.service import RemoteTask
from reconciler.model.value import replace
from reconciler.state.attempt import Baseline
from reconciler.state.commit import Durable
from reconciler.state.journal import Journal
from reconciler.state.ledger import fold
from reconciler.state.local import LocalState, LockedFile
from reconciler.state.location import Claim, StateLocation
from reconciler.state.model import (
    Attempted,
    BaselineMoved,
    Closed,
    Dismissed,
    Event,
    Forgotten,
    Learned,
    Recorded,
    Retired,
    State,
)
from reconciler.state.session import Session, read_state
from tests.support.diagnostics import raises_with
from tests.support.state_files import folder_contents, open_at, save_history, sibling
from tests.support.state_samples import (
    BACKEND,
    PROVENANCE,
    WHO,
    attempt,
    history,
    record,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "taskctl.state.json"


def test_a_missing_file_is_a_new_state(path: Path) -> None:
    state = read_state(LocalState(path), backend=BACKEND)
    assert (state.serial, state.backend, state.records, state.attempts) == (0, BACKEND, {}, {})
    assert state.lineage != read_state(LocalState(path), backend=BACKEND).lineage
    assert list(path.parent.iterdir()) == []


def test_of_many_events_of_one_call_all_or_none_are_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [Recorded(record(number % 3)) for number in range(12_000)]
    with open_at(path) as session:
        session.append(Recorded(record(7)))
        before = session.state
        monkeypatch.setattr(limits, "STATE_FILE_BYTES", 3_000_000)
        with raises_with(StateError, "no room|full|large"):
            session.append(*events)
        assert session.state == before
        assert sibling(path, ".journal").stat().st_size < 3_000


def test_appended_entries_are_readable_before_and_after_the_save(path: Path) -> None:
    happened = history(4)
    with open_at(path) as session:
        for event in happened:
            session.append(event)
        assert session.state == fold(session.state, happened)
        assert session.state.serial == 0
        assert not path.exists()
        assert read_state(LocalState(path), backend=BACKEND).records == session.state.records
        session.save()
        assert session.state.serial == 1
        assert not sibling(path, ".journal").exists()
        known = session.state
    assert read_state(LocalState(path), backend=BACKEND) == known
    assert path.stat().st_mode & 0o777 == 0o600
    assert {found.name for found in path.parent.iterdir()} == {path.name, path.name + ".lock"}


def test_a_state_value_does_not_change_after_an_append(path: Path) -> None:
    with open_at(path) as session:
        before = session.state
        assert session.state is before
        session.append(Recorded(record(0)))
        assert before.records == {}
        assert record(0).ref in session.state.records


def test_a_save_without_changes_does_not_write(path: Path) -> None:
    save_history(path)
    before = folder_contents(path.parent)
    with open_at(path) as session:
        session.save()
        session.append()
    with open_at(path) as session:
        session.append(Recorded(record(2)))
        session.append(Closed(99, "of no attempt"))
        session.close([RemoteTask("acme", "id-2", {"status": "done"})])
    assert folder_contents(path.parent) == before


def test_a_new_empty_state_creates_no_file(path: Path) -> None:
    with open_at(path):
        pass
    assert folder_contents(path.parent) == {}


def test_each_save_raises_the_serial_and_keeps_a_backup(path: Path) -> None:
    save_history(path)
    first = path.read_bytes()
    with open_at(path) as session:
        lineage = session.state.lineage
        session.append(Recorded(record(7)))
    second = path.read_bytes()
    assert sibling(path, ".backup").read_bytes() == first
    assert sibling(path, ".backup").stat().st_mode & 0o777 == 0o600
    with open_at(path) as session:
        session.append(Forgotten(record(7).ref))
        session.save()
        session.append(Recorded(record(8)))
    assert json.loads(path.read_bytes())["serial"] == 4
    assert sibling(path, ".backup").read_bytes() != second
    assert read_state(LocalState(path), backend=BACKEND).lineage == lineage


def test_outputs_are_saved_only_with_another_change(path: Path) -> None:
    save_history(path)
    with open_at(path) as session:
        seen = {"id": "id-2", "status": "done", "sharedAt": None, "surprise": 1}
        session.append(Recorded(record(7)))
        session.close([RemoteTask("acme", name, seen) for name in ("id-2", "id-9")])
    records = read_state(LocalState(path), backend=BACKEND).records
    assert records[record(2).ref].outputs == {"status": "done"}
    assert records[record(7).ref].outputs == record(7).outputs


def test_each_request_has_a_number_of_its_own(path: Path) -> None:
    """Also after attempts that created no task, and after requests that were not journaled."""
    save_history(path)
    with open_at(path) as session:
        own = session.state.provenance.id
        given = [session.next_reference(key) for key in ("a", "b/c", "a")]
        assert given == [Reference("a", 5, own), Reference("b/c", 6, own), Reference("a", 7, own)]
        session.append(Attempted(attempt(6)), Closed(7, "refused", was_sent=False))
        session.append(Attempted(attempt(19)), Closed(20, "refused", was_sent=False))
        assert session.next_reference("a").number == 21
    with open_at(path) as session:
        assert session.next_reference("a").number == 21


def test_an_edit_that_was_interrupted_is_not_saved_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves, save = [], LockedFile.save

    def interrupted(self: LockedFile, state: State, *, last: bool) -> None:
        saves.append(last)
        save(self, state, last=last)
        raise KeyboardInterrupt

    monkeypatch.setattr(LockedFile, "save", interrupted)
    with pytest.raises(KeyboardInterrupt), open_at(path) as session:
        session.edit([Recorded(record(1))])
    assert saves == [True]
    assert list(read_state(LocalState(path), backend=BACKEND).records.values()) == [record(1)]


def test_a_number_seen_in_a_reference_is_not_used(path: Path) -> None:
    with open_at(path) as session:
        assert session.next_reference("a").number == 1
        session.append(Learned(session.state.provenance.counted(8)))
        assert session.next_reference("a").number == 9


def test_the_numbers_of_a_state_that_was_put_are_known(path: Path) -> None:
    with open_at(path) as session:
        session.next_reference("a")
        session.put(fold(session.state, [Recorded(record(2))]))
        assert session.next_reference("a").number == 4


def test_the_id_that_a_state_writes_is_its_own(path: Path) -> None:
    """Not that of the state that it continues."""
    with open_at(path) as session:
        own = session.state.provenance
        session.append(Learned(replace(own, ids=(*own.ids, "kabor-tanuf-lisab"))))
        assert session.next_reference("a").state == own.id


def test_numbers_are_unique_across_threads(path: Path) -> None:
    with open_at(path) as session, ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: session.next_reference("a"), range(3000)))
    assert sorted(reference.number for reference in given) == list(range(1, 3001))


@pytest.mark.parametrize("suffix", [".lock", ".journal"])
@pytest.mark.parametrize("how", ["removed", "replaced", "linked"])
def test_a_removed_lock_or_journal_is_detected(path: Path, suffix: str, how: str) -> None:
    save_history(path)
    session = open_at(path)
    session.append(Attempted(attempt(9)))
    session.check_lock()
    file = sibling(path, suffix)
    if how == "removed":
        file.unlink()
    elif how == "replaced":
        data = file.read_bytes()
        file.unlink()
        file.write_bytes(data)
    else:
        moved = file.rename(file.with_name("elsewhere"))
        file.symlink_to(moved)
    with pytest.raises(StateError) as caught:
        session.check_lock()
    assert [d.code for d in caught.value.diagnostics] == [Code.STATE_LOCK_LOST]
    if how == "linked":
        file.unlink()
        moved.rename(file)
    before = folder_contents(path.parent)
    writes: list[Callable[[], None]] = [session.save, session.close]
    for write in (lambda: session.append(Attempted(attempt(8))), *writes):
        with raises_with(StateError, "was removed, replaced or written to"):
            write()  # even if the file is back: another process may have had it
    assert folder_contents(path.parent) == before
    with open_at(path) as session:
        is_lost = suffix == ".journal" and how == "removed"
        assert (10 in session.state.attempts) is not is_lost


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("how", ["removed", "replaced", "edited"])
def test_a_replaced_state_is_detected(path: Path, how: str, is_new: bool) -> None:
    if not is_new:
        save_history(path)
    session = open_at(path)
    session.append(Attempted(attempt(9)))
    session.check_lock()
    if how == "removed":
        sibling(path, ".backup").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        if is_new:  # nothing has changed
            session.check_lock()
            session.close()
            return
    elif how == "edited":
        path.write_bytes((path.read_bytes() if path.exists() else b"{}") + b" ")
    else:
        save_history(path.with_name("other.json"))
        path.with_name("other.json").replace(path)
    before = folder_contents(path.parent)
    for write in (
        session.check_lock,
        lambda: session.append(Attempted(attempt(8))),
        session.save,
        session.close,
    ):
        with raises_with(StateError, "changed by another program"):
            write()
    assert folder_contents(path.parent) == before


def test_a_touched_state_is_still_the_same(path: Path) -> None:
    save_history(path)
    with open_at(path) as session:
        session.append(Attempted(attempt(9)))
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
        session.check_lock()
        session.append(Attempted(attempt(8)))
    assert {9, 10} <= set(read_state(LocalState(path), backend=BACKEND).attempts)


def test_a_change_without_an_attempt_needs_no_journal(path: Path) -> None:
    with open_at(path) as session:
        session.check_lock()
        session.append(Attempted(attempt(1)))
    with open_at(path) as session:  # not resolved: the journal is gone, the attempt is in the state
        session.check_lock()


def test_a_check_during_a_write_raises_nothing(path: Path) -> None:
    """The file grows between the check and the end of the write."""

    def check() -> None:
        while not done.is_set():
            session.check_lock()

    done = threading.Event()
    with open_at(path) as session, ThreadPoolExecutor(2) as pool:
        checks = [pool.submit(check) for _ in range(2)]
        for number in range(200):
            session.append(Attempted(attempt(number)))
        done.set()
        for each in checks:
            each.result()


def test_many_threads_append_at_once(path: Path) -> None:
    def work(worker: int) -> None:
        for number in range(worker * 20, worker * 20 + 20):
            session.append(Attempted(attempt(number)))
            assert number + 1 in session.state.attempts
            session.append(Recorded(record(number)))
            if number % 7 == 0:
                session.save()

    with open_at(path) as session, ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
        assert len(session.state.records) == 160
        assert session.state.attempts == {}
        known = session.state
    assert read_state(LocalState(path), backend=BACKEND).records == known.records


def test_nothing_is_written_after_close(path: Path) -> None:
    with open_at(path) as session:
        session.append(Recorded(record(0)))
    with pytest.raises(StateError):
        session.append(Recorded(record(1)))
    session.close()
    assert set(read_state(LocalState(path), backend=BACKEND).records) == {record(0).ref}
    assert not sibling(path, ".journal").exists()


def test_nothing_is_written_while_the_lock_is_released(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An append could write to a file that is being closed."""
    open_log, release = LockedFile.log, LockedFile.release
    logs: list[Journal] = []
    late: list[Future[None]] = []

    def log(held: LockedFile, durable: Durable) -> Journal:
        logs.append(open_log(held, durable))
        return logs[0]

    def release_slowly(held: LockedFile) -> None:
        late.append(pool.submit(session.append, Recorded(record(1))))
        while not (logs[0].waiting or late[0].done()):
            time.sleep(0.001)
        release(held)

    monkeypatch.setattr(LockedFile, "log", log)
    monkeypatch.setattr(LockedFile, "release", release_slowly)
    session = open_at(path)
    with ThreadPoolExecutor(1) as pool:
        session.close()
    with pytest.raises(StateError):
        late[0].result()
    assert not sibling(path, ".journal").exists()


def test_an_exception_does_not_prevent_the_save(path: Path) -> None:
    def run() -> None:
        with open_at(path) as session:
            session.append(Attempted(attempt(0)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    assert "1" in json.loads(path.read_bytes())["attempts"]
    open_at(path).close()


def test_missing_folders_are_created(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "state.json"
    assert read_state(LocalState(path), backend=BACKEND).records == {}
    assert not (tmp_path / "a").exists()
    save_history(path)
    assert path.exists()


def opened_state(place: StateLocation, *, backend: str) -> State:
    with Session.open(place, Claim(backend, "a test")) as session:
        return session.state


@pytest.mark.parametrize("read", [read_state, opened_state])
def test_a_state_of_two_thousand_tasks_is_read_back_unchanged(
    path: Path, read: Callable[..., State]
) -> None:
    with open_at(path) as session:
        session.append(*(Recorded(record(number)) for number in range(2000)))
        session.save()
        known = session.state
    assert read(LocalState(path), backend=BACKEND) == known
    assert len(known.records) == 2000


def test_a_key_is_read_without_a_copy_of_the_state(path: Path) -> None:
    with open_at(path) as session:
        session.append(Attempted(attempt(1)), Closed(2, "made no task"), Recorded(record(2)))
        before = session.state
        assert session.closed(attempt(1).ref) == (attempt(1).reference,)
        assert session.closed(attempt(2).ref) == ()
        assert session.record(record(2).ref) == record(2)
        assert session.record(record(1).ref) is None
        assert session.state is before


@pytest.mark.parametrize(
    "event",
    [
        Attempted(attempt(1)),
        Recorded(record(1)),
        Retired(record(1).retired(None)),
        Dismissed("acme", "t"),
        BaselineMoved(Baseline("acme", (), WHO)),
        Learned(replace(PROVENANCE, is_new=True)),
    ],
)
def test_a_new_state_is_saved_once_there_is_something_to_know(path: Path, event: Event) -> None:
    with open_at(path) as session:
        session.append(event)
    assert path.exists()


def test_a_second_save_names_the_journal_that_was_folded_last(path: Path) -> None:
    """If the file of that journal comes back, it is not folded again."""
    with open_at(path) as session:
        session.append(Recorded(record(0)))
        session.save()
        folded = json.loads(path.read_bytes())["journal"]
        session.put(replace(session.state, records={}))
        session.save()
    saved = json.loads(path.read_bytes())
    assert (saved["serial"], saved["journal"]) == (2, folded)
