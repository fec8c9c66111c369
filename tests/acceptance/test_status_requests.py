"""How many requests `status` and its relatives send, counted at a real server."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent_events import agent_event, agent_message, approval, user_event
from tests.support.fault_server import Fault, FaultServer
from tests.support.sandbox import Sandbox, as_tasks, prompts

MANY = 60


@pytest.fixture
def sandbox(tmp_path: Path, server: FaultServer) -> Sandbox:
    sandbox = Sandbox(tmp_path, server)
    sandbox.write(as_tasks(prompts(MANY)))
    assert sandbox.run("apply").code == 0
    return sandbox


def end(task: Any, *events: dict[str, Any], tokens: int = 100) -> None:
    """Ends a task's turn; every turn uses tokens."""
    task.events.extend(events or [agent_message("Done.", final=True)])
    task.shown["status"] = "idle"
    task.shown["tokensUsed"] += tokens


def end_all(server: FaultServer) -> None:
    for task in server.world.tasks:
        end(task)


def asked(sandbox: Sandbox, server: FaultServer, *command: str) -> tuple[Counter[str], Any]:
    """The requests of a command by endpoint, and its document."""
    server.calls.clear()
    ended = sandbox.run(*command)
    assert ended.code == 0, ended.stdout + ended.stderr
    return Counter(call.endpoint for call in server.calls), json.loads(ended.stdout or "null")


def statuses(document: Any) -> Counter[str]:
    return Counter(task["status"] for task in document["tasks"])


def test_a_first_look_reads_each_tasks_events_once(sandbox: Sandbox, server: FaultServer) -> None:
    end_all(server)
    requests, document = asked(sandbox, server, "status")
    assert statuses(document) == {"done": MANY}
    assert requests["events"] == MANY
    assert requests["get"] == 0
    assert requests.total() <= MANY + 3, requests


@pytest.mark.parametrize("command", ["status", "wait"])
def test_a_second_look_reads_the_list(sandbox: Sandbox, server: FaultServer, command: str) -> None:
    end_all(server)
    asked(sandbox, server, "status")
    requests, _ = asked(sandbox, server, command)
    assert requests.total() <= 3, requests


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (agent_event("error", message="No."), "failed"),
        (approval("a"), "waiting"),
        (user_event("user_message", content="More."), "running"),
    ],
)
def test_only_a_task_that_changed_is_read_again(
    sandbox: Sandbox, server: FaultServer, event: dict[str, Any], status: str
) -> None:
    end_all(server)
    asked(sandbox, server, "status")
    end(server.world.tasks[3], event)
    requests, document = asked(sandbox, server, "status")
    assert requests["events"] == 1
    assert statuses(document) == {"done": MANY - 1, status: 1}


def test_a_waiting_or_running_task_is_always_read(sandbox: Sandbox, server: FaultServer) -> None:
    end_all(server)
    end(server.world.tasks[0], approval("a"))
    server.world.tasks[1].shown["status"] = "running"
    server.world.tasks[2].shown["pendingInputCount"] = 1
    asked(sandbox, server, "status")
    requests, document = asked(sandbox, server, "status")
    assert requests["events"] == 3
    assert statuses(document) == {"done": MANY - 3, "waiting": 1, "running": 2}


def test_a_message_makes_the_next_look_read_the_task(sandbox: Sandbox, server: FaultServer) -> None:
    """The list may still show the outputs from before the message."""
    end_all(server)
    asked(sandbox, server, "status")
    task = server.world.by_id[sandbox.recorded()["k5"]]
    server.choose = lambda call: Fault("status", status=200) if call.method == "POST" else None
    assert sandbox.run("say", "k5", "Once more.", "--yes").code == 0
    task.events.append(user_event("user_message", content="Once more."))
    _, document = asked(sandbox, server, "status")
    assert statuses(document) == {"done": MANY - 1, "running": 1}


def test_results_of_300_tasks_read_no_more_than_status_and_then_what_is_new(
    tmp_path: Path, server: FaultServer
) -> None:
    sandbox, count = Sandbox(tmp_path, server), 300
    sandbox.write(as_tasks(prompts(count)))
    assert sandbox.run("apply").code == 0
    end_all(server)
    status, _ = asked(sandbox, server, "status")
    sandbox.env = {"TASKCTL_CACHE_DIR": f"{tmp_path}-other-cache"}
    results, document = asked(sandbox, server, "results")
    assert statuses(document) == {"done": count}
    assert results == status
    assert results["events"] == count
    server.world.tasks[7].events.append(user_event("user_message", content="More."))
    end(server.world.tasks[7], agent_message("Done again.", final=True))
    for command, events in (("results", 1), ("results", 0), ("status", 0)):
        requests, document = asked(sandbox, server, command)
        assert requests["events"] == events
        assert requests.total() - events == results.total() - count
        if command == "results":
            answers = Counter(task["answer"] for task in document["tasks"])
            assert answers == {"Done.": count - 1, "Done again.": 1}


def test_finished_tasks_of_past_periods_cost_one_page(tmp_path: Path, server: FaultServer) -> None:
    sandbox = Sandbox(tmp_path, server)
    rows = [f"r{number}" for number in range(21)]
    message = "report on {{ row }} in {{ period.name }}"
    sandbox.write({"report": {"forEach": {"row": rows}, "every": "year", "message": message}})
    assert sandbox.run("apply").code == 0
    end_all(server)
    file = sandbox.folder / "taskctl.state.json"
    state = json.loads(file.read_text())
    del state["checksum"]
    for ref, record in list(state["tasks"].items()):
        state["tasks"][f"{ref.rpartition('@')[0]}@2020"] = state["tasks"].pop(ref)
        record["generated"]["period"] = "2020"
    file.write_text(json.dumps(state))
    asked(sandbox, server, "status")
    requests, document = asked(sandbox, server, "status")
    assert statuses(document) == {"done": 21}
    assert requests == {"user": 1, "list": 1}


def test_finished_tasks_of_removed_keys_cost_nothing(sandbox: Sandbox, server: FaultServer) -> None:
    end_all(server)
    path = sandbox.folder / "tasks" / "all.yaml"
    path.write_text(json.dumps({"version": 1, "orgName": "acme", "removed": ["k*"], "tasks": {}}))
    assert sandbox.run("apply").code == 0
    server.world.tasks.clear()
    server.world.by_id.clear()
    server.calls.clear()
    ended = sandbox.run("results", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(ended.stdout)))
    assert sum(int(row["tokens"]) for row in rows) == 100 * MANY
    assert {call.endpoint for call in server.calls}.isdisjoint({"get", "list"})


def test_a_poisoned_cache_releases_no_task(tmp_path: Path, server: FaultServer) -> None:
    """Whether a pilot is done is read from the service, whatever the cache contains."""
    sandbox = Sandbox(tmp_path, server)
    rows = [f"r{number}" for number in range(3)]
    entry = {"forEach": {"row": rows}, "rollout": {"pilot": 1}, "message": "do {{ row }}"}
    sandbox.write({"entry": entry})
    assert sandbox.run("apply").code == 0
    (task,) = server.world.tasks
    end(task)
    asked(sandbox, server, "status")
    task.events[-1] = {**agent_event("error", message="No."), "id": task.events[-1]["id"]}
    sandbox.run("apply")
    assert len(server.world.tasks) == 1
