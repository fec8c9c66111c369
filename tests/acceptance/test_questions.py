"""The questions of apply on a terminal about single tasks."""

from __future__ import annotations

from io import StringIO

import pytest

from reconciler.cli.console.output import Output
from tests.acceptance.test_confirmed_plans import lose
from tests.crash.test_lost_identity import DOWN, LOST, OTHER_STATE, set_rules, tasks_of
from tests.support.fault_server import Call, Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import Ended, as_tasks
from tests.support.skipped_time import stopped_time

ONE = as_tasks({"k2": "do 2"})


@pytest.fixture
def at_a_terminal(here: InProcess, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    """Each question is answered with yes."""
    here.sandbox.write(ONE)
    monkeypatch.setattr(Output, "interactive", True)
    monkeypatch.setattr("sys.stdin", StringIO("yes\n" * 3))
    return here


def apply(here: InProcess, *words: str) -> Ended:
    """Without --yes."""
    return here.run_words([w for w in here.sandbox.arguments("apply", *words) if w != "--yes"])


def test_a_task_that_is_gone_is_created_again_if_a_person_says_so(
    at_a_terminal: InProcess,
) -> None:
    here = at_a_terminal
    assert here.run("apply").results() == {"k2": "created"}
    lose(here, "k2")
    ended = apply(here)
    assert "was not found" in ended.stderr
    assert "Create it again? Only 'yes' is accepted:" in ended.stderr
    assert ended.results() == {"k2": "created"}
    assert len(here.server.tasks_by_work()["do 2"]) == 2


def test_the_budget_is_requested_once_whatever_is_asked(at_a_terminal: InProcess) -> None:
    here = at_a_terminal
    assert here.run("apply").results() == {"k2": "created"}
    lose(here, "k2")
    here.sandbox.write({**ONE, **as_tasks({"k3": "do 3"})})
    before = len(here.server.of("budget"))
    assert apply(here).results() == {"k2": "created", "k3": "created"}
    assert len(here.server.of("budget")) == before + 1


def test_an_answer_does_not_count_for_the_same_key_of_another_organization(
    at_a_terminal: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = at_a_terminal
    here.sandbox.write(as_tasks({"k2": "do 3"}), "other", orgName="other")
    assert [task["result"] for task in here.run("apply").document["tasks"]] == ["created"] * 2
    with stopped_time() as time:
        time.seconds += 60
    for task in here.server.world.by_id.values():
        task.user = "nobody"
    monkeypatch.setattr("sys.stdin", StringIO("yes\nno\nyes\n"))
    results = [(t["orgName"], t["result"]) for t in apply(here).document["tasks"]]
    assert results == [("acme", "created")]


@pytest.mark.parametrize("is_expected", [False, True])
def test_a_person_says_that_a_task_is_the_result_of_an_attempt(
    at_a_terminal: InProcess, *, is_expected: bool
) -> None:
    """With --expect-plan, apply does nothing that is not part of the plan, so it does not ask."""
    here = at_a_terminal
    here.server.habits.references = "stripped"
    set_rules(here, Rule("create", LOST), Rule("events", DOWN))
    assert here.run("apply").results() == {"k2": "unresolved"}
    set_rules(here)
    assert here.run("apply").results() == {"k2": "unresolved"}
    digest = str(here.run("plan").document["digest"])
    ended = apply(here, *(("--expect-plan", digest) if is_expected else ()))
    asked = (
        f"{tasks_of(here)[0]}; created" in ended.stderr and "Is this the task of" in ended.stderr
    )
    assert asked is not is_expected, ended.stderr
    assert ended.results() == {"k2": "unresolved" if is_expected else "adopted"}


def test_a_create_that_became_possible_after_the_plan_is_not_sent(
    at_a_terminal: InProcess,
) -> None:
    """The plan could not read all tasks, so it did not show the prompt, which was edited."""
    here = at_a_terminal
    set_rules(here, Rule("create", DOWN), Rule("list", DOWN, nth=tuple(range(2, 1000))))
    assert here.run("apply").results() == {"k2": "unresolved"}
    other = f"another task{OTHER_STATE}"
    here.server.world.create("me", "acme", {"message": {"content": other}})
    set_rules(here, Rule("events", DOWN))
    assert here.run("apply").results() == {"k2": "unresolved"}
    here.sandbox.write(as_tasks({"k2": "do it otherwise"}))
    set_rules(here)
    lists: list[Call] = []

    def choose(call: Call) -> Fault | None:
        lists.extend([call] if call.endpoint == "list" else [])
        return DOWN if call.endpoint == "events" and len(lists) < 2 else None

    here.server.choose = choose
    ended = apply(here)
    assert ended.results() == {"k2": "unresolved"}
    assert "that was not known when the plan was made" in ended.stdout
    assert "do it otherwise" not in here.server.tasks_by_work()
    assert apply(here).results() == {"k2": "created"}


def test_the_plan_shows_the_prompt_of_a_create_that_an_attempt_decides(
    at_a_terminal: InProcess,
) -> None:
    here = at_a_terminal
    set_rules(here, Rule("create", DOWN), Rule("list", DOWN, nth=tuple(range(2, 1000))))
    assert here.run("apply").results() == {"k2": "unresolved"}
    set_rules(here)
    here.sandbox.write(as_tasks({"k2": "do it otherwise"}))
    longer = ("--settle-time", "600s")
    (task,) = here.run("plan", *longer).document["tasks"]
    assert (task["reason"], task["inputs"]["message"]) == (
        "settling",
        {"content": "do it otherwise"},
    )
    shown = here.run_words(["plan", "--backend", here.server.url, *longer]).stdout
    assert "| do it otherwise" in shown
