"""Tasks that a state knew by ID: a record that was removed does not lead to a second task."""

from __future__ import annotations

from tests.support.in_process import InProcess
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
