"""The number of requests of a plan, counted at a real server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_server import FaultServer, Habits
from tests.support.sandbox import TOKEN, Sandbox, as_tasks, prompts

ME = "me"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(habits=Habits(tokens={TOKEN: ME})) as server:
        yield server


@pytest.fixture
def sandbox(tmp_path: Path, server: FaultServer) -> Sandbox:
    return Sandbox(tmp_path, server)


def add_others(server: FaultServer, count: int) -> None:
    """Adds unrelated tasks of this identity."""
    for number in range(count):
        message = {"type": "user_message", "content": f"another job, {number}"}
        server.world.create(ME, "acme", {"message": message})


def asked(sandbox: Sandbox, server: FaultServer) -> Counter[str]:
    """The requests of one plan, by endpoint."""
    server.calls.clear()
    ended = sandbox.run("plan")
    assert ended.code == 0, ended.stderr
    return Counter(call.endpoint for call in server.calls)


def test_few_recorded_tasks_are_read_one_by_one(sandbox: Sandbox, server: FaultServer) -> None:
    sandbox.write(as_tasks(prompts(5)))
    assert sandbox.run("apply").code == 0
    add_others(server, 12_000)
    counts = asked(sandbox, server)
    assert counts["get"] == 5
    assert counts.total() <= 10, counts


def test_first_messages_are_read_until_an_apply_has_compared_them(
    sandbox: Sandbox, server: FaultServer
) -> None:
    add_others(server, 200)
    # A younger task may still change and is read again; a `Date` has whole seconds only.
    server.habits.clock_offset = 15.0
    sandbox.write(as_tasks(prompts(30)))
    first = asked(sandbox, server)
    assert first["events"] == 200
    assert sandbox.run("apply").code == 0
    second = asked(sandbox, server)
    assert second["events"] == 0
    assert second.total() <= 10, second
