"""The lock, the journal and the saved state under faults on real servers.

`tests.support.machines` provides the runners; test_engine_faults.py tests the engines alone.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.value import replace
from reconciler.state.engines import Engine, Pace, open_engine
from reconciler.state.location import Claim
from reconciler.state.model import Attempted, Recorded
from reconciler.state.session import Session
from reconciler.state.shared import SharedState
from reconciler.state.store import Head, decode_head, encode_head
from reconciler.system.clock import SystemClock
from tests.support.fault_proxy import Asked, FaultProxy, Trouble
from tests.support.http_objects import careless_s3
from tests.support.machines import NEW, WITHOUT_HEARTBEAT, Machine, Machines, open_machines
from tests.support.state_engines import ENGINE_PARAMS, Served, serving
from tests.support.state_samples import BACKEND, attempt, record
from tests.support.state_servers import S3_KEYS

HEAD = re.compile(r"PUT .*/head\b|POST .*receive-pack|UPDATE taskctl\.head")
BLOB = re.compile(r"PUT .*/blobs/|POST .*receive-pack|INSERT INTO taskctl\.blob")


@pytest.fixture(scope="module", params=ENGINE_PARAMS)
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def served(engine_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(engine_name, tmp_path_factory.mktemp(engine_name)) as server:
        yield server


@pytest.fixture
def proxy(served: Served) -> Iterator[FaultProxy]:
    with FaultProxy(served.port, served.protocol) as proxy:
        yield proxy


@pytest.fixture
def machines(served: Served) -> Iterator[Machines]:
    with open_machines(served, f"s{secrets.token_hex(4)}") as made:
        yield made


def fail_next_writes(proxy: FaultProxy, trouble: Trouble, *whats: re.Pattern[str]) -> None:
    """Makes the next write of each of these kinds fail in this way."""
    left = list(whats)

    def choose(asked: Asked) -> Trouble | None:
        if left and asked.write and left[0].search(asked.what):
            left.pop(0)
            return trouble
        return None

    proxy.forget()
    proxy.always = choose


def large(number: int) -> Attempted:
    """An entry that is stored in its own blob."""
    made = attempt(number)
    made.inputs["message"]["content"] = secrets.token_hex(9_000)
    return Attempted(made)


def code_of(problem: pytest.ExceptionInfo[StateError]) -> Code:
    return problem.value.diagnostics[0].code


# Failing writes, in each phase of a run

TROUBLES = {
    "lost": Trouble("lost"),
    "cut": Trouble("cut"),
    "late": Trouble("late"),
    "409": Trouble("answer", 409),
    "429": Trouble("answer", 429, headers={"Retry-After": "0"}),
    "503, done": Trouble("answer", 503, committed=True),
}


@pytest.fixture
def troubles(engine_name: str) -> list[Trouble]:
    """Only the S3 engine sees status codes: to the others, each failure is the same error."""
    return [t for t in TROUBLES.values() if t.kind != "answer" or engine_name in ("memory", "s3")]


def assert_fault_occurred(proxy: FaultProxy, trouble: Trouble, engine: Engine) -> None:
    """The fault occurred, and a second time only if the first write was not done. A late write that
    arrives now changes nothing."""
    met = len(proxy.met)
    assert met == 2 or (met == 1 and (trouble.committed or trouble.kind == "lost"))
    before = engine.read()
    assert proxy.deliver() == (met if trouble.kind == "late" else 0)
    assert engine.read() == before


def test_commits_and_segments_are_written_once(
    machines: Machines, proxy: FaultProxy, troubles: list[Trouble]
) -> None:
    """The head fails twice; then a segment (git: with the head), and the head that names it."""
    other = machines.new()
    session = machines.new(proxy.port, WITHOUT_HEARTBEAT).open()
    written = set()
    for number, trouble in enumerate(troubles):
        fail_next_writes(proxy, trouble, HEAD, HEAD)
        session.append(Attempted(attempt(2 * number)))
        assert_fault_occurred(proxy, trouble, other.engine)
        fail_next_writes(proxy, trouble, BLOB, HEAD)
        session.append(large(2 * number + 1))
        assert_fault_occurred(proxy, trouble, other.engine)
        written |= {2 * number + 1, 2 * number + 2}
        assert set(other.place.read(BACKEND).attempts) == written
    proxy.forget()
    session.close()
    assert set(other.place.read(BACKEND).attempts) == written


def test_the_lock_is_taken_and_released_once(
    machines: Machines, proxy: FaultProxy, troubles: list[Trouble]
) -> None:
    """The head fails twice when the lock is taken; the saved state and its head fail at the
    release."""
    machine, other = machines.new(proxy.port, WITHOUT_HEARTBEAT), machines.new()
    for number, trouble in enumerate(troubles):
        fail_next_writes(proxy, trouble, HEAD, HEAD)
        session = machine.open()
        assert_fault_occurred(proxy, trouble, other.engine)
        session.append(Recorded(record(number)))
        fail_next_writes(proxy, trouble, BLOB, HEAD)
        session.close()
        assert_fault_occurred(proxy, trouble, other.engine)
        head = other.place.head()
        assert (head.epoch, head.serial, head.holder) == (number + 1, number + 1, None)
        assert len(other.place.read(BACKEND).records) == number + 1


def cut_off_with_the_first_write(proxy: FaultProxy) -> Callable[[Asked], Trouble | None]:
    def choose(asked: Asked) -> Trouble | None:
        if asked.write:
            return Trouble("late")
        return Trouble("cut") if proxy.met else None

    return choose


def test_a_late_write_after_a_takeover_changes_nothing(
    machines: Machines, proxy: FaultProxy
) -> None:
    """The holder is cut off while its write is in flight, and another machine takes over."""
    cut_off, other = machines.new(proxy.port), machines.new()
    session = cut_off.open()
    session.append(Attempted(attempt(1)))
    proxy.always = cut_off_with_the_first_write(proxy)
    failures: list[StateError] = []

    def append() -> None:
        try:
            session.append(Attempted(attempt(2)))
        except StateError as problem:
            failures.append(problem)

    thread = threading.Thread(target=append)
    thread.start()
    while not proxy.met:
        thread.join(0.01)
    taken = other.open()
    assert set(taken.state.attempts) == {2}
    taken.append(Attempted(attempt(3)))
    thread.join()
    assert [problem.diagnostics[0].code for problem in failures] == [Code.STATE_WRITE_UNKNOWN]
    assert proxy.deliver() >= 1
    taken.append(Attempted(attempt(4)))
    taken.close()
    assert set(other.place.read(BACKEND).attempts) == {2, 4, 5}
    proxy.forget()
    for call in (session.check_lock, session.save):
        with pytest.raises(StateError):
            call()


# The lock


def test_only_one_of_many_takers_gets_the_lock(machines: Machines, engine_name: str) -> None:
    count = 6 if engine_name == "git" else 12
    takers = [machines.new(pace=Pace(heartbeat=0.3, takeover=400)) for _ in range(count)]
    start = threading.Barrier(count)

    def take(machine: Machine) -> Session | Code:
        start.wait()
        try:
            return machine.open(seconds=0)
        except StateError as problem:
            return problem.diagnostics[0].code

    with ThreadPoolExecutor(count) as pool:
        ended = list(pool.map(take, takers))
    won = [found for found in ended if isinstance(found, Session)]
    assert len(won) == 1
    assert ended.count(Code.STATE_LOCKED) == count - 1
    assert machines.new().place.head().epoch == 1
    won[0].close()


def test_waiting_takers_take_over_from_a_dead_holder_in_turn(machines: Machines) -> None:
    """The holder was killed with an open attempt; no entry is lost, and no two takers hold the lock
    at once."""
    dead = machines.new()
    dead.open().append(Attempted(attempt(0)))
    stop_heartbeat(dead)
    takers = [machines.new() for _ in range(4)]
    inside: list[int] = []

    def work(number: int) -> None:
        with takers[number - 1].open(seconds=100) as session:
            inside.append(number)
            session.append(Attempted(attempt(number)))
            assert inside == [number]
            inside.remove(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(1, 5)))
    found = machines.new().place
    assert set(found.read(BACKEND).attempts) == {number + 1 for number in range(5)}
    assert found.head().epoch == 5


def stop_heartbeat(machine: Machine) -> None:
    """Fails every call, as if the process were gone."""

    def gone(*_: object) -> Any:
        raise StateError([])

    machine.engine.swap = machine.engine.read = gone  # type: ignore[method-assign,assignment]


def test_unlock_fences_a_live_holder(machines: Machines) -> None:
    holder, other = machines.new(), machines.new()
    session = holder.open()
    confirmed: list[int] = []
    ended = threading.Event()

    def work() -> None:
        """As often as the answers of a service come."""
        while not ended.wait(0.2):
            session.append(Attempted(attempt(len(confirmed))))
            confirmed.append(len(confirmed))

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            while len(confirmed) < 3:
                assert not working.done()
            assert other.place.unlock(other.place.head().epoch) is not None
            with pytest.raises(StateError) as problem:
                working.result()
        finally:
            ended.set()
    assert code_of(problem) is Code.STATE_FENCED
    with pytest.raises(StateError):
        session.check_lock()
    assert set(other.place.read(BACKEND).attempts) == {number + 1 for number in confirmed}
    other.open().close()


def test_a_stale_holder_without_its_blobs_changes_nothing(machines: Machines) -> None:
    holder, other = machines.new(), machines.new()
    stale = holder.open()
    stale.append(Attempted(attempt(1)))
    stale.append(large(2))
    other.place.unlock(other.place.head().epoch)
    for number in range(3, 10):
        with other.open() as session:
            session.append(
                *session.state.close_attempts(list(session.state.attempts), "none", None)
            )
            session.append(Recorded(record(number)), large(number))
    for call in (stale.save, stale.close):
        with suppress(StateError):
            call()
    state = machines.new().place.read(BACKEND)
    assert {ref.key for ref in state.records} == {f"task-{number}" for number in range(3, 10)}
    assert set(state.attempts) == {10}


# Invalid states


def encoded(head: Head, **changes: Any) -> bytes:
    """Different bytes on every call."""
    other = replace(head, writer=secrets.token_hex(16), **changes)
    return encode_head(other)


WRONG: dict[str, tuple[Code, Callable[[Head], bytes]]] = {
    "damaged": (Code.STATE_PART_DAMAGED, lambda head: encoded(head).replace(b"base-", b"bose-")),
    "cut off": (Code.STATE_PART_DAMAGED, lambda head: encoded(head)[:-20]),
    "empty": (Code.STATE_PART_DAMAGED, lambda head: b""),
    "of a newer format": (Code.STATE_VERSION, lambda head: encoded(head, format=99)),
    "of an older format": (Code.STATE_VERSION, lambda head: encoded(head, format=1)),
    "of another lineage": (Code.STATE_PART_DAMAGED, lambda head: encoded(head, lineage="other")),
    "of another serial": (Code.STATE_PART_DAMAGED, lambda head: encoded(head, serial=99)),
    "without its base": (Code.STATE_PART_DAMAGED, lambda head: encoded(head, base="gone")),
}


def test_an_invalid_head_is_rejected_and_unchanged(machines: Machines) -> None:
    machine, other = machines.new(), machines.new()
    found = machine.engine.read()
    assert found is not None
    version, sound = found[1], decode_head(found[0], "")
    for name, (code, change) in WRONG.items():
        data = change(sound)
        version = machine.engine.swap(data, version)
        for call in (lambda: other.place.read(BACKEND), other.open):
            with pytest.raises(StateError) as problem:
                call()
            assert code_of(problem) is code, name
        assert machine.engine.read() == (data, version), name
    machine.engine.swap(encoded(sound), version)
    other.open().close()


def test_a_server_that_ignores_conditions_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in S3_KEYS.items():
        monkeypatch.setenv(key, value)
    with careless_s3() as endpoint:
        engine = open_engine(f"s3://states/careless?endpoint={endpoint}", os.environ)
        place = SharedState(engine, SystemClock())
        with pytest.raises(StateError) as problem:
            place.create(NEW)
        assert code_of(problem) is Code.STATE_UNCONDITIONAL
        assert engine.read() is None
        with monkeypatch.context() as patch:
            patch.setattr(engine, "probe", lambda: None)
            assert place.create(NEW)
        with pytest.raises(StateError) as problem:
            place.take(Claim(BACKEND, "apply"))
        assert code_of(problem) is Code.STATE_UNCONDITIONAL
        assert place.head().holder is None
