"""The status `unknown`, and results without a cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from reconciler.model import limits
from tests.acceptance.test_expectations import GOOD, SCHEMA, applied, task
from tests.support.live_tasks import LONGER, LiveTasks

ENTRY: dict[str, Any] = {
    "every": "month",
    "overlap": "wait",
    "message": "answering {{ period.name }} " + GOOD,
    "expect": {"data": SCHEMA},
}


def test_a_finished_recurring_task_stays_done_without_a_cache(
    place: LiveTasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write_tasks(up=ENTRY)
    assert place.run("apply", "--yes")[0] == 0
    place.time.advance(LONGER)
    for command in (["status", "--exit-code"], ["results", "--exit-code"], ["wait"]):
        monkeypatch.setenv("TASKCTL_CACHE_DIR", str(tmp_path / f"empty-{command[0]}"))
        code, out, err = place.run(*command)
        assert code == 0, out + err
    found = place.document("results")["tasks"]
    assert [(each["status"], each["data"]) for each in found] == [("done", {"upgraded": []})]
    assert place.run("apply", "--yes")[0] == 0


def break_manifest(place: LiveTasks) -> None:
    path = place.folder / "tasks" / "all.yaml"
    path.write_text(path.read_text().replace('"version": 1', '"version": 9'))


def test_a_manifest_with_an_error_makes_no_task_done(place: LiveTasks) -> None:
    applied(
        place,
        unmet=task("answering JSON", data=SCHEMA),
        met=task(f"answering {GOOD}", data=SCHEMA),
        failed=task("failing", data=SCHEMA),
        plain={"message": "finishing"},
    )
    place.finish(unmet="unmet", met="done", failed="failed", plain="done")
    break_manifest(place)
    expected = {"unmet": "unknown", "met": "unknown", "failed": "failed", "plain": "done"}
    for command in ("status", "results", "wait"):
        tasks = place.document(command)["tasks"]
        assert {each["key"]: each["status"] for each in tasks} == expected
        reasons = {each["key"]: [r["code"] for r in each["unmet"]] for each in tasks}
        assert reasons["met"] == reasons["unmet"] == ["TC754"]
    rows = place.run("results", "--format", "csv")[1].splitlines()
    assert [row.split(",")[2] for row in rows if row.startswith("acme,met")] == ["unknown"]
    cases = {
        case.get("name"): [child.tag for child in case if child.tag in ("error", "failure")]
        for case in ET.fromstring(place.run("results", "--format", "junit")[1]).iter("testcase")
    }
    assert cases.pop("results") == ["failure"]  # the reasons again
    assert cases == {"met": ["error"], "unmet": ["error"], "failed": ["error"], "plain": []}
    assert place.run("status")[0] == 0
    for command, *more in (["status", "--exit-code"], ["results", "--exit-code"], ["wait"]):
        assert place.run(command, "met", *more)[0] == 1


SLOW = {"properties": {"a": {"pattern": "^(a+)+$"}}}
LONG = "answering ```json " + json.dumps({"a": "a" * 80 + "!"}) + " ```"


def test_what_waits_for_an_unknown_result_has_stopped_unless_its_success_is_recorded(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RESULT_SECONDS", 0.2)
    rows = {"forEach": {"row": ["a", "b"]}, "rollout": {"pilot": 1, "stopAfter": 9}}
    up = {**rows, "message": f"{LONG} {{{{ row }}}}", "expect": {"data": SLOW}}
    place.write_tasks(
        first=task(LONG, data=SLOW), second={"message": "x", "after": ["first"]}, up=up
    )
    assert place.run("apply", "--yes")[0] == 0
    place.finish(**{"first": "unknown", "up@a": "unknown"})
    plan = {each["key"]: each for each in place.document("plan")["tasks"]}
    for key in ("second", "up@b"):
        assert (plan[key]["action"], plan[key]["reason"]) == ("held", "stopped"), key
    assert place.document("apply", "--yes")["summary"]["created"] == 0
    assert place.run("status", "--exit-code")[0] == 1
    assert "first (unknown)" in place.run("plan")[1]


def test_a_recorded_success_counts_when_its_result_cannot_be_checked(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = task(f"answering {GOOD}", data={**SCHEMA, **SLOW})
    place.write_tasks(first=first, second={"message": "finishing", "after": ["first"]})
    assert place.run("apply", "--yes", "--wait", "--interval", "100ms")[0] == 0
    assert place.run("say", "first", LONG, "-y")[0] == 0
    monkeypatch.setattr(limits, "RESULT_SECONDS", 0.2)
    place.finish(first="unknown", second="done")
    place.write_tasks(first=first, third={"message": "x", "after": ["first"]})
    plan = {each["key"]: each["action"] for each in place.document("plan")["tasks"]}
    assert plan["third"] == "create"


def test_an_unknown_result_ends_an_overlap(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RESULT_SECONDS", 0.2)
    place.write_tasks(
        up={**ENTRY, "message": "{{ period.name }} " + LONG, "expect": {"data": SLOW}}
    )
    path = place.folder / "tasks" / "all.yaml"
    path.write_text(
        path.read_text().replace("{{ period.name }} answering", "answering {{ period.name }}")
    )
    assert place.document("apply", "--yes")["summary"]["created"] == 1
    place.time.advance(LONGER)
    assert list(place.statuses().values()) == ["unknown"]
    (later,) = place.document("plan", "--at", "2999-01-01")["tasks"]
    assert (later["key"], later["action"]) == ("up@2999-01", "create")
