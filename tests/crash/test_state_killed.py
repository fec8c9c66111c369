"""A process that uses a state is killed at every second point (at the others only by `make soak`);
nothing confirmed is lost."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.state.local import LocalState
from reconciler.state.session import read_state
from tests.support import crash_points, state_scenario
from tests.support.crash_points import Run
from tests.support.state_samples import BACKEND

CALL = "tests.support.state_scenario:run"


def killed_at(origin: Path, folder: Path, number: int | None) -> Run:
    shutil.copytree(origin, folder)
    return crash_points.run([str(folder)], kill_at=number, call=CALL, files_only=True)


@pytest.mark.parametrize("first", [0, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", state_scenario.PREPARED)
def test_a_kill_at_any_point_loses_nothing_confirmed(tmp_path: Path, name: str, first: int) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    state_scenario.PREPARED[name](origin / "state.json")
    before = read_state(LocalState(origin / "state.json"), backend=BACKEND)
    whole = killed_at(origin, tmp_path / "whole", None)
    assert whole.returncode == 0, whole.stderr
    operations = {point.operation for point in whole.points}
    assert operations >= {"create", "write", "fsync", "replace", "unlink"}

    def die(number: int) -> None:
        folder = tmp_path / str(number)
        ended = killed_at(origin, folder, number)
        assert ended.killed, ended.stderr
        assert len(ended.points) == number + 1
        confirmed = set(ended.stdout.split("\n"))
        path = folder / "state.json"
        state_scenario.check(before, read_state(LocalState(path), backend=BACKEND), confirmed)
        with state_scenario.open_at(path) as session:
            state_scenario.check(before, session.state, confirmed)
        state_scenario.work(path, lambda _: None)
        final, expected = (
            read_state(LocalState(path), backend=BACKEND),
            read_state(LocalState(tmp_path / "whole" / "state.json"), backend=BACKEND),
        )
        assert (final.records, final.attempts) == (expected.records, expected.attempts)
        assert not path.with_name("state.json.journal").exists()
        shutil.rmtree(folder)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(die, range(first, len(whole.points), 2)))
