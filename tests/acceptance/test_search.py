"""Apply reads each task that it does not know once, and only what is new."""

from __future__ import annotations

import shutil

import pytest

from reconciler.app import survey
from tests.support.fault_server import Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import TOKEN, Ended, as_tasks


def fill(here: InProcess, name: str, count: int, user: str = "me", age: float = 100.0) -> None:
    """Tasks that nothing manages; then the service's clock advances by `age` seconds."""
    habits, world = here.server.habits, here.server.world
    habits.clock_offset += 1
    for number in range(count):
        created = world.create(user, "acme", {"message": {"content": f"{name} {number}"}})
        world.by_id[created["taskId"]].shown["isShared"] = True
    habits.clock_offset += age


def apply(here: InProcess, keys: str, *more: str) -> Ended:
    here.server.calls.clear()
    here.sandbox.write(as_tasks({key: f"do {key}" for key in keys}))
    shutil.rmtree(here.sandbox.cache, ignore_errors=True)  # as on another machine
    return here.run("apply", *more)


def requests(here: InProcess, endpoint: str) -> int:
    return sum(call.endpoint == endpoint for call in here.server.calls)


def test_only_tasks_since_the_baseline_are_read(here: InProcess) -> None:
    fill(here, "old", 150)
    assert apply(here, "a").code == 0
    assert requests(here, "events") == 151  # and the task that was created, once
    assert apply(here, "ab").results() == {"b": "created"}
    assert (requests(here, "events"), requests(here, "list")) == (0, 2)


@pytest.mark.parametrize("option", [(), ("--target", "b"), ("--target", "c")])
def test_tasks_of_others_are_read_once(here: InProcess, option: tuple[str, ...]) -> None:
    """Also by an apply that is limited to some keys."""
    assert apply(here, "a").code == 0
    fill(here, "theirs", 120)
    assert apply(here, "abc", *option).code == 0
    assert requests(here, "events") == 120
    assert apply(here, "abcd").code == 0
    assert requests(here, "events") == 0


def test_nothing_is_read_without_a_missing_task(here: InProcess) -> None:
    assert apply(here, "a").code == 0
    before = (here.sandbox.folder / "taskctl.state.json").read_bytes()
    fill(here, "theirs", 20)
    assert apply(here, "a").code == 0
    assert (requests(here, "events"), requests(here, "list")) == (0, 0)
    assert (here.sandbox.folder / "taskctl.state.json").read_bytes() == before


@pytest.mark.parametrize(("token", "old"), [(TOKEN, 0), ("", 30)])
def test_a_new_state_reads_nothing_from_before_it_began(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, token: str, old: int
) -> None:
    """Unless it began without knowing the time of the service."""
    here.server.habits.clock_offset = -3 * 86_400.0
    fill(here, "old", 30, age=3 * 86_400)
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", token)
    assert here.run_state("init", "--new").code == 0
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", TOKEN)
    assert apply(here, "a").results() == {"a": "created"}
    assert requests(here, "events") == old + 1


def test_many_tasks_are_read_with_a_note(here: InProcess) -> None:
    fill(here, "old", 150)
    ended = apply(here, "a")
    assert (ended.code, "150 tasks" in ended.stderr) == (0, True)
    here.sandbox.write(as_tasks({"a": "do a", "b": "do b"}))
    assert "tasks in acme" not in here.run("plan").stderr


def test_a_killed_run_repeats_at_most_one_part(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First messages are read oldest first, and the baseline moves after each part."""
    monkeypatch.setattr(survey, "MESSAGES_AT_ONCE", 20)
    assert apply(here, "a").code == 0
    fill(here, "old", 90)
    last = here.server.world.tasks[-1].id
    here.server.set_rules(Rule("events", Fault("status", status=500), task=last))
    assert apply(here, "ab").results() == {"b": "unresolved"}
    here.server.set_rules()
    assert apply(here, "ab").results() == {"b": "created"}
    assert requests(here, "events") <= 20


def test_what_the_service_refuses_for_one_task_concerns_that_task(here: InProcess) -> None:
    assert apply(here, "ab").code == 0
    here.server.habits.clock_offset += 1000
    before = {task["key"]: task["status"] for task in here.run("status").document["tasks"]}
    refused = here.server.world.tasks[0].id
    here.server.set_rules(Rule("get", Fault("status", status=403), task=refused))
    shown = here.run("status").document["tasks"]
    key = next(task["key"] for task in shown if task["taskId"] == refused)
    assert {task["key"]: task["status"] for task in shown} == {**before, key: "notVisible"}
    here.server.set_rules(Rule("get", Fault("status", status=403), task=refused))
    assert here.run("plan", "--allow-recreate").document["summary"]["unchanged"] == 2


def test_a_task_of_a_colleague_that_cannot_be_read_blocks_nothing(here: InProcess) -> None:
    """Once the organization was explained completely."""
    assert apply(here, "a").code == 0
    fill(here, "theirs", 3, user="colleague", age=0)
    here.server.world.tasks[-1].events.clear()
    failing = here.server.world.tasks[1].id
    here.server.set_rules(Rule("events", Fault("status", status=500), task=failing))
    assert apply(here, "ab").results() == {"b": "created"}
