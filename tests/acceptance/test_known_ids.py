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


def test_an_answer_about_a_former_key_counts_for_one_create(here: InProcess) -> None:
    removed_record(here)
    assert here.run_state("resolve", "k1", "--not-created").code == 0
    tasks = as_tasks({"k2": "do 2", "k3": "do 3", "new": "do 1 again"})
    tasks["new"]["movedFrom"] = "k1"
    here.sandbox.write(tasks)
    assert here.run("apply").results() == {"new": "created"}
    here.sandbox.write({**as_tasks({"k1": "do 1"}), **tasks, "new": {"message": "do 1 again"}})
    assert here.run("apply").results() == {"k1": "unresolved"}
    assert len(here.server.tasks_by_work()["do 1"]) == 1


def test_another_key_never_repeats_a_removed_record(here: InProcess) -> None:
    """Its task looks like the new key's, however old it is."""
    removed_record(here)
    here.sandbox.write(as_tasks({"k2": "do 2", "k3": "do 3", "other": "do 1"}))
    assert here.run("apply").results() == {"other": "unresolved"}
    assert len(here.server.tasks_by_work()["do 1"]) == 1


@pytest.mark.parametrize("option", [(), ("--adopt",)])
def test_a_task_that_one_key_has_by_its_id_is_given_to_no_other(
    here: InProcess, option: tuple[str, ...]
) -> None:
    """Both jobs run: one has the task whose record was removed, the other gets its own."""
    here.sandbox.write(as_tasks({"nightly": "do it", "weekly": "do it"}, named=["weekly"]))
    assert here.run("apply", "--target", "weekly").code == 0
    made = here.sandbox.recorded()["weekly"]
    assert here.run_state("rm", "weekly").code == 0
    other = "unresolved" if option else "created"
    assert here.run("apply", *option).results() == {"nightly": other, "weekly": "adopted"}
    assert here.run_state("resolve", "nightly", "--not-created").code == int(not option)
    assert here.run("apply").code == 0
    assert here.sandbox.recorded()["weekly"] == made
    assert len(here.server.tasks_by_work()["do it"]) == 2


@pytest.mark.parametrize("option", [(), ("--adopt",)])
def test_a_task_that_moves_is_given_to_no_other_key(
    here: InProcess, option: tuple[str, ...]
) -> None:
    here.sandbox.write(as_tasks({"a": "do it"}))
    assert here.run("apply").code == 0
    assert here.run_state("rm", "a").code == 0
    tasks = as_tasks({"b": "do it", "aa": "do it"}, named=["aa"])
    tasks["b"]["movedFrom"] = "a"
    here.sandbox.write(tasks)
    other = "unresolved" if option else "created"
    assert here.run("apply", *option).results() == {"aa": other, "b": "adopted"}


def test_a_typo_in_moved_from_starts_no_second_agent(here: InProcess) -> None:
    here.sandbox.write(as_tasks({f"data-job-{n}": f"do {n}" for n in range(5)}))
    assert here.run("apply").code == 0
    tasks = as_tasks({f"data-job-{n}": f"do {n}" for n in (0, 1, 2, 4)})
    here.sandbox.write({**tasks, "data-three": {"message": "edited", "movedFrom": "data-jbo-3"}})
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (1, {"data-three": "unresolved"})
    assert "did you mean data-job-3?" in ended.stdout
    assert "edited" not in here.server.tasks_by_work()
    assert here.run_state("resolve", "data-three", "--not-created").code == 0
    assert here.run("apply").results() == {"data-three": "created"}


def test_a_row_that_is_new_names_no_former_key(here: InProcess) -> None:
    def declare(entry: str, *rows: str, **more: str) -> None:
        texts = {"forEach": {"row": list(rows)}, "message": "do {{ row }}", **more}
        here.sandbox.write({entry: texts})

    declare("old", "a", "b")
    assert here.run("apply").code == 0
    declare("new", "a", "c", movedFrom="old@{{ row }}")
    assert here.run("apply").results() == {"new@a": "moved", "new@c": "unresolved"}
    assert here.run("apply").results() == {"new@c": "created"}


def test_a_removed_task_that_another_user_cannot_see_is_a_look_alike(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another person applies after `state rm` and a rename without `movedFrom`."""
    removed_record(here)
    here.server.habits.tokens["pul-" + "f" * 40] = "other"
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-" + "f" * 40)
    here.sandbox.write(as_tasks({"k2": "do 2", "k3": "do 3", "m": "do 1"}))
    for option in ((), ("--adopt",)):
        ended = here.run("apply", *option)
        assert (ended.code, ended.results()) == (int(not option), {"m": "unresolved"})
    tasks = as_tasks({"k2": "do 2", "k3": "do 3", "m": "do 1"})
    tasks["m"]["movedFrom"] = "k1"
    here.sandbox.write(tasks)
    assert here.run("apply").results() == {"m": "adopted"}
    assert len(here.server.tasks_by_work()["do 1"]) == 1


@pytest.mark.parametrize("creator", [None, {"name": "Eve"}, {"githubLogin": ""}])
def test_a_task_of_an_unknown_creator_is_adopted_by_its_id_only(
    here: InProcess, creator: dict[str, str] | None
) -> None:
    made = here.server.world.create("me", "acme", {"message": {"content": "do it"}})["taskId"]
    here.server.world.by_id[made].shown["createdBy"] = creator
    here.sandbox.write(as_tasks({"k": "do it"}))
    for option in ((), ("--adopt",)):
        assert here.run("apply", *option).results() == {"k": "unresolved"}
    assert here.run_state("resolve", "k", "--task-id", made).code == 0
    assert here.run("apply").code == 0
    assert here.server.tasks_by_work() == {"do it": [made]}


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
