"""SIGINT and SIGTERM while creates run, once and twice (contract, section 3)."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.support.fault_server import Fault, FaultServer, Habits, Rule
from tests.support.ground import TOKEN, Ground, as_tasks, prompts

TEXTS = prompts(3)
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    slow = [Rule("create", Fault(before=600.0))]  # until a test releases it
    with FaultServer(slow, Habits(tokens={TOKEN: "me"})) as running:
        yield running


@pytest.fixture
def ground(tmp_path: Path, server: FaultServer) -> Ground:
    made = Ground(tmp_path, server, settle="2s")
    made.write(as_tasks(TEXTS))
    return made


def sending(ground: Ground, server: FaultServer) -> subprocess.Popen[str]:
    """An apply whose first create is at the service, which takes its time."""
    process = ground.start("apply", "--parallelism", "1")
    until = monotonic() + 60
    while not server.posts:
        assert process.poll() is None, process.communicate()
        assert monotonic() < until
    return process


def stops(process: subprocess.Popen[str]) -> None:
    """Reads until apply has taken note of the signal."""
    assert process.stderr is not None
    while "Stopping" not in (line := process.stderr.readline()):
        assert line, "it ended before it said that it stops"


def finish(ground: Ground, server: FaultServer) -> None:
    server.control({"rules": []})
    server.release()
    assert ground.run("apply").code == 0
    ground.assert_exactly_one_each(TEXTS)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_the_first_signal_lets_what_runs_end(
    ground: Ground, server: FaultServer, number: signal.Signals, code: int
) -> None:
    process = sending(ground, server)
    process.send_signal(number)
    stops(process)
    server.release()
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    results = {task["key"]: task["result"] for task in json.loads(out)["tasks"]}
    assert results == {"k0": "created", "k1": "notStarted", "k2": "notStarted"}
    assert len(server.posts) == 1
    assert list(ground.recorded()) == ["k0"]
    assert not (ground.folder / "taskctl.state.json.journal").exists()
    finish(ground, server)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_the_second_leaves_at_once_with_the_attempt_open(
    ground: Ground, server: FaultServer, number: signal.Signals, code: int
) -> None:
    process = sending(ground, server)
    process.send_signal(number)
    stops(process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert len(server.world.tasks) == 0, "it waited for the create"
    document = json.loads(out)
    assert document["formatVersion"] == 1
    assert "second signal" in document["diagnostics"][0]["summary"]
    journal = (ground.folder / "taskctl.state.json.journal").read_text()
    assert journal.count('"event":"attempted"') == 1
    assert '"event":"recorded"' not in journal
    finish(ground, server)


def test_a_signal_while_it_waits_for_an_attempt_to_settle(
    ground: Ground, server: FaultServer
) -> None:
    ground.settle = "60s"
    server.control({"rules": [Rule("create", Fault("reset"), contains="do 1").to_json()]})
    process = ground.start("apply")
    assert process.stderr is not None
    while "checking whether k1 exists" not in (line := process.stderr.readline()):
        assert line, "it ended before it waited"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    results = {task["key"]: task["result"] for task in json.loads(out)["tasks"]}
    assert results == {"k0": "created", "k1": "unresolved", "k2": "created"}
    assert len(ground.state()["attempts"]) == 1
    ground.settle = "1s"
    finish(ground, server)
