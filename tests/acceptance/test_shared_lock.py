"""The lock of a shared state: its holder, and an apply that lost it."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reconciler.model.codes import Code
from tests.support.fault_server import Call, Fault, FaultServer, Habits
from tests.support.forked import Forked
from tests.support.sandbox import TOKEN
from tests.support.shared_places import Runner, SharedPlace

CI = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/tasks",
    "GITHUB_RUN_ID": "4711",
}


class Service:
    """The service: the first create waits, before it takes effect, until it is let go."""

    def __init__(self) -> None:
        self.came, self.go = threading.Event(), threading.Event()
        self.server = FaultServer(self._fault, Habits(tokens={TOKEN: "me"}))

    def _fault(self, call: Call) -> Fault | None:
        if call.endpoint == "create" and not self.came.is_set():
            self.came.set()
            assert self.go.wait()
        return None


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    with made.server:
        yield made
        made.go.set()


@pytest.fixture
def runner(shared_place: SharedPlace, state: str, service: Service) -> Callable[[str], Runner]:
    """Returns machines by name; the state exists."""

    def made(name: str) -> Runner:
        env = {**CI, "PULUMI_ACCESS_TOKEN": TOKEN}
        return shared_place.runner(f"{state}-{name}", state, service.server.url, **env)

    made("init").must("state", "init", "--new")
    return made


@pytest.fixture
def busy(runner: Callable[[str], Runner], service: Service) -> Iterator[Forked]:
    """An apply that has sent the first of two creates and waits for the response."""
    words = ("--parallelism", "1", "--format", "json")
    process = runner("one").start("apply", "-y", *words)
    with process:
        process.until(service.came.is_set)
        yield process


def document(process: Forked) -> dict[str, Any]:
    out, said = process.communicate()
    assert process.returncode == 1, said
    assert "Traceback" not in said
    read: dict[str, Any] = json.loads(out)
    return read


def codes(document: dict[str, Any]) -> list[str]:
    return [said["code"] for said in document["diagnostics"]]


def test_an_apply_that_lost_the_lock_sends_nothing_more(
    runner: Callable[[str], Runner], service: Service, busy: Forked
) -> None:
    os.kill(busy.pid, signal.SIGSTOP)
    other = runner("two")
    released = other.must("state", "unlock", "1")
    assert f"process {busy.pid} on " in released
    service.go.set()
    assert "1 created, 1 adopted" in other.must("apply", "-y")
    os.kill(busy.pid, signal.SIGCONT)
    ended = document(busy)
    assert codes(ended) == [Code.STATE_FENCED]
    assert [task["result"] for task in ended["tasks"]] == ["unresolved", "notStarted"]
    assert len(service.server.posts) == 2
    assert all(len(ids) == 1 for ids in service.server.tasks_by_work().values())
    assert "2 unchanged" in other.must("plan")


def test_a_held_lock_is_described(runner: Callable[[str], Runner], busy: Forked) -> None:
    """A holder on this machine that has ended, or is running and is killed at the end."""
    other = runner("two")
    with other.start("apply", "-y") as waiting:
        waiting.until_said("\n")
        said, *_ = waiting.stderr.splitlines()
    for part in (f"process {busy.pid} on ", "user ", "apply, since 20", "/actions/runs/4711"):
        assert part in said
    busy.kill()
    busy.wait()
    unlocked = other.run("state", "unlock", "7", "--format", "json")
    assert codes(json.loads(unlocked.stdout)) == [Code.STATE_UNLOCK]
    assert "2 unresolved" not in other.must("plan")


def test_the_lock_of_a_killed_run_is_taken_over(
    runner: Callable[[str], Runner], service: Service, busy: Forked
) -> None:
    busy.kill()
    busy.wait()
    service.go.set()
    made = runner("two").must("apply", "-y")
    assert "failed" not in made
    assert "unresolved" not in made
    assert all(len(ids) == 1 for ids in service.server.tasks_by_work().values())
    assert len(service.server.posts) == 2
