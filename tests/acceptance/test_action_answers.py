"""The GitHub Action answers a task as its creator: exactly one recorded task, and one request."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.action_runner import Runner
from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import TOKEN


@pytest.fixture
def runner(place: LiveTasks, tmp_path: Path) -> Runner:
    """A checkout with a task that waits for an approval."""
    place.apply({"asks": "approving", "good": "finishing"})
    place.finish(asks="waiting", good="done")
    env = {"TASKCTL_BACKEND": place.url, "TASKCTL_STATE": "taskctl.state.json"}
    return Runner(tmp_path / "runner", place.folder, pull_request=None, env=env)


def request(command: str, task: str = "acme/asks", **more: str) -> dict[str, str]:
    return {"command": command, "tasks": task, **more}


def test_a_request_is_approved(runner: Runner, place: LiveTasks) -> None:
    asked = place.request("asks")
    ran = runner.requested(request("approve", id=asked))
    assert ran.code == 0, ran.said
    assert "acme/asks: approved" in ran.said
    assert f"Request `{asked}`" in ran.summary
    assert "[Task](" not in ran.summary
    assert "May I run" not in ran.said + ran.summary  # the log may be public
    place.finish(asks="done", good="done")
    again = runner.requested(request("approve", id=asked))
    assert (again.code, "TC820" in again.said) == (1, True), again.said


def test_a_preview_shows_it_and_sends_nothing(runner: Runner, place: LiveTasks) -> None:
    asked = request("reject", id="approval-1", text="Use *a* preview.")
    ran = runner.requested(asked, preview=True)
    assert ran.code == 0, ran.said
    assert ran.outputs == {"has-changes": "true"}
    assert ran.summary.startswith("**reject** `acme/asks`\n")
    assert "preview." not in ran.summary
    assert "The text (16 characters) is not shown" in ran.summary
    asked["text"] = "Use *a* preview.\n\U000e0041\u202e\u2028# Odd"
    shown = runner.requested(asked, preview=True, show_text="true")
    assert "\n    Use *a* preview.\n    \\U000e0041\\u202e\\u2028# Odd\n" in shown.summary
    assert place.statuses() == {"asks": "waiting", "good": "done"}


def test_a_message_is_text_whatever_it_is(runner: Runner, place: LiveTasks) -> None:
    for message in ("-", "--force", "$(touch x); `touch x`"):
        ran = runner.requested(request("say", "acme/good", text=message))
        assert (ran.code, "acme/good: sent" in ran.said) == (0, True), ran.said
        place.finish(asks="waiting", good="done")
    assert "$(touch x); `touch x`" in place.run("logs", "good")[1]
    ran = runner.requested(request("reject", id=place.request("asks"), text="-"))
    assert ran.code == 0, ran.said
    assert not (place.folder / "x").exists()


def test_a_task_is_cancelled(runner: Runner) -> None:
    ran = runner.requested(request("cancel"))
    assert (ran.code, "acme/asks: cancelled" in ran.said) == (0, True), ran.said


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (request("cancel", "*"), "the input tasks must be"),
        (request("cancel", "acme/[a-z]*"), "the input tasks must be"),
        (request("cancel", "--force"), "the input tasks must be"),
        (request("cancel", ""), "the input tasks must"),
        (request("cancel", "asks"), "the input tasks must be ORG/KEY"),
        (request("cancel", "acme/asks acme/good"), "the input tasks must"),
        (request("cancel", "tasks/all.yaml"), "no task in the state has the key"),
        (request("accept", "tasks/all.yaml"), "no task in the state has the key"),
        (request("accept", "tasks"), "no task in the state has the key"),
        (request("approve"), "the input id is required"),
        (request("approve", id="$(x)"), "the input id is invalid"),
        (request("approve", id="odd"), "TC820"),
        (request("reject", id="odd"), "the input text is required"),
        (request("say", text=" "), "the input text is required"),
        (request("say", text="TEXT"), "replace TEXT"),
        (request("resolve", id="TASK_ID"), "replace TEXT and TASK_ID"),
        (request("say", id="odd", text="x"), "the input id must be empty for say"),
        (request("cancel", **{"max-creates": "3"}), "must be empty for cancel"),
        (request("apply", "--adopt"), "the input tasks must be"),
        (request("apply", "acme/k?"), "the input tasks must be"),
        (request("apply", **{"max-creates": "3 --adopt"}), "must be a number"),
        (request("apply"), "the input expect-plan is required"),
        (request("replace", ""), "the input tasks is required"),
        (request("destroy"), "the input command must be one of"),
        ({}, "the input command must be one of"),
    ],
)
def test_anything_else_is_refused(
    runner: Runner, place: LiveTasks, inputs: dict[str, str], told: str
) -> None:
    """A file or a directory is no task, either: it may have the tasks of a whole manifest."""
    ran = runner.requested(inputs)
    assert (ran.code, told in ran.said) == (1, True), ran.said
    assert place.statuses() == {"asks": "waiting", "good": "done"}
    assert TOKEN not in ran.said


def test_only_a_person_requests_anything(runner: Runner, place: LiveTasks) -> None:
    for event, env in (
        ({"sender": {"login": "neo[bot]", "type": "Bot"}}, {}),
        ({"sender": None}, {}),
        ({}, {"GITHUB_TRIGGERING_ACTOR": "neo[bot]"}),
    ):
        there = replace(runner, event=event, env={**runner.env, **env}, runs=runner.runs)
        for preview in (True, False):
            ran = there.requested(request("cancel"), preview=preview)
            runner.runs = there.runs
            assert (ran.code, "only a person may start" in ran.said) == (1, True), ran.said
    assert place.statuses() == {"asks": "waiting", "good": "done"}


@pytest.mark.parametrize("org_name", ["x\n::error title=taskctl::odd\n", "x` **odd**", "-odd"])
def test_a_name_in_the_state_is_no_command_of_a_workflow(
    runner: Runner, place: LiveTasks, org_name: str
) -> None:
    path = place.folder / "taskctl.state.json"
    state = json.loads(path.read_text())
    del state["checksum"]
    state["tasks"] = {f"{org_name}/asks": state["tasks"]["acme/asks"]}
    path.write_text(json.dumps(state))
    ran = runner.requested(request("cancel"), preview=True)
    assert (ran.code, "acme/asks has not been created yet" in ran.said) == (1, True)
    assert "odd" not in ran.said + ran.summary


def test_an_id_in_the_state_stays_in_its_address(runner: Runner, place: LiveTasks) -> None:
    path = place.folder / "taskctl.state.json"
    state = json.loads(path.read_text())
    del state["checksum"]
    state["tasks"]["acme/asks"]["taskId"] = "x) [odd](https://odd.example)\n# Odd"
    path.write_text(json.dumps(state))
    summary = runner.requested(request("cancel"), preview=True).summary
    assert "[odd]" not in summary
    assert "\n# Odd" not in summary
