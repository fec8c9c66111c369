"""At its end, an apply searches for duplicates: second tasks with one of our marks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from reconciler.apply.duplicates import MAX_SECONDS, Search, find_duplicates
from reconciler.model import limits
from reconciler.model.diagnostics import Diagnostic, RemoteError
from reconciler.model.service import FirstMessage
from reconciler.model.task import TaskRef
from reconciler.state.attempt import Baseline
from reconciler.state.model import State
from tests.support.apply_world import World
from tests.support.diagnostics import failed
from tests.support.plan_values import ME, ago, attempt, message, record, remote, state

MARK = "2026-11-24T11:00:00.123456Z"
DOWN = failed(RemoteError, "HTTP 500")


def search(
    messages: Mapping[str, FirstMessage | RemoteError | None],
    monkeypatch: pytest.MonkeyPatch,
    known: State | None = None,
    world: World | None = None,
    raw: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[World, Search]:
    """Of an apply that has created `a` with MARK. The service lists its task and those with these
    messages."""
    world = world or World(known or state([record("a", "t", marks=(MARK,))]))
    world.service.listed = [remote("t"), *(remote(task_id, **raw) for task_id in messages)]

    def first_message(org_name: str, task_id: str) -> FirstMessage | None:
        world.calls.record("read", task_id)
        found = messages[task_id]
        if isinstance(found, RemoteError):
            raise found
        return found

    monkeypatch.setattr(world.service, "first_message", first_message)
    return world, find_duplicates(world.ctx, {TaskRef("acme", "a")}, {MARK}, 2)


def brief(found: Diagnostic) -> tuple[str, object]:
    return found.code.value, found.args.get("extra") or found.args.get("ids")


def test_a_task_with_the_mark_is_a_duplicate(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"u": message("work of a", MARK), "v": message("work of a", MARK[:-2] + "1Z")}
    world, found = search(said, monkeypatch)
    assert [task.id for task in found.listed] == ["t", "u", "v"]
    assert [brief(each) for each in found.warnings] == [("TC741", "acme/u")]
    assert world.calls.of("append") == []


def test_a_mark_of_another_organization_is_not_a_duplicate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = state([record("a", "t", marks=(MARK,), org_name="other")])
    assert search({"u": message("work of a", MARK)}, monkeypatch, known)[1].warnings == []


def test_what_an_open_attempt_may_have_created_is_not_a_duplicate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = attempt("a", ago(minutes=1), replaces="t")
    known = state([record("a", "t", marks=(MARK,))], [tried])
    assert search({"u": message("work of a", tried.mark)}, monkeypatch, known)[1].warnings == []


@pytest.mark.parametrize("count", [0, 400])
def test_a_task_of_somebody_else_is_not_read(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    eve = {"githubLogin": "eve", "name": "Eve", "avatarUrl": "https://example.com/" + "e" * 80}
    entities = [{"type": "stack", "name": f"s{number}"} for number in range(count)]
    theirs = {"createdBy": eve, "entities": entities}
    world, found = search({"u": message("work of a", MARK)}, monkeypatch, raw=theirs)
    assert (world.calls.of("read"), found.warnings) == ([], [])
    unknown = {"createdBy": {"name": "Eve"}}
    _, found = search({"u": message("work of a", MARK)}, monkeypatch, raw=unknown)
    assert [brief(each) for each in found.warnings] == [("TC741", "acme/u")]


def test_every_newer_task_is_read_and_no_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(state([record("a", "t", marks=(MARK,))]))
    world.ctx.baselines["acme"] = Baseline("acme", ("u0", "u1"), ME)
    said = {**{f"u{n}": message("x") for n in range(200)}, "last": message("work of a", MARK)}
    _, found = search(said, monkeypatch, world=world)
    assert set(world.calls.of("read")) == said.keys() - {"u0", "u1"}
    assert [brief(each) for each in found.warnings] == [("TC741", "acme/last")]


def test_an_unreadable_task_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"u": DOWN, "silent": None, "v": message("work of a", MARK)}
    _, found = search(said, monkeypatch)
    assert [brief(each) for each in found.warnings] == [
        ("TC741", "acme/v"),
        ("TC747", ("u", "silent")),
    ]


def test_what_is_listed_has_a_limit_and_the_rest_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT_BYTES", 1)
    large = {"entities": [{"type": "stack", "name": f"s{number}"} for number in range(400)]}
    world, found = search({"u": message("work of a", MARK)}, monkeypatch, raw=large)
    assert [task.id for task in found.listed] == ["t"]
    assert ([each.code.value for each in found.warnings], world.calls.of("read")) == (["TC747"], [])


def test_an_unreadable_list_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(state([record("a", "t", marks=(MARK,))]))

    def fail(org_name: str) -> Any:
        raise DOWN

    monkeypatch.setattr(world.service, "list_tasks", fail)
    _, found = search({"u": message("work of a", MARK)}, monkeypatch, world=world)
    assert [brief(each) for each in found.warnings] == [("TC747", None)]


def test_an_unreadable_task_does_not_hide_that_the_list_is_unreadable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(state([record("a", "t", marks=(MARK,))]))
    (world.service.list_problem,) = DOWN.diagnostics
    _, found = search({"u": DOWN}, monkeypatch, world=world)
    assert [brief(each) for each in found.warnings] == [("TC747", ("u",)), ("TC747", None)]


def test_the_search_ends_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Earlier findings are reported."""
    world = World(state([record("a", "t", marks=(MARK,))]))
    said = {f"u{n}": message("x") for n in range(200)}
    said["u0"] = message("work of a", MARK)

    class Slow(dict[str, FirstMessage]):
        def __getitem__(self, task_id: str) -> FirstMessage:
            world.passed += 1
            return said[task_id]

    _, found = search(Slow(said), monkeypatch, world=world)
    assert MAX_SECONDS <= world.passed <= MAX_SECONDS + 2
    duplicates, unread = found.warnings
    assert brief(duplicates) == ("TC741", "acme/u0")
    assert unread.args["count"] in (138, 139, 140)
