"""Proof that a task is gone, and reading its events."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest

from reconciler.app.survey import FEW
from reconciler.app.task_reader import TaskReader
from reconciler.model.options import SETTLE_TIME
from reconciler.model.service import RemoteTask
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.remote.client import Client
from tests.support.plan_values import ME, NOW, SOMEONE, record, remote


class Listing:
    """A client that finds its task only at the given time (never: 0)."""

    def __init__(self, found_at: int) -> None:
        self.found_at, self.calls = found_at, list[str]()

    def identity(self) -> Any:
        return ME

    def task_url(self, *_: str) -> None:
        return None

    def list_tasks(self, _: str) -> Iterator[list[RemoteTask]]:
        self.calls.append("list")
        yield []

    def get_task(self, _: str, task_id: str) -> RemoteTask | None:
        self.calls.append("get")
        return remote(task_id) if self.calls.count("get") == self.found_at else None

    def event_pages(self, *_: object) -> Iterator[tuple[list[Any], None]]:
        yield [], None


def reader_of(client: Listing) -> TaskReader:
    return TaskReader(cast("Client", client), None, lambda: NOW, SETTLE_TIME)


@pytest.mark.parametrize(
    ("found_at", "state", "calls"),
    [
        (1, TaskState.RUNNING, ["get"]),
        (2, TaskState.RUNNING, ["get", "list", "get"]),
        (0, TaskState.GONE, ["get", "list", "get"]),
    ],
)
def test_one_404_does_not_prove_that_a_task_is_gone(
    found_at: int, state: TaskState, calls: list[str]
) -> None:
    one, several = Listing(found_at), Listing(found_at)
    found = reader_of(one).status(record("a", "1"))
    (listed,) = reader_of(several).statuses([record("a", "1")], 1)
    assert found.state is listed.state is state
    assert one.calls == several.calls == calls


class Pages(Listing):
    """A client whose list has a page for each of its tasks."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__(1)
        self.ids = ids

    def list_tasks(self, _: str) -> Iterator[list[RemoteTask]]:
        for task_id in self.ids:
            self.calls.append("page")
            yield [remote(task_id)]

    def get_task(self, _: str, task_id: str) -> RemoteTask | None:
        self.calls.append("get")
        return remote(task_id)


def test_a_list_is_read_until_few_tasks_are_missing() -> None:
    ids = [f"t{number}" for number in range(FEW + 3)]
    client = Pages(ids)
    found = reader_of(client).statuses([record(each, each) for each in ids], 1)
    assert {each.state for each in found} == {TaskState.RUNNING}
    assert client.calls == ["page"] * 3 + ["get"] * FEW


def test_a_task_of_another_identity_is_not_gone() -> None:
    client = Listing(0)
    status = reader_of(client).status(record("a", "1", identity=SOMEONE))
    assert status.state is TaskState.NOT_VISIBLE
    assert client.calls == ["get"]


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(149, TaskState.RUNNING), (-149, TaskState.RUNNING), (150, TaskState.GONE)],
)
def test_a_task_younger_than_the_settle_time_is_not_gone(seconds: int, state: TaskState) -> None:
    """The service may not show it yet, and its clock may differ."""
    created = replace(record("a", "1"), created_at=NOW - timedelta(seconds=seconds))
    assert reader_of(Listing(0)).status(created).state is state


class Talkative(Listing):
    """A client whose task has many large pages of events."""

    page_bytes = 1 << 20

    def event_pages(self, *_: object) -> Iterator[tuple[list[Any], Any]]:
        for number in range(50):
            yield [self._event(number)], str(number + 1)
        body = {"type": "assistant_message", "is_final": True, "content": "done"}
        yield [{"id": "last", "eventBody": body}], None

    def _event(self, number: int) -> dict[str, object]:
        body = {"type": "exec_tool_call", "text": "x" * self.page_bytes}
        return {"id": f"e{number}", "eventBody": body}


def test_only_one_page_of_events_is_kept() -> None:
    reader = reader_of(Talkative(1))
    tracemalloc.start()
    try:
        found = reader.status(record("a", "1"))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found.summary.event_id, found.summary.words) == ("last", "done")
    assert most < 2 * Talkative.page_bytes
