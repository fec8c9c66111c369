"""Lists that are valid, and lack tasks that are known: they prove that nothing is absent.

An index that is being rebuilt responds with 200, without the newest tasks, the oldest, or all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.support.fault_server import Call, Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks
from tests.support.skipped_time import skip

Tasks = Sequence[dict[str, Any]]
LOST = Fault("reset", committed=True)


def fill(here: InProcess, count: int) -> None:
    """Tasks that nothing manages."""
    for number in range(count):
        here.server.world.create("me", "acme", {"message": {"content": f"old {number}"}})


def listing(here: InProcess, shown: Callable[[Tasks], Tasks]) -> Fault:
    """A list with only these of the tasks, newest first, and no further page."""
    page = here.server.world.list_tasks("me", "acme", {"pageSize": "1000"})
    text = json.dumps({"tasks": shown(page["tasks"]), "continuationToken": None})
    return Fault("raw", status=200, headers={"Content-Type": "application/json"}, text=text)


def contradict(here: InProcess, shown: Callable[[Tasks], Tasks], *, lose: int = 0) -> None:
    """From now on, the list shows only these tasks. If the create with the number `lose` is to be
    lost, the list does so from then on."""
    sent = len(here.server.posts)

    def choose(call: Call) -> Fault | None:
        if call.endpoint == "create" and len(here.server.posts) == sent + lose:
            return LOST
        is_after = len(here.server.posts) >= sent + lose
        return listing(here, shown) if call.endpoint == "list" and is_after else None

    here.server.choose = choose


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (12, lambda tasks: []),
        (12, lambda tasks: tasks[-1:]),
        (12, lambda tasks: tasks[3:5]),
        (100, lambda tasks: []),
        (100, lambda tasks: tasks[40:]),
        (120, lambda tasks: tasks[1:40]),
    ],
    ids=["none", "oldest", "two", "none of many", "older", "first page"],
)
def test_a_list_that_lacks_known_tasks_does_not_prove_that_nothing_was_created(
    here: InProcess, count: int, shown: Callable[[Tasks], Tasks]
) -> None:
    fill(here, count)
    here.sandbox.write(as_tasks({"a": "do it"}))
    contradict(here, shown, lose=1)
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (1, {"a": "unresolved"}), ended.stdout
    assert here.run("apply").results() == {"a": "unresolved"}
    assert len(here.server.posts) == 1
    here.server.set_rules()
    assert here.run("apply").results() == {"a": "adopted"}
    assert len(here.server.posts) == 1


def test_tasks_created_before_are_known(here: InProcess) -> None:
    """The first apply began with an empty list."""
    here.sandbox.write(as_tasks({"a": "do a"}))
    assert here.run("apply").code == 0
    skip(60)
    here.sandbox.write(as_tasks({"a": "do a", "b": "do b"}))
    contradict(here, lambda tasks: [], lose=1)
    assert here.run("apply").results() == {"b": "unresolved"}
    here.server.set_rules()
    assert here.run("apply").results() == {"b": "adopted"}
    assert len(here.server.posts) == 2


@pytest.mark.parametrize("command", ["apply", "plan"])
def test_a_list_that_lacks_known_tasks_permits_no_create(here: InProcess, command: str) -> None:
    fill(here, 3)
    here.sandbox.write(as_tasks({"a": "do a"}))
    assert here.run("apply").code == 0
    here.server.world.create("me", "acme", {"message": {"content": "do b"}})
    here.sandbox.write(as_tasks({"a": "do a", "b": "do b"}))
    contradict(here, lambda tasks: tasks[2:])
    ended = here.run(command)
    (task,) = (task for task in ended.document["tasks"] if task["key"] == "b")
    assert (ended.code, task["action" if command == "plan" else "result"]) == (1, "unresolved")
    assert len(here.server.posts) == 1


def test_a_lookup_goes_on_until_the_list_shows_known_tasks(here: InProcess) -> None:
    fill(here, 3)
    here.sandbox.write(as_tasks({"a": "do a"}))
    down = Rule("list", Fault("status", status=500), nth=tuple(range(2, 999)))
    here.server.set_rules(Rule("create", Fault("reset")), down)
    assert here.run("apply").results() == {"a": "unresolved"}  # its age would be reached by now
    here.server.set_rules(Rule("list", listing(here, lambda tasks: tasks[1:]), nth=(1, 2)))
    assert here.run("apply", "--settle-time", "60s").results() == {"a": "created"}
    (task,) = here.server.tasks_by_work()["do a"]
    assert here.sandbox.recorded() == {"a": task}


def test_nothing_is_created_after_a_list_that_lacks_known_tasks(here: InProcess) -> None:
    fill(here, 3)
    here.sandbox.write(as_tasks({"a": "do a"}))
    assert here.run("apply").code == 0
    here.sandbox.write(as_tasks({"a": "do a", "b": "do b"}))
    here.server.set_rules(Rule("list", listing(here, lambda tasks: tasks[:2]), nth=(1,)))
    ended = here.run("apply")
    assert ended.results() == {"b": "unresolved"}
    assert "lacks" in ended.stdout
    here.server.set_rules()
    assert here.run("apply").results() == {"b": "created"}


def hide_what_was_listed(here: InProcess, shown: Callable[[Tasks], Tasks]) -> None:
    """All creates are lost, and their messages cannot be read. The first list after one is right,
    later ones show only these tasks."""
    sent, lists = len(here.server.posts), list[int]()

    def choose(call: Call) -> Fault | None:
        is_after = len(here.server.posts) > sent
        if call.endpoint == "create":
            return LOST
        if call.endpoint == "events" and is_after:
            return Fault("status", status=500)
        lists.extend([1] if call.endpoint == "list" and is_after else [])
        is_hidden = call.endpoint == "list" and len(lists) > 1
        return listing(here, shown) if is_hidden else None

    here.server.choose = choose


@pytest.mark.parametrize("count", [0, 50, 99, 150])
@pytest.mark.parametrize("shown", [lambda tasks: [], lambda tasks: tasks[1:]], ids=["none", "old"])
def test_a_task_that_an_apply_has_listed_is_known_to_it(
    here: InProcess, count: int, shown: Callable[[Tasks], Tasks]
) -> None:
    """It may be the task of the attempt, and its message cannot be read."""
    fill(here, count)
    here.sandbox.write(as_tasks({"z": "do z"}))
    assert here.run("apply").code == 0
    here.sandbox.write(as_tasks({"z": "do z", "a": "do it"}))
    hide_what_was_listed(here, shown)
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (1, {"a": "unresolved"}), ended.stdout
    assert "lacks" in ended.stdout
    assert len(here.server.posts) == 2
    here.server.set_rules()
    assert here.run("apply").results() == {"a": "adopted"}


def test_a_task_that_was_listed_before_the_list_failed_is_known(here: InProcess) -> None:
    fill(here, 5)
    here.sandbox.write(as_tasks({"a": "do it"}))
    lists: list[int] = []

    def choose(call: Call) -> Fault | None:
        if call.endpoint == "create":
            return LOST
        if call.endpoint != "list" or not here.server.posts:
            return None
        if "continuationToken=more" in str(call):
            return Fault("html", status=403)
        lists.append(1)
        if len(lists) > 1:
            return listing(here, lambda tasks: tasks[1:])
        first = listing(here, lambda tasks: tasks[:1])
        text = json.dumps({**json.loads(first.text), "continuationToken": "more"})
        return replace(first, text=text)

    here.server.choose = choose
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (1, {"a": "unresolved"}), ended.stdout
    assert len(here.server.posts) == 1
    here.server.set_rules()
    assert here.run("apply").results() == {"a": "adopted"}


@pytest.mark.parametrize("how", ["lags", "lacks known tasks"])
def test_a_duplicate_that_a_list_hides_is_reported_later(here: InProcess, how: str) -> None:
    """The baseline does not move past it."""
    fill(here, 3)
    here.sandbox.write(as_tasks({"a": "do a"}))

    def choose(call: Call) -> Fault | None:
        if call.endpoint == "create":
            here.server.world.create("me", "acme", json.loads(call.body))
        is_after = call.endpoint == "list" and here.server.posts
        return listing(here, lambda tasks: tasks[3:]) if is_after and how != "lags" else None

    here.server.choose = choose
    here.server.habits.list_lag = 5.0 if how == "lags" else 0.0
    ended = here.run("apply")
    assert (ended.results(), ended.document["diagnostics"]) == ({"a": "created"}, [])
    here.server.habits.list_lag = 0.0
    here.server.set_rules()
    here.sandbox.write(as_tasks({"a": "do a", "b": "do b"}))
    ended = here.run("apply")
    assert ended.results() == {"b": "created"}
    assert [d["code"] for d in ended.document["diagnostics"]] == ["TC741"]


def test_known_tasks_that_are_gone_prove_nothing(here: InProcess) -> None:
    """They may have been made private, or deleted."""
    fill(here, 5)
    here.sandbox.write(as_tasks({"a": "do a"}))
    assert here.run("apply").code == 0
    world = here.server.world
    for task in world.tasks[2:4]:
        task.user = "somebody"
    here.sandbox.write(as_tasks({"a": "do a", "b": "do b"}))
    here.server.set_rules(Rule("create", Fault("reset")))
    assert here.run("apply").results() == {"b": "unresolved"}  # after three tries
    here.server.set_rules()
    assert here.run("apply").results() == {"b": "created"}
