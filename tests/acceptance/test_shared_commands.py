"""Every command that reads or writes a state, with a shared state; and migration of states."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.codes import Code
from tests.support.live_tasks import LiveTasks, live_tasks
from tests.support.shared_places import SharedPlace


@pytest.fixture
def at(
    shared_place: SharedPlace,
    state: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[LiveTasks]:
    """A repository with a shared state; the first word of a prompt selects the task's scenario."""
    for name, value in {**shared_place.env, "TASKCTL_STATE": shared_place.address(state)}.items():
        monkeypatch.setenv(name, value)
    with live_tasks(shared_place.fresh(state), monkeypatch, capsys) as made:
        assert must(made, "state", "init", "--new")
        yield made


def must(at: LiveTasks, *words: str) -> str:
    code, out, said = at.run(*words)
    assert code == 0, said + out
    return out


def refused(at: LiveTasks, *words: str) -> list[str]:
    """The error codes of a command that must fail."""
    code, out, _ = at.run(*words, "--format", "json")
    assert code == 1
    return [said["code"] for said in json.loads(out)["diagnostics"]]


def recorded(at: LiveTasks) -> dict[str, str]:
    return {task["key"]: task["taskId"] for task in at.document("state", "list")["tasks"]}


def whole(at: LiveTasks, *more: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(must(at, "state", "pull", *more))
    return read


def test_tasks_can_be_watched_and_answered(at: LiveTasks) -> None:
    at.apply({"a": "approving a", "b": "approving b", "c": "finishing"})
    must(at, "wait", "c")
    assert "finishing" in must(at, "show", "c")
    assert "c" in must(at, "logs", "c")
    assert must(at, "say", "c", "One thing more", "-y")
    while at.statuses() != {"a": "waiting", "b": "waiting", "c": "done"}:
        pass
    assert "Approved" in at.answer("approve", "a")[1]
    assert at.answer("reject", "b", "-m", "Not today")[0] == 0
    assert must(at, "cancel", "b", "--force", "-y")
    assert "3 tasks" in must(at, "doctor")


def test_records_can_be_edited(at: LiveTasks) -> None:
    at.apply({"a": "finishing", "b": "finishing too"})
    ids = recorded(at)
    assert "renamed" in must(at, "state", "mv", "a", "z") or "z" in recorded(at)
    assert recorded(at) == {"z": ids["a"], "b": ids["b"]}
    assert ids["b"] in must(at, "state", "list", "b")
    must(at, "state", "rm", "b")
    assert recorded(at) == {"z": ids["a"]}
    must(at, "import", ids["b"], "--write", "tasks/imported.yaml", "--org", "acme")
    assert set(recorded(at).values()) == set(ids.values())
    at.write({"z": "finishing, changed"})
    must(at, "state", "accept", "z", "tasks/all.yaml")
    assert at.document("plan")["summary"]["changed"] == 0
    code, _, _ = at.run("state", "close", "z")
    assert code == 1


def test_tasks_can_be_replaced_and_updated(at: LiveTasks) -> None:
    at.apply({"a": "finishing"})
    must(at, "wait", "a")
    first = recorded(at)["a"]
    at.write({"a": "finishing anew"}, approvalMode="auto")
    must(at, "apply", "-y", "--replace", "a", "--wait")
    assert recorded(at)["a"] != first
    at.write({"a": "finishing anew"}, approvalMode="manual")
    assert "1 updated" in must(at, "apply", "-y", "--update")
    history = at.document("state", "list", "a")["tasks"][0]["recorded"]["history"]
    assert [entry["what"] for entry in history] == ["created", "replaced", "updated"]


def test_a_saved_plan_is_checked_against_the_content_of_the_state(at: LiveTasks) -> None:
    """Not against the serial of its head: other runs may have finished in between."""
    at.write({"a": "finishing"})
    must(at, "plan", "--out", "saved")
    must(at, "plan", "--out", "late")
    expected = at.document("plan")["digest"]
    assert refused(at, "apply", "-y", "--expect-plan", "sha256:" + "0" * 64) == [
        Code.UNEXPECTED_PLAN
    ]
    before = whole(at)
    assert "1 created" in must(at, "apply", "saved")
    assert whole(at)["lineage"] == before["lineage"]
    assert refused(at, "apply", "late") == [Code.SAVED_PLAN_STALE]
    assert refused(at, "apply", "-y", "--expect-plan", expected) == [Code.UNEXPECTED_PLAN]
    assert len(recorded(at)) == 1


def test_a_plan_for_one_empty_state_is_not_applied_to_another(
    at: LiveTasks, shared_place: SharedPlace, state: str
) -> None:
    at.write({"a": "finishing"})
    must(at, "plan", "--out", "saved")
    expected = at.document("plan")["digest"]
    other = ("--state", shared_place.address(f"{state}-other"))
    must(at, "state", "init", other[1], "--new")
    assert refused(at, "apply", "saved", *other) == [Code.SAVED_PLAN_STALE]
    assert refused(at, "apply", "-y", "--expect-plan", expected, *other) == [Code.UNEXPECTED_PLAN]
    assert "1 created" in must(at, "apply", "saved")


def test_a_copy_of_the_state_can_be_edited_and_pushed(at: LiveTasks) -> None:
    at.apply({"a": "finishing"})
    copy, path = whole(at), at.folder / "copy.json"
    assert set(copy["tasks"]) == {"acme/a"}
    assert whole(at, "--format", "json")["state"] == copy

    def push(state: dict[str, Any]) -> list[str]:
        path.write_text(json.dumps(state))
        return refused(at, "state", "push", str(path))

    assert push(copy) == [Code.STATE_EDIT]  # the serial was not increased
    copy["serial"] += 1
    assert push({**copy, "lineage": "another"}) == [Code.STATE_EDIT]
    assert push({**copy, "tasks": {}}) == [Code.STATE_EDIT]
    assert push({**copy, "backend": "https://api.example.com"}) == [Code.STATE_BACKEND]
    assert refused(at, "state", "push", "none.json") == [Code.STATE_UNREADABLE]
    copy["tasks"]["acme/a"]["file"] = "tasks/elsewhere.yaml"
    path.write_text(json.dumps(copy))
    assert "Replaced" in must(at, "state", "push", str(path))
    del copy["baselines"]  # every task is read again
    assert whole(at) == copy


def test_a_state_can_be_migrated_from_a_file_and_back(
    at: LiveTasks, shared_place: SharedPlace, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, other = shared_place.address(state), shared_place.address(f"{state}-other")
    at.apply({"a": "finishing"})
    file = str(at.folder / "here.json")
    assert "Moved the state" in must(at, "state", "migrate", "--to", file)
    assert refused(at, "plan") == [Code.STATE_MOVED]
    assert refused(at, "apply", "-y") == [Code.STATE_MOVED]
    assert refused(at, "state", "init") == [Code.STATE_MOVED]
    assert refused(at, "state", "migrate", "--abort") == [Code.STATE_MIGRATION]
    assert "already moved" in must(at, "state", "migrate", "--to", file)
    monkeypatch.setenv("TASKCTL_STATE", file)
    assert at.document("plan")["summary"]["unchanged"] == 1
    must(at, "state", "migrate", "--to", other)
    assert refused(at, "plan") == [Code.STATE_MOVED]
    monkeypatch.setenv("TASKCTL_STATE", other)
    must(at, "state", "migrate", "--to", shared)
    monkeypatch.setenv("TASKCTL_STATE", shared)
    assert at.document("plan")["summary"]["unchanged"] == 1
    assert "not being moved" in must(at, "state", "migrate", "--abort")
    assert list(recorded(at)) == ["a"]


def test_a_failed_migration_leaves_the_state_in_place(at: LiveTasks, tmp_path: Path) -> None:
    at.apply({"a": "finishing"})
    taken = tmp_path / "taken.json"
    before = whole(at)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TASKCTL_STATE", str(taken))
        must(at, "state", "init", "--new")
    assert refused(at, "state", "migrate", "--to", str(taken)) == [Code.STATE_MIGRATION]
    assert refused(at, "state", "migrate", "--to", "git:nowhere") == [Code.STATE_ADDRESS]
    assert at.document("plan")["summary"]["unchanged"] == 1
    assert {**whole(at), "serial": 0} == {**before, "serial": 0}
