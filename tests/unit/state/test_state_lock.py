from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.state import lock as lock_module
from reconciler.state.local import LocalState
from reconciler.state.location import Claim
from reconciler.state.lock import Lock, read_lock
from reconciler.state.session import Session
from tests.support.crash_points import ROOT
from tests.support.diagnostics import explanation, raises_with, words_of
from tests.support.state_samples import BACKEND

HOLD = """
import sys
from pathlib import Path
from reconciler.state.local import LocalState
from reconciler.state.location import Claim
from reconciler.state.session import Session
with Session.open(LocalState(Path(sys.argv[1])), Claim(sys.argv[2], "holding on")):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "taskctl.state.json"


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), BACKEND],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def open_at(path: Path, seconds: float = 0) -> Session:
    return Session.open(LocalState(path), Claim(BACKEND, "a test", timedelta(seconds=seconds)))


def test_a_second_process_is_locked_out_and_names_the_holder(path: Path) -> None:
    with holder(path) as process:
        with pytest.raises(StateError) as caught:
            open_at(path)
        (said,) = caught.value.diagnostics
        found = read_lock(path.with_name(path.name + ".lock")).holder
        assert found is not None
        assert (found.pid, found.host, found.purpose) == (
            process.pid,
            socket.gethostname(),
            "holding on",
        )
        for word in (str(process.pid), found.host, found.user, found.started, "holding on"):
            assert word in str(said.args["holder"])
        assert (said.code, said.case) == (Code.STATE_LOCKED, "")
        with pytest.raises(StateError) as caught:
            open_at(path, 0.2)
        (said,) = caught.value.diagnostics
        assert (said.code, said.case) == (Code.STATE_LOCKED, "waited")


def test_a_lock_that_cannot_be_taken_leaves_no_file_open(path: Path) -> None:
    path.touch()

    def free_descriptor() -> int:
        fd = os.open(path, os.O_RDONLY)
        os.close(fd)
        return fd

    first, second = (Lock(path.with_name(f"{n}.lock"), display_name="a state") for n in range(2))
    first.take_file(path)
    before = free_descriptor()
    with pytest.raises(StateError) as caught:
        second.take_file(path)
    assert caught.value.diagnostics[0].code is Code.STATE_LOCKED
    assert free_descriptor() == before
    first.release()
    second.take_file(path)
    second.release()
    assert free_descriptor() <= before


def test_a_killed_process_holds_no_lock_even_if_the_file_still_names_it(path: Path) -> None:
    lock = path.with_name(path.name + ".lock")
    with holder(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert read_lock(lock).holder is not None
        same = lock.stat().st_ino
        with open_at(path):
            found = read_lock(lock).holder
            assert found is not None
            assert found.pid == os.getpid()
        assert lock.stat().st_ino == same
    assert lock.stat().st_mode & 0o777 == 0o600


def test_a_waiter_gets_the_lock_when_the_holder_exits(path: Path) -> None:
    told: list[str] = []

    def waiting(words: str, _: float | None) -> None:
        told.append(words)
        assert process.stdin is not None
        process.stdin.close()

    with holder(path) as process:
        session = Session.open(
            LocalState(path), Claim(BACKEND, "a test", timedelta(seconds=30), waiting)
        )
        session.close()
    assert len(told) == 1
    assert f"process {process.pid}" in told[0]


def test_two_sessions_in_one_process_exclude_each_other(path: Path) -> None:
    with open_at(path), raises_with(StateError, f"process {os.getpid()} "):
        open_at(path)
    open_at(path).close()


def test_a_failed_start_releases_the_lock(path: Path) -> None:
    path.write_text("garbage")
    for _ in range(2):
        with raises_with(StateError, "not valid JSON"):
            open_at(path)


@pytest.mark.parametrize("words", [b"", b"not JSON", b'{"pid": 1}', b'["x"]', b'{"pid": "x"}'])
def test_an_unidentified_holder_still_holds_the_lock(
    path: Path, words: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock_module, "_READS", 2)
    with open_at(path):
        path.with_name(path.name + ".lock").write_bytes(words)
        with raises_with(StateError, "unidentified"):
            open_at(path)


def test_a_dead_holder_is_not_reported_as_the_current_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new holder writes its name shortly after taking the lock; until then, the file names the
    old one."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lock = path.with_name(path.name + ".lock")
    with open_at(path):
        signed = lock.read_bytes()
        stale = {**json.loads(signed), "pid": ended.pid, "purpose": "long gone"}
        lock.write_text(json.dumps(stale))
        signing = threading.Thread(target=lambda: lock.write_bytes(signed))
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 1:
                signing.start()
                signing.join()

        monkeypatch.setattr(time, "sleep", pause)
        with pytest.raises(StateError) as caught:
            open_at(path)
    assert "long gone" not in words_of(caught.value)
    assert "a test" in words_of(caught.value)


def test_a_holder_on_another_machine_never_counts_as_dead(path: Path) -> None:
    lock = path.with_name(path.name + ".lock")
    with open_at(path):
        there = {"pid": 2**22 + 1, "host": "far-away", "user": "x", "started": "y", "purpose": "z"}
        lock.write_text(json.dumps({"holder": there}))
        with raises_with(StateError, "on far-away"):
            open_at(path)


def test_a_lock_file_that_is_removed_before_it_is_locked_is_not_used(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process would lock a new file."""
    real, locked = fcntl.flock, list[int]()

    def flock(fd: int, operation: int) -> None:
        if not locked:
            path.with_name(path.name + ".lock").unlink()
        locked.append(fd)
        real(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with open_at(path) as session:
        session.check_lock()
        with raises_with(StateError, "locked"):
            open_at(path)


def test_a_lock_file_that_cannot_be_created_is_an_error(path: Path) -> None:
    path.with_name(path.name + ".lock").mkdir()
    with raises_with(StateError, "cannot be locked") as caught:
        open_at(path)
    assert "taskctl plan" in explanation(caught.value.diagnostics[0])


def test_a_release_without_a_lock_does_nothing(path: Path) -> None:
    Lock(path, display_name="x").release()
