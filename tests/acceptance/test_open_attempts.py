"""An attempt with an unknown outcome is decided by proof, or by a person who names its key."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.support.fault_server import Call, Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks
from tests.support.skipped_time import skipped_now

FAILING_LISTS = Rule("list", Fault("status", status=500), nth=tuple(range(2, 999)))


def lose_state(here: InProcess) -> None:
    (here.sandbox.folder / "taskctl.state.json").unlink()


def test_the_glob_of_an_organization_never_answers_an_open_attempt(here: InProcess) -> None:
    """`acme/*` ends a recovery. A noted key whose create is ambiguous keeps its attempt."""
    here.sandbox.write(as_tasks({"same": "do 0", "edited": "before", "other": "first"}))
    assert here.run("apply").code == 0
    lose_state(here)
    here.sandbox.write(as_tasks({"same": "do 0", "edited": "after", "other": "second"}))
    assert here.run("apply", "--adopt").results()["same"] == "adopted"
    assert here.run_state("resolve", "edited", "--not-created").code == 0
    here.server.habits.marks = "rounded"
    here.server.set_rules(Rule("create", Fault("reset", committed=True)))
    assert set(here.run("apply").results().values()) == {"unresolved"}
    here.server.set_rules()
    assert here.run_state("resolve", "acme/*", "--not-created", "-y").code == 0
    here.run("apply")
    made = here.server.tasks_by_work()
    assert (len(made["after"]), len(made["second"])) == (1, 1)


def test_the_first_attempt_of_a_new_state_survives_the_glob_of_its_organization(
    here: InProcess,
) -> None:
    """The same without any loss: the attempt is older than the recovery."""
    here.sandbox.write(as_tasks({"a": "do a", "b": "do b"}))
    here.server.habits.marks = "rounded"
    here.server.set_rules(Rule("create", Fault("reset", committed=True)))
    assert here.run("apply").results() == {"a": "unresolved", "b": "unresolved"}
    here.server.set_rules()
    here.sandbox.write(as_tasks({"a": "do a", "b": "do b", "c": "do c"}))
    here.run("apply", "--adopt", "--target", "c")
    assert here.run_state("resolve", "acme/*", "--not-created", "-y").code == 0
    here.run("apply")
    made = {text: len(ids) for text, ids in here.server.tasks_by_work().items()}
    assert made == {"do a": 1, "do b": 1, "do c": 1}


def lost_response(here: InProcess) -> str:
    """The ID of the task of `k`, whose attempt is open."""
    here.sandbox.write(as_tasks({"k": "do k"}))
    here.server.set_rules(Rule("create", Fault("reset", committed=True)), FAILING_LISTS)
    assert here.run("apply").results() == {"k": "unresolved"}
    here.server.set_rules()
    (made,) = here.server.tasks_by_work()["do k"]
    return made


@pytest.mark.parametrize("is_listed", [True, False])
def test_an_unreadable_task_that_another_key_names_may_be_that_of_an_attempt(
    here: InProcess, *, is_listed: bool
) -> None:
    """It is a candidate like any other: if it could be read, both keys would be unresolved."""
    made = lost_response(here)
    here.sandbox.write({**as_tasks({"k": "do k"}), "other": {"taskID": made}})
    assert set(here.run("plan").actions().values()) == {"unresolved"}
    here.server.habits.list_lag = 0.0 if is_listed else 1e9
    for rules in ([Rule("events", Fault("status", status=500), task=made)], []):
        here.server.set_rules(*rules)
        assert set(here.run("apply").results().values()) == {"unresolved"}
    here.server.habits.list_lag = 0.0
    here.sandbox.write(as_tasks({"k": "do k"}))
    assert here.run("apply").results() == {"k": "adopted"}
    assert here.server.tasks_by_work()["do k"] == [made]


def test_an_unreadable_task_is_recorded_for_no_other_key(here: InProcess) -> None:
    """By hand neither, except as the answer about the attempt."""
    made = lost_response(here)
    here.sandbox.write(as_tasks({"k": "do k", "other": "do other"}))
    here.server.set_rules(Rule("events", Fault("status", status=500), task=made))
    assert here.run_state("resolve", "other", "--task-id", made).code == 1
    assert here.run_state("resolve", "k", "--task-id", made).code == 0
    assert here.sandbox.recorded() == {"k": made}


def test_a_resend_waits_for_the_look_alikes_of_other_keys(here: InProcess) -> None:
    """As a first create does, also if they are not among the keys that apply looks up."""
    here.sandbox.write(as_tasks({"a": "do a", "k": "before"}))
    assert here.run("apply").code == 0
    lose_state(here)
    here.sandbox.write(as_tasks({"a": "do a"}))
    here.sandbox.write(as_tasks({"k": "after"}), "k")
    here.server.set_rules(Rule("create", Fault("reset")), FAILING_LISTS)
    ended = here.run("apply", "tasks/k.yaml")
    assert ended.results() == {"k": "unresolved"}, ended.stdout
    here.server.set_rules()
    here.sandbox.settle = "60s"
    reasons = {t["key"]: t["reason"] for t in here.run("plan").document["tasks"]}
    assert reasons == {"a": "lookAlike", "k": "settling"}
    assert here.run("apply").results() == {"a": "unresolved", "k": "unresolved"}
    made = {text: len(ids) for text, ids in here.server.tasks_by_work().items()}
    assert made == {"do a": 1, "before": 1}
    assert here.run_state("resolve", "a", "--not-created").code == 0
    assert here.run("apply").results() == {"a": "created", "k": "created"}


@pytest.mark.parametrize("failures", [1, 999])
def test_a_resend_waits_until_another_organization_can_be_read(
    here: InProcess, failures: int
) -> None:
    """It is only compared, and its list fails during the lookup."""
    seen: list[str] = []

    def choose(call: Call) -> Fault | None:
        if call.endpoint == "create" and call.nth == 1:
            seen.append("create")
            return Fault("reset")
        if "/dev/" in call.path and seen and len(seen) <= failures:
            seen.append("dev")
            return Fault("status", status=400)
        if call.endpoint == "create":
            seen.append("created")
        return None

    here.server.choose = choose
    here.sandbox.write(as_tasks({"d": "Dev."}, orgName="dev") | as_tasks({"p": "Prod."}))
    ended = here.run("apply", "--target", "*/p")
    assert ended.results() == {"p": "created" if failures == 1 else "unresolved"}
    if failures == 1:
        assert seen == ["create", "dev", "created"]
        return
    assert seen.count("dev") > 1
    assert "created" not in seen
    here.server.choose = lambda _: None
    assert here.run("apply", "--target", "*/p").results() == {"p": "created"}
    assert {text: len(ids) for text, ids in here.server.tasks_by_work().items()} == {"Prod.": 1}


def test_a_person_cannot_answer_early_for_a_machine_whose_clock_is_ahead(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"k": "do k"}))
    here.server.set_rules(Rule("create", Fault("reset")), FAILING_LISTS)
    assert here.run("apply").results() == {"k": "unresolved"}
    here.server.set_rules()
    path = here.sandbox.folder / "taskctl.state.json"
    codes = []
    for ahead in (0, 1, -1):  # a run that was killed right after the send
        read = json.loads(path.read_text())
        read.pop("checksum", None)
        (attempt,) = read["attempts"].values()
        attempt.pop("waited", None)
        attempt["startedAt"] = (skipped_now() + timedelta(hours=ahead)).isoformat()
        path.write_text(json.dumps(read))
        codes.append(here.run_state("resolve", "k", "--not-created").code)
    assert codes == [1, 1, 0]
