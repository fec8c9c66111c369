"""Moving a state: however a move ends, at most one of its two backends is ever usable."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.value import replace
from reconciler.state.attempt import Baseline, Stage
from reconciler.state.local import LocalState
from reconciler.state.location import Claim, StateLocation
from reconciler.state.model import Attempted, BaselineMoved, Recorded, State
from reconciler.state.move import abort, migrate
from reconciler.state.session import Session, read_state
from reconciler.state.shared import SharedState
from tests.support.memory_engine import MemoryEngine
from tests.support.plan_values import ME
from tests.support.state_samples import BACKEND, PROVENANCE, attempt, empty, record

BEFORE = Baseline("acme", ("id-8", "id-9"), ME)


class KilledError(BaseException):
    """The process was killed. A BaseException, so that no code handles it."""


@dataclass
class Process:
    """Counts steps with a lasting effect. Before one of them it is `killed`, or stopped until
    `then` was called."""

    last: int = 1_000_000
    then: Callable[[], object] | None = None
    steps: int = 0

    def step(self, do: Callable[[], Any]) -> Any:
        self.steps += 1
        if self.steps > self.last and self.then is None:
            raise KilledError
        if self.steps == self.last + 1 and self.then is not None:
            self.then()
        return do()


class Engine:
    """A shared engine as one process uses it."""

    def __init__(self, engine: MemoryEngine, process: Process) -> None:
        self._engine, self._process = engine, process

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        if name not in ("read", "swap", "put_blob", "get_blob", "delete_blobs"):
            return found
        return lambda *given: self._process.step(lambda: found(*given))


@dataclass
class World:
    """Two backends. `kinds` are those of the source and the target."""

    kinds: Sequence[str]
    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        self.engines = [MemoryEngine(display_name=f"memory:{number}") for number in (1, 2)]
        self.source, self.target = self.places(Process())
        self.source.create(empty())
        with self.opened(self.source) as session:
            session.append(Recorded(record(1)), BaselineMoved(BEFORE))
            session.append(Attempted(replace(attempt(2), waited=45.0)))

    def places(self, process: Process) -> list[StateLocation]:
        """The two backends as this process sees them."""
        real = LocalState.replace
        self.monkeypatch.setattr(
            LocalState, "replace", lambda files, data: process.step(lambda: real(files, data))
        )
        return [self._place(number, process) for number in (0, 1)]

    def _place(self, number: int, process: Process) -> StateLocation:
        if self.kinds[number] == "file":
            return LocalState(self.folder / f"{number}.json")
        memory = self.engines[number]
        engine: Any = Engine(memory, process)
        return SharedState(engine, memory.clock, wait=memory.clock.wait)

    def opened(self, place: StateLocation) -> Session:
        wait = timedelta(minutes=5)
        return Session.open(place, Claim(BACKEND, "apply", wait), moves=True)

    def migrate(self, process: Process | None = None) -> bool:
        source, target = self.places(process or Process())
        return migrate(source, target, self.opened)

    def usable(self) -> list[str]:
        """Which of the two can be used."""
        self.monkeypatch.undo()
        found = {"source": self.source, "target": self.target}
        return [name for name, place in found.items() if refusal(place) is None]

    def assert_moved(self) -> None:
        assert self.usable() == ["target"]
        assert_whole(read_state(self.target, backend=BACKEND))
        assert refusal(self.source) is Code.STATE_MOVED


def refusal(place: StateLocation) -> Code | None:
    try:
        state = read_state(place, backend=BACKEND)
    except StateError as problem:
        return problem.diagnostics[0].code
    return None if state.records else Code.STATE_NOT_INITIALIZED


def assert_whole(state: State) -> None:
    assert set(state.records) == {record(1).ref}
    assert set(state.attempts) == {3}
    assert state.baselines == (BEFORE,)
    assert state.provenance == PROVENANCE.counted(3)


PAIRS = [("file", "engine"), ("engine", "file"), ("engine", "engine"), ("file", "file")]


@pytest.fixture(params=PAIRS, ids="-to-".join)
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(request.param, tmp_path, monkeypatch)


def test_everything_moves_and_the_old_backend_points_to_the_new_one(world: World) -> None:
    assert world.migrate()
    world.assert_moved()
    with pytest.raises(StateError) as problem:
        read_state(world.source, backend=BACKEND)
    assert problem.value.diagnostics[0].args["place"] == world.target.display_name
    assert not world.migrate()
    world.assert_moved()


def test_attempts_move_with_what_was_waited_for_them(world: World) -> None:
    world.migrate()
    moved = read_state(world.target, backend=BACKEND).attempts[3]
    assert moved.waited == 45.0


def test_a_state_can_move_back(world: World) -> None:
    lineage = read_state(world.source, backend=BACKEND).lineage
    world.migrate()
    serial = read_state(world.target, backend=BACKEND).serial
    assert migrate(world.target, world.source, world.opened)
    assert world.usable() == ["source"]
    state = read_state(world.source, backend=BACKEND)
    assert_whole(state)
    assert state.lineage == lineage
    assert state.serial > serial


def test_another_state_is_not_overwritten(world: World) -> None:
    other = replace(empty(), lineage="another", serial=7)
    world.target.create(other)
    with pytest.raises(StateError) as problem:
        world.migrate()
    assert problem.value.diagnostics[0].code is Code.STATE_MIGRATION
    assert world.usable() == ["source"]
    assert_whole(read_state(world.source, backend=BACKEND))
    assert world.target.read(BACKEND) == other


@pytest.mark.parametrize("is_taken", [False, True])
def test_each_write_of_the_source_has_its_own_serial(world: World, *, is_taken: bool) -> None:
    before = world.source.read(BACKEND).serial
    if is_taken:
        world.target.create(replace(empty(), lineage="another"))
    with suppress(StateError):
        world.migrate()
    assert (world.source.read(BACKEND).move is None) == is_taken
    assert world.source.read(BACKEND).serial == before + 2


def test_a_source_that_comes_back_does_not_overwrite_the_moved_state(world: World) -> None:
    """An older commit of it was checked out."""
    old = world.source.read(BACKEND)
    world.migrate()
    with world.opened(world.target) as session:
        session.append(Recorded(record(5)))
    with world.opened(world.source) as session:
        session.put(old)
    with pytest.raises(StateError) as problem:
        world.migrate()
    assert problem.value.diagnostics[0].code is Code.STATE_MIGRATION
    assert record(5).ref in read_state(world.target, backend=BACKEND).records


def test_a_target_that_changes_meanwhile_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(("file", "engine"), tmp_path, monkeypatch)
    source, target = world.places(Process())
    assert isinstance(target, SharedState)
    read = target.read

    def changed(backend: str) -> State:
        target.unlock(target.head().epoch)
        with world.opened(target) as session:
            session.append(Recorded(record(5)))
        return read(backend)

    monkeypatch.setattr(target, "read", changed)
    with pytest.raises(StateError):
        migrate(source, target, world.opened)
    assert world.usable() == ["source"]
    assert_whole(read_state(world.source, backend=BACKEND))


def test_a_target_that_stores_another_record_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that are read back share what is equal with those of the source, and nothing else."""
    world = World(("file", "file"), tmp_path, monkeypatch)
    source, target = world.places(Process())
    assert isinstance(target, LocalState)
    read = target.read

    def altered(backend: str) -> State:
        written = target.path.read_bytes()
        stored = json.loads(written)
        del stored["checksum"]
        stored["tasks"][str(record(1).ref)]["taskId"] = "another"
        target.path.write_text(json.dumps(stored))
        found = read(backend)
        target.path.write_bytes(written)  # or else the change of the file is reported
        return found

    monkeypatch.setattr(target, "read", altered)
    with pytest.raises(StateError) as problem:
        migrate(source, target, world.opened)
    assert problem.value.diagnostics[0].case == "differs"
    assert world.usable() == ["source"]
    assert_whole(read_state(world.source, backend=BACKEND))


