"""Open requests: shown by `status`, and answered one by one or by pattern."""

from __future__ import annotations

import os

import pytest

from reconciler.cli.console.output import Output
from reconciler.cli.main import run
from reconciler.model.task import TaskRef
from reconciler.tasks.events import Approval
from tests.support.live_tasks import LONGER, LiveTasks
from tests.support.sandbox import ROOT
from tests.support.shells import Shell, typed

ASKED = "May I run `pulumi up` on the stack?"


def at_terminal(place: LiveTasks, *arguments: str) -> Shell:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return typed(place.folder, env, *arguments, "--backend", place.url)


def test_status_shows_each_request_its_age_and_the_command_that_answers(place: LiveTasks) -> None:
    tasks = {"asks": "approving", "good": "finishing", "cli": "delegating"}
    place.apply(tasks, toolExecutionMode="cli")
    place.finish(asks="waiting", good="done", cli="waiting")
    rows = place.run("status")[1].splitlines()
    at = next(n for n, row in enumerate(rows) if row.startswith("asks "))
    assert rows[at + 1].startswith("  asks for approval (")
    assert f"ago): {ASKED}" in rows[at + 1]
    assert rows[at + 2].startswith("  taskctl approve acme/asks --request approval-")
    found = {task["key"]: task for task in place.document("status")["tasks"]}
    (asked,) = found["asks"]["waitingFor"]
    assert (asked["wants"], asked["message"]) == ("approval", ASKED)
    given = ["--backend", place.url, "-C", str(place.folder)]
    words = ["taskctl", "approve", "acme/asks", "--request", asked["requestId"]]
    assert asked["command"] == [*words, *given]
    assert asked["since"] is not None
    assert asked["requestId"] == found["asks"]["approvals"][0]["id"]
    (parked,) = found["cli"]["waitingFor"]
    assert parked["command"] == ["pulumi", "neo", "resume", place.task_id("cli")]
    assert found["good"]["waitingFor"] == []


def test_the_status_option_filters_and_the_state_option_names_a_state(place: LiveTasks) -> None:
    place.apply({"asks": "approving", "good": "finishing", "bad": "failing"})
    place.finish(asks="waiting", good="done", bad="failed")

    def keys(*options: str) -> list[str]:
        return [task["key"] for task in place.document("status", *options)["tasks"]]

    assert keys("--status", "waiting,failed") == ["asks", "bad"]
    none = "No matching tasks are recorded.\n"
    assert place.run("status", "--status", "running")[1] == none
    address = str(place.folder / "taskctl.state.json")
    assert keys("--status", "done", "--state", address) == ["good"]
    (place.folder / "done").write_text("{")
    assert "[TC6" in place.run("status", "--state", "done")[2]
    assert keys("--state", "waiting") == []  # a file that does not exist


def test_status_shows_only_the_open_requests_and_all_that_they_contain(place: LiveTasks) -> None:
    place.apply({"zz": "approving", "good": "finishing", "aa": "asking"})
    place.finish(zz="waiting", good="done", aa="waiting")
    code, out, _ = place.run("status", "--status", "waiting")
    assert code == 0
    assert out.index("asks a question") < out.index("asks for approval")
    assert out.count(ASKED) == 1
    assert "  taskctl approve acme/zz --request approval-" in out
    assert "good" not in out
    assert "tool pulumi_up" not in out
    out = place.run("status", "--status", "waiting", "-v", "z*")[1]
    assert out.count(ASKED) == 1
    assert "tool pulumi_up" in out
    (task,) = place.document("status", "z*")["tasks"]
    assert task["approvals"][0]["context"]["tool_name"] == "pulumi_up"


def test_a_terminal_asks_about_one_request_after_another(place: LiveTasks) -> None:
    """No letter that was meant to quit reaches an agent."""
    place.apply({"a": "approving", "b": "asking", "c": "approving too"})
    place.finish(a="waiting", b="waiting", c="waiting")
    with at_terminal(place, "approve", "*") as person:
        answers = (("y", ASKED), ("q", "Which region"), ("", ASKED))
        for words, shown in answers:
            person.until("Answer (press Enter to skip): " if words == "q" else "[y/N] ")
            assert shown in person.screen
            person.type(f"{words}\n")
        assert person.ended() == 0
    place.time.advance(LONGER)
    assert place.statuses() == {"a": "done", "b": "waiting", "c": "waiting"}


def test_an_answer_to_a_closed_request_is_refused(place: LiveTasks) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    with at_terminal(place, "approve", "asks") as person:
        person.until("[y/N] ")
        assert place.answer("reject", "asks", "-m", "Use a preview.")[0] == 0
        person.type("y\n")
        assert person.ended() == 1
        assert "[TC820]" in person.screen
        assert "Approved" not in person.screen


