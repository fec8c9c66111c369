"""The power fails at any moment of a run: everything confirmed is kept and readable. `make test`
examines every second one of the folders that may remain, `make soak` all of them."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import pytest

from reconciler.model.diagnostics import StateError
from reconciler.state.local import LocalState
from reconciler.state.model import State
from reconciler.state.session import read_state
from reconciler.system import disk
from tests.support import state_scenario
from tests.support.state_power_loss import Crash, Recording
from tests.support.state_samples import BACKEND


def recorded(folder: Path, name: str) -> tuple[State, Recording]:
    """The state before a run, and all disk operations of the run."""
    path = folder / "state.json"
    folder.mkdir()
    state_scenario.PREPARED[name](path)
    before = read_state(LocalState(path), backend=BACKEND)
    with Recording(folder) as recording:
        state_scenario.work(path, recording.confirm)
    return before, recording


def survive(crash: Crash, folder: Path, before: State) -> None:
    crash.write_to(folder)
    path = folder / "state.json"
    confirmed = set(crash.confirmed)
    state_scenario.check(before, read_state(LocalState(path), backend=BACKEND), confirmed)
    with state_scenario.open_at(path) as opened:
        state_scenario.check(before, opened.state, confirmed)
    state_scenario.check(before, read_state(LocalState(path), backend=BACKEND), confirmed)


def survive_all(folder: Path, before: State, recording: Recording, *, every: int = 1) -> int:
    count = 0
    for crash in islice(recording.crashes(), 0, None, every):
        count += 1
        folder.mkdir()
        try:
            survive(crash, folder, before)
        except (AssertionError, StateError) as problem:
            problem.add_note(f"{crash.moment}, confirmed {crash.confirmed}: {crash.files}")
            raise
        shutil.rmtree(folder)
    return count


@pytest.mark.parametrize("every", [2, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", state_scenario.PREPARED)
def test_confirmed_events_survive_a_power_failure(tmp_path: Path, name: str, every: int) -> None:
    before, recording = recorded(tmp_path / "run", name)
    assert recording.moments > 30
    assert survive_all(tmp_path / "after", before, recording, every=every) > 60 // every


@pytest.mark.parametrize("missing", ["sync", "sync_folder"])
def test_each_kind_of_sync_is_needed(
    tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, missing, lambda _: None)
    before, recording = recorded(tmp_path / "run", "fresh")
    with pytest.raises((AssertionError, StateError)):
        survive_all(tmp_path / "after", before, recording)
