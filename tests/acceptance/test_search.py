"""The search for tasks that may be those of missing keys reads only what is new."""

from __future__ import annotations

import json

import pytest

from reconciler.plan import lookup
from tests.support.fault_server import Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import Ended, as_tasks


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
    return here.run("apply", *more)


def events(here: InProcess) -> int:
    """How many first messages the plan has read."""
    endpoints = [call.endpoint for call in here.server.calls]
    planned = endpoints[: endpoints.index("create")] if "create" in endpoints else endpoints
    return planned.count("events")


def test_only_tasks_since_the_last_apply_of_all_manifests_are_compared(here: InProcess) -> None:
    fill(here, "old", 150)
    assert apply(here, "a").code == 0
    assert events(here) == 150
    assert apply(here, "ab").results() == {"b": "created"}
    assert events(here) == 0


@pytest.mark.parametrize("option", [(), ("--target", "b"), ("--target", "c")])
def test_tasks_of_another_repository_are_read_once(
    here: InProcess, option: tuple[str, ...]
) -> None:
    """Also by an apply that is limited to some keys: then they are in the cache."""
    assert apply(here, "a").code == 0
    fill(here, "theirs", 120)
    assert apply(here, "abc", *option).code == 0
    assert events(here) == 120
    assert apply(here, "abcd").code == 0
    assert events(here) == 0


def test_an_apply_without_creates_saves_no_baseline(here: InProcess) -> None:
    """It compares nothing, also if it reads the list."""
    many = "abcdefghijkl"
    assert apply(here, many).code == 0
    fill(here, "do x", 1)
    here.server.world.tasks[-1].events[1]["eventBody"]["content"] = "do x"
    assert apply(here, many).code == 0
    assert apply(here, many + "x").results() == {"x": "unresolved"}


def test_many_tasks_are_read_with_a_note(here: InProcess) -> None:
    fill(here, "old", 150)
    ended = apply(here, "a")
    assert (ended.code, "150 tasks" in ended.stderr) == (0, True)
    here.sandbox.write(as_tasks({"a": "do a", "b": "do b"}))
    assert "tasks in acme" not in here.run("plan").stderr


def test_beyond_the_limit_one_message_has_both_answers(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "MOST", 20)
    fill(here, "old", 30)
    ended = apply(here, "abc")
    assert ended.results() == dict.fromkeys("abc", "unresolved")
    assert [d["code"] for d in ended.document["diagnostics"]] == ["TC748"]
    assert here.run_state("resolve", "acme/*", "--not-created", "--yes").code == 0
    assert apply(here, "abc").results() == dict.fromkeys("abc", "created")


def test_what_was_read_before_the_limit_counts(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "MOST", 20)
    fill(here, "old", 30)
    fill(here, "do a", 1)
    here.server.world.tasks[-1].events[1]["eventBody"]["content"] = "do a"
    (task,) = apply(here, "a").document["tasks"]
    assert here.server.world.tasks[-1].id in json.dumps(task)


def test_a_task_of_a_colleague_that_has_no_message_yet_blocks_nothing(here: InProcess) -> None:
    fill(here, "theirs", 3, user="colleague", age=0)
    new = here.server.world.tasks[-1]
    new.events.clear()
    here.server.set_rules(
        Rule("events", Fault("status", status=500), task=here.server.world.tasks[0].id)
    )
    assert apply(here, "a").results() == {"a": "created"}
