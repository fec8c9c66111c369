"""One and two signals (SIGINT, SIGTERM) while creates are in flight."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_server import Fault, FaultServer, Habits, Rule
from tests.support.forked import Forked
from tests.support.sandbox import TOKEN, Sandbox, as_tasks, prompts

TEXTS = prompts(3)
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    slow = [Rule("create", Fault(before=600.0))]  # until a test releases it
    with FaultServer(slow, Habits(tokens={TOKEN: "me"})) as running:
        yield running


@pytest.fixture
def sandbox(tmp_path: Path, server: FaultServer) -> Sandbox:
    made = Sandbox(tmp_path, server)
    made.write(as_tasks(TEXTS))
    return made


def sending(sandbox: Sandbox, server: FaultServer) -> Forked:
    """An apply whose first create has reached a slow service."""
    process = sandbox.start("apply", "--parallelism", "1")
    process.until(lambda: server.posts)
    return process


def finish(sandbox: Sandbox, server: FaultServer) -> None:
    server.set_rules()
    server.release()
    assert sandbox.run("apply").code == 0
    sandbox.assert_exactly_one_each(TEXTS)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_the_first_signal_lets_requests_in_flight_finish(
    sandbox: Sandbox, server: FaultServer, number: signal.Signals, code: int
) -> None:
    process = sending(sandbox, server)
    process.send_signal(number)
    process.until_said("Stopping")
    server.release()
    out, err = process.communicate()
    assert process.returncode == code, err
    assert "Traceback" not in err
    results = {task["key"]: task["result"] for task in json.loads(out)["tasks"]}
    assert results == {"k0": "created", "k1": "notStarted", "k2": "notStarted"}
    assert len(server.posts) == 1
    assert list(sandbox.recorded()) == ["k0"]
    assert not (sandbox.folder / "taskctl.state.json.journal").exists()
    finish(sandbox, server)


@pytest.mark.parametrize(("form", "stream"), [("text", "stdout"), ("json", "stderr")])
def test_a_log_has_each_result_when_it_is_known(
    sandbox: Sandbox, server: FaultServer, form: str, stream: str
) -> None:
    server.set_rules(Rule("create", Fault(before=600.0), nth=(3,)))
    process = sandbox.start("apply", "--parallelism", "1", "--format", form)
    process.until(lambda: len(server.posts) == 3)
    process.kill()
    process.wait()
    log = getattr(process, stream)
    assert [line.split()[:2] for line in log.splitlines() if "task ID" in line] == [
        ["created", "k0"],
        ["created", "k1"],
    ]


def test_a_log_has_each_result_once(sandbox: Sandbox, server: FaultServer) -> None:
    """One create is rejected, another has no response until it is looked up."""
    lost, rejected = Fault("reset", committed=True), Fault("status", status=400)
    server.set_rules(
        Rule("create", lost, contains="do 0"), Rule("create", rejected, contains="do 1")
    )
    ended = sandbox.start("apply", "--format", "text")
    out, _ = ended.communicate()
    rows = [line.split()[:2] for line in out.splitlines() if line.startswith(("created", "failed"))]
    assert sorted(rows) == [["created", "k0"], ["created", "k2"], ["failed", "k1"]]
    assert out.endswith("Apply: 2 created, 1 failed.\n")


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_the_second_signal_exits_immediately_and_leaves_the_attempt_open(
    sandbox: Sandbox, server: FaultServer, number: signal.Signals, code: int
) -> None:
    process = sending(sandbox, server)
    process.send_signal(number)
    process.until_said("Stopping")
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == code, err
    assert len(server.world.tasks) == 0, "it waited for the create"
    document = json.loads(out)
    assert document["formatVersion"] == 1
    assert "second signal" in document["diagnostics"][0]["summary"]
    journal = (sandbox.folder / "taskctl.state.json.journal").read_text()
    assert journal.count('"event":"attempted"') == 1
    assert '"event":"recorded"' not in journal
    finish(sandbox, server)


def test_a_signal_while_an_attempt_settles_ends_the_wait(
    sandbox: Sandbox, server: FaultServer
) -> None:
    sandbox.settle = "60s"
    server.set_rules(Rule("create", Fault("reset"), contains="do 1"))
    process = sandbox.start("apply")
    process.until_said("outcome unknown for acme/k1")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate()
    assert process.returncode == 130
    results = {task["key"]: task["result"] for task in json.loads(out)["tasks"]}
    assert results == {"k0": "created", "k1": "unresolved", "k2": "created"}
    assert len(sandbox.state()["attempts"]) == 1
    finish(sandbox, server)
