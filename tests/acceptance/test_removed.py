"""`removed` in a manifest, from the plan to a key that is declared again."""

from __future__ import annotations

import json
from typing import Any

from tests.support.live_tasks import LiveTasks


def declare(place: LiveTasks, *keys: str, removed: list[str] | None = None, life: str = "") -> None:
    tasks = {key: {"message": f"{life or 'finishing'} {key}"} for key in keys}
    manifest = {"version": 1, "orgName": "acme", "tasks": tasks, "removed": removed or []}
    (place.folder / "tasks").mkdir(exist_ok=True)
    (place.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))


def state(place: LiveTasks) -> dict[str, Any]:
    known: dict[str, Any] = json.loads((place.folder / "taskctl.state.json").read_text())
    return known


def begun(place: LiveTasks, life: str = "") -> dict[str, str]:
    """Three tasks, two of which the manifest then lists as removed; their IDs."""
    declare(place, "keep", "gone", "old-1", life=life)
    assert place.run("apply", "--yes")[0] == 0
    ids = {key: place.task_id(key) for key in ("keep", "gone", "old-1")}
    declare(place, "keep", removed=["gone", "old-*", "never-there"], life=life)
    return ids


def test_the_record_is_removed_and_the_task_keeps_running(place: LiveTasks) -> None:
    ids = begun(place)
    place.finish(keep="done", gone="done", **{"old-1": "done"})
    code, out, _ = place.run("plan")
    assert code == 0
    assert "- forget  listed under `removed`; apply removes it from the state" in out
    assert "Plan: 0 to create, 2 to forget, 1 unchanged." in out
    document = place.document("plan")
    planned = {task["key"]: task for task in document["tasks"]}
    assert (planned["gone"]["action"], planned["gone"]["reason"]) == ("forget", "listed")
    assert (document["summary"]["forget"], document["summary"]["orphaned"]) == (2, 0)
    applied = place.document("apply", "--yes")
    assert applied["summary"]["forgotten"] == 2
    assert {t["key"]: t["result"] for t in applied["tasks"]} == {
        "gone": "forgotten",
        "old-1": "forgotten",
    }
    assert list(state(place)["tasks"]) == ["acme/keep"]
    before = (place.folder / "taskctl.state.json").read_bytes()
    assert place.document("apply", "--yes")["tasks"] == []
    assert (place.folder / "taskctl.state.json").read_bytes() == before
    assert place.statuses() == {"keep": "done"}
    for task_id in (ids["gone"], f"acme/{ids['gone']}"):
        (shown,) = place.document("status", task_id)["tasks"]
        assert (shown["taskId"], shown["status"]) == (ids["gone"], "done")
    assert "finishing gone" in place.run("logs", ids["gone"])[1]
    assert place.run("say", ids["gone"], "And more.")[0] == 0
    code, _, err = place.run("status", "gone")
    assert (code, "[TC617]" in err, ids["gone"] in err) == (1, True, True)


def test_an_unfinished_task_is_shown_with_the_command_that_cancels_it(place: LiveTasks) -> None:
    ids = begun(place, life="asking")
    commands = [f"taskctl cancel acme/{ids[key]} " for key in ("gone", "old-1")]
    plan, document = place.run("plan")[1], json.dumps(place.document("plan"))
    out = place.run("apply", "--yes")[1]
    for command in commands:
        assert command in plan
        assert command in document
        assert command in out
    assert place.run("cancel", f"acme/{ids['gone']}", "-y")[0] == 0


def test_a_finished_task_is_shown_without_it(place: LiveTasks) -> None:
    begun(place)
    place.finish(keep="done", gone="done", **{"old-1": "done"})
    assert "taskctl cancel" not in place.run("plan")[1] + place.run("apply", "--yes")[1]


def test_nothing_is_cancelled(place: LiveTasks) -> None:
    ids = begun(place, life="asking")
    assert place.document("apply", "--yes")["summary"]["forgotten"] == 2
    for key in ("gone", "old-1"):
        (shown,) = place.document("status", ids[key])["tasks"]
        assert shown["status"] in ("running", "waiting")
    assert place.run("cancel", ids["gone"], "-y")[0] == 0


def fail_reasons(place: LiveTasks, *options: str) -> list[tuple[str, str]]:
    return [(r["code"], r["key"]) for r in place.document("plan", *options)["failReasons"]]