def test_a_missing_state_is_not_moved(tmp_path: Path, world: World) -> None:
    with pytest.raises(StateError) as problem:
        migrate(LocalState(tmp_path / "none.json"), world.target, world.opened)
    assert problem.value.diagnostics[0].code is Code.STATE_MIGRATION
    assert world.usable() == ["source"]


@pytest.mark.parametrize("pair", PAIRS[:3], ids="-to-".join)
def test_a_move_that_is_killed_can_be_completed_or_undone(
    pair: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: set[str] = set()
    for number in range(200):
        folder = tmp_path / str(number)
        folder.mkdir()
        world, process = World(pair, folder, monkeypatch), Process(number // 2)
        with suppress(KilledError, StateError):  # errors of a process that is gone do not matter
            world.migrate(process)
        assert len(world.usable()) <= 1
        if number % 2:
            ended.add(undo(world))
        world.migrate()
        world.assert_moved()
        if process.steps <= process.last:
            break
    assert ended == {"undone", "nothing to undo", "completed before"}


@pytest.mark.parametrize("pair", PAIRS[1:3], ids="-to-".join)
def test_a_move_that_was_undone_meanwhile_stops(
    pair: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped for a long time after each step."""
    ended: set[str] = set()
    for number in range(200):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = World(pair, folder, monkeypatch)

        def others(world: World = world) -> None:
            with suppress(StateError):
                abort(world.source, world.opened)

        process = Process(number, others)
        with suppress(StateError):
            world.migrate(process)
        (used,) = world.usable()
        ended.add(used)
        if process.steps <= process.last:
            break
    assert ended == {"source", "target"}


def undo(world: World) -> str:
    """Undoes the move; the source is usable again unless the target is, or is all that exists."""
    if read_move(world.source) is Stage.MOVED_TO:
        with pytest.raises(StateError) as problem:
            abort(world.source, world.opened)
        assert problem.value.diagnostics[0].code is Code.STATE_MIGRATION
        assert len(world.usable()) <= 1
        return "completed before"
    done = abort(world.source, world.opened)
    assert world.usable() == ["source"]
    assert_whole(read_state(world.source, backend=BACKEND))
    return "undone" if done else "nothing to undo"


def read_move(place: StateLocation) -> Stage | None:
    move = place.read(BACKEND).move
    return move.stage if move is not None else None
