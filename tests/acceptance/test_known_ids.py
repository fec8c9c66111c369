"""Tasks that a state knew by ID: a record that was removed does not lead to a second task."""

from __future__ import annotations

import json

import pytest

from tests.support.embedded_client import Api
from tests.support.in_process import InProcess
from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import as_tasks


def removed_record(here: InProcess, *words: str) -> str:
    """k1's task, whose record was removed after a later apply that created another task."""
    here.sandbox.write(as_tasks({"k1": "do 1", "k2": "do 2"}))
    assert here.run("apply").code == 0
    here.sandbox.write(as_tasks({"k1": "do 1", "k2": "do 2", "k3": "do 3"}))
    assert here.run("apply").results() == {"k3": "created"}
    made = here.sandbox.recorded()["k1"]
    assert here.run_state("rm", "k1", *words).code == 0
    return made


def test_a_task_whose_record_was_removed_is_adopted_again(here: InProcess) -> None:
    made = removed_record(here)
    ended = here.run("apply")
    assert ended.results() == {"k1": "adopted"}, ended.stdout
    assert here.sandbox.recorded()["k1"] == made
    assert [len(ids) for ids in here.server.tasks_by_work().values()] == [1, 1, 1]


def test_a_removed_record_is_found_under_the_new_key(here: InProcess) -> None:
    made = removed_record(here)
    tasks = as_tasks({"k2": "do 2", "k3": "do 3", "new": "do 1"})
    tasks["new"]["movedFrom"] = "k1"
    here.sandbox.write(tasks)
    assert here.run("apply").results() == {"new": "adopted"}
    assert here.sandbox.recorded()["new"] == made
    assert len(here.server.tasks_by_work()["do 1"]) == 1


def test_an_edited_prompt_after_a_removed_record_is_unresolved(here: InProcess) -> None:
    """The task may be the key's, and a person decides."""
    removed_record(here)
    here.sandbox.write(as_tasks({"k1": "do 1 again", "k2": "do 2", "k3": "do 3"}))
    assert here.run("apply").results() == {"k1": "unresolved"}
    assert "do 1 again" not in here.server.tasks_by_work()
    assert here.run_state("resolve", "k1", "--not-created").code == 0
    assert here.run("apply").results() == {"k1": "created"}


def test_another_key_never_repeats_a_removed_record(here: InProcess) -> None:
    """Its task looks like the new key's, however old it is."""
    removed_record(here)
    here.sandbox.write(as_tasks({"k2": "do 2", "k3": "do 3", "other": "do 1"}))
    assert here.run("apply").results() == {"other": "unresolved"}
    assert len(here.server.tasks_by_work()["do 1"]) == 1


@pytest.mark.parametrize("how", ["taskID", "state resolve"])
def test_a_task_of_another_user_is_not_gone_if_it_is_no_longer_shared(
    place: LiveTasks, how: str
) -> None:
    other = Api(place.api.app, token="another")
    body = {"message": {"type": "user_message", "content": "finishing theirs"}}
    task_id = other.call("POST", other.tasks, body).json["taskId"]
    path = f"{other.tasks}/{task_id}"
    assert other.call("PATCH", path, {"isShared": True}).status == 200
    mine = {"message": "finishing theirs"}
    named = {**mine, "taskID": task_id} if how == "taskID" else mine

    def declare(task: dict[str, str]) -> None:
        (place.folder / "tasks").mkdir(exist_ok=True)
        text = json.dumps({"version": 1, "orgName": "acme", "tasks": {"k": task}})
        (place.folder / "tasks" / "all.yaml").write_text(text)

    declare(named)
    words = ("state", "resolve", "k", "--task-id", task_id) if how != "taskID" else ("apply", "-y")
    assert place.run(*words)[0] == 0
    declare(mine)
    assert place.document("plan")["summary"]["unchanged"] == 1
    assert other.call("PATCH", path, {"isShared": False}).status == 200
    (task,) = place.document("plan")["tasks"]
    assert (task["action"], task["reason"]) == ("unchanged", "notVisible")
