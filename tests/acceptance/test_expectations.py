"""The expected results of tasks: `expect` in manifests, and the status `unmet`."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from reconciler.model import limits
from tests.support.live_tasks import LiveTasks

SCHEMA = {
    "type": "object",
    "required": ["upgraded"],
    "properties": {"upgraded": {"type": "array", "maxItems": 3}},
}
GOOD, BAD = '```json {"upgraded": []} ```', '```json {"upgraded": "SECRET"} ```'


def task(text: str, **expect: Any) -> dict[str, Any]:
    return {"message": text, "expect": expect}


def applied(place: LiveTasks, **tasks: dict[str, Any]) -> None:
    place.write_tasks(**tasks)
    code, _, err = place.run("apply", "--yes")
    assert code == 0, err


def entry(text: str = GOOD, count: int = 4, **expect: Any) -> dict[str, Any]:
    """A rollout with a pilot of two; the text of the second one is BAD."""
    rows = [{"name": f"r{n}", "block": BAD if n == 1 else text} for n in range(count)]
    return {
        "forEach": {"row": rows},
        "rollout": {"pilot": 2, "stopAfter": 9},
        "message": "answering {{ row.name }} {{ row.block }}",
        "expect": expect or {"data": SCHEMA},
    }


def test_a_task_that_delivers_what_is_expected_is_done(place: LiveTasks) -> None:
    applied(place, up=task(f"answering {GOOD}", pullRequests=1, data=SCHEMA))
    place.finish(up="done")
    assert place.run("wait")[0] == 0


@pytest.mark.parametrize(
    ("text", "expect", "reason", "code"),
    [
        (
            f"answering {BAD}",
            {"data": SCHEMA},
            "/upgraded: expected an array, got a string",
            "TC753",
        ),
        ("answering JSON", {"data": SCHEMA}, "no JSON block in the last message", "TC752"),
        (
            f"answering {GOOD}",
            {"pullRequests": 2},
            "lists 1 pull request, fewer than the expected 2",
            "TC751",
        ),
        (
            "answering ```json {} ```",
            {"data": SCHEMA},
            "/: required but missing: upgraded",
            "TC753",
        ),
    ],
)
def test_a_task_that_does_not_is_unmet(
    place: LiveTasks, text: str, expect: dict[str, Any], reason: str, code: str
) -> None:
    applied(place, up=task(text, **expect))
    place.finish(up="unmet")
    exit_code, out, _ = place.run("results", "--exit-code")
    assert exit_code == 1
    assert reason in " ".join(out.split())
    assert "taskctl say acme/up" in out
    assert "SECRET" not in out
    assert place.run("wait")[0] == 1
    assert place.run("status", "--status", "unmet", "--exit-code")[0] == 1
    exit_code, out, err = place.run("results", "--format", "sarif")
    assert (exit_code, '"ruleId": "task/unmet"' in out) == (0, True), err
    for command in (["results"], ["status"], ["wait"], ["show", "up"]):
        (found,) = place.document(*command)["tasks"][0]["unmet"]
        assert found["code"] == code, command
        assert (found["file"], found["key"]) == ("tasks/all.yaml", "up")
    assert reason in " ".join(place.run("show", "up")[1].split())


def test_say_and_cancel_show_that_a_task_is_unmet(place: LiveTasks) -> None:
    applied(place, up=task(f"answering {BAD}", data=SCHEMA))
    place.finish(up="unmet")
    code, out, err = place.run("cancel", "up", "-y")
    assert (code, "acme/up: unmet" in err, "is done" in out + err) == (0, True, False)
    code, out, err = place.run("say", "up", f"answering {GOOD}")
    assert (code, "acme/up: unmet" in err, "is done" in out + err) == (0, True, False)
    place.finish(up="done")
    assert "acme/up: done" in place.run("cancel", "up", "-y")[2]


def test_unmet_counts_as_failed(place: LiveTasks) -> None:
    applied(place, up=task(f"answering {BAD}", data=SCHEMA), good=task("finishing"))
    place.finish(up="unmet", good="done")
    for chosen in ("failed", "waiting,failed", "unmet"):
        found = place.document("status", "--status", chosen)["tasks"]
        assert [each["key"] for each in found] == ["up"]
    cases = ET.fromstring(place.run("results", "--format", "junit")[1]).iter("testcase")
    assert [case.get("name") for case in cases if case.find("failure") is not None] == ["up"]


def test_unmet_tasks_stop_a_rollout(place: LiveTasks) -> None:
    rows = {**entry(count=5), "rollout": {"atOnce": 2, "stopAfter": 1}}
    applied(place, up=rows)
    place.finish(**{"up@r0": "done", "up@r1": "unmet"})
    plan = {
        each["key"]: (each["action"], each["reason"]) for each in place.document("plan")["tasks"]
    }
    assert {plan[f"up@r{n}"] for n in range(2, 5)} == {("held", "stopped")}
    assert place.run("apply", "--yes")[0] == 0


def test_a_message_corrects_it_and_apply_remembers_the_success(place: LiveTasks) -> None:
    place.write_tasks(up=entry())
    assert place.run("apply", "--yes")[0] in (0, 1)
    place.finish(**{"up@r0": "done", "up@r1": "unmet"})
    plan = {task["key"]: task for task in place.document("plan")["tasks"]}
    assert (plan["up@r2"]["action"], plan["up@r2"]["reason"]) == ("held", "stopped")
    assert place.run("say", "up@r1", f"answering {GOOD}", "-y")[0] == 0
    place.finish(**{"up@r0": "done", "up@r1": "done"})
    assert place.document("apply", "--yes")["summary"]["created"] == 2
    state = json.loads((place.folder / "taskctl.state.json").read_text())
    assert state["tasks"]["acme/up@r0"]["done"] is True
    assert state["tasks"]["acme/up@r0"]["met"].startswith("sha256:")


def test_another_expectation_voids_a_success_and_the_same_one_does_not(place: LiveTasks) -> None:
    rows = entry(count=2)
    rows["forEach"]["row"][1]["block"] = GOOD
    applied(place, up=rows)
    place.finish(**{"up@r0": "done", "up@r1": "done"})
    rows["forEach"]["row"] += [{"name": "r2", "block": GOOD}]
    rows["rollout"] = {"pilot": 2, "atOnce": 1}
    applied(place, up=rows)
    place.finish(**{"up@r0": "done", "up@r1": "done", "up@r2": "done"})
    assert place.run("say", "up@r0", "failing now", "-y")[0] == 0
    place.finish(**{"up@r0": "failed", "up@r1": "done", "up@r2": "done"})
    rows["forEach"]["row"] += [{"name": "r3", "block": GOOD}]
    place.write_tasks(up=rows)
    plan = {task["key"]: task["action"] for task in place.document("plan")["tasks"]}
    assert plan["up@r3"] == "create"  # the recorded success counts
    rows["expect"] = {"data": {"type": "object", "required": ["more"]}}
    place.write_tasks(up=rows)
    plan = {task["key"]: task["action"] for task in place.document("plan")["tasks"]}
    assert plan["up@r3"] == "held"  # r1 is evaluated again, and unmet
    assert place.statuses()["up@r1"] == "unmet"


def test_a_changed_expectation_changes_no_task(place: LiveTasks) -> None:
    applied(place, up=task(f"answering {GOOD}", data=SCHEMA))
    place.write_tasks(up=task(f"answering {GOOD}", pullRequests=9))
    assert place.run("plan", "--detailed-exitcode")[0] == 0


def test_a_schema_file_and_defaults(place: LiveTasks) -> None:
    (place.folder / "tasks" / "schemas").mkdir(parents=True)
    (place.folder / "tasks" / "schemas" / "up.json").write_text(json.dumps(SCHEMA))
    document = {
        "version": 1,
        "orgName": "acme",
        "defaults": {"expect": {"data": "schemas/up.json"}},
        "tasks": {
            "a": {"message": f"answering a {BAD}"},
            "b": {"message": f"answering b {BAD}", "expect": None},
            "c": {"message": f"answering c {BAD}", "expect": {"pullRequests": 1}},
        },
    }
    (place.folder / "tasks" / "all.yaml").write_text(json.dumps(document))
    assert place.run("apply", "--yes")[0] == 0
    place.finish(a="unmet", b="done", c="done")


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        ({"data": {"type": "objekt"}}, "TC319"),
        ({"data": {"$ref": "https://example.com/x.json"}}, "TC319"),
        ({"data": {"$ref": "#/nowhere"}}, "TC319"),
        ({"data": "schema.yaml"}, "TC319"),
        ({"data": "missing.json"}, "TC1"),
        ({"data": "../../../etc/passwd.json"}, "TC1"),
        ({"pullRequests": "{{ n }}"}, "TC2"),
        ({"data": {"const": "{{ n }}"}}, "TC311"),
        ({"requests": 1}, "TC2"),
    ],
)
def test_an_invalid_expectation_is_an_error_of_validate(
    place: LiveTasks, expect: dict[str, Any], code: str
) -> None:
    place.write_tasks(up=task("Answer in JSON.", **expect))
    ended, err = place.validated()
    assert ended == 1, err
    assert f"[{code}" in err


def test_a_prompt_that_does_not_mention_json_is_a_warning(place: LiveTasks) -> None:
    place.write_tasks(up=task("Upgrade it.", data=SCHEMA))
    code, err = place.validated()
    assert (code, "[TC319]" in err) == (0, True)


def test_an_expectation_that_cannot_be_read_is_an_error_or_a_warning(place: LiveTasks) -> None:
    applied(place, up=task(f"answering {GOOD}", data=SCHEMA))
    place.finish(up="done")
    path = place.folder / "tasks" / "all.yaml"
    path.write_text(path.read_text().replace('"version": 1', '"version": 9'))
    assert place.run("status")[0] == 0
    assert "warning" in place.run("status")[2]
    assert place.run("status", "--exit-code")[0] == 1
    assert place.run("wait")[0] == 1
    assert place.run("results", "--exit-code")[0] == 1


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}},
        {"type": "object", "properties": {"b": {"uniqueItems": True}}},
        {"$defs": {"x": {"anyOf": [{"$ref": "#/$defs/x"}]}}, "$ref": "#/$defs/x"},
    ],
)
def test_a_hostile_schema_is_stopped_and_the_run_goes_on(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch, schema: dict[str, Any]
) -> None:
    monkeypatch.setattr(limits, "RESULT_SECONDS", 0.3)
    data = {"a": "a" * 60 + "!", "b": [{"n": n} for n in range(5000)]}
    text = f"answering ```json {json.dumps(data)} ```"
    applied(place, bad=task(text, data=schema), good=task(f"answering {GOOD}", data=SCHEMA))
    place.finish(bad="unknown", good="done")
    assert "could not be checked within 0.3 s" in place.run("results")[1]


def test_saved_plans_digests_and_policies_see_an_expectation(place: LiveTasks) -> None:
    place.write_tasks(up=task(f"answering {GOOD}", data=SCHEMA))
    assert place.run("plan", "--out", "saved.plan")[0] == 0
    digest = place.document("plan")["digest"]
    place.write_tasks(up=task(f"answering {GOOD}", pullRequests=9))
    assert "stale" in place.run("apply", "saved.plan", "--yes")[2]
    assert place.run("apply", "--yes", "--expect-plan", digest)[0] == 1
    place.write_tasks(up=task(f"answering {GOOD}", data=SCHEMA))
    assert place.run("apply", "saved.plan", "--yes")[0] == 0
    (place.folder / "policy.json").write_text(json.dumps({"required": ["expect"]}))
    (place.folder / "taskctl.toml").write_text('policy = "policy.json"\n')
    assert place.validated()[0] == 0
    place.write_tasks(up={"message": "x"})
    assert "policy" in place.validated()[1]


@pytest.mark.parametrize("wrong", ['{"version": 1, "tasks": [', "number"])
def test_an_expectation_that_moved_to_an_invalid_manifest_is_unknown(
    place: LiveTasks, wrong: str
) -> None:
    up = task("answering JSON", pullRequests=2)
    applied(place, up=up)
    place.finish(up="unmet")
    tasks = place.folder / "tasks"
    (tasks / "all.yaml").rename(tasks / "moved.yaml")
    assert place.run("wait")[0] == 1
    if wrong == "number":
        up = task("answering JSON", pullRequests="two")
        wrong = json.dumps({"version": 1, "orgName": "acme", "tasks": {"up": up}})
    (tasks / "moved.yaml").write_text(wrong)
    for command in (["wait"], ["results", "--exit-code"], ["status", "--exit-code"]):
        code, _, err = place.run(*command)
        assert (code, "tasks/moved.yaml is not valid [TC754]" in err) == (1, True), command
    code, _, err = place.run("status")
    assert (code, "warning: " in err) == (0, True)
    for command in (["show", "up"], ["results", "--format", "csv"]):
        code, _, err = place.run(*command)
        assert (code, "[TC754]" in err) == (0, True), command


def test_an_expectation_that_was_added_to_a_renamed_manifest_is_found(place: LiveTasks) -> None:
    applied(place, up={"message": "answering JSON"})
    place.finish(up="done")
    place.write_tasks(up=task("answering JSON", pullRequests=2))
    tasks = place.folder / "tasks"
    (tasks / "all.yaml").rename(tasks / "renamed.yaml")
    code, out, _ = place.run("status", "--exit-code")
    assert (code, "1 unmet." in out) == (1, True), out


def test_an_expectation_is_also_found_at_the_paths_of_the_configuration(place: LiveTasks) -> None:
    applied(place, up=task("answering JSON", pullRequests=2))
    place.finish(up="unmet")
    (place.folder / "taskctl.toml").write_text('paths = ["agents"]')
    (place.folder / "tasks").rename(place.folder / "agents")
    assert place.run("wait")[0] == 1


def test_schemas_beyond_the_limit_of_all_are_one_error(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCHEMA_VALUES", 20)
    tasks = {f"t{n}": task("JSON", data={"enum": [n, *range(9)]}) for n in range(5)}
    place.write_tasks(**tasks)
    code, err = place.validated()
    assert (code, err.count("TC319")) == (1, 1), err
