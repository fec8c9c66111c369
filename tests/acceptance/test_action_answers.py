"""The GitHub Action answers tasks as their creator: recorded tasks, and an open request that
reviewers have seen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.action_runner import Runner, Step
from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import STATE, TOKEN

pytestmark = pytest.mark.tools


@pytest.fixture
def runner(place: LiveTasks, tmp_path: Path) -> Runner:
    """A checkout with a task that waits for an approval."""
    place.apply({"asks": "approving", "good": "finishing"})
    place.finish(asks="waiting", good="done")
    env = {"TASKCTL_BACKEND": place.url, "TASKCTL_STATE": "taskctl.state.json"}
    return Runner(tmp_path / "runner", place.folder, pull_request=None, env=env)


def request(command: str, task: str = "acme/asks", **more: str) -> dict[str, str]:
    return {"command": command, "tasks": task, **more}


def reviewed(runner: Runner, inputs: dict[str, str]) -> Step:
    """What is done after a preview of it."""
    shown = runner.requested(inputs, preview=True)
    assert (shown.code, shown.outputs.get("has-changes")) == (0, "true"), shown.said
    return runner.requested(inputs, digest=shown.outputs["plan-digest"])


def test_a_request_is_approved(runner: Runner, place: LiveTasks) -> None:
    asked = place.request("asks")
    ran = reviewed(runner, request("approve", id=asked))
    assert ran.code == 0, ran.said
    assert "acme/asks: approved" in ran.said
    assert f"Request `{asked}` for an approval" in ran.summary
    assert "[Task](" not in ran.summary
    assert "May I run" not in ran.said + ran.summary  # the log may be public
    place.finish(asks="done", good="done")


def test_a_preview_shows_the_question_and_sends_nothing(runner: Runner, place: LiveTasks) -> None:
    asked = request("reject", id=place.request("asks"), text="Use *a* preview.")
    ran = runner.requested(asked, preview=True)
    assert ran.code == 0, ran.said
    assert ran.outputs["has-changes"] == "true"
    assert ran.summary.startswith("**reject** `acme/asks`\n")
    assert "preview." not in ran.summary
    assert "May I" not in ran.summary + ran.said
    assert "The answer (16 characters) is not shown" in ran.summary
    assert "The question (" in ran.summary
    asked["text"] = "Use *a* preview.\n\U000e0041\u202e\u2028# Odd"
    shown = runner.requested(asked, preview=True, show_text="true")
    assert "\n    May I run" in shown.summary
    assert "\n    Use *a* preview.\n    \\U000e0041\\u202e\\u2028# Odd\n" in shown.summary
    assert "May I" not in shown.said
    assert place.statuses() == {"asks": "waiting", "good": "done"}


def test_a_preview_refuses_what_cannot_be_answered(runner: Runner, place: LiveTasks) -> None:
    """Otherwise a person reviews it, and the run fails."""
    place.apply({"asks": "approving", "good": "finishing", "question": "asking"})
    place.finish(asks="waiting", question="waiting", good="done")
    answered = place.request("asks")
    for inputs, why in (
        (request("approve", id="odd"), f"no open request odd: open are {answered}"),
        (request("approve", id=answered, text="Yes."), "asks no question"),
        (request("approve", "acme/question", id=place.request("question")), "text is required"),
        (request("reject", "acme/good", id=answered, text="No."), "it is done"),
    ):
        ran = runner.requested(inputs, preview=True)
        assert (ran.code, why in ran.said, ran.outputs) == (1, True, {}), ran.said
    assert reviewed(runner, request("approve", id=answered)).code == 0
    ran = runner.requested(request("approve", id=answered), preview=True)
    assert (ran.code, "no open request" in ran.said) == (1, True), ran.said


def test_what_has_changed_since_the_preview_is_not_done(runner: Runner, place: LiveTasks) -> None:
    inputs = request("cancel", "acme/*")
    digest = runner.requested(inputs, preview=True).outputs["plan-digest"]
    old = place.task_id("asks")
    place.write({"asks": "approving it", "good": "finishing"})
    assert place.run("apply", "-y", "--replace", f"asks={old}")[0] == 0
    place.finish(asks="waiting", good="done")
    for given in (digest, ""):
        ran = runner.requested(inputs, digest=given)
        assert ran.code == 1, ran.said
        assert ("no longer what the preview showed" in ran.said) == bool(given)
    assert place.statuses() == {"asks": "waiting", "good": "done"}
    place.write({"asks": "approving anew", "good": "finishing"})
    inputs = request("accept")
    digest = runner.requested(inputs, preview=True).outputs["plan-digest"]
    place.write({"asks": "approving all", "good": "finishing"})
    ran = runner.requested(inputs, digest=digest)
    assert (ran.code, "no longer what the preview showed" in ran.said) == (1, True), ran.said
    assert reviewed(runner, inputs).code == 0
    assert runner.requested(inputs, preview=True).outputs["has-changes"] == "false"


def test_a_preview_of_init_shows_the_tasks_of_the_lost_state(
    runner: Runner, place: LiveTasks
) -> None:
    """Nobody has seen it before: a task may be forged, and a key may need another lost state."""
    asks, good = place.task_id("asks"), place.task_id("good")
    state = place.folder / STATE
    lost = json.loads(state.read_text())["provenance"]["ids"][0]
    state.unlink()
    place.write({"asks": "approving", "good": "finishing", "other": "finishing too"})
    inputs = {"command": "init", "id": lost}
    shown = runner.requested(inputs, preview=True)
    assert not state.exists()
    for key, made in (("asks", asks), ("good", good)):
        assert f"`acme/{key}`: task `{made}`, created by `user-" in shown.summary
        assert f"{key}: task {made}, created" in shown.said
    assert "`acme/other` has no task: the next apply creates it" in shown.summary
    place.write({"asks": "approving", "good": "finishing", "another": "finishing too"})
    ran = runner.requested(inputs, digest=shown.outputs["plan-digest"])
    assert (ran.code, "no longer what the preview showed" in ran.said) == (1, True), ran.said
    assert not state.exists()
    ran = reviewed(runner, inputs)
    assert ran.code == 0, ran.said
    assert place.task_id("asks") == asks
    assert runner.requested(inputs, preview=True).outputs["has-changes"] == "false"


def test_a_message_is_text_whatever_it_is(runner: Runner, place: LiveTasks) -> None:
    for message in ("-", "--force", "$(touch x); `touch x`"):
        ran = reviewed(runner, request("say", "acme/good", text=message))
        assert (ran.code, "acme/good: sent" in ran.said) == (0, True), ran.said
        place.finish(asks="waiting", good="done")
    assert "$(touch x); `touch x`" in place.run("logs", "good")[1]
    ran = reviewed(runner, request("reject", id=place.request("asks"), text="-"))
    assert ran.code == 0, ran.said
    assert not (place.folder / "x").exists()


def test_an_entry_is_cancelled_in_one_run(runner: Runner, place: LiveTasks) -> None:
    """Of an entry and a glob, only the recorded tasks; the preview names each."""
    place.write_rows("endless endless", more="good: {message: finishing}\n")
    assert place.run("apply", "--yes")[0] == 0
    for tasks in ("t", "acme/t", "acme/t@* t@a"):
        shown = runner.requested(request("cancel", tasks), preview=True)
        assert "`acme/t@a` running\n\n`acme/t@b` running" in shown.summary, shown.said
        assert "acme/good" not in shown.summary
    ran = reviewed(runner, request("cancel", "t"))
    assert "acme/t@a: cancelled\nacme/t@b: cancelled" in ran.said
    again = runner.requested(request("cancel", "acme/good"), preview=True)
    assert (again.code, again.outputs["has-changes"]) == (0, "false")


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        (request("cancel", "--force"), "the input tasks must be"),
        (request("cancel", ""), "the input tasks is required"),
        (request("approve", "asks", id="odd"), "the input tasks must be ORG/KEY"),
        (request("approve", "acme/*", id="odd"), "the input tasks must be ORG/KEY"),
        (request("approve", "acme/asks acme/good", id="odd"), "the input tasks must name"),
        (request("cancel", "tasks/all.yaml"), "no task in the state has the key"),
        (request("cancel", "tasks"), "no task in the state has the key"),
        (request("accept", "tasks/all.yaml"), "[TC"),
        (request("accept", "tasks"), "[TC"),
        (request("approve"), "the input id is required"),
        (request("approve", id="$(x)"), "the input id is invalid"),
        (request("approve", id="odd"), "no open request odd"),
        (request("reject", id="odd"), "the input text is required"),
        (request("say", text=" "), "the input text is required"),
        (request("say", text="TEXT"), "replace TEXT"),
        (request("assign", id="TASK_ID"), "replace TEXT, TASK_ID and ID"),
        (request("init", "", id="ID"), "replace TEXT, TASK_ID and ID"),
        (request("init", "", id=""), "the input id is required"),
        (request("init", id="new"), "the input tasks must be empty for init"),
        (request("assign", "acme/a acme/b", id="t"), "the input tasks must name exactly one"),
        (request("close", "acme/*"), "the input tasks must be ORG/KEY for close"),
        (request("dismiss", ""), "the input tasks must name exactly one"),
        (request("say", id="odd", text="x"), "the input id must be empty for say"),
        (request("cancel", **{"max-creates": "3"}), "must be empty for cancel"),
        (request("apply", "--update"), "the input tasks must be"),
        (request("apply", "acme/k?"), "the input tasks must be"),
        (request("apply", **{"max-creates": "3 --update"}), "must be a number"),
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
