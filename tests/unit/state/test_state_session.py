from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.mark import is_mark
from reconciler.model.service import RemoteTask
from reconciler.model.value import replace
from reconciler.state.attempt import KeyNotes
from reconciler.state.commit import Durable
from reconciler.state.journal import Journal
from reconciler.state.ledger import fold
from reconciler.state.local import HeldFile, LocalState
from reconciler.state.location import Claim, StateLocation
from reconciler.state.model import Attempted, Closed, Forgotten, Recorded, State
from reconciler.state.session import Outcome, Session, read_state
from tests.support.diagnostics import raises_with
from tests.support.state_files import folder_contents, open_at, save_history, sibling
from tests.support.state_samples import (
    BACKEND,
    NOON,
    attempt,
    history,
    mark_at,
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
        session.append(Closed("2026-01-01T00:00:00.000001Z", "of no attempt"))
        session.close(Outcome([RemoteTask("acme", "id-2", {"status": "done"})]))
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
        session.close(Outcome([RemoteTask("acme", name, seen) for name in ("id-2", "id-9")]))
    records = read_state(LocalState(path), backend=BACKEND).records
    assert records[record(2).ref].outputs == {"status": "done"}
    assert records[record(7).ref].outputs == record(7).outputs


def test_marks_are_unique(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlike those of open and closed attempts, and whatever the clock shows."""
    save_history(path)
    known = read_state(LocalState(path), backend=BACKEND)
    given = iter([*(mark for mark, _ in known.marks()), "new", "new", "newer"])
    monkeypatch.setattr("reconciler.state.session.mint", lambda now: next(given))
    with open_at(path) as session:
        assert [session.next_mark(NOON) for _ in range(2)] == ["new", "newer"]


def test_an_edit_that_was_interrupted_is_not_saved_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves, save = [], HeldFile.save

    def interrupted(self: HeldFile, state: State, *, last: bool) -> None:
        saves.append(last)
        save(self, state, last=last)
        raise KeyboardInterrupt

    monkeypatch.setattr(HeldFile, "save", interrupted)
    with pytest.raises(KeyboardInterrupt), open_at(path) as session:
        session.edit([Recorded(record(1))])
    assert saves == [True]
    assert list(read_state(LocalState(path), backend=BACKEND).records.values()) == [record(1)]


def test_a_mark_that_is_made_while_another_one_is_made_differs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = iter([mark_at(1), mark_at(1), mark_at(2)])
    during: list[str] = []

    def mint(now: datetime) -> str:
        if not during:
            during.append("")
            during[0] = session.next_mark(now)  # as another thread
        return next(given)

    monkeypatch.setattr("reconciler.state.session.mint", mint)
    with open_at(path) as session:
        assert session.next_mark(NOON) != during[0]


def test_the_marks_of_a_state_that_was_put_are_known(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = iter([mark_at(1), mark_at(2), mark_at(3)])
    monkeypatch.setattr("reconciler.state.session.mint", lambda now: next(given))
    with open_at(path) as session:
        session.next_mark(NOON)
        session.put(fold(session.state, [Recorded(record(2))]))
        assert session.next_mark(NOON) == mark_at(3)


def test_marks_are_unique_across_threads(path: Path) -> None:
    with open_at(path) as session, ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: session.next_mark(NOON), range(3000)))
    assert len(set(given)) == 3000
    assert all(map(is_mark, given))


@pytest.mark.parametrize("suffix", [".lock", ".journal"])
@pytest.mark.parametrize("how", ["removed", "replaced", "linked"])
def test_a_removed_lock_or_journal_is_detected(path: Path, suffix: str, how: str) -> None:
    save_history(path)
    session = open_at(path)
    session.append(Attempted(attempt(9)))
    session.check_held()
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
        session.check_held()
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
        assert (mark_at(9) in session.state.attempts) is not is_lost


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("how", ["removed", "replaced", "edited"])
def test_a_replaced_state_is_detected(path: Path, how: str, is_new: bool) -> None:
    if not is_new:
        save_history(path)
    session = open_at(path)
    session.append(Attempted(attempt(9)))
    session.check_held()
    if how == "removed":
        sibling(path, ".backup").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        if is_new:  # nothing has changed
            session.check_held()
            session.close()
            return
    elif how == "edited":
        path.write_bytes((path.read_bytes() if path.exists() else b"{}") + b" ")
    else:
        save_history(path.with_name("other.json"))
        path.with_name("other.json").replace(path)
    before = folder_contents(path.parent)
    for write in (
        session.check_held,
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
        session.check_held()
        session.append(Attempted(attempt(8)))
    assert {mark_at(8), mark_at(9)} <= set(read_state(LocalState(path), backend=BACKEND).attempts)


def test_a_change_without_an_attempt_needs_no_journal(path: Path) -> None:
    with open_at(path) as session:
        session.check_held()
        session.append(Attempted(attempt(1)))
    with open_at(path) as session:  # not resolved: the journal is gone, the attempt is in the state
        session.check_held()


def test_a_check_during_a_write_raises_nothing(path: Path) -> None:
    """The file grows between the check and the end of the write."""

    def check() -> None:
        while not done.is_set():
            session.check_held()

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
            assert mark_at(number) in session.state.attempts
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
    open_log, release = HeldFile.log, HeldFile.release
    logs: list[Journal] = []
    late: list[Future[None]] = []

    def log(held: HeldFile, durable: Durable) -> Journal:
        logs.append(open_log(held, durable))
        return logs[0]

    def release_slowly(held: HeldFile) -> None:
        late.append(pool.submit(session.append, Recorded(record(1))))
        while not (logs[0].waiting or late[0].done()):
            time.sleep(0.001)
        release(held)

    monkeypatch.setattr(HeldFile, "log", log)
    monkeypatch.setattr(HeldFile, "release", release_slowly)
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
    assert mark_at(0) in json.loads(path.read_bytes())["attempts"]
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


def test_the_notes_on_a_key_are_read_without_a_copy_of_the_state(path: Path) -> None:
    with open_at(path) as session:
        session.append(Attempted(attempt(1)), Closed(mark_at(1), "refused"))
        before = session.state
        assert session.notes_on(attempt(1).ref) == KeyNotes((mark_at(1),))
        assert session.notes_on(attempt(2).ref) == KeyNotes()
        assert session.state is before


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
