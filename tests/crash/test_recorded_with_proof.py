"""A task is recorded only with proof: a response with a new ID, a reference, or a person's word."""

from __future__ import annotations

import json
import unicodedata
from typing import Any
from unittest.mock import patch

import pytest

from tests.crash.test_lost_identity import (
    DOWN,
    LOST,
    OTHER_STATE,
    STACK,
    lose_and_continue,
    on_first_create,
    set_rules,
    tasks_of,
    twin,
)
from tests.support.fault_server import Fault, Rule
from tests.support.fault_world import References
from tests.support.in_process import InProcess
from tests.support.sandbox import Ended, as_tasks

ONE = {"k2": "do 2"}
NOT_COMMITTED = Fault("status", status=503)


@pytest.mark.parametrize("references", ["kept", "stripped", "cut", "redacted"])
def test_the_task_of_another_repository_is_not_recorded(
    here: InProcess, references: References
) -> None:
    """On a new state, at any service: our request never arrived."""
    here.server.habits.references = references
    here.sandbox.write(as_tasks(ONE))
    on_first_create(here, "do 2", lambda body: twin(here, body, OTHER_STATE), NOT_COMMITTED)
    ended = here.run("apply")
    theirs = here.server.tasks_by_work()["do 2"][0]
    assert here.sandbox.recorded().get("k2") != theirs, ended.stdout
    is_kept = references == "kept"
    assert ended.results() == {"k2": "created" if is_kept else "unresolved"}
    assert len(tasks_of(here)) == 1 + is_kept


def test_a_response_that_repeats_an_older_task_is_no_proof(here: InProcess) -> None:
    body = {"message": {"content": "by hand"}}
    older = here.server.world.create("me", "acme", body)["taskId"]
    here.sandbox.write(as_tasks(ONE))
    text, head = json.dumps({"taskId": older}), {"Content-Type": "application/json"}
    repeated = Fault("raw", status=201, text=text, headers=head)
    set_rules(here, Rule("create", repeated, nth=(1,)))
    here.run("apply")
    assert here.sandbox.recorded().get("k2") != older
    here.run("apply")
    assert here.server.tasks_by_work()["do 2"] == [here.sandbox.recorded()["k2"]]


@pytest.mark.parametrize("task_id", ["..", "a/b", " ", "a\nb", "a" * 5000])
def test_a_response_with_an_impossible_id_is_looked_up(here: InProcess, task_id: str) -> None:
    here.sandbox.write(as_tasks(ONE))
    text, head = json.dumps({"taskId": task_id}), {"Content-Type": "application/json"}
    odd = Fault("raw", status=201, text=text, headers=head, committed=True)
    set_rules(here, Rule("create", odd))
    ended = here.run("apply")
    assert ended.results() == {"k2": "created"}
    assert ended.document["diagnostics"] == []
    assert tasks_of(here) == [here.sandbox.recorded()["k2"]]


def test_no_create_is_sent_after_an_invalid_list(here: InProcess) -> None:
    """It is no baseline: a task that it hides would pass for a new one."""
    here.sandbox.write({"k1": {"message": "do 1"}, "k2": {"message": "do 2"}})
    head = {"Content-Type": "application/json"}
    odd = Fault("raw", status=200, text='{"tasks": [null]}', headers=head)
    set_rules(here, Rule("list", odd))
    assert here.run("apply").results() == {"k1": "unresolved", "k2": "unresolved"}
    assert not here.server.posts


def test_a_second_delivery_is_reported_by_the_apply_that_finds_it(here: InProcess) -> None:
    here.sandbox.write(as_tasks(ONE))

    def deliver(body: dict[str, Any]) -> None:
        here.server.world.create("me", "acme", body)

    on_first_create(here, "do 2", deliver, Fault())
    ended = here.run("apply")
    assert ended.results() == {"k2": "created"}
    ids = here.server.tasks_by_work()["do 2"]
    (extra,) = set(ids) - {here.sandbox.recorded()["k2"]}
    (said,) = [d for d in ended.document["diagnostics"] if extra in json.dumps(d)]
    assert said["severity"] == "warning"
    assert f"taskctl cancel acme/{extra}" in json.dumps(said)


