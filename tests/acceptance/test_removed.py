"""`removed` in a manifest, from the plan to a key that is declared again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.fault_server import Fault, Rule
from tests.support.in_process import TEXTS, InProcess
from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import as_tasks


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


def test_nothing_is_cancelled_without_the_option(place: LiveTasks) -> None:
    ids = begun(place, life="asking")
    assert place.document("apply", "--yes")["summary"]["forgotten"] == 2
    for key in ("gone", "old-1"):
        (shown,) = place.document("status", ids[key])["tasks"]
        assert shown["status"] in ("running", "waiting")
    assert place.run("cancel", ids["gone"], "-y")[0] == 0


def test_tasks_are_cancelled_before_they_are_forgotten(place: LiveTasks) -> None:
    ids = begun(place, life="asking")
    assert "apply cancels" in " ".join(place.run("plan", "--cancel-removed")[1].split())
    applied = place.document("apply", "--yes", "--cancel-removed")
    assert applied["summary"]["forgotten"] == 2
    assert {t["key"]: t["cancelled"] for t in applied["tasks"]} == {
        key: ids[key] for key in ("gone", "old-1")
    }
    for key in ("gone", "old-1"):
        (shown,) = place.document("status", ids[key])["tasks"]
        assert shown["status"] == "cancelled"
    place.finish(keep="waiting")


@pytest.mark.parametrize(
    ("life", "flags", "cancelled"),
    [
        ("asking", ["--cancel-removed"], 2),
        ("finishing", ["--cancel-removed"], 0),
        ("asking", [], 0),
    ],
)
def test_the_result_lists_forgotten_and_cancelled_tasks(
    place: LiveTasks, life: str, flags: list[str], cancelled: int
) -> None:
    begun(place, life=life)
    state = "waiting" if life == "asking" else "done"
    place.finish(keep=state, gone=state, **{"old-1": state})
    code, out, _ = place.run("apply", "--yes", *flags)
    assert code == 0
    assert out.count("forgotten ") == 2
    assert out.count("    task cancelled\n") == cancelled


def fail_reasons(place: LiveTasks, *options: str) -> list[tuple[str, str]]:
    return [(r["code"], r["key"]) for r in place.document("plan", *options)["failReasons"]]


@pytest.mark.parametrize("shared", [False, True])
def test_a_task_that_cannot_be_cancelled_is_not_forgotten(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch, *, shared: bool
) -> None:
    """The plan predicts it, whether the other user's task is visible or not."""
    ids = begun(place, life="asking")
    for task_id in ids.values() if shared else ():
        place.api.call("PATCH", f"{place.api.tasks}/{task_id}", {"isShared": True})
    mine = (place.folder / "taskctl.state.json").read_bytes()
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-somebody-else")
    assert fail_reasons(place, "--cancel-removed") == [("TC733", "gone"), ("TC733", "old-1")]
    code, out, err = place.run("plan", "--cancel-removed")
    assert (code, err.count("[TC733]")) == (1, 2)
    assert out.splitlines()[-1].endswith("It still does the rest.")
    assert place.run("plan", "--cancel-removed", "--target", "keep")[0] == 0
    applied = place.document("apply", "--yes", "--cancel-removed")
    assert {t["result"] for t in applied["tasks"]} == {"failed"}
    assert "could not be cancelled" in applied["tasks"][0]["error"]
    assert json.loads(mine)["tasks"].keys() == state(place)["tasks"].keys()
    # This user can never cancel another user's task, so apply does not try again.
    assert fail_reasons(place) == []
    assert place.document("plan")["hasChanges"] is True
    assert place.document("apply", "--yes")["summary"]["forgotten"] == 2


