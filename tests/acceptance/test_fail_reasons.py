"""`hasChanges` and `applyWillFail`: one definition each, in text, JSON and exit codes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.model.canonical import digest
from tests.support.fault_server import Fault, Rule
from tests.support.in_process import TEXTS, InProcess
from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import as_tasks

TWO = {"one": {"message": "finishing one"}, "two": {"message": "finishing two"}}


def declare(place: LiveTasks, tasks: dict[str, Any], **more: object) -> None:
    manifest = {"version": 1, "orgName": "acme", "tasks": tasks, **more}
    (place.folder / "tasks").mkdir(exist_ok=True)
    (place.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))


def last(text: str) -> str:
    return text.splitlines()[-1]


def reasons(place: LiveTasks, *arguments: str) -> list[tuple[str, str | None, bool]]:
    found = place.document("plan", *arguments)
    assert found["applyWillFail"] is bool(found["failReasons"])
    return [(each["code"], each["key"], each["blocking"]) for each in found["failReasons"]]


def renamed(place: LiveTasks, **more: Any) -> None:
    """A key that is unresolved: `new` has the prompt of `one`, which left the manifests."""
    declare(place, TWO)
    assert place.run("apply", "--yes")[0] == 0
    declare(place, {"new": TWO["one"], "two": TWO["two"], **more})


def test_a_removal_and_a_move_are_changes(place: LiveTasks) -> None:
    declare(place, TWO)
    assert place.run("apply", "--yes")[0] == 0
    assert place.run("plan", "--detailed-exitcode")[0] == 0
    assert not place.document("plan")["hasChanges"]
    declare(place, {"two": TWO["two"]}, removed=["one"])
    assert place.run("plan", "--detailed-exitcode")[0] == 2
    assert place.document("plan")["hasChanges"]
    declare(place, {"one": TWO["one"], "2": {**TWO["two"], "movedFrom": "two"}})
    assert place.run("plan", "--detailed-exitcode")[0] == 2
    assert place.document("plan")["hasChanges"]


def test_closing_an_attempt_that_created_no_task_is_a_change(place: LiveTasks) -> None:
    """Its key has left the manifests, so no task of the plan shows it."""
    declare(place, TWO)
    assert place.run("apply", "--yes")[0] == 0
    path = place.folder / "taskctl.state.json"
    state = json.loads(path.read_text())
    inputs = {"message": {"content": "finishing three"}}
    attempt = {
        "task": "acme/three",
        "reference": f"three/3 {state['provenance']['ids'][0]}",
        "inputs": inputs,
        "digest": digest(inputs),
        "identity": state["tasks"]["acme/one"]["identity"],
        "file": "tasks/all.yaml",
        "startedAt": "2026-11-01T10:00:00.123456Z",
        "settleTime": 150,
        "waited": 1000,
    }
    del state["checksum"]
    state["provenance"]["counter"] = 3
    path.write_text(json.dumps({**state, "attempts": {"3": attempt}}))
    code, out, _ = place.run("plan", "--detailed-exitcode")
    assert (code, place.document("plan")["hasChanges"]) == (2, True)
    assert out.splitlines()[-2:] == [
        "Apply records that 1 earlier attempt created no task.",
        "Plan: 0 to create, 2 unchanged.",
    ]
    for report in ("text", "markdown", "html"):
        assert "No changes" not in place.run("plan", "--format", report)[1]
    assert place.run("apply", "--yes")[0] == 0
    code, out, _ = place.run("plan", "--detailed-exitcode")
    assert (code, "No changes. All declared tasks exist." in out) == (0, True)


def test_an_unresolved_key_fails_the_plan_and_apply_does_the_rest(place: LiveTasks) -> None:
    renamed(place, three={"message": "finishing three"})
    code, out, _ = place.run("plan", "--detailed-exitcode", "-o", "p", "--report", "json=p.json")
    assert code == 1  # wins over 2
    assert last(out) == (
        "Plan: 1 to create, 1 orphaned, 1 unchanged, 1 unresolved. "
        "Apply will exit 1: 1 unresolved. It still does the rest."
    )
    assert (place.folder / "p").exists()
    assert json.loads((place.folder / "p.json").read_text())["applyWillFail"]
    assert reasons(place) == [("TC745", "new", False)]
    assert place.run("plan", "--fail-on", "none")[0] == 0
    assert place.run("plan", "--fail-on", "none", "--detailed-exitcode")[0] == 2
    applied = place.document("apply", "--yes")
    assert {t["key"]: t["result"] for t in applied["tasks"]} == {
        "new": "unresolved",
        "three": "created",
    }


def test_without_anything_else_to_do_the_plan_says_only_why_it_fails(place: LiveTasks) -> None:
    renamed(place)
    code, out, _ = place.run("plan")
    assert code == 1
    assert "Nothing to apply" not in out
    assert last(out).endswith("1 unresolved. Apply will exit 1: 1 unresolved.")
    assert not place.document("plan")["hasChanges"]


def test_too_many_creates_are_blocking(place: LiveTasks) -> None:
    declare(place, TWO)
    code, out, _ = place.run("plan", "--max-creates", "1")
    assert code == 1
    assert last(out).endswith("Apply will exit 1 before it does anything: too many new tasks.")
    assert reasons(place, "--max-creates", "1") == [("TC513", None, True)]
    assert place.run("apply", "--yes", "--max-creates", "1")[0] == 1
    assert place.statuses() == {}


def test_fail_on_adds_causes(place: LiveTasks) -> None:
    declare(place, {"two": TWO["two"], "one": TWO["one"]})
    assert place.run("apply", "--yes")[0] == 0
    declare(place, {"two": {"message": "finishing other"}, "one": TWO["one"]})
    assert place.run("plan")[0] == 0
    assert place.run("plan", "--fail-on", "changed")[0] == 1
    assert reasons(place, "--fail-on", "changed") == [("TC825", None, False)]


def test_a_stopped_rollout_is_a_warning_of_plan_and_apply(place: LiveTasks) -> None:
    entry = {
        "forEach": {"t": ["a", "b", "c"]},
        "message": "failing {{ t }}",
        "rollout": {"pilot": 1},
    }
    declare(place, {"t": entry})
    code, out, _ = place.run("apply", "--yes", "--wait", "--interval", "50ms")
    assert code == 1
    code, out, err = place.run("plan")
    assert (code, last(out)) == (0, "Plan: 0 to create, 2 held, 1 unchanged.")
    assert "[TC318]" in err
    assert reasons(place) == []
    code, out, err = place.run("apply", "--yes")
    assert (code, last(out)) == (0, "Apply: 0 created, 2 held.")
    assert "[TC318]" in err
    assert "taskctl status --status failed,unmet,unknown,stopped,cancelled,gone,notVisible" in err
    assert "Once the tasks" not in err  # another apply would change nothing
    assert place.document("apply", "--yes")["summary"]["held"] == 2
    waits = (("wait",), ("apply", "--yes", "--wait"), ("status", "--exit-code"))
    for command in (*waits, ("results", "--exit-code")):
        assert place.run(*command)[0] == 1, command
    declare(place, {"t": entry, "other": {"message": "finishing other"}})
    assert place.run("plan", "--detailed-exitcode")[0] == 2
    assert place.run("apply", "--yes")[0] == 0
    assert "other" in place.statuses()


def test_the_result_counts_what_is_held_and_says_how_to_continue(place: LiveTasks) -> None:
    entry = {
        "forEach": {"t": ["a", "b", "c"]},
        "message": "finishing {{ t }}",
        "rollout": {"pilot": 1},
    }
    declare(place, {"t": entry})
    code, out, err = place.run("apply", "--yes")
    assert (code, last(out)) == (0, "Apply: 1 created, 2 held.")
    assert "    taskctl apply" in err


def test_an_organization_whose_list_cannot_be_read_is_reported_before_apply(
    here: InProcess,
) -> None:
    here.server.habits.orgs = ("acme",)
    new = {"message": "do more", "orgName": "acmee"}
    here.sandbox.write({**as_tasks(TEXTS), "new": new})
    planned = here.run("plan")
    assert (planned.code, planned.actions()["new"]) == (1, "unresolved")
    ended = here.run("apply")
    assert (ended.code, ended.results()["new"]) == (1, "unresolved")
    assert ended.results()["k1"] == "created"


def test_a_list_that_is_not_reliable_is_reported_before_apply(here: InProcess) -> None:
    here.sandbox.write(as_tasks(TEXTS))
    for row in ({"id": 1}, "no task"):
        here.server.set_rules(Rule("list", listing(row)))
        planned = here.run("plan")
        assert (planned.code, set(planned.actions().values())) == (1, {"unresolved"})
        assert set(here.run("apply").results().values()) == {"unresolved"}
    assert here.server.posts == []


def listing(row: object) -> Fault:
    text = json.dumps({"tasks": [row], "continuationToken": None})
    return Fault("raw", status=200, headers={"Content-Type": "application/json"}, text=text)


def test_settings_that_only_another_user_can_set_fail_nothing(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.server.set_rules(Rule("patch", Fault("status", status=500)))
    assert here.run("apply").code == 1
    here.server.set_rules()
    task = here.server.world.by_id[here.sandbox.recorded()["k1"]]
    task.shown["isShared"] = True
    here.server.habits.tokens["tok-other-person"] = "other"
    with monkeypatch.context() as other:
        other.setenv("PULUMI_ACCESS_TOKEN", "tok-other-person")
        planned = here.run("plan")
        assert (planned.code, planned.actions()["k1"]) == (0, "changed")
        ended = here.run("apply")
        assert (ended.code, ended.document["tasks"]) == (0, [])
    assert task.shown.get("name") != "A name"
    assert here.run("apply").results() == {"k1": "updated"}
    assert task.shown["name"] == "A name"
    here.assert_settled()


def test_an_apply_that_only_sets_what_an_earlier_one_could_not_has_created_nothing(
    here: InProcess,
) -> None:
    here.server.set_rules(Rule("patch", Fault("status", status=500)))
    assert here.run("apply").results()["k1"] == "created"
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (1, {"k1": "failed"})
    here.server.set_rules()
    assert here.run("plan").document["hasChanges"] is True
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (0, {"k1": "updated"})
    assert (ended.document["summary"]["created"], ended.document["summary"]["updated"]) == (0, 1)
    assert ended.document["tasks"][0]["updated"] == ["isShared", "name"]
    here.assert_settled()


def test_what_another_users_lost_create_leaves_to_be_done_fails_nothing(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings are left to that user."""
    assert here.run("apply").code == 0
    old = here.sandbox.recorded()["k1"]
    lost = Rule("create", Fault("reset", committed=True), nth=(1,))
    here.server.set_rules(lost, Rule("events", Fault("status", status=500)))
    wish = ("--replace", f"k1={old}")
    assert here.run("apply", *wish).results() == {"k1": "unresolved"}
    here.server.set_rules()
    (new,) = set(here.server.tasks_by_work()[TEXTS["k1"]]) - {old}
    here.server.world.by_id[new].shown["isShared"] = True
    here.server.habits.tokens["tok-other-person"] = "other"
    with monkeypatch.context() as other:
        other.setenv("PULUMI_ACCESS_TOKEN", "tok-other-person")
        planned = here.run("plan")
        assert (planned.code, planned.actions()["k1"]) == (0, "unresolved")
        ended = here.run("apply")
        assert (ended.code, ended.results()) == (0, {"k1": "adopted"}), ended.stdout
        assert here.run("apply").code == 0
    assert here.server.of("other") == []
    assert here.run("apply").code == 0
    assert here.server.world.by_id[new].shown["name"] == "A name"
    assert here.run("apply").document["tasks"] == []


def test_a_cancelled_task_fails_the_wait_but_not_the_status(place: LiveTasks) -> None:
    declare(place, {"one": {"message": "endless one"}})
    assert place.run("apply", "--yes")[0] == 0
    assert place.run("status", "--exit-code")[0] == 2
    assert place.run("cancel", "one", "--yes")[0] == 0
    place.finish(one="cancelled")
    assert place.run("status", "--exit-code")[0] == 0
    assert place.run("wait")[0] == 1
