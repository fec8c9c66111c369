"""At its end, an apply searches for duplicates: second tasks with one of our marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.apply.duplicates import MAX_READ, record_duplicates
from reconciler.model.diagnostics import RemoteError
from reconciler.model.remote_task import FirstMessage
from reconciler.model.task import TaskRef
from reconciler.state.attempt import Baseline
from tests.support.apply_world import World
from tests.support.diagnostics import failed
from tests.support.plan_values import message, record, remote, state

MARK = "2026-11-24T11:00:00.123456Z"
CREATED = {TaskRef("acme", "a")}


def world_with(
    messages: Mapping[str, FirstMessage | None],
    monkeypatch: pytest.MonkeyPatch,
    **more: Any,
) -> World:
    """A record of `a` with MARK, and tasks with these first messages."""
    world = World(state([record("a", "t", marks=(MARK,), **more)]))
    world.service.listed = [remote(task_id) for task_id in ("t", *messages)]
    asked: list[str] = []

    def first_message(org_name: str, task_id: str) -> FirstMessage | None:
        asked.append(task_id)
        return messages[task_id]

    monkeypatch.setattr(world.service, "first_message", first_message)
    monkeypatch.setattr(world, "asked", asked, raising=False)
    return world


def duplicates(world: World) -> tuple[str, ...]:
    (known,) = world.log.state.records.values()
    return known.duplicates


def test_a_duplicate_is_added_to_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"u": message("work of a", MARK), "v": message("work of a", MARK[:-2] + "1Z")}
    world = world_with(said, monkeypatch)
    listed, warnings = record_duplicates(world.ctx, CREATED)
    assert [task.id for task in listed] == ["t", "u", "v"]
    assert [warning.args["extra"] for warning in warnings] == ["u"]
    assert duplicates(world) == ("u",)
    assert world.log.state.recorded_ids()["u"] == TaskRef("acme", "a")


def test_a_mark_of_another_organization_is_not_a_duplicate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = world_with({"u": message("work of a", MARK)}, monkeypatch, org_name="other")
    record_duplicates(world.ctx, CREATED)
    assert duplicates(world) == ()


def test_older_tasks_are_not_read_and_reads_are_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = {f"u{n}": message("x") for n in range(MAX_READ + 5)}
    world = world_with(said, monkeypatch)
    world.ctx.baselines["acme"] = Baseline("acme", ("u0", "u1"))
    record_duplicates(world.ctx, CREATED)
    asked = world.asked  # type: ignore[attr-defined]
    assert len(asked) == MAX_READ
    assert not {"t", "u0", "u1"} & set(asked)


def test_an_unreadable_task_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_with({}, monkeypatch)

    def fail(org_name: str) -> Any:
        raise failed(RemoteError, f"HTTP 500 for {org_name}")

    monkeypatch.setattr(world.service, "list_tasks", fail)
    assert record_duplicates(world.ctx, CREATED) == ([], [])