def test_a_saved_plan_is_stale_if_the_removed_keys_change(place: LiveTasks) -> None:
    begun(place)
    assert place.run("plan", "-o", "some.taskctl")[0] == 0
    declare(place, "keep", "old-1", removed=["gone"])
    assert "[TC653]" in place.run("apply", "some.taskctl")[2]
    declare(place, "keep", removed=["gone"])
    assert "[TC653]" in place.run("apply", "some.taskctl")[2]
    declare(place, "keep", removed=["gone", "old-*", "never-there"])
    assert place.document("apply", "some.taskctl")["summary"]["forgotten"] == 2


def test_a_key_that_returns_gets_one_new_task(place: LiveTasks) -> None:
    ids = begun(place)
    assert place.run("apply", "--yes")[0] == 0
    declare(place, "keep", "gone", removed=["gone"])
    code, out, err = place.run("plan")
    assert (code, "[TC305]" in out + err) == (1, True)
    declare(place, "keep", "gone", removed=["old-*"])
    (planned,) = [t for t in place.document("plan")["tasks"] if t["key"] == "gone"]
    assert planned["reason"] == "new"
    assert place.run("apply", "--yes")[0] == 0
    assert place.task_id("gone") not in ids.values()
    assert place.document("apply", "--yes")["tasks"] == []
    imported = place.document("import", "--all", "--dry-run")
    assert all(task["result"] != "imported" for task in imported["tasks"]), imported


def test_the_organization_of_a_manifest_without_one(place: LiveTasks) -> None:
    tasks = {key: {"message": f"finishing {key}"} for key in ("keep", "gone")}
    file = place.folder / "tasks" / "all.yaml"
    file.parent.mkdir()
    file.write_text(json.dumps({"version": 1, "tasks": tasks}))
    assert place.run("apply", "--yes", "--org", "acme")[0] == 0
    removed = {"version": 1, "tasks": {"keep": tasks["keep"]}, "removed": ["gone"]}
    file.write_text(json.dumps(removed))
    assert place.document("plan", "--org", "acme")["summary"]["forget"] == 1
    assert place.document("plan", "--org", "other")["summary"]["forget"] == 0


def test_the_last_tasks_of_a_manifest_without_an_organization(place: LiveTasks) -> None:
    """Their organization comes from the command line, although no task needs it any more."""
    begun(place)
    path = place.folder / "tasks" / "all.yaml"
    path.write_text(json.dumps({"version": 1, "tasks": {}, "removed": ["keep", "gone"]}))
    assert place.run("plan", "--org", "other")[0] == 0
    assert place.document("plan", "--org", "other")["summary"]["orphaned"] == 3
    assert place.document("apply", "--yes", "--org", "acme")["summary"]["forgotten"] == 2
    assert list(state(place)["tasks"]) == ["acme/old-1"]


def test_a_task_that_another_key_names_is_adopted(place: LiveTasks) -> None:
    ids = begun(place, life="asking")
    path = place.folder / "tasks" / "all.yaml"
    manifest = json.loads(path.read_text())
    manifest["tasks"]["new"] = {"taskID": ids["gone"]}
    path.write_text(json.dumps(manifest))
    assert fail_reasons(place) == [("TC745", "new")]
    applied = place.document("apply", "--yes")
    done = {task["key"]: task["result"] for task in applied["tasks"]}
    assert done == {"gone": "forgotten", "old-1": "forgotten", "new": "unresolved"}
    assert fail_reasons(place) == []
    assert place.document("apply", "--yes")["summary"]["adopted"] == 1
    assert place.task_id("new") == ids["gone"]
    assert place.statuses()["new"] in ("running", "waiting")
    assert place.document("apply", "--yes")["tasks"] == []


def test_a_task_is_kept_for_the_key_that_names_it_while_its_record_stays(
    place: LiveTasks,
) -> None:
    """A run that is limited to the other key does not remove the record."""
    ids = begun(place, life="asking")
    path = place.folder / "tasks" / "all.yaml"
    manifest = json.loads(path.read_text())
    manifest["tasks"]["new"] = {"taskID": ids["gone"]}
    path.write_text(json.dumps(manifest))
    limited = ("--target", "new")
    assert fail_reasons(place, *limited) == [("TC745", "new")]
    assert place.run("apply", "--yes", *limited)[0] == 1
    assert "acme/gone" in state(place)["tasks"]
    assert place.run("apply", "--yes", "--target", "go*", "--target", "old*")[0] == 0
    assert list(state(place)["tasks"]) == ["acme/keep"]
    (shown,) = place.document("status", ids["gone"])["tasks"]
    assert shown["status"] in ("running", "waiting")
    assert place.document("apply", "--yes")["summary"]["adopted"] == 1
