"""The Neo token budget through the command line: shown, enforced, overridden."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.budgeted_app import BudgetedApp, TokenBudget
from tests.support.fault_server import Fault, FaultServer, Rule
from tests.support.live_tasks import LONGER, LiveTasks, live_tasks
from tests.support.sandbox import Sandbox, as_tasks, prompts

ONE = {"one": "finishing the first"}
TWO = {**ONE, "two": "finishing the second"}
LEFT = {"consumedTokens": 5, "effectiveAllowanceTokens": 9, "exhausted": False, "windowEnd": 0}
USED_UP = {**LEFT, "consumedTokens": 9, "exhausted": True, "windowEnd": 4_102_444_800}


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[LiveTasks]:
    """One task was created and has ended; a second one would exceed the budget."""
    ends = int(time.time()) + 7 * 86400 + 60
    budget = TokenBudget(4000, window_end=ends)
    with live_tasks(tmp_path, monkeypatch, capsys, budget=budget) as place:
        place.apply(ONE)
        place.time.advance(LONGER)
        yield place


def made(place: LiveTasks) -> int:
    return len(place.api.list().json["tasks"])


def spent(place: LiveTasks) -> None:
    """Sets the budget to fewer tokens than were used."""
    assert isinstance(place.api.app, BudgetedApp)
    place.api.app.budget = TokenBudget(1000)


def test_plan_shows_the_budget(place: LiveTasks) -> None:
    place.write(TWO)
    code, out, err = place.run("plan")
    (line,) = [row for row in out.splitlines() if row.startswith("Budget: ")]
    assert line.startswith("Budget: 2.5k of 4.0k tokens used, until 20")
    assert line.endswith(" UTC.")
    assert out.splitlines()[-1].startswith("Plan: 1 to create")
    assert code == 0
    assert "[TC511]" not in err
    (budget,) = place.document("plan")["budget"]["organizations"]
    assert (budget["allowanceTokens"], budget["exhausted"]) == (4000, False)
    assert place.run("apply", "--yes")[0] == 0
    assert made(place) == 2


@pytest.mark.parametrize("name", ["markdown", "html"])
def test_reports_show_the_budget(place: LiveTasks, name: str) -> None:
    place.write(TWO)
    _, out, _ = place.run("plan", "--format", name)
    assert "2.5k of 4.0k tokens used" in out


def test_apply_creates_nothing_if_the_budget_is_used_up(place: LiveTasks) -> None:
    place.write(TWO)
    spent(place)
    code, out, err = place.run("plan")
    assert (code, "[TC511]" in err, "expect-plan" in err) == (1, True, False)
    assert out.endswith("exit 1 before it does anything: token budget exhausted.\n")
    assert place.run("plan", "--over-budget")[0] == 0
    before = (place.folder / "taskctl.state.json").read_bytes()
    code, out, err = place.run("apply", "--yes")
    assert code == 1
    assert "error: the Neo token budget of acme is exhausted: 2.5k of 1.0k tokens; apply" in err
    assert "taskctl apply --over-budget" in err
    assert "Plan: 1 to create" in out
    assert made(place) == 1
    assert (place.folder / "taskctl.state.json").read_bytes() == before
    told = place.document("apply", "--yes")["diagnostics"]
    assert [d["severity"] for d in told] == ["error"]


def test_a_replacement_counts_as_a_create(place: LiveTasks) -> None:
    place.write(ONE)
    wish = f"one={place.task_id('one')}"
    assert place.document("plan", "--replace", wish)["budget"]["organizations"]
    spent(place)
    assert place.run("apply", "--yes", "--replace", wish)[0] == 1
    assert made(place) == 1


def test_the_command_to_try_anyway_has_the_options_of_the_run(place: LiveTasks) -> None:
    """Except `--yes`: nobody has seen that plan."""
    place.write(TWO)
    spent(place)
    given = ("tasks", "--replace", "one", "--allow-recreate=two", "--target", "*")
    for words in (("plan", *given, "--wait"), ("apply", "--yes", *given, "--wait")):
        err = place.run(*words)[2]
        (line,) = [row for row in err.splitlines() if "apply --over-budget" in row]
        suggested = shlex.split(line)
        assert {*given, "--wait"} <= set(suggested)
        assert "--yes" not in suggested


def test_over_budget_sends_the_creates_and_the_service_refuses(place: LiveTasks) -> None:
    place.write(TWO)
    spent(place)
    document = place.document("apply", "--yes", "--over-budget")
    (task,) = document["tasks"]
    assert task["result"] == "failed"
    assert "the usage limit (HTTP 402)" in task["error"]
    assert [hint["commands"] for hint in task["hints"]] == [[]]  # this command, later
    assert document["budget"]["organizations"][0]["exhausted"] is True
    assert made(place) == 1
    assert json.loads((place.folder / "taskctl.state.json").read_text()).get("attempts", {}) == {}


def test_a_plan_without_creates_does_not_read_the_budget(
    sandbox: Sandbox, server: FaultServer
) -> None:
    sandbox.write(as_tasks(prompts(2)))
    server.habits.budget = LEFT
    assert sandbox.run("apply").code == 0
    assert len(server.of("budget")) == 1
    ended = sandbox.run("plan")
    assert "budget" not in ended.document
    assert len(server.of("budget")) == 1


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def sandbox(tmp_path: Path, server: FaultServer) -> Sandbox:
    return Sandbox(tmp_path, server)


def test_over_budget_creates_if_the_service_allows(sandbox: Sandbox, server: FaultServer) -> None:
    sandbox.write(as_tasks(prompts(2)))
    server.habits.budget = USED_UP
    assert sandbox.run("apply").code == 1
    assert server.posts == []
    assert sandbox.run("plan", "--out", "plan.taskctl").code == 1  # as apply would
    assert sandbox.run("apply", "plan.taskctl").code == 1
    refused = sandbox.run("apply", "plan.taskctl", "--over-budget")
    assert [d["code"] for d in refused.document["diagnostics"]] == ["TC653"]
    assert server.posts == []
    assert sandbox.run("plan", "--over-budget", "--out", "plan.taskctl").code == 0
    assert sandbox.run("apply", "plan.taskctl").code == 0
    sandbox.assert_exactly_one_each(prompts(2))


@pytest.mark.parametrize(
    "answer",
    [
        {**LEFT, "consumedTokens": -1}, {**LEFT, "consumedTokens": 10**40}, {"exhausted": True},
        {**LEFT, "effectiveAllowanceTokens": "\x1b[2J"}, [], "no",
    ],
    ids=str,
)  # fmt: skip
def test_an_invalid_budget_is_ignored(
    sandbox: Sandbox, server: FaultServer, answer: object
) -> None:
    sandbox.write(as_tasks(prompts(1)))
    server.habits.budget = answer
    ended = sandbox.run("plan", "-v")
    assert (ended.code, "budget" in ended.document) == (0, False)
    assert "no budget for acme (the response is not a Neo token budget)" in ended.stderr
    assert "budget" not in sandbox.run("plan").stderr
    assert sandbox.run("apply").code == 0


def test_odd_values_of_the_service_are_inert(sandbox: Sandbox, server: FaultServer) -> None:
    sandbox.write(as_tasks(prompts(1)))
    hostile = "\x1b[31m\u202e::error::" * 9
    for end in (10**18, -1, hostile):
        server.habits.budget = {**LEFT, "windowKind": hostile, "windowEnd": end}
        for name in ("text", "markdown", "html", "json"):
            ended = sandbox.run("plan", "--format", name)
            assert ended.code == 0
            assert "\x1b" not in ended.stdout
            assert "\u202e" not in ended.stdout
        assert ended.document["budget"]["organizations"][0]["windowEnd"] is None


def test_a_service_without_a_budget_is_queried_once_and_nothing_is_shown(
    sandbox: Sandbox, server: FaultServer
) -> None:
    sandbox.write(as_tasks(prompts(1)))
    ended = sandbox.run("apply")
    assert (ended.code, "udget" in ended.stderr + ended.stdout) == (0, False)
    assert len(server.of("budget")) == 1


@pytest.mark.parametrize("status", [402, 403])
def test_a_budget_refusal_of_the_service_is_explained(
    sandbox: Sandbox, server: FaultServer, status: int
) -> None:
    sandbox.write(as_tasks(prompts(1)))
    words = "Neo usage limit reached for acme"
    rule = Rule("create", Fault("status", status=status, text=words))
    server.set_rules(rule)
    ended = sandbox.run("apply")
    assert ended.code == 1
    (task,) = ended.document["tasks"]
    assert task["error"] == f"{words} (HTTP {status})"
    assert ("hints" in task) == (status == 402)
    server.set_rules()
    assert sandbox.run("apply").code == 0
    sandbox.assert_exactly_one_each(prompts(1))
