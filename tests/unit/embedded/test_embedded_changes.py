"""Patches, responses and cancels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.embedded.app import App
from reconciler.embedded.lifecycle import Script, Step, Turn, finishing, stamp
from tests.support.embedded_client import SENT_AT, Api, Clock


def test_patch_changes_the_mutable_settings(api: Api, clock: Clock) -> None:
    task_id = api.create(planMode=True, role="role-1")
    before = api.task(task_id)
    clock.forward(0.5)
    changes = {
        "approvalMode": "auto",
        "permissionMode": "read-only",
        "role": "role-2",
        "name": "A name",
        "isShared": True,
    }
    answer = api.patch(task_id, **changes)
    assert answer.status == 200
    expected = {**before, **changes, "roleName": "role-2", "sharedAt": "2026-11-24T12:00:00.500Z"}
    assert answer.json == expected
    assert api.task(task_id) == expected


def test_patch_ignores_null_absent_and_fixed_settings(api: Api) -> None:
    task_id = api.create()
    before = api.task(task_id)
    names = ("approvalMode", "permissionMode", "role", "name", "isShared")
    answer = api.patch(task_id, **dict.fromkeys(names), planMode=True, source="cli", colour="red")
    assert (answer.status, answer.json) == (200, before)


def test_shared_at_is_the_time_of_the_first_sharing(api: Api, clock: Clock) -> None:
    task_id = api.create()
    api.patch(task_id, isShared=False)
    assert "sharedAt" not in api.task(task_id)
    first = api.patch(task_id, isShared=True).json["sharedAt"]
    clock.forward(60)
    assert api.patch(task_id, isShared=False).json["sharedAt"] == first
    assert api.patch(task_id, isShared=True).json["sharedAt"] == first


def test_a_role_can_be_removed(api: Api) -> None:
    task_id = api.create(role="role-1")
    assert "role" not in api.patch(task_id, role="").json


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "  \n"},
        {"name": "x" * 256},
        {"name": 7},
        {"isShared": "yes"},
        {"approvalMode": "never"},
        {"permissionMode": "root"},
        {"role": 7},
    ],
)
def test_rejected_patches_change_nothing(api: Api, changes: dict[str, object]) -> None:
    task_id = api.create()
    before = api.task(task_id)
    answer = api.patch(task_id, **{"approvalMode": "auto", **changes})
    assert answer.status == 400
    assert next(iter(changes)) in answer.message
    assert api.task(task_id) == before


def test_a_name_is_trimmed_and_may_have_255_characters(api: Api) -> None:
    task_id = api.create()
    assert api.patch(task_id, name=" " + "é" * 255 + "\n").json["name"] == "é" * 255


def test_only_the_creator_may_patch(api: Api, other: Api) -> None:
    task_id = api.create()
    api.patch(task_id, isShared=True)
    assert other.patch(task_id, name="Mine now").status == 404
    assert api.task(task_id)["name"] != "Mine now"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "event"),
        ({"event": None}, "event"),
        ({"event": {"type": "user_cancel", "timestamp": "now"}}, "timestamp"),
        ({"event": {"type": "wave", "timestamp": SENT_AT}}, "wave"),
        ({"event": {"type": "user_message", "timestamp": SENT_AT}}, "blank"),
        ({"event": {"type": "user_confirmation", "timestamp": SENT_AT}}, "approval_request_id"),
    ],
)
def test_invalid_responses_are_rejected(api: Api, body: dict[str, object], named: str) -> None:
    answer = api.call("POST", f"{api.tasks}/{api.create()}", body)
    assert answer.status == 400
    assert named in answer.message


def test_a_running_task_rejects_a_message(api: Api, clock: Clock) -> None:
    task_id = api.create()
    answer = api.respond(task_id, type="user_message", content="And then?")
    assert answer.status == 409
    confirmation = {"type": "user_confirmation", "approval_request_id": "x", "ok": True}
    assert api.respond(task_id, **confirmation).status == 409
    clock.forward(10)
    assert api.respond(task_id, type="user_message", content="And then?").status == 202
    assert api.task(task_id)["status"] == "running"
    assert api.respond(task_id, type="user_message", content="More?").status == 409


def test_a_second_message_starts_a_second_turn(api: Api, clock: Clock) -> None:
    task_id = api.create("First")
    clock.forward(10)
    first, before = api.events(task_id), api.task(task_id)
    stack = {"type": "stack", "name": "prod", "project": "net"}
    diff = {"add": [stack]}
    api.respond(task_id, type="user_message", content="Second", entity_diff=diff)
    during = api.task(task_id)
    assert during["tokensUsed"] == before["tokensUsed"]
    clock.forward(10)
    events, after = api.events(task_id), api.task(task_id)
    assert events[: len(first)] == first
    assert events[len(first)]["eventBody"]["content"] == "Second"
    assert events[-1]["eventBody"]["is_final"] is True
    assert after["tokensUsed"] > before["tokensUsed"]
    assert (after["name"], after["status"], after["entities"]) == ("First", "idle", [stack])
    api.respond(task_id, type="user_message", content="Third", entity_diff={"remove": [stack]})
    assert api.task(task_id)["entities"] == []


def test_cancelling_a_running_task_ends_its_turn(api: Api, clock: Clock) -> None:
    for by_force in (True, False):
        task_id = api.create()
        clock.forward(5)
        before = api.events(task_id)
        answer = api.cancel(task_id) if by_force else api.respond(task_id, type="user_cancel")
        assert answer.status == (204 if by_force else 202)
        assert answer.body == b""
        clock.forward(100)
        added = api.events(task_id)[len(before) :]
        kinds = [event["eventBody"]["type"] for event in added]
        assert kinds == (["cancelled"] if by_force else ["user_cancel", "cancelled"])
        assert added[-1]["eventBody"]["operation_was_running"] is True
        task = api.task(task_id)
        assert task["status"] == "idle"
        assert task["tokensUsed"] > 0


def test_cancelling_an_idle_task(api: Api, clock: Clock) -> None:
    task_id = api.create()
    clock.forward(10)
    before, task = api.events(task_id), api.task(task_id)
    assert api.cancel(task_id).status == 204
    assert (api.events(task_id), api.task(task_id)) == (before, task)
    assert api.respond(task_id, type="user_cancel").status == 202
    assert api.events(task_id)[-1]["eventBody"]["operation_was_running"] is False
    assert api.respond(task_id, type="user_message", content="Go on").status == 202


def test_a_cancel_requires_force(api: Api) -> None:
    task_id = api.create()
    for force in (False, None, "true"):
        answer = api.cancel(task_id, force=force)
        assert answer.status == 400
        assert "force" in answer.message
    assert api.task(task_id)["status"] == "running"


def asking(turn: Turn) -> Script:
    """The first turn ends with a question, and its response starts the second turn."""
    if turn.number > 1:
        return finishing(turn, 10)
    at = turn.started_ms + 10_000
    request: dict[str, object] = {
        "type": "user_approval_request",
        "id": "question-1",
        "message": "May I?",
        "source": "agent",
        "approval_type": "general",
        "timestamp": stamp(at),
    }
    return Script((Step(at, request),), at, 100, approval="question-1")


class TestApproval:
    """A scenario that waits for a person."""

    @pytest.fixture
    def api(self, db: Path, clock: Clock) -> Iterator[Api]:
        with closing(App(db, now=clock, scenario=asking)) as app:
            yield Api(app)

    def test_a_task_waits_for_its_approval(self, api: Api, clock: Clock) -> None:
        task_id = api.create()
        assert api.task(task_id)["pendingInputCount"] == 0
        clock.forward(1000)
        task = api.task(task_id)
        assert (task["pendingInputCount"], task["status"]) == (0, "idle")
        answer = {"type": "user_confirmation", "ok": False, "instructions": "Not so."}
        wrong = api.respond(task_id, **answer, approval_request_id="question-0")
        assert wrong.status == 400
        right = api.respond(task_id, **answer, approval_request_id="question-1")
        assert right.status == 202
        task = api.task(task_id)
        assert (task["pendingInputCount"], task["status"]) == (0, "running")
        said = api.events(task_id)[-1]["eventBody"]
        assert said == {
            **answer,
            "approval_request_id": "question-1",
            "timestamp": SENT_AT,
        }

    def test_a_cancel_withdraws_the_approval_request(self, api: Api, clock: Clock) -> None:
        task_id = api.create()
        clock.forward(1000)
        assert api.cancel(task_id).status == 204
        assert api.task(task_id)["pendingInputCount"] == 0
        late = {"type": "user_confirmation", "ok": True, "approval_request_id": "question-1"}
        assert api.respond(task_id, **late).status == 400
        assert api.respond(task_id, type="user_message", content="Hm?").status == 202
