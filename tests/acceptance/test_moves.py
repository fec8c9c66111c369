"""`movedFrom` is carried out whatever the service shows of the task."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks
from tests.support.skipped_time import stopped_time

OTHER = "pul-" + "f" * 40


def as_other(here: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, commands use the token of a user that cannot see the tasks."""
    here.server.habits.tokens[OTHER] = "other"
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", OTHER)


def moved(texts: dict[str, str], **former: str) -> dict[str, Any]:
    tasks = as_tasks(texts)
    for key, old in former.items():
        tasks[key]["movedFrom"] = old
    return tasks


def hide(here: InProcess, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the service return nothing for the recorded task `k`."""
    if how == "another user":
        as_other(here, monkeypatch)
        return
    if how == "gone":
        with stopped_time() as time:
            time.seconds += 400
    here.server.world.by_id[here.sandbox.recorded()["k"]].user = "nobody"


@pytest.mark.parametrize("how", ["another user", "gone", "too young to be listed"])
def test_a_task_that_is_not_shown_moves_to_its_new_key(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    here.sandbox.write(as_tasks({"k": "do it", "other": "do 1"}))
    assert here.run("apply").code == 0
    made = here.sandbox.recorded()["k"]
    hide(here, how, monkeypatch)
    here.sandbox.write(moved({"m": "do it", "other": "do 1"}, m="k"))
    plan = here.run("plan").document
    assert [t["action"] for t in plan["tasks"] if t["key"] == "m"] == ["move"]
    assert plan["hasChanges"] is True
    assert here.run("apply").results() == {"m": "moved"}
    assert here.sandbox.recorded()["m"] == made
    here.sandbox.write(as_tasks({"m": "do it in another way", "other": "do 1"}))
    ended = here.run("apply")
    assert set(ended.results().values()) <= {"unresolved"}, ended.stdout
    assert len(here.server.world.tasks) == 2


def test_a_key_that_is_used_again_after_a_move_gets_its_own_task(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.sandbox.write(as_tasks({"k": "do it"}))
    assert here.run("apply").code == 0
    as_other(here, monkeypatch)
    here.sandbox.write(moved({"m": "do it"}, m="k"))
    assert here.run("apply").results() == {"m": "moved"}
    here.sandbox.write(as_tasks({"m": "do it better", "k": "a new job"}))
    assert here.run("apply").results() == {"k": "created"}
    assert sorted(here.server.tasks_by_work()) == ["a new job", "do it"]


def test_an_entry_that_another_user_renames_moves_each_row(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"forEach": {"row": ["a", "b", "c"]}, "message": "upgrade {{ row }}"}
    here.sandbox.write({"up": rows})
    assert here.run("apply").code == 0
    as_other(here, monkeypatch)
    here.sandbox.write({"upgrade": {**rows, "movedFrom": "up@{{ row }}"}})
    assert set(here.run("apply").results().values()) == {"moved"}
    here.sandbox.write({"upgrade": {**rows, "message": "upgrade {{ row }} now"}})
    plan = here.run("plan").document
    assert {task["action"] for task in plan["tasks"]} == {"changed"}
    assert here.run("apply").document["tasks"] == []
    assert len(here.server.world.tasks) == 3


def test_an_edited_prompt_differs_for_a_user_that_cannot_see_the_task(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.sandbox.write(as_tasks({"k": "do it"}))
    assert here.run("apply").code == 0
    as_other(here, monkeypatch)
    here.sandbox.write(as_tasks({"k": "do it better"}))
    ended = here.run("plan", "--fail-on", "changed")
    (task,) = ended.document["tasks"]
    assert (ended.code, task["action"], task["reason"]) == (1, "changed", "changed")
    assert [change["path"] for change in task["diff"]] == ["message.content"]
    assert task["diff"][0]["origin"] == "manifest"


def accepted(here: InProcess) -> None:
    """`k` was created with "do it", and "do it better" was marked as applied."""
    here.sandbox.write(as_tasks({"k": "do it", "other": "do 1"}))
    assert here.run("apply").code == 0
    here.sandbox.write(as_tasks({"k": "do it better", "other": "do 1"}))
    assert here.run_state("accept", "k").code == 0
    assert here.run("plan").document["hasChanges"] is False


@pytest.mark.parametrize("text", ["do it", "do it better"])
def test_a_rename_after_accept_is_recognized_by_both_prompts(here: InProcess, text: str) -> None:
    accepted(here)
    here.sandbox.write(as_tasks({"m": text, "other": "do 1"}))
    assert here.run("apply").results() == {"m": "unresolved"}
    assert len(here.server.world.tasks) == 2