def test_each_of_several_requests_is_shown_and_refused_if_it_changed(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.apply({key: f"approving {key}" for key in "abc"})
    place.finish(a="waiting", b="waiting", c="waiting")
    show, shown = Output.show_approval, []

    def show_approval(self: Output, ref: TaskRef, approval: Approval) -> None:
        show(self, ref, approval)
        shown.append(ref.key)
        if shown == ["a", "b"]:  # another person answers first
            words = ["reject", "b", "--request", approval.id, "-m", "Use a preview.", "-q"]
            assert run([*words, "--backend", place.url, "-C", str(place.folder)]) == 0

    monkeypatch.setattr(Output, "show_approval", show_approval)
    monkeypatch.setattr(Output, "interactive", True)
    monkeypatch.setattr(Output, "ask", lambda *_, **__: True)
    code, out, err = place.run("approve", "*")
    assert (code, out) == (1, "acme/a: Approved.\nacme/c: Approved.\n")
    assert "[TC820]" in err
    assert err.count(ASKED) == 4  # the rejected request was shown twice
    assert shown == ["a", "b", "b", "c"]


def test_a_question_is_answered_in_words(place: LiveTasks) -> None:
    place.apply({key: f"asking {key}" for key in ("one", "two")})
    place.finish(one="waiting", two="waiting")
    question = place.document("status", "one")["tasks"][0]["waitingFor"][0]
    assert question["wants"] == "answer"
    words = ["taskctl", "approve", "acme/one", "--request", question["requestId"], "-m", "TEXT"]
    assert question["command"] == [*words, "--backend", place.url, "-C", str(place.folder)]
    assert "[TC736]" in place.answer("approve", "one")[2]
    assert place.answer("approve", "one", "-m", "eu-west-1")[1] == "acme/one: Answered.\n"
    with at_terminal(place, "approve", "two") as person:
        person.until("Answer (press Enter to skip): ")
        assert "Which region" in person.screen
        person.type("eu-west-1\n")
        assert person.ended() == 0
        assert "acme/two: Answered." in person.screen
    place.finish(one="done", two="done")
    assert "eu-west-1" in place.run("logs", "two")[1]


def test_say_to_a_waiting_task_names_the_commands_that_answer(place: LiveTasks) -> None:
    place.apply({"one": "approving", "two": "asking"})
    place.finish(one="waiting", two="waiting")
    given = f"-m TEXT --backend {place.url}"
    one, two = (f"--request {place.request(key)} {given}" for key in ("one", "two"))
    assert f"\n    taskctl reject acme/one {one}" in place.run("say", "one", "Hello?")[2]
    assert f"\n    taskctl approve acme/two {two}" in place.run("say", "two", "Hello?")[2]


def test_patterns_answer_matching_requests(place: LiveTasks) -> None:
    place.apply({"a1": "approving 1", "a2": "approving 2", "a3": "finishing"})
    place.finish(a1="waiting", a2="waiting", a3="done")
    code, out, err = place.run("reject", "a*", "-m", "Not today.")
    assert (code, out) == (1, "")
    assert err.count("[TC807]") == 2
    for key in ("a1", "a2"):
        assert f"taskctl reject acme/{key} --request {place.request(key)} -m" in err
        assert place.answer("reject", key, "-m", "Not today.")[1] == f"acme/{key}: Rejected.\n"
    place.finish(a1="done", a2="done", a3="done")
    assert "[TC820]" in place.run("approve", "a*")[2]
    code, out, err = place.run("say", "a*", "And more.")
    assert (code, out) == (1, "")
    assert "taskctl say 'a*' 'And more.' -y" in err
    assert place.run("say", "a*", "And more.", "-y")[1].count("Message sent.") == 3
    place.finish(a1="done", a2="done", a3="done")


def test_patterns_cancel_several_and_show_their_conversations(place: LiveTasks) -> None:
    place.time.stop()
    place.apply({"s1": "slow one", "s2": "slow two", "good": "finishing"})
    place.time.advance(0.2)
    code, out, err = place.run("cancel", "s*")
    assert (code, out, err.count("[TC807]")) == (1, "", 1)
    assert "taskctl cancel 's*' -y" in err
    assert place.run("cancel", "s*", "-y")[1].splitlines() == [
        "acme/s1: Cancelled.",
        "acme/s2: Cancelled.",
    ]
    place.finish(s1="cancelled", s2="cancelled", good="done")
    out = place.run("logs", "s*")[1]
    assert [row for row in out.splitlines() if row.startswith("==>")] == [
        "==> acme/s1 <==",
        "==> acme/s2 <==",
    ]
    assert "slow one" in out
    assert "==>" not in place.run("logs", "good")[1]
    for options in (["--follow"], ["--format", "json"]):
        assert place.run("logs", "s*", *options)[0] == 1


def test_the_comment_has_the_question_only_if_texts_are_shown(place: LiveTasks) -> None:
    place.apply({"asks": "approving"})
    place.finish(asks="waiting")
    report = place.folder / "results.md"
    for more, is_shown in (((), False), (("-v",), True)):
        place.run("results", *more, "--report", f"markdown={report}")
        text = report.read_text()
        assert "asks for approval" in text
        assert ("May I run" in text) == is_shown
