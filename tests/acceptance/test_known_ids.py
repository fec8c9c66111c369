"""Tasks that a state knew by ID: what a removed record means."""

from __future__ import annotations

import json

import pytest

from tests.support.embedded_client import Api
from tests.support.in_process import InProcess
from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import as_tasks


def removed_record(here: InProcess) -> str:
    """k1's task, whose record was removed after a later apply that created another task."""
    here.sandbox.write(as_tasks({"k1": "do 1", "k2": "do 2"}))
    assert here.run("apply").code == 0
    here.sandbox.write(as_tasks({"k1": "do 1", "k2": "do 2", "k3": "do 3"}))
    assert here.run("apply").results() == {"k3": "created"}
    made = here.sandbox.recorded()["k1"]
    ended = here.run_state("rm", "k1")
    assert "the next apply creates another task" in ended.stderr
    return made


def test_a_declared_key_whose_record_was_removed_gets_another_task(here: InProcess) -> None:
    """As `state rm` has said."""
    made = removed_record(here)
    assert here.run("apply").results() == {"k1": "created"}
    assert here.sandbox.recorded()["k1"] != made
    assert here.run("apply").document["tasks"] == []


@pytest.mark.parametrize("way", ["assign", "taskID", "import"])
def test_a_removed_record_is_restored_by_a_person(here: InProcess, way: str) -> None:
    made = removed_record(here)
    tasks = as_tasks({"k1": "do 1", "k2": "do 2", "k3": "do 3"})
    if way == "assign":
        assert here.run_state("assign", "k1", made).code == 0
    elif way == "taskID":
        tasks["k1"]["taskID"] = made
        here.sandbox.write(tasks)
    else:
        del tasks["k1"]
        here.sandbox.write(tasks)
        words = ["import", made, "--write", "tasks/more.yaml", "--org", "acme"]
        assert here.run_words([*words, "--backend", here.server.url]).code == 0
    assert here.run("apply").code == 0
    assert made in here.sandbox.recorded().values()
    assert [len(ids) for ids in here.server.tasks_by_work().values()] == [1, 1, 1]


def test_another_key_gets_no_removed_task(here: InProcess) -> None:
    made = removed_record(here)
    here.sandbox.write(as_tasks({"k2": "do 2", "k3": "do 3", "other": "do 1"}))
    assert here.run("apply").results() == {"other": "created"}
    assert here.sandbox.recorded()["other"] != made


def test_a_copy_of_a_removed_task_is_a_duplicate(here: InProcess) -> None:
    """Of a request that was delivered twice, the second task is listed late."""
    made = removed_record(here)
    shown = here.server.world.by_id[made].prompt
    late = here.server.world.create("me", "acme", {"message": {"content": shown}})["taskId"]
    here.sandbox.write(as_tasks({"k2": "do 2", "k3": "do 3", "new": "do new"}))
    ended = here.run("apply")
    assert ended.results() == {"new": "created"}
    (said,) = [d for d in ended.document["diagnostics"] if d["code"] == "TC741"]
    assert late in said["summary"]


def test_a_replaced_task_can_be_given_to_another_key(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"a": "do a"}))
    assert here.run("apply").code == 0
    first = here.sandbox.recorded()["a"]
    assert here.run("apply", "--replace", f"a={first}").results() == {"a": "replaced"}
    here.sandbox.write({**as_tasks({"a": "do a"}), "b": {"taskID": first}})
    assert f"taskctl state assign acme/b {first}" in here.run("apply").stdout
    assert here.run_state("assign", "acme/b", first).code == 0
    assert here.run("apply").code == 0
    assert here.sandbox.recorded()["b"] == first
    assert len(here.server.tasks_by_work()["do a"]) == 2


def test_a_replaced_task_of_a_removed_key_has_no_key(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"a": "do a"}))
    assert here.run("apply").code == 0
    first = here.sandbox.recorded()["a"]
    assert here.run("apply", "--replace", f"a={first}").results() == {"a": "replaced"}
    assert here.run_state("rm", "acme/a").code == 0
    here.sandbox.write({"b": {"taskID": first}})
    assert here.run("apply").results() == {"b": "adopted"}
    assert here.sandbox.recorded() == {"b": first}


def test_a_typo_in_moved_from_starts_no_second_agent(here: InProcess) -> None:
    here.sandbox.write(as_tasks({f"data-job-{n}": f"do {n}" for n in range(5)}))
    assert here.run("apply").code == 0
    tasks = as_tasks({f"data-job-{n}": f"do {n}" for n in (0, 1, 2, 4)})
    here.sandbox.write({**tasks, "data-three": {"message": "edited", "movedFrom": "data-jbo-3"}})
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (1, {"data-three": "unresolved"})
    assert "did you mean data-job-3?" in ended.stdout
    assert "edited" not in here.server.tasks_by_work()
    here.sandbox.write({**tasks, "data-three": {"message": "edited"}})
    assert here.run("apply").results() == {"data-three": "created"}


def test_a_row_that_is_new_names_no_former_key(here: InProcess) -> None:
    def declare(entry: str, *rows: str, **more: str) -> None:
        texts = {"forEach": {"row": list(rows)}, "message": "do {{ row }}", **more}
        here.sandbox.write({entry: texts})

    declare("old", "a", "b")
    assert here.run("apply").code == 0
    declare("new", "a", "c", movedFrom="old@{{ row }}")
    assert here.run("apply").results() == {"new@a": "moved", "new@c": "unresolved"}
    ended = here.run("apply")
    assert ended.results() == {"new@c": "unresolved"}
    assert "did you mean old@b?" in ended.stdout
    assert here.run_state("rm", "old@b").code == 0
    assert here.run("apply").results() == {"new@c": "created"}
    declare("new", "a", "d", movedFrom="old@{{ row }}")  # only a row of the new entry is orphaned
    assert here.run("apply").results() == {"new@d": "created"}


@pytest.mark.parametrize("how", ["taskID", "state assign"])
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
    words = ("state", "assign", "k", task_id) if how != "taskID" else ("apply", "-y")
    assert place.run(*words)[0] == 0
    declare(mine)
    assert place.document("plan")["summary"]["unchanged"] == 1
    assert other.call("PATCH", path, {"isShared": False}).status == 200
    (task,) = place.document("plan")["tasks"]
    assert (task["action"], task["reason"]) == ("unchanged", "notVisible")
