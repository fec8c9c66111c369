"""Lists that are valid, and lack tasks that are known: they prove that nothing is absent.

An index that is being rebuilt responds with 200, without the newest tasks, the oldest, or all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import pytest

from tests.support.fault_server import Call, Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks

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


def test_tasks_created_since_are_known(here: InProcess) -> None:
    """The baseline of the first apply is empty."""
    here.sandbox.write(as_tasks({"a": "do a", "b": "do b"}))
    contradict(here, lambda tasks: [], lose=2)
    ended = here.run("apply", "--parallelism", "1")
    assert sorted(ended.results().values()) == ["created", "unresolved"]
    here.server.set_rules()
    assert list(here.run("apply").results().values()) == ["adopted"]
    assert len(here.server.posts) == 2


@pytest.mark.parametrize("command", ["apply", "plan"])
def test_a_list_that_lacks_known_tasks_shows_no_look_alikes(here: InProcess, command: str) -> None:
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
    """The baseline of the next create is of that list."""
    fill(here, 3)
    here.sandbox.write(as_tasks({"a": "do a"}))
    here.server.set_rules(Rule("create", Fault("reset")))
    assert here.run("apply").results() == {"a": "unresolved"}
    here.server.set_rules(Rule("list", listing(here, lambda tasks: tasks[1:]), nth=(1,)))
    assert here.run("apply").results() == {"a": "created"}
    (task,) = here.server.tasks_by_work()["do a"]
    assert here.sandbox.recorded() == {"a": task}


@pytest.mark.parametrize("marks", ["replaced", "kept"])
def test_a_task_that_a_lookup_has_listed_is_known(
    here: InProcess, marks: Literal["replaced", "kept"]
) -> None:
    """Until the attempt is old enough, it is a candidate: without the mark, or unreadable."""
    here.server.habits.marks = marks
    here.sandbox.write(as_tasks({"a": "do it"}))
    lists: list[int] = []

    def choose(call: Call) -> Fault | None:
        if call.endpoint == "create":
            return LOST
        if call.endpoint == "events" and marks == "kept":
            return Fault("status", status=500)
        lists.extend([len(here.server.world.tasks)] if call.endpoint == "list" else [])
        is_rebuilt = call.endpoint == "list" and sum(lists) > 1
        return listing(here, lambda tasks: []) if is_rebuilt else None

    here.server.choose = choose
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (1, {"a": "unresolved"}), ended.stdout
    assert "lacks" in ended.stdout
    assert len(here.server.posts) == 1
    here.server.set_rules()


@pytest.mark.parametrize("settings", [{}, {"adopt": False}], ids=["compared", "not adopted"])
@pytest.mark.parametrize("count", [50, 99, 150])
def test_a_task_that_was_listed_is_known_in_a_list_that_is_read_in_part(
    here: InProcess, count: int, settings: dict[str, bool]
) -> None:
    fill(here, count)
    here.sandbox.write(as_tasks({"z": "do z"}))
    assert here.run("apply").code == 0
    here.server.habits.marks = "replaced"
    here.sandbox.write({**as_tasks({"z": "do z"}), "a": {"message": "do it", **settings}})
    lists: list[int] = []

    def choose(call: Call) -> Fault | None:
        if call.endpoint == "create":
            return LOST
        if call.endpoint == "list" and len(here.server.posts) == 2:
            lists.append(1)
        return listing(here, lambda tasks: tasks[1:]) if lists[1:] else None

    here.server.choose = choose
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (1, {"a": "unresolved"}), ended.stdout
    assert len(here.server.posts) == 2
    here.server.set_rules()


def test_a_task_that_was_listed_before_the_list_failed_is_known(here: InProcess) -> None:
    fill(here, 5)
    here.server.habits.marks = "replaced"
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


def test_a_list_that_lacks_known_tasks_hides_no_duplicate(here: InProcess) -> None:
    fill(here, 3)
    here.sandbox.write(as_tasks({"a": "do a"}))

    def choose(call: Call) -> Fault | None:
        is_after = call.endpoint == "list" and here.server.posts
        return listing(here, lambda tasks: tasks[1:]) if is_after else None

    here.server.choose = choose
    ended = here.run("apply")
    assert ended.results() == {"a": "created"}
    assert [d["code"] for d in ended.document["diagnostics"]] == ["TC747"]


def test_the_search_for_duplicates_waits_for_a_list_that_lags(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"a": "do a"}))
    here.server.habits.list_lag = 5.0
    ended = here.run("apply")
    assert (ended.results(), ended.document["diagnostics"]) == ({"a": "created"}, [])
    assert 2 < len(here.server.of("list")) < 20


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