def test_fields_that_the_service_adds_to_an_entity_do_not_hide_a_task(here: InProcess) -> None:
    here.sandbox.write({"k2": {"message": {"content": "do 2", "entity_diff": {"add": [STACK]}}}})
    ended = here.run("apply")
    assert ended.code == 0, ended.stdout + ended.stderr
    (task,) = here.server.world.tasks
    said = task.events[1]["eventBody"]
    added = [{**e, "url": "https://example.com", "merged": False} for e in _entities(said)]
    said["entity_diff"] = {"add": added}
    task.shown["entities"] = added
    lose_and_continue(here)
    assert here.run("apply").document["tasks"] == []
    assert len(tasks_of(here)) == 1


def _entities(said: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (said.get("entity_diff") or {}).get("add") or []
    assert found
    return found


@pytest.mark.parametrize("treatment", ["kept", "stripped"])
def test_a_placeholder_in_the_prompt_does_not_hide_a_redacted_task(
    here: InProcess, treatment: Any
) -> None:
    """A lost create must be found also if the prompt itself contains the placeholder."""
    here.server.habits.references = treatment
    here.server.habits.redact = True
    (here.sandbox.folder / "tasks/all.yaml").write_text(
        "version: 1\norgName: acme\ntasks:\n"
        "  k2: # taskctl: ignore[TC402]\n    message: Replace [REDACTED] by password=hunter22.\n"
    )
    set_rules(here, Rule("create", LOST, nth=(1,)), Rule("events", DOWN))
    assert here.run("apply").results() == {"k2": "unresolved"}
    set_rules(here)
    ended = here.run("apply")
    assert ended.results() == {"k2": "adopted" if treatment == "kept" else "unresolved"}
    assert len(tasks_of(here)) == 1


@pytest.mark.parametrize("treatment", ["kept", "stripped"])
def test_entities_of_which_one_contains_the_other_may_come_in_any_order(
    here: InProcess, treatment: Any
) -> None:
    here.server.habits.references = treatment
    repository = {"type": "repository", "org": "acme", "name": "infra"}
    added = [repository, {**repository, "forge": "github"}]
    here.sandbox.write({"k2": {"message": {"content": "do 2", "entity_diff": {"add": added}}}})
    set_rules(here, Rule("create", LOST, nth=(1,)), Rule("events", DOWN))
    assert here.run("apply").results() == {"k2": "unresolved"}
    (task,) = here.server.world.tasks
    task.events[1]["eventBody"]["entity_diff"] = {"add": added[::-1]}
    set_rules(here)
    ended = here.run("apply")
    assert ended.results() == {"k2": "adopted" if treatment == "kept" else "unresolved"}
    assert len(tasks_of(here)) == 1


def test_the_task_of_another_keys_open_attempt_cannot_be_recorded_by_hand(here: InProcess) -> None:
    """The attempt would find nothing then, and its key would get a second task."""
    here.sandbox.write(as_tasks({"k1": "do 1", "k2": "do 2"}))
    set_rules(here, Rule("create", LOST, contains="do 2"), Rule("events", DOWN))
    here.run("apply")
    (made,) = here.server.tasks_by_work()["do 2"]
    here.sandbox.write(as_tasks({"k1": "do 1", "k2": "do 2", "k3": "do 3"}))
    set_rules(here)
    refused = here.run_state("assign", "k3", made)
    assert refused.code == 1
    assert "attempt of acme/k2" in refused.stdout
    assert here.run("apply").results() == {"k2": "adopted", "k3": "created"}
    here.assert_settled({"k1": "do 1", "k2": "do 2", "k3": "do 3"})


def test_a_replaced_task_is_not_recorded_after_its_key_was_removed_and_came_back(
    here: InProcess,
) -> None:
    """The key gets a new task: its tasks are known, and no longer those of a key."""
    here.sandbox.write(as_tasks(ONE))
    assert here.run("apply").results() == {"k2": "created"}
    old = here.sandbox.recorded()["k2"]
    assert here.run("apply", "--replace", f"k2={old}").results() == {"k2": "replaced"}
    new = here.sandbox.recorded()["k2"]
    assert here.run_state("rm", "k2").code == 0
    assert here.run("apply").results() == {"k2": "created"}
    here.sandbox.write(as_tasks({**ONE, "k3": "do 2"}, named=["k3"]))
    assert here.run("apply").results() == {"k3": "created"}
    assert not {old, new} & set(here.sandbox.recorded().values())
    assert len(tasks_of(here)) == 4


def test_the_unicode_form_that_the_service_returns_does_not_hide_a_task(here: InProcess) -> None:
    text = unicodedata.normalize("NFD", "überprüfe")
    here.sandbox.write(as_tasks({"k2": text}))
    assert here.run("apply").code == 0
    (task,) = here.server.world.tasks
    said = task.events[1]["eventBody"]
    said["content"] = unicodedata.normalize("NFC", said["content"])
    lose_and_continue(here)
    assert here.run("apply").document["tasks"] == []
    assert len(tasks_of(here)) == 1


@pytest.mark.parametrize("key", ["k2", "renamed"])
def test_a_task_id_of_another_keys_open_attempt_is_unresolved(here: InProcess, key: str) -> None:
    """The task is the other key's, by its reference."""
    here.sandbox.write(as_tasks(ONE))
    set_rules(here, Rule("create", LOST), Rule("events", DOWN))
    assert here.run("apply").results() == {"k2": "unresolved"}
    (made,) = tasks_of(here)
    other = {"message": "do 2", **({"movedFrom": "k2"} if key != "k2" else {})}
    here.sandbox.write({"a": {"taskID": made}, key: other})
    set_rules(here)
    ended = here.run("apply")
    found = "adopted" if key == "k2" else "moved"
    assert ended.results() == {"a": "unresolved", key: found}, ended.stdout
    assert here.sandbox.recorded() == {key: made}
    assert tasks_of(here) == [made]


def test_a_task_id_of_another_keys_open_attempt_is_not_chosen(here: InProcess) -> None:
    """The service shows it without a reference: a person says whose it is."""
    here.sandbox.write(as_tasks(ONE))
    set_rules(here, Rule("create", LOST), Rule("events", DOWN))
    assert here.run("apply").results() == {"k2": "unresolved"}
    (task,) = here.server.world.tasks
    task.events[1]["eventBody"]["content"] = "edited at the service"
    here.sandbox.write({"a": {"taskID": task.id}, **as_tasks(ONE)})
    set_rules(here)
    ended = here.run("apply")
    assert ended.results() == {"a": "adopted", "k2": "unresolved"}, ended.stdout
    assert here.run("apply").results() == {"k2": "created"}


def test_a_second_delivery_is_reported_by_the_apply_that_recovers(here: InProcess) -> None:
    """The response to the first delivery is lost, so that both tasks are found by their mark."""
    here.sandbox.write(as_tasks(ONE))

    def deliver(body: dict[str, Any]) -> None:
        here.server.world.create("me", "acme", body)

    on_first_create(here, "do 2", deliver, LOST)
    ended = here.run("apply")
    assert ended.results() == {"k2": "created"}
    ids = here.server.tasks_by_work()["do 2"]
    (extra,) = set(ids) - {here.sandbox.recorded()["k2"]}
    (said,) = [d for d in ended.document["diagnostics"] if extra in json.dumps(d)]
    assert f"taskctl cancel acme/{extra}" in json.dumps(said)


def assert_only_mentioned(here: InProcess, ended: Ended) -> None:
    """The other task of `k2` is an earlier one of its key, and there is no command."""
    (earlier,) = set(tasks_of(here)) - {here.sandbox.recorded()["k2"]}
    (said,) = ended.document["diagnostics"]
    assert (said["code"], said["severity"]) == ("TC741", "note")
    assert earlier in said["summary"]
    assert "taskctl cancel" not in ended.stdout
    assert here.sandbox.state()["tasks"]["acme/k2"]["formerTaskIds"] == [earlier]


def test_a_moved_key_whose_both_names_were_attempted_has_the_task_of_the_last_attempt(
    here: InProcess,
) -> None:
    here.sandbox.write(as_tasks({"k1": "do 1", "k2": "do 2"}))
    set_rules(here, Rule("create", LOST), Rule("events", DOWN))
    assert here.run("apply").results() == {"k1": "unresolved", "k2": "unresolved"}
    set_rules(here)
    here.sandbox.write({"k2": {"message": "do 2", "movedFrom": "k1"}})
    ended = here.run("apply")
    assert ended.results() == {"k2": "adopted"}
    assert_only_mentioned(here, ended)


def test_a_moved_key_waits_for_the_attempts_of_both_names(here: InProcess) -> None:
    """Only one of them has created a task by now; the other one still may."""
    here.sandbox.write(as_tasks({"k1": "do 1", "k2": "do 2"}))
    lists = Rule("list", DOWN, nth=tuple(range(2, 1000)))
    lost = [Rule("create", NOT_COMMITTED, contains="do 1"), Rule("create", LOST)]
    set_rules(here, *lost, Rule("events", DOWN), lists)
    assert here.run("apply").results() == {"k1": "unresolved", "k2": "unresolved"}
    late = next(json.loads(body) for body in here.server.posts if "do 1" in body)
    set_rules(here)
    here.sandbox.write({"k2": {"message": "do 2", "movedFrom": "k1"}})
    longer = ("--settle-time", "600s")
    assert here.run("plan", *longer).actions() == {"k2": "adopt"}
    here.server.world.create("me", "acme", late)
    ended = here.run("apply", *longer)
    assert ended.results() == {"k2": "adopted"}
    assert_only_mentioned(here, ended)


@pytest.mark.parametrize("command", [True, False])
def test_a_key_keeps_its_references_when_a_record_is_moved_to_it(
    here: InProcess, *, command: bool
) -> None:
    """A task with one of them belongs to no other key, even if it appears much too late."""
    here.sandbox.write(as_tasks({"k1": "do 1", "k2": "do 2"}))
    set_rules(here, Rule("create", NOT_COMMITTED, contains="do 2"))
    assert here.run("apply").results() == {"k1": "created", "k2": "unresolved"}
    late = next(json.loads(body) for body in here.server.posts if "do 2" in body)
    if command:
        assert here.run_state("mv", "k1", "k2").code == 0
        here.sandbox.write(as_tasks({"k2": "do 2"}))
    else:
        here.sandbox.write({"k2": {"message": "do 2", "movedFrom": "k1"}})
        assert here.run("apply").results() == {"k2": "moved"}
    made = here.sandbox.recorded()["k2"]
    set_rules(here)
    here.server.world.create("me", "acme", late)
    here.sandbox.write(as_tasks({"k2": "do 2", "k3": "do 2"}, named=["k3"]))
    ended = here.run("apply")
    assert ended.results() == {"k3": "created"}
    assert "TC741" in [d["code"] for d in ended.document["diagnostics"]]
    assert here.sandbox.recorded()["k2"] == made


def test_a_record_that_was_removed_and_comes_back_has_its_references(here: InProcess) -> None:
    """A duplicate with one of them belongs to no other key."""
    here.sandbox.write(as_tasks({"k2": "do 2"}))
    assert here.run("apply").results() == {"k2": "created"}
    made, body = here.sandbox.recorded()["k2"], json.loads(here.server.posts[0])
    assert here.run_state("rm", "k2").code == 0
    assert here.run_state("assign", "k2", made).code == 0
    extra = here.server.world.create("me", "acme", body)["taskId"]
    here.sandbox.write(as_tasks({"k2": "do 2", "k3": "do 2"}, named=["k3"]))
    ended = here.run("apply")
    assert ended.results() == {"k3": "created"}
    assert f"taskctl cancel acme/{extra}" in ended.stdout
    assert here.sandbox.recorded()["k2"] == made


@pytest.mark.parametrize("references", ["kept", "stripped"])
def test_the_task_that_an_attempt_of_another_identity_may_have_created_is_not_chosen(
    here: InProcess, references: References
) -> None:
    """Without references, it may be the task of either key. One user has a token of a team and one
    of their own."""
    here.server.habits.references = references
    here.sandbox.write(as_tasks({"k1": "do it"}))
    set_rules(here, Rule("create", NOT_COMMITTED), Rule("list", DOWN, nth=tuple(range(2, 999))))
    assert here.run("apply").results() == {"k1": "unresolved"}
    here.sandbox.write(as_tasks({"k1": "do it", "k2": "do it"}, named=["k2"]))
    person = here.server.world.user
    team = {"tokenInfo": {"name": "ci", "organization": "acme", "team": "ops"}}
    with patch.object(here.server.world, "user", lambda user: {**person(user), **team}):
        set_rules(here, Rule("create", LOST), Rule("events", DOWN))
        assert here.run("apply").results() == {"k1": "unresolved", "k2": "unresolved"}
    set_rules(here)
    ended = here.run("apply")
    if references == "kept":
        assert ended.results() == {"k1": "created", "k2": "adopted"}
    else:
        assert ended.results() == {"k1": "unresolved", "k2": "unresolved"}


def test_a_task_is_found_although_the_clock_of_its_node_is_slow(here: InProcess) -> None:
    """The list shows it after tasks that were created before it."""
    tasks = as_tasks({"k0": "do 0"})
    for name in ("k0", "k1"):
        tasks[name] = {"message": f"do {name[1]}"}
        here.sandbox.write(tasks)
        assert here.run("apply").results() == {name: "created"}
    here.sandbox.write({**tasks, "k2": {"message": "do 2"}})
    set_rules(here, Rule("create", LOST), Rule("events", DOWN))
    assert here.run("apply").results() == {"k2": "unresolved"}
    task = here.server.world.tasks[-1]
    task.seq, task.shown["createdAt"] = 0, "2026-01-01T00:00:00Z"
    set_rules(here)
    assert here.run("apply").results() == {"k2": "adopted"}


def test_an_assigned_record_keeps_the_references_of_its_key(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"k1": "do 1", "k2": "do 2"}))
    lists = Rule("list", DOWN, nth=tuple(range(2, 999)))
    set_rules(here, Rule("create", NOT_COMMITTED, contains="do 2"), lists)
    assert here.run("apply").results() == {"k1": "created", "k2": "unresolved"}
    late = next(json.loads(body) for body in here.server.posts if "do 2" in body)
    set_rules(here)
    made = here.server.world.create("me", "acme", {"message": {"content": "do 2"}})["taskId"]
    assert here.run_state("assign", "k2", made).code == 0
    extra = here.server.world.create("me", "acme", late)["taskId"]
    here.sandbox.write(as_tasks({"k1": "do 1", "k2": "do 2", "k3": "do 3"}))
    ended = here.run("apply")
    assert ended.results() == {"k3": "created"}
    assert here.sandbox.recorded()["k2"] == made
    assert f"taskctl cancel acme/{extra}" in ended.stdout


def test_a_half_read_message_is_read_again(here: InProcess) -> None:
    """A lagging node shows half of the text. Nothing of that is kept."""
    here.sandbox.write(as_tasks(ONE))
    set_rules(here, Rule("create", LOST), Rule("events", DOWN))
    assert here.run("apply").results() == {"k2": "unresolved"}
    (task,) = here.server.world.tasks
    said = task.events[1]["eventBody"]
    whole, said["content"] = said["content"], "do"
    set_rules(here)
    assert here.run("plan", "--settle-time", "600s").actions() == {"k2": "unresolved"}
    said["content"] = whole
    assert here.run("apply").results() == {"k2": "adopted"}
    assert tasks_of(here) == [here.sandbox.recorded()["k2"]]
