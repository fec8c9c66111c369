"""A saved plan that somebody changed, with a corrected checksum: apply never does anything else
than what `show` says."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.model.typed_json import with_checksum
from tests.support.live_tasks import LiveTasks

FILE = "plan.taskctl"
HARMLESS = "finishing: read only, change nothing"


def forge(place: LiveTasks, change: Callable[[dict[str, Any]], object]) -> None:
    path = place.folder / FILE
    whole = json.loads(path.read_text())
    whole.pop("checksum")
    change(whole["plan"])
    path.write_bytes(with_checksum(json.dumps(whole).encode()))


def refused(place: LiveTasks, *more: str) -> str:
    """The code of the problem with which apply rejects the plan."""
    code, out, _ = place.run("apply", FILE, "--yes", "--format", "json", *more)
    assert code == 1
    document = json.loads(out)
    assert not document.get("tasks")
    (problem,) = document["diagnostics"]
    return str(problem["code"])


def other_prompt(plan: dict[str, Any]) -> None:
    plan["tasks"][0]["desired"]["inputs"]["message"]["content"] = HARMLESS


def second_copy(plan: dict[str, Any]) -> None:
    """The actions in a copy, beside other ones that are shown."""
    task = plan["tasks"][0]
    plan["content"] = {"tasks": {"acme/a": {"does": "create", "inputs": task["desired"]["inputs"]}}}
    other_prompt(plan)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (other_prompt, "TC653"),
        (second_copy, "TC651"),
        (lambda plan: plan.update(tasks=[]), "TC653"),
        (lambda plan: plan["tasks"][0].update(action="unchanged", reason="same"), "TC653"),
        (lambda plan: plan["tasks"][0].update(reason="retry"), "TC653"),
        (lambda plan: plan["tasks"].append(plan["tasks"][0]), "TC651"),
    ],
)
def test_a_create_that_is_shown_differently_is_refused(
    place: LiveTasks, change: Callable[[dict[str, Any]], object], code: str
) -> None:
    place.write({"a": "finishing: delete everything in production"})
    assert place.run("plan", "--out", FILE)[0] == 0
    forge(place, change)
    assert refused(place) == code
    assert place.run("plan", "--detailed-exitcode")[0] == 2  # nothing was created


REMARK = {"case": "said", "facts": {"text": "approved by security"}}
WARNED = {"entry": "x", "count": 1, "failed": ["y"]}
WARNING = {"code": "TC318", "severity": "warning", "args": WARNED}
ROW = {"ref": ["acme", "b"], "action": "gone", "reason": "notFound", "file": "", "taskId": "t"}


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan["tasks"][0].update(remarks=[REMARK]),
        lambda plan: plan["tasks"][0].update(file="reviewed.yaml"),
        lambda plan: plan["tasks"][0].update(line=9),
        lambda plan: plan["tasks"].append(ROW),
        lambda plan: plan["identity"].update(login="somebody-else"),
        lambda plan: plan.update(complete=False),
        lambda plan: plan.update(diagnostics=[WARNING]),
        lambda plan: plan.update(succeeded=[["acme", "b"]]),
    ],
)
def test_notes_and_other_tasks_that_are_not_in_the_plan_are_refused(
    place: LiveTasks, change: Callable[[dict[str, Any]], object]
) -> None:
    place.write({"a": "finishing"})
    assert place.run("plan", "--out", FILE)[0] == 0
    forge(place, change)
    assert place.run("show", FILE)[0] == 0
    assert refused(place) == "TC653"


@pytest.mark.parametrize("side", ["before", "after"])
def test_an_update_that_shows_another_value_is_refused(place: LiveTasks, side: str) -> None:
    place.apply({"a": "finishing"}, approvalMode="balanced")
    place.write({"a": "finishing"}, approvalMode="auto")
    assert place.run("plan", "--update", "--out", FILE)[0] == 0
    forge(place, lambda plan: plan["tasks"][0]["diff"][0].update({side: "manual"}))
    assert '"manual"' in place.run("show", FILE)[1]
    assert refused(place) == "TC653"


def test_an_entry_that_shows_another_prompt_or_value_is_refused(place: LiveTasks) -> None:
    entry = {"forEach": {"n": ["prod", "dev"]}, "message": "finishing {{ n }}"}
    manifest = {"version": 1, "orgName": "acme", "tasks": {"a": entry}}
    (place.folder / "tasks").mkdir(exist_ok=True)
    (place.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))

    def other_template(plan: dict[str, Any]) -> None:
        plan["tasks"][0]["desired"]["origin"]["template"]["message"]["content"] = HARMLESS

    def other_value(plan: dict[str, Any]) -> None:
        plan["tasks"][0]["desired"]["origin"]["generated"]["values"]["n"] = "test"

    for change in (other_template, other_value):
        assert place.run("plan", "--out", FILE)[0] == 0
        forge(place, change)
        assert refused(place) == "TC653"


def test_an_unchanged_plan_is_applied(place: LiveTasks) -> None:
    place.write({"a": "finishing"})
    assert place.run("plan", "--out", FILE)[0] == 0
    forge(place, lambda plan: None)
    assert place.run("apply", FILE, "--yes")[0] == 0
