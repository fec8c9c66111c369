"""Approvals, questions, and the timestamps of messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reconciler.embedded.app import App
from reconciler.embedded.scenarios import scenario_of
from tests.support.embedded_client import Api, Clock, message

NOW = "2026-11-24T12:00:00.000Z"


@pytest.fixture
def app(db: Path, clock: Clock) -> Iterator[App]:
    with closing(App(db, now=clock, scenario=scenario_of("by-prompt", 10))) as app:
        yield app


def bodies(api: Api, task_id: str) -> list[Any]:
    return [event["eventBody"] for event in api.events(task_id)]


def kinds(api: Api, task_id: str) -> list[str]:
    return [body["type"] for body in bodies(api, task_id)]


def post(api: Api, task_id: str, **event: object) -> int:
    """A user event exactly as given, without a timestamp added by the test."""
    return api.call("POST", f"{api.tasks}/{task_id}", {"event": event}).status


def test_a_user_event_without_a_timestamp_gets_the_time_of_the_service(
    api: Api, clock: Clock
) -> None:
    created = api.post(message={"type": "user_message", "content": "Go"})
    task_id = created.json["taskId"]
    clock.forward(10)
    assert post(api, task_id, type="user_message", content="More") == 202
    said = [body for body in bodies(api, task_id) if body["type"] == "user_message"]
    assert [body["timestamp"] for body in said] == [NOW, "2026-11-24T12:00:10.000Z"]


@pytest.mark.parametrize(
    "timestamp",
    ["2026-11-24T14:44:49.123456789Z", "2026-11-24T14:44:49Z", "2026-11-24T15:44:49.1+01:00"],
)
def test_a_timestamp_is_kept_exactly_as_sent(api: Api, timestamp: str) -> None:
    task_id = api.post(message={**message(), "timestamp": timestamp}).json["taskId"]
    assert bodies(api, task_id)[0]["timestamp"] == timestamp


def test_an_approval_survives_a_message(api: Api, clock: Clock) -> None:
    task_id = api.create("approving: do it")
    clock.forward(10)
    request = bodies(api, task_id)[-1]
    assert post(api, task_id, type="user_message", content="Well?") == 202
    assert kinds(api, task_id)[-2:] == ["user_message", "awaiting_approvals"]
    task = api.task(task_id)
    assert (task["status"], task["pendingInputCount"]) == ("idle", 0)
    confirmation = {"type": "user_confirmation", "approval_request_id": request["id"], "ok": True}
    assert post(api, task_id, **confirmation) == 202
    assert post(api, task_id, **confirmation) == 409
    clock.forward(10)
    assert bodies(api, task_id)[-1]["is_final"] is True
    assert post(api, task_id, **confirmation) == 400


def test_only_an_automatic_task_needs_no_approval(api: Api, clock: Clock) -> None:
    for mode in ("auto", "balanced", "manual"):
        task_id = api.create("approving: do it", approvalMode=mode)
        clock.forward(10)
        last = bodies(api, task_id)[-1]
        assert (last["type"] == "user_approval_request") == (mode != "auto")
        assert (last.get("is_final") is True) == (mode == "auto")


def test_a_question_is_answered_with_instructions(api: Api, clock: Clock) -> None:
    task_id = api.create("asking: where?", approvalMode="auto")
    clock.forward(10)
    question = bodies(api, task_id)[-1]
    assert question["approval_type"] == "general"
    assert question["context"]["tool_name"].endswith("__ask_user")
    answer = {"approval_request_id": question["id"], "ok": False, "instructions": "eu-west-1"}
    assert post(api, task_id, type="user_confirmation", **answer) == 202
    clock.forward(10)
    assert "eu-west-1" in bodies(api, task_id)[-1]["content"]
