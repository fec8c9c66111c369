"""A shared state in an engine: reads, writes with an unknown outcome, the lock, and retention."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.typed_json import with_checksum
from reconciler.state.engines import Unconditional, Unsure
from reconciler.state.location import Claim
from reconciler.state.model import Attempted, Recorded
from reconciler.state.session import Session
from tests.support.diagnostics import words_of
from tests.support.memory_engine import MemoryEngine
from tests.support.state_samples import BACKEND, attempt, empty, record


@pytest.fixture
def engine() -> MemoryEngine:
    made = MemoryEngine()
    assert made.place().create(empty())
    made.asked.clear()
    made.swapped.clear()
    return made


@pytest.fixture
def session(engine: MemoryEngine) -> Iterator[Session]:
    opened = open_in(engine)
    engine.asked.clear()
    engine.swapped.clear()
    yield opened
    with suppress(StateError):
        opened.close()


def open_in(engine: MemoryEngine, seconds: float = 0) -> Session:
    wait = timedelta(seconds=seconds)
    return Session.open(engine.place(), Claim(BACKEND, "apply", wait))


def head(engine: MemoryEngine) -> dict[str, object]:
    assert engine.head is not None
    found: dict[str, object] = json.loads(engine.head)
    return found


def code_of(problem: pytest.ExceptionInfo[StateError]) -> Code:
    return problem.value.diagnostics[0].code


# Reads


def test_a_read_restarts_if_a_blob_was_dropped(engine: MemoryEngine) -> None:
    hidden, reads = dict(engine.blobs), []

    def moved_on() -> None:
        reads.append(1)
        engine.blobs = hidden if len(reads) == 4 else {}

    engine.on_read = moved_on
    assert engine.place().read(BACKEND).serial == 0
    assert len(reads) == 4


def test_an_open_restarts_if_a_blob_was_dropped(engine: MemoryEngine) -> None:
    hidden, reads = dict(engine.blobs), []

    def moved_on() -> None:
        reads.append(1)
        engine.blobs = {} if len(reads) == 1 else hidden
        engine.version += len(reads) == 2

    engine.on_read = moved_on
    open_in(engine).close()
    assert len(reads) == 3


def test_a_missing_blob_is_damage(engine: MemoryEngine) -> None:
    engine.blobs.clear()
    with pytest.raises(StateError) as problem:
        engine.place().read(BACKEND)
    assert code_of(problem) is Code.STATE_PART_DAMAGED
    assert engine.asked.count("read") == 4
    with pytest.raises(StateError) as problem:
        open_in(engine)
    assert code_of(problem) is Code.STATE_PART_DAMAGED
    assert engine.asked.count("swap") == 0


def test_a_read_fetches_only_the_head_and_its_blobs(engine: MemoryEngine) -> None:
    engine.place().read(BACKEND)
    assert engine.asked == ["read", "get_blob"]


# Commits


def test_one_commit_is_one_swap(engine: MemoryEngine, session: Session) -> None:
    session.append(Attempted(attempt(1)), Attempted(attempt(2)))
    assert engine.asked == ["swap"]
    assert len(engine.place().read(BACKEND).attempts) == 2


def test_a_large_entry_goes_into_a_blob(engine: MemoryEngine, session: Session) -> None:
    made = attempt(1)
    made.inputs["message"]["content"] = "x" * 17_000
    session.append(Attempted(attempt(2)))
    session.append(Attempted(made))
    assert head(engine)["tail"] == []
    assert len(engine.head or b"") < 1_000
    assert set(engine.place().read(BACKEND).attempts) == {2, 3}


def test_a_long_tail_becomes_a_blob(engine: MemoryEngine, session: Session) -> None:
    for number in range(60):
        made = attempt(number)
        made.inputs["message"]["content"] = "x" * 9_000
        session.append(Attempted(made))
        assert len(engine.head or b"") < 280_000
    assert len(head(engine)["segments"]) == 2  # type: ignore[arg-type]
    assert len(engine.place().read(BACKEND).attempts) == 60


@pytest.mark.parametrize("count", [1, 2_500])
def test_many_entries_of_one_write_are_one_blob(engine: MemoryEngine, count: int) -> None:
    events = [Recorded(record(number)) for number in range(count)]
    with open_in(engine) as session:
        session.append(*events)
        assert len(head(engine).get("segments", ())) == int(count > 1)  # type: ignore[arg-type]
        assert len(engine.place().read(BACKEND).records) == count


# Writes whose outcome is unknown


def test_a_write_with_a_lost_response_is_done_once(engine: MemoryEngine, session: Session) -> None:
    engine.faults = ["lost"]
    session.append(Attempted(attempt(1)))
    assert len(engine.swapped) == 1
    session.append(Attempted(attempt(2)))
    assert set(engine.place().read(BACKEND).attempts) == {2, 3}


def test_a_failed_write_is_resent_byte_for_byte(engine: MemoryEngine, session: Session) -> None:
    engine.swapped.clear()
    engine.faults = ["cut", "cut"]
    session.append(Attempted(attempt(1)))
    session.close()
    first, second, third, *_ = engine.swapped
    assert first == second == third


def test_after_an_unknown_write_nothing_is_sent(engine: MemoryEngine, session: Session) -> None:
    engine.faults = ["cut"] * 1000
    began = engine.clock.passed
    with pytest.raises(StateError) as problem:
        session.append(Attempted(attempt(1)))
    assert code_of(problem) is Code.STATE_WRITE_UNKNOWN
    assert 25 < engine.clock.passed - began < 40  # less than what others wait for
    engine.faults = []
    sent = len(engine.swapped)
    for call in (session.check_lock, lambda: session.append(Attempted(attempt(2))), session.save):
        with pytest.raises(StateError):
            call()
    assert len(engine.swapped) == sent


def test_a_holder_that_finds_another_head_is_fenced(engine: MemoryEngine, session: Session) -> None:
    assert engine.place().unlock(1) is not None
    session.check_lock()  # it cannot know yet
    with pytest.raises(StateError) as problem:
        session.append(Attempted(attempt(1)))
    assert code_of(problem) is Code.STATE_FENCED
    with pytest.raises(StateError):
        session.check_lock()
    assert not engine.place().read(BACKEND).attempts


def test_a_holder_whose_head_was_deleted_is_fenced(engine: MemoryEngine, session: Session) -> None:
    engine.faults, engine.head = ["cut"], None
    with pytest.raises(StateError) as problem:
        session.append(Attempted(attempt(1)))
    assert code_of(problem) is Code.STATE_FENCED
    assert len(engine.swapped) == 1


def test_after_a_pause_the_lock_is_confirmed_before_a_send(
    engine: MemoryEngine, session: Session
) -> None:
    engine.clock.passed += 31
    session.check_lock()
    assert len(engine.swapped) == 1
    engine.place().unlock(1)
    engine.clock.passed += 31
    with pytest.raises(StateError) as problem:
        session.check_lock()
    assert code_of(problem) is Code.STATE_FENCED


# The lock


def test_a_lock_without_heartbeat_is_taken_over(engine: MemoryEngine) -> None:
    session = open_in(engine)
    engine.clock.boot_id = "boot-2"  # another machine
    began = engine.clock.passed
    other = open_in(engine)
    assert 60 <= engine.clock.passed - began < 63
    assert head(engine)["epoch"] == 2
    other.close()
    with pytest.raises(StateError):
        session.close()


def test_a_waiter_says_how_long_it_still_waits_for_a_lock_without_heartbeat(
    engine: MemoryEngine,
) -> None:
    session = open_in(engine)
    engine.clock.boot_id = "boot-2"
    told: list[float | None] = []
    claim = Claim(BACKEND, "apply", waiting=lambda _, left: told.append(left))
    Session.open(engine.place(), claim).close()
    assert told == [60, 40, 20]
    with pytest.raises(StateError):
        session.close()


def test_a_waiter_says_that_the_holder_is_active(engine: MemoryEngine) -> None:
    session = open_in(engine)
    engine.clock.boot_id = "boot-2"
    told: list[float | None] = []
    engine.clock.at = [(n * 14.0, lambda: session.append(Attempted(attempt(1)))) for n in (1, 2)]
    wait = timedelta(seconds=20)
    with pytest.raises(StateError):
        Session.open(
            engine.place(), Claim(BACKEND, "apply", wait, lambda _, left: told.append(left))
        )
    assert told == [60, None]
    session.close()


def test_a_takeover_needs_four_equal_reads(engine: MemoryEngine) -> None:
    session = open_in(engine)
    engine.clock.boot_id = "boot-2"
    engine.asked.clear()
    engine.on_read = lambda: engine.clock.wait(30)
    open_in(engine).close()
    assert engine.asked[: engine.asked.index("swap")].count("read") == 4
    with pytest.raises(StateError):
        session.close()


def test_without_a_timeout_the_first_heartbeat_ends_the_wait(engine: MemoryEngine) -> None:
    session = open_in(engine)
    engine.clock.boot_id = "boot-2"
    engine.clock.at = [(14.0, lambda: session.append(Attempted(attempt(1))))]
    with pytest.raises(StateError) as problem:
        open_in(engine)
    assert code_of(problem) is Code.STATE_LOCKED
    assert engine.clock.passed == 14.0
    session.close()


def test_with_a_timeout_a_lock_is_taken_over_after_its_last_write(engine: MemoryEngine) -> None:
    """The holder was killed, and its last write was still in flight."""
    session = open_in(engine)
    engine.clock.boot_id = "boot-2"
    engine.clock.at = [(1.0, lambda: session.append(Attempted(attempt(1))))]
    other = open_in(engine, 120)
    assert 61 <= engine.clock.passed < 65
    assert set(other.state.attempts) == {2}
    other.close()
    with pytest.raises(StateError):
        session.close()


def test_with_a_timeout_a_living_holder_is_waited_for(engine: MemoryEngine) -> None:
    session = open_in(engine)
    engine.clock.boot_id = "boot-2"
    lives = [(float(second), session.check_lock) for second in (32, 64, 96)]
    engine.clock.at = [*lives, (100.0, session.close)]
    open_in(engine, 120).close()
    assert engine.clock.passed == 100.0
    assert head(engine)["epoch"] == 2


def test_a_living_holder_is_waited_for_until_the_timeout(engine: MemoryEngine) -> None:
    session = open_in(engine)
    engine.clock.boot_id = "boot-2"
    engine.clock.at = [(float(second), session.check_lock) for second in (32, 64, 96)]
    with pytest.raises(StateError) as problem:
        open_in(engine, 50)
    assert problem.value.diagnostics[0].case == "shared.waited"
    assert " is still locked by " in words_of(problem.value)
    assert engine.clock.passed >= 50
    session.close()


def test_a_dead_holder_on_this_machine_is_not_waited_for(engine: MemoryEngine) -> None:
    session = open_in(engine)
    assert engine.head is not None
    found = head(engine)
    holder = found["holder"]
    assert isinstance(holder, dict)
    gone = engine.head.replace(b'"pid":%d' % holder["pid"], b'"pid":%d' % 2**30)
    engine.head = with_checksum(b"{" + gone.partition(b",")[2].rstrip(b"\n"))
    engine.version += 1
    other = open_in(engine)
    assert engine.clock.passed == 0
    other.close()
    with pytest.raises(StateError):
        session.append(Attempted(attempt(1)))


def test_a_server_that_ignores_conditions_is_rejected(engine: MemoryEngine) -> None:
    def unconditional() -> None:
        raise Unconditional("it accepted a write")

    engine.on_probe = unconditional
    with pytest.raises(StateError) as problem:
        open_in(engine)
    assert code_of(problem) is Code.STATE_UNCONDITIONAL
    assert "holder" not in head(engine)


def test_the_creation_of_a_state_is_retried() -> None:
    """Each request fails twice."""

    class Shaky(MemoryEngine):
        def _shake(self, call: str) -> None:
            self.asked.append(call)
            if self.asked.count(call) <= 2:
                raise Unsure("it is overloaded")

        def prepare(self) -> None:
            self._shake("prepare")

        def probe(self) -> None:
            self._shake("probe")

        def put_blob(self, name: str, data: bytes) -> None:
            self._shake("blob")
            super().put_blob(name, data)

    engine = Shaky(faults=["cut", "lost"])
    assert engine.place().create(empty())
    assert engine.place().read(BACKEND).lineage == empty().lineage


def test_an_error_in_the_check_of_conditions_prevents_the_lock(engine: MemoryEngine) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    engine.on_probe = broken
    with pytest.raises(ZeroDivisionError):
        open_in(engine)
    assert "holder" not in head(engine)


# What is kept


def test_a_takeover_continues_from_the_last_write(engine: MemoryEngine) -> None:
    session = open_in(engine)
    session.append(Attempted(attempt(1)), Recorded(record(2)))
    engine.place().unlock(1)
    other = open_in(engine)
    assert set(other.state.attempts) == {2}
    assert set(other.state.records) == {record(2).ref}
    other.close()
    with pytest.raises(StateError):
        session.save()


def test_the_last_five_saved_states_are_kept(engine: MemoryEngine) -> None:
    for number in range(8):
        with open_in(engine) as session:
            session.append(Recorded(record(number)))
    bases = head(engine)["bases"]
    assert isinstance(bases, list)
    assert {*bases, head(engine)["base"]} == set(engine.blobs)
    assert len(engine.blobs) == 5
    assert head(engine)["serial"] == 8


def test_unreferenced_blobs_are_removed(engine: MemoryEngine) -> None:
    made = attempt(1)
    made.inputs["message"]["content"] = "x" * 17_000
    session = open_in(engine)
    session.append(Attempted(made))
    engine.place().unlock(1)
    with open_in(engine) as other:
        other.append(*other.state.close_attempts([made.number], "made no task", None))
    names = {head(engine)["base"], *head(engine)["bases"]}  # type: ignore[misc]
    assert names == set(engine.blobs)
    with pytest.raises(StateError):
        session.close()


def test_an_apply_that_changes_nothing_leaves_base_and_serial(engine: MemoryEngine) -> None:
    with open_in(engine) as session:
        session.append(Recorded(record(1)))
    before, blobs = head(engine), dict(engine.blobs)
    engine.asked.clear()
    open_in(engine).close()
    assert {n: head(engine)[n] for n in ("base", "serial")} == {
        n: before[n] for n in ("base", "serial")
    }
    assert engine.blobs == blobs
    assert engine.asked == ["read", "get_blob", "swap", "swap"]
