"""A saved plan that somebody changed: apply never does anything else than what it shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.fault_script import Fault, Rule
from tests.support.in_process import InProcess
from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import as_tasks

FILE = "plan.taskctl"
WORK = {"a": "finishing: delete everything in production"}
OTHER_DIGEST = f"sha256:{'0' * 64}"


def forge(place: LiveTasks, change: Callable[[dict[str, Any]], object]) -> None:
    path = place.folder / FILE
    whole = json.loads(path.read_text())
    change(whole["plan"])
    path.write_text(json.dumps(whole))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda plan: plan["tasks"].update({"acme/a": OTHER_DIGEST}), "TC653"),
        (lambda plan: plan["tasks"].update({"acme/b": OTHER_DIGEST}), "TC653"),
        (lambda plan: plan["tasks"].clear(), "TC653"),
        (lambda plan: plan.update(lineage="other"), "TC653"),
        (lambda plan: plan.update(closes=["a/1 babab-babab-babab"]), "TC653"),
        (lambda plan: plan.update(backend="local"), "TC653"),
        (lambda plan: plan.update(identity=None), "TC653"),
        (lambda plan: plan.update(more=1), "TC651"),
        (lambda plan: plan["options"].update(more=1), "TC651"),
        (lambda plan: plan["options"].update(settleTime="PT0S"), "TC651"),
        (lambda plan: plan["options"].update(settleTime="P400D"), "TC651"),
        (lambda plan: plan.update(scope=["tasks\0"]), "TC651"),
        (lambda plan: plan.pop("tasks"), "TC651"),
    ],
)
def test_a_changed_plan_is_refused(
    place: LiveTasks, change: Callable[[dict[str, Any]], object], code: str
) -> None:
    place.write(WORK)
    assert place.run("plan", "--out", FILE)[0] == 0
    forge(place, change)
    ended, out, _ = place.run("apply", FILE, "--yes", "--format", "json")
    document = json.loads(out)
    assert (ended, document.get("tasks", [])) == (1, [])
    assert [problem["code"] for problem in document["diagnostics"]] == [code]
    assert place.run("plan", "--detailed-exitcode")[0] == 2  # nothing was created


def test_options_of_a_forged_plan_do_only_what_was_reviewed(place: LiveTasks) -> None:
    """More options would do more, which has no digest in the file."""
    place.apply(WORK, approvalMode="balanced")
    place.write({**WORK, "b": "finishing too"}, approvalMode="auto")
    assert place.run("plan", "--out", FILE)[0] == 0
    forge(place, lambda plan: plan["options"].update(update=True))
    code, _, err = place.run("apply", FILE)
    assert (code, "would also contain acme/a" in err) == (1, True)


def test_a_forged_settle_time_does_not_start_a_second_agent(here: InProcess) -> None:
    """It is not shown. The list shows the task only after 20 seconds."""
    here.sandbox.write(as_tasks({"one": "do 1"}))
    words = ["--backend", here.server.url, "--format", "json"]
    assert here.run_words(["plan", *words, "--out", FILE]).code == 0
    path = here.sandbox.folder / FILE
    whole = json.loads(path.read_text())
    whole["plan"]["options"]["settleTime"] = "PT0.1S"
    path.write_text(json.dumps(whole))
    here.server.set_rules(Rule("create", Fault("reset", committed=True), nth=(1,)))
    here.server.habits.list_lag = 20
    assert here.run_words(["apply", *words, "--yes", FILE]).code == 0
    here.sandbox.assert_exactly_one_each({"one": "do 1"})


def test_an_unchanged_plan_is_applied(place: LiveTasks) -> None:
    place.write(WORK)
    assert place.run("plan", "--out", FILE)[0] == 0
    forge(place, lambda plan: None)
    code, out, _ = place.run("apply", FILE)
    assert (code, "+ a  tasks/all.yaml:1" in out) == (0, True), out
