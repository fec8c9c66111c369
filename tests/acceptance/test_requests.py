"""How often a plan asks the service: counted at a real server, for the numbers of issue 4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_server import FaultServer, Habits
from tests.support.ground import TOKEN, Ground, as_tasks, prompts

ME = "me"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(habits=Habits(tokens={TOKEN: ME})) as server:
        yield server


@pytest.fixture
def ground(tmp_path: Path, server: FaultServer) -> Ground:
    return Ground(tmp_path, server)


def add_others(server: FaultServer, count: int) -> None:
    """Tasks of this identity that do something else."""
    for number in range(count):
        message = {"type": "user_message", "content": f"another job, {number}"}
        server.world.create(ME, "acme", {"message": message})


def asked(ground: Ground, server: FaultServer) -> Counter[str]:
    """What one plan asked for, by endpoint."""
    server.calls.clear()
    ended = ground.run("plan")
    assert ended.code == 0, ended.stderr
    return Counter(call.endpoint for call in server.calls)


def test_few_recorded_tasks_are_not_looked_for_in_a_large_list(
    ground: Ground, server: FaultServer
) -> None:
    ground.write(as_tasks(prompts(5)))
    assert ground.run("apply").code == 0
    add_others(server, 30_000)
    counts = asked(ground, server)
    assert counts["get"] == 5
    assert counts.total() <= 10, counts


def test_first_messages_are_read_once(ground: Ground, server: FaultServer) -> None:
    add_others(server, 1_000)
    # A younger task may still change and is read again; a `Date` has whole seconds only.
    ground.settle, server.habits.clock_offset = "1ms", 5.0
    ground.write(as_tasks(prompts(30)))
    first = asked(ground, server)
    assert first["events"] == 1_000
    second = asked(ground, server)
    assert second["events"] == 0
    assert second.total() <= 10, second
