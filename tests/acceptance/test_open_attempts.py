"""An attempt with an unknown outcome is decided by its reference, or by a person who names its
key."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.support.fault_server import Call, Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import STATE, as_tasks
from tests.support.skipped_time import skipped_now

FAILING_LISTS = Rule("list", Fault("status", status=500), nth=tuple(range(2, 999)))


def lost_response(here: InProcess) -> str:
    """The ID of the task of `k`, whose attempt is open."""
    here.sandbox.write(as_tasks({"k": "do k"}))
    here.server.set_rules(Rule("create", Fault("reset", committed=True)), FAILING_LISTS)
    assert here.run("apply").results() == {"k": "unresolved"}
    here.server.set_rules()
    (made,) = here.server.tasks_by_work()["do k"]
    return made


def lost_request(here: InProcess) -> None:
    """An open attempt of `k`, which created nothing."""
    here.sandbox.write(as_tasks({"k": "do k"}))
    here.server.set_rules(Rule("create", Fault("reset")), FAILING_LISTS)
    assert here.run("apply").results() == {"k": "unresolved"}
    here.server.set_rules()


def test_the_task_is_found_although_its_prompt_was_edited(here: InProcess) -> None:
    made = lost_response(here)
    here.sandbox.write(as_tasks({"k": "do it differently"}))
    assert here.run("apply").results() == {"k": "adopted"}
    assert here.sandbox.recorded() == {"k": made}
    assert len(here.server.posts) == 1


def test_the_task_is_recorded_although_its_key_is_in_no_manifest(here: InProcess) -> None:
    made = lost_response(here)
    here.sandbox.write(as_tasks({"other": "do other"}))
    assert here.run("apply").results() == {"k": "adopted", "other": "created"}
    assert here.sandbox.recorded()["k"] == made


def test_a_renamed_key_takes_the_task_of_its_attempt(here: InProcess) -> None:
    made = lost_response(here)
    here.sandbox.write(as_tasks({"new": "do k"}, movedFrom="k"))
    assert here.run("apply").code == 0
    assert here.run("apply").code == 0
    assert here.sandbox.recorded() == {"new": made}
    assert len(here.server.posts) == 1


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_task_that_another_key_names_may_be_that_of_an_attempt(
    here: InProcess, *, is_listed: bool
) -> None:
    """While its message cannot be read, nothing is recorded for the other key."""
    made = lost_response(here)
    here.sandbox.write({**as_tasks({"k": "do k"}), "other": {"taskID": made}})
    here.server.set_rules(Rule("events", Fault("status", status=500), task=made))
    assert here.run("apply").code == 1
    assert here.sandbox.recorded() == {}
    here.server.set_rules()
    here.sandbox.write(as_tasks({"k": "do k"}))
    assert here.run("apply").results() == {"k": "adopted"}
    assert here.server.tasks_by_work()["do k"] == [made]


@pytest.mark.parametrize("how", ["blocked", "unproven"])
def test_a_task_that_another_key_names_is_that_of_an_attempt(here: InProcess, how: str) -> None:
    """While nothing can be recorded by a reference, nothing is recorded for the other key."""
    here.sandbox.write(as_tasks({"z": "do z"}))
    assert here.run("apply").code == 0
    known = here.server.world.by_id[here.sandbox.recorded()["z"]]
    made = lost_response(here)
    tasks = as_tasks({"z": "do z", "k": "do k"})
    here.sandbox.write({**tasks, "other": {"taskID": made}})
    if how == "blocked":
        text = {"message": {"content": "by hand"}}
        strange = here.server.world.create("me", "acme", text)["taskId"]
        here.server.set_rules(Rule("events", Fault("status", status=403), task=strange))
    else:
        here.server.world.tasks.remove(known)
    ended = here.run("apply")
    assert ended.results()["other"] == "unresolved"
    assert f"taskID {made} was created by an open attempt of acme/k" in ended.stdout
    here.server.set_rules()
    if how == "unproven":
        here.server.world.tasks.insert(0, known)
    here.sandbox.write(tasks)
    assert here.run("apply").results() == {"k": "adopted"}
    assert here.server.tasks_by_work()["do k"] == [made]


def test_the_task_of_an_attempt_is_recorded_for_no_other_key(here: InProcess) -> None:
    made = lost_response(here)
    here.sandbox.write(as_tasks({"k": "do k", "other": "do other"}))
    ended = here.run_state("assign", "other", made)
    assert (ended.code, ended.document["diagnostics"][0]["code"]) == (1, "TC618")
    assert here.run_state("assign", "k", made).code == 0
    assert here.sandbox.recorded() == {"k": made}
    assert here.run("apply").results() == {"other": "created"}


def test_a_copy_of_a_state_takes_no_task_of_an_attempt(here: InProcess) -> None:
    made = lost_response(here)
    copy = json.loads(here.run_state("pull").stdout)["state"]
    copy["serial"] += 1
    copy["tasks"]["acme/other"] = {
        "taskId": made,
        "file": "tasks/all.yaml",
        "inputs": {"message": {"content": "do other"}},
        "digest": "sha256:0",
        "identity": next(iter(copy["attempts"].values()))["identity"],
    }
    (here.sandbox.folder / "copy.json").write_text(json.dumps(copy))
    ended = here.run_state("push", "copy.json")
    assert (ended.code, ended.document["diagnostics"][0]["code"]) == (1, "TC618")
    assert "attempt of acme/k" in ended.document["diagnostics"][0]["summary"]
    assert here.run("apply").results() == {"k": "adopted"}


@pytest.mark.parametrize("ahead", [0, 1, -1])
def test_closing_an_attempt_counts_only_journaled_waiting(here: InProcess, ahead: int) -> None:
    """A run was killed right after the send, on a machine whose clock is wrong."""
    lost_request(here)
    path = here.sandbox.folder / STATE
    read = json.loads(path.read_text())
    read.pop("checksum", None)
    (attempt,) = read["attempts"].values()
    attempt.pop("waited", None)
    attempt["startedAt"] = (skipped_now() + timedelta(hours=ahead)).isoformat()
    path.write_text(json.dumps(read))
    before = skipped_now()
    ended = here.run_state("close", "k")
    assert ended.code == 0, ended.stdout
    assert (skipped_now() - before).total_seconds() >= attempt["settleTime"]
    assert "can still arrive" in ended.stderr
    assert here.run("apply").results() == {"k": "created"}


def test_a_closed_attempt_is_not_closed_again(here: InProcess) -> None:
    lost_request(here)
    assert here.run_state("close", "k").code == 0
    ended = here.run_state("close", "k")
    assert (ended.code, ended.document["diagnostics"][0]["code"]) == (1, "TC617")


def test_the_task_of_an_attempt_that_a_person_closed_is_still_found(here: InProcess) -> None:
    """They were wrong: the task exists. Before anything is created, it is recorded."""
    made = lost_response(here)
    assert here.run_state("close", "k").code == 0
    assert here.run("apply").results() == {"k": "adopted"}
    assert here.sandbox.recorded() == {"k": made}


@pytest.mark.parametrize("option", ["--retry", "--replace"])
def test_a_repeated_request_is_carried_out(here: InProcess, option: str) -> None:
    """The first run was killed after its journal entry, so that nothing was sent."""
    here.sandbox.write(as_tasks({"k": "do k"}))
    assert here.run("apply").code == 0
    (first,) = here.server.tasks_by_work()["do k"]
    here.fail("k")
    words = (option, "k" if option == "--retry" else f"k={first}")
    here.server.set_rules(Rule("create", Fault("reset")), FAILING_LISTS)
    assert here.run("apply", *words).results() == {"k": "unresolved"}
    here.server.set_rules()
    assert here.run("apply", *words).results() == {"k": "replaced"}
    assert here.sandbox.recorded()["k"] != first
    assert len(here.server.tasks_by_work()["do k"]) == 2


def test_a_resend_waits_until_its_organization_can_be_read(here: InProcess) -> None:
    seen: list[str] = []

    def choose(call: Call) -> Fault | None:
        if call.endpoint == "create":
            seen.append("create")
            return Fault("reset") if call.nth == 1 else None
        if call.endpoint == "list" and seen == ["create"]:
            seen.append("list")
            return Fault("status", status=400)
        return None

    here.server.choose = choose
    here.sandbox.write(as_tasks({"p": "do p"}))
    assert here.run("apply").results() == {"p": "created"}
    assert seen == ["create", "list", "create"]


@pytest.mark.parametrize("how", ["stripped", "cut", "redacted"])
def test_a_service_that_loses_the_line_leaves_a_lost_response_to_a_person(
    here: InProcess, how: str
) -> None:
    """The first create of a state: until the service has shown a reference, a task of this user
    without one may be that of the attempt."""
    here.server.habits.references = how  # type: ignore[assignment]
    here.sandbox.write(as_tasks({"k": "do k"}))
    here.server.set_rules(Rule("create", Fault("reset", committed=True)))
    ended = here.run("apply")
    assert (ended.code, ended.results()) == (1, {"k": "unresolved"})
    (made,) = here.server.tasks_by_work().popitem()[1]
    assert f"taskctl state assign acme/k {made}" in ended.stdout
    here.server.set_rules()
    assert here.run("apply").results() == {"k": "unresolved"}
    assert here.run_state("assign", "k", made).code == 0
    assert here.run("apply").document["tasks"] == []
    assert len(here.server.posts) == 1


def test_a_service_that_loses_the_line_is_reported_once_a_task_shows_it(here: InProcess) -> None:
    here.server.habits.references = "stripped"
    here.sandbox.write(as_tasks({"k": "do k"}))
    ended = here.run("apply")
    assert ended.results() == {"k": "created"}
    assert [d["code"] for d in ended.document["diagnostics"]] == ["TC749"]
