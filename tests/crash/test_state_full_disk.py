"""The disk fills up at any byte of a run: what was confirmed is kept, the next run continues."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.model.diagnostics import StateError
from reconciler.state.local import LocalState
from reconciler.state.session import read_state
from tests.support import state_scenario
from tests.support.crash_points import ROOT
from tests.support.diagnostics import words_of
from tests.support.state_samples import BACKEND


class Full:
    """Allows writing `room` bytes in total, then fails."""

    def __init__(self, room: int, write: Callable[[int, memoryview], int]) -> None:
        self.room, self.refused, self._write = room, 0, write

    def __call__(self, fd: int, data: memoryview) -> int:
        part = data[: max(self.room, 0)]
        if not part:
            self.refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(part)
        return self._write(fd, part)


@pytest.mark.parametrize("step", [173, pytest.param(61, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", state_scenario.PREPARED)
def test_a_disk_full_at_any_byte_loses_nothing_confirmed(
    tmp_path: Path, name: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    state_scenario.PREPARED[name](origin / "state.json")
    before = read_state(LocalState(origin / "state.json"), backend=BACKEND)
    write, room = os.write, 0
    while True:
        folder = tmp_path / "full"
        shutil.copytree(origin, folder)
        path, confirmed = folder / "state.json", set[str]()
        old = path.read_bytes() if path.exists() else None
        full = Full(room, write)
        monkeypatch.setattr(os, "write", full)
        try:
            state_scenario.work(path, confirmed.add)
        except StateError as problem:
            assert "No space left" in words_of(problem)  # noqa: PT017
            assert full.refused
        monkeypatch.setattr(os, "write", write)
        if not full.refused:
            break
        assert path.exists() or old is None
        state_scenario.check(before, read_state(LocalState(path), backend=BACKEND), confirmed)
        state_scenario.work(path, lambda _: None)
        assert not path.with_name("state.json.journal").exists()
        shutil.rmtree(folder)
        room += step
    assert room > 3000
    assert "closed" in confirmed


@pytest.mark.parametrize("room", [0, 100, 400, 900, 1400, 1900, 2400, 100_000])
def test_a_file_size_limit_loses_nothing_confirmed(tmp_path: Path, room: int) -> None:
    """A limit enforced by the kernel: writes are short, then rejected."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    path = tmp_path / "state.json"
    state_scenario.known(path)
    before = read_state(LocalState(path), backend=BACKEND)
    code = (
        "import sys; from tests.support import state_scenario as s; s.run_small_disk(*sys.argv[1:])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(room)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    confirmed = set(ended.stdout.splitlines())
    assert ended.returncode == (0 if room == 100_000 else 1), ended.stderr
    assert ("closed" in confirmed) == (ended.returncode == 0)
    state_scenario.check(before, read_state(LocalState(path), backend=BACKEND), confirmed)
    state_scenario.work(path, lambda _: None)
    assert not path.with_name("state.json.journal").exists()
