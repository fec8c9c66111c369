"""The GitHub Action answers a task as its creator: exactly one recorded task, and one request."""

from __future__ import annotations

import json
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


def test_a_request_is_approved(runner: Runner, place: LiveTasks) -> None:
    request = place.request("asks")
    ran = runner.script("approve", key="acme/asks", request=request)
    assert ran.code == 0, ran.said
    assert "acme/asks: approved" in ran.said
    assert f"Request `{request}`" in ran.summary
    assert "[Task](" not in ran.summary
    assert "May I run" not in ran.said + ran.summary  # the log may be public
    place.finish(asks="done", good="done")
    again = runner.script("approve", key="acme/asks", request=request)
    assert (again.code, "TC820" in again.said) == (1, True), again.said


def test_a_preview_shows_it_and_sends_nothing(runner: Runner, place: LiveTasks) -> None:
    """In a job without an access token."""
    words = {"key": "asks", "request": "approval-1", "message": "Use *a* preview."}
    ran = runner.script("reject", preview="true", access_token="", **words)
    assert ran.code == 0, ran.said
    assert ran.summary.startswith("**reject** `acme/asks`\n")
    assert "preview." not in ran.summary
    assert "The message (16 characters) is not shown" in ran.summary
    words["message"] = "Use *a* preview.\n\U000e0041\u202e\u2028# Odd"
    shown = runner.script("reject", preview="true", answers="true", **words)
    assert "\n    Use *a* preview.\n    \\U000e0041\\u202e\\u2028# Odd\n" in shown.summary
    assert place.statuses() == {"asks": "waiting", "good": "done"}


def test_a_message_is_text_whatever_it_is(runner: Runner, place: LiveTasks) -> None:
    for message in ("-", "--force", "$(touch x); `touch x`"):
        ran = runner.script("say", key="good", message=message)
        assert (ran.code, "acme/good: sent" in ran.said) == (0, True), ran.said
        place.finish(asks="waiting", good="done")
    assert "$(touch x); `touch x`" in place.run("logs", "good")[1]
    ran = runner.script("reject", key="asks", request=place.request("asks"), message="-")
    assert ran.code == 0, ran.said
    assert not (place.folder / "x").exists()


def test_a_task_is_cancelled(runner: Runner, place: LiveTasks) -> None:
    ran = runner.script("cancel", key="asks")
    assert (ran.code, "acme/asks: cancelled" in ran.said) == (0, True), ran.said


@pytest.mark.tools
@pytest.mark.parametrize(
    ("command", "inputs", "told"),
    [
        ("cancel", {"key": "*"}, "the input key must be"),
        ("cancel", {"key": "acme/[a-z]*"}, "the input key must be"),
        ("cancel", {"key": "--force"}, "the input key must be"),
        ("cancel", {}, "the input key must be"),
        ("cancel", {"key": "tasks"}, "no task in the state has the key tasks"),
        ("cancel", {"key": "tasks/all.yaml"}, "no task in the state has the key"),
        ("approve", {"key": "asks"}, "the input request is required"),
        ("approve", {"key": "asks", "request": "$(x)"}, "TC820"),
        ("approve", {"key": "asks", "request": "odd"}, "TC820"),
        ("reject", {"key": "asks", "request": "odd"}, "TC804"),
        ("say", {"key": "asks", "message": " "}, "TC804"),
        ("say", {"key": "asks", "request": "odd", "message": "x"}, "must be empty for say"),
    ],
)
def test_anything_else_is_refused(
    runner: Runner, place: LiveTasks, command: str, inputs: dict[str, str], told: str
) -> None:
    """A file or a directory is no task, either: it may have the tasks of a whole manifest."""
    ran = runner.script(command, **inputs)
    assert (ran.code, told in ran.said) == (1, True), ran.said
    assert place.statuses() == {"asks": "waiting", "good": "done"}
    assert TOKEN not in ran.said


@pytest.mark.parametrize("org_name", ["x\n::error title=taskctl::odd\n", "x` **odd**", "-odd"])
def test_a_name_in_the_state_is_no_command_of_a_workflow(
    runner: Runner, place: LiveTasks, org_name: str
) -> None:
    path = place.folder / "taskctl.state.json"
    state = json.loads(path.read_text())
    del state["checksum"]
    state["tasks"] = {f"{org_name}/asks": state["tasks"]["acme/asks"]}
    path.write_text(json.dumps(state))
    ran = runner.script("cancel", key="asks", preview="true")
    assert (ran.code, ran.summary) == (1, "")
    assert "no task in the state has the key asks" in ran.said
    assert "odd" not in ran.said


def test_an_id_in_the_state_stays_in_its_address(runner: Runner, place: LiveTasks) -> None:
    path = place.folder / "taskctl.state.json"
    state = json.loads(path.read_text())
    del state["checksum"]
    state["tasks"]["acme/asks"]["taskId"] = "x) [odd](https://odd.example)\n# Odd"
    path.write_text(json.dumps(state))
    summary = runner.script("cancel", key="asks", preview="true").summary
    assert "[odd]" not in summary
    assert "\n# Odd" not in summary