def test_a_finished_task_of_another_user_need_not_be_cancelled(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = begun(place)
    place.finish(keep="done", gone="done", **{"old-1": "done"})
    for task_id in ids.values():
        place.api.call("PATCH", f"{place.api.tasks}/{task_id}", {"isShared": True})
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-somebody-else")
    assert fail_reasons(place, "--cancel-removed") == []
    applied = place.document("apply", "--yes", "--cancel-removed")
    assert (applied["summary"]["forgotten"], applied["summary"]["cancelled"]) == (2, 0)


def test_a_cancellation_stays_owed_until_its_user_applies(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's apply neither sends nor drops it, even if it asks for the same."""
    ids = begun(place, life="asking")
    known = state(place)
    record = known["tasks"]["acme/gone"]
    record["owedCancellations"] = [{"taskId": ids["gone"], "identity": record["identity"]}]
    del known["checksum"]
    (place.folder / "taskctl.state.json").write_text(json.dumps(known))
    with monkeypatch.context() as other:
        other.setenv("PULUMI_ACCESS_TOKEN", "pul-somebody-else")
        code, out, _ = place.run("plan")
        note = "only an apply with that identity can send it"
        assert (code, note in " ".join(out.split())) == (0, True)
        applied = place.document("apply", "--yes")
        assert {t["key"]: t["result"] for t in applied["tasks"]} == {"old-1": "forgotten"}
        assert place.run("apply", "--yes", "--cancel-removed")[0] == 1
        assert place.document("apply", "--yes")["tasks"] == []
    applied = place.document("apply", "--yes")
    assert {t["key"]: t["cancelled"] for t in applied["tasks"]} == {"gone": ids["gone"]}
    assert list(state(place)["tasks"]) == ["acme/keep"]


def test_a_saved_plan_is_stale_if_the_removed_keys_change(place: LiveTasks) -> None:
    begun(place)
    assert place.run("plan", "-o", "some.taskctl")[0] == 0
    assert "- old-1" in place.run("show", "some.taskctl")[1]
    declare(place, "keep", "old-1", removed=["gone"])
    assert "[TC653]" in place.run("apply", "some.taskctl")[2]
    declare(place, "keep", removed=["gone"])
    assert "[TC653]" in place.run("apply", "some.taskctl")[2]
    declare(place, "keep", removed=["gone", "old-*", "never-there"])
    assert "[TC653]" in place.run("apply", "some.taskctl", "--cancel-removed")[2]
    assert place.document("apply", "some.taskctl")["summary"]["forgotten"] == 2


def test_a_key_that_returns_gets_one_new_task(place: LiveTasks) -> None:
    ids = begun(place)
    assert place.run("apply", "--yes")[0] == 0
    declare(place, "keep", "gone", removed=["gone"])
    code, out, err = place.run("plan")
    assert (code, "[TC305]" in out + err) == (1, True)
    declare(place, "keep", "gone", removed=["old-*"])
    for options in ([], ["--adopt"]):
        (planned,) = [t for t in place.document("plan", *options)["tasks"] if t["key"] == "gone"]
        assert planned["action"] == "create"
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


def test_a_plan_names_the_tasks_of_all_removed_keys_of_an_entry(place: LiveTasks) -> None:
    manifest: dict[str, Any] = {"version": 1, "orgName": "acme", "tasks": {}}
    entry = {"forEach": {"area": ["eu", "us", "ap"]}, "message": "finishing {{ area }}"}
    (place.folder / "tasks").mkdir()
    file = place.folder / "tasks" / "all.yaml"
    file.write_text(json.dumps(manifest | {"tasks": {"audit": entry}}))
    assert place.run("apply", "--yes")[0] == 0
    ids = [place.task_id(f"audit@{area}") for area in ("ap", "eu", "us")]
    file.write_text(json.dumps(manifest | {"removed": ["audit@*"]}))
    shown = " ".join(place.run("plan", "--cancel-removed")[1].split())
    assert f"apply cancels {ids[0]}, {ids[1]} and {ids[2]}, then removes the record" in shown


def test_a_cancellation_that_somebody_else_owes_keeps_a_removed_key(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's apply does not remove the record that owes it."""
    here.run("apply")
    old = here.sandbox.recorded()["k2"]
    here.server.habits.tokens["tok-other-person"] = "other"
    here.server.set_rules(Rule("other", Fault("status", status=500), task=old))
    assert here.run("apply", "--replace", f"k2={old}", "--cancel-replaced").code == 1
    here.server.set_rules()
    sent = len(here.server.of("other"))
    left = as_tasks({key: text for key, text in TEXTS.items() if key != "k2"}, named=["k1"])
    here.sandbox.write(left, removed=["k2"])
    with monkeypatch.context() as other:
        other.setenv("PULUMI_ACCESS_TOKEN", "tok-other-person")
        assert here.run("apply").code == 0
        assert "k2" in here.sandbox.recorded()
        assert len(here.server.of("other")) == sent
    assert here.run("apply").results()["k2"] == "forgotten"
    assert len(here.server.of("other")) == sent + 1
    assert old in here.server.of("other")[-1].path


def test_a_task_that_another_key_names_is_adopted_and_not_cancelled(place: LiveTasks) -> None:
    ids = begun(place, life="asking")
    path = place.folder / "tasks" / "all.yaml"
    manifest = json.loads(path.read_text())
    manifest["tasks"]["new"] = {"taskID": ids["gone"]}
    path.write_text(json.dumps(manifest))
    assert fail_reasons(place, "--cancel-removed") == [("TC745", "new")]
    applied = place.document("apply", "--yes", "--cancel-removed")
    done = {task["key"]: (task["result"], task.get("cancelled")) for task in applied["tasks"]}
    assert done == {
        "gone": ("forgotten", None),
        "old-1": ("forgotten", ids["old-1"]),
        "new": ("unresolved", None),
    }
    assert fail_reasons(place, "--cancel-removed") == []
    assert place.document("apply", "--yes", "--cancel-removed")["summary"]["adopted"] == 1
    assert place.task_id("new") == ids["gone"]
    assert place.statuses()["new"] in ("running", "waiting")
    assert place.document("apply", "--yes", "--cancel-removed")["tasks"] == []


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
    assert place.run("apply", "--yes", "--cancel-removed", *limited)[0] == 1
    assert "acme/gone" in state(place)["tasks"]
    assert place.run("apply", "--yes", "--cancel-removed", "--target", "[go]*")[0] == 0
    assert list(state(place)["tasks"]) == ["acme/keep"]
    (shown,) = place.document("status", ids["gone"])["tasks"]
    assert shown["status"] in ("running", "waiting")
    assert place.document("apply", "--yes")["summary"]["adopted"] == 1
