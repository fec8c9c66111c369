"""The declarations kept with the lock of a state, which decide whether a later wave may start."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.state.attempt import Author
from reconciler.state.local import LocalState
from reconciler.state.location import Claim, StateLocation
from reconciler.state.lock import LastApply, read_lock
from reconciler.state.model import Recorded
from reconciler.state.session import Session
from tests.support.memory_engine import MemoryEngine
from tests.support.state_samples import BACKEND, empty, record

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture(params=["file", "shared"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], StateLocation]:
    """A new state, as each process sees it."""
    if request.param == "file":
        return lambda: LocalState(tmp_path / "state.json")
    engine = MemoryEngine()
    assert engine.place().create(empty())
    return engine.place


def claim(digest: str, follows: LastApply | None = None, purpose: str = "apply") -> Claim:
    run = Author(NOON, actor=f"who applies {digest}")
    return Claim(BACKEND, purpose, run=run, digest=digest, follows=follows)


def taken(at: StateLocation, digest: str, follows: LastApply | None = None) -> LastApply:
    """The declaration that an apply leaves with the lock."""
    with Session.open(at, claim(digest, follows)) as session:
        assert session.declared is not None
        return session.declared


def refused(at: StateLocation, digest: str, follows: LastApply) -> tuple[str, dict[str, object]]:
    with pytest.raises(StateError) as caught:
        taken(at, digest, follows)
    (problem,) = caught.value.diagnostics
    assert problem.code is Code.CHANGED_MEANWHILE
    return problem.case, dict(problem.args)


def test_a_wave_starts_only_if_no_other_manifests_were_applied(
    state: Callable[[], StateLocation],
) -> None:
    first = taken(state(), "a")
    assert taken(state(), "a") == first  # the same commit, hourly
    assert taken(state(), "a", first) == first
    second = taken(state(), "b")
    assert (second.digest, second.changes) == ("b", first.changes + 1)
    case, facts = refused(state(), "a", first)
    assert (case, facts["command"]) == ("", "apply")
    assert "who applies b" in str(facts["run"])
    assert taken(state(), "b", second) == second  # the rejected wave leaves nothing behind
    third = taken(state(), "a")
    assert third.changes == second.changes + 1
    refused(state(), "a", first)  # its own manifests again, but others in between


def test_an_edit_stops_waves_and_a_command_that_edits_nothing_does_not(
    state: Callable[[], StateLocation],
) -> None:
    first = taken(state(), "a")
    with Session.open(state(), claim("", purpose="state rm")):
        pass
    assert taken(state(), "a", first) == first
    with Session.open(state(), claim("", purpose="state accept")) as session:
        session.append(Recorded(record(1)))
        session.append(Recorded(record(2)))
    case, facts = refused(state(), "a", first)
    assert (case, facts["command"]) == ("edit", "state accept")
    second = taken(state(), "a")
    assert second.changes == first.changes + 1
    with Session.open(state(), claim("", purpose="state mv")) as session:
        session.edit([Recorded(record(3))])
    refused(state(), "a", second)
    third = taken(state(), "a")
    with Session.open(state(), claim("", purpose="state push")) as session:
        session.put(session.state)
    refused(state(), "a", third)


def test_an_edit_by_a_process_that_is_killed_counts(
    state: Callable[[], StateLocation],
) -> None:
    first = taken(state(), "a")
    killed = state().take(claim("", purpose="state accept"))
    Session(killed).append(Recorded(record(1)))
    killed.locked.release()  # the journal has the edit
    assert refused(state(), "a", first)[0] == "edit"


def test_an_apply_that_is_killed_at_once_counts(state: Callable[[], StateLocation]) -> None:
    first = taken(state(), "a")
    state().take(claim("b")).locked.release()
    assert refused(state(), "a", first)[0] == ""


def test_the_first_apply_may_follow_nothing(state: Callable[[], StateLocation]) -> None:
    with Session.open(state(), claim("", purpose="import")) as session:
        session.append(Recorded(record(1)))
        assert session.declared is None
    assert taken(state(), "a").changes == 1


@pytest.mark.parametrize("content", [None, b"", b'{"holder":1}', b"\xff"])
def test_a_lock_file_that_was_removed_or_damaged_stops_waves(
    tmp_path: Path, content: bytes | None
) -> None:
    """Nobody knows what was applied meanwhile."""
    at = LocalState(tmp_path / "state.json")
    first = taken(at, "a")
    if content is None:
        at.lock.unlink()
    else:
        at.lock.write_bytes(content)
    assert refused(at, "a", first)[0] == "unknown"
    later = Author(NOON + timedelta(hours=1))
    with Session.open(at, claim("a")._replace(run=later)):
        pass
    refused(at, "a", first)  # although the count is the same


def test_a_full_disk_leaves_the_lock_file_unreadable_rather_than_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = LocalState(tmp_path / "state.json")
    first = taken(at, "a")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", full)
        at.take(claim("b")).locked.release()
    assert read_lock(at.lock).declared is None
    assert refused(at, "a", first)[0] == "unknown"


def test_an_unlock_keeps_what_was_declared() -> None:
    engine = MemoryEngine()
    assert engine.place().create(empty())
    first = taken(engine.place(), "a")
    Session.open(engine.place(), claim("a"))
    assert engine.place().unlock(engine.place().head().epoch) is not None
    assert taken(engine.place(), "a", first) == first
