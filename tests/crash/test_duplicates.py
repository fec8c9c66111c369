"""A request that a gateway delivers twice: the second task is reported, and belongs to no key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.crash.test_lost_identity import on_first_create, set_rules
from tests.support.fault_server import Call, Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import STATE, Ended, as_tasks, prompts

ONE = {"k2": "do 2"}
CODE = "TC741"


def deliver_twice(here: InProcess, *more: Rule) -> None:
    """Each create creates two tasks."""
    set_rules(here, *more)
    choose = here.server.choose

    def twice(call: Call) -> Fault | None:
        if call.endpoint == "create":
            here.server.world.create("me", "acme", json.loads(call.body))
        return choose(call)

    here.server.choose = twice


@pytest.fixture
def extra(here: InProcess) -> str:
    """The ID of the duplicate of `k2`."""
    here.sandbox.write(as_tasks(ONE))
    deliver_twice(here)
    assert here.run("apply").results() == {"k2": "created"}
    set_rules(here)
    (found,) = set(here.server.tasks_by_work()["do 2"]) - {here.sandbox.recorded()["k2"]}
    return found


def warned(ended: Ended, code: str = CODE) -> list[dict[str, Any]]:
    return [each for each in ended.document["diagnostics"] if each["code"] == code]


def test_apply_reports_a_duplicate_once_with_its_command(here: InProcess) -> None:
    here.sandbox.write(as_tasks(ONE))
    deliver_twice(here)
    ended = here.run("apply")
    set_rules(here)
    (extra,) = set(here.server.tasks_by_work()["do 2"]) - {here.sandbox.recorded()["k2"]}
    (found,) = warned(ended)
    assert (ended.code, found["severity"], found["key"]) == (0, "warning", "k2")
    assert f"taskctl cancel acme/{extra} " in found["detail"]
    assert all(task_id in found["summary"] for task_id in (extra, here.sandbox.recorded()["k2"]))
    for command in ("plan", "apply", "status"):
        assert warned(here.run(command)) == []
    assert here.run("apply").document["tasks"] == []


def test_a_report_for_others_names_the_workflow_that_cancels_it(here: InProcess) -> None:
    """Only CI can cancel duplicates that CI has created."""
    (here.sandbox.folder / "taskctl.toml").write_text('run-workflow = "answer.yml"\n')
    here.sandbox.write(as_tasks(ONE))
    deliver_twice(here)
    report = here.sandbox.folder / "apply.md"
    assert here.run("apply", "--report", f"markdown={report}").results() == {"k2": "created"}
    (extra,) = set(here.server.tasks_by_work()["do 2"]) - {here.sandbox.recorded()["k2"]}
    assert f" -f command=cancel -f tasks=acme/{extra}" in report.read_text()


def test_it_can_be_cancelled_by_its_id(here: InProcess, extra: str) -> None:
    """The state does not know it."""
    words, head = ["--backend", here.server.url, "-y"], {"Content-Type": "application/json"}
    set_rules(here, Rule("other", Fault("raw", status=202, text="{}", headers=head)))
    assert here.run_words(["cancel", extra, *words]).code == 1
    assert here.run_words(["cancel", f"other/{extra}", *words]).code == 1
    assert here.server.of("other") == []
    assert here.run_words(["cancel", f"acme/{extra}", *words]).code == 0
    (sent,) = here.server.of("other")
    assert (sent.task_id, "user_cancel" in sent.body) == (extra, True)


def test_a_single_404_does_not_prove_that_a_task_is_gone(here: InProcess, extra: str) -> None:
    words = ["cancel", f"acme/{extra}", "--backend", here.server.url, "-y"]
    set_rules(here, Rule("other", Fault("status", status=404), task=extra))
    ended = here.run_words(words)
    assert (ended.code, "[TC735]" in ended.stderr, "[TC732]" in ended.stderr) == (1, True, False)
    here.server.world.by_id.pop(extra)
    here.server.world.tasks[:] = [t for t in here.server.world.tasks if t.id != extra]
    assert here.run_words(words).code == 1


def test_the_lookup_of_an_attempt_reports_it(here: InProcess) -> None:
    here.sandbox.write(as_tasks(ONE))
    lost = Rule("create", Fault("reset", committed=True))
    deliver_twice(here, lost, Rule("events", Fault("status", status=500)))
    assert here.run("apply").results() == {"k2": "unresolved"}
    set_rules(here)
    (planned,) = warned(here.run("plan"))
    ended = here.run("apply")
    (found,) = warned(ended)
    assert (ended.code, ended.results(), found) == (0, {"k2": "adopted"}, planned)
    (extra,) = set(here.server.tasks_by_work()["do 2"]) - {here.sandbox.recorded()["k2"]}
    assert f"taskctl cancel acme/{extra} " in found["detail"]
    assert warned(here.run("apply")) == []


@pytest.mark.parametrize("way", ["removed", "rm", "rename"])
def test_no_key_gets_it_whatever_happens_to_its_own(here: InProcess, extra: str, way: str) -> None:
    others = as_tasks({"k3": "do 2"}, named=["k3"])
    if way == "rm":
        assert here.run_state("rm", "k2").code == 0
        here.sandbox.write(as_tasks(ONE))
    elif way == "rename":
        here.sandbox.write({"new": {"message": "do 2", "movedFrom": "k2"}, **others})
    else:
        here.sandbox.write(others, removed=["k2"])
    assert here.run("apply").code == 0
    assert here.run("apply").code == 0
    assert extra not in here.sandbox.recorded().values()


def test_no_key_gets_it_after_a_loss(here: InProcess, extra: str) -> None:
    """Both have the reference; the older task is recorded, and the other is reported again."""
    mine = here.sandbox.recorded()["k2"]
    lost = here.sandbox.state()["provenance"]["ids"][0]
    (here.sandbox.folder / STATE).unlink()
    assert here.run_state("init", "--continue", lost, "-y").code == 0
    ids = [task.id for task in here.server.world.tasks]
    assert here.sandbox.recorded() == {"k2": ids[0]}
    here.sandbox.write(as_tasks({**ONE, "k3": "do 3"}))
    assert here.run("apply").results() == {"k3": "created"}
    assert {mine, extra} == {*ids}
    assert len(here.server.world.tasks) == 3


def test_a_key_may_get_it_once_a_person_says_so(here: InProcess, extra: str) -> None:
    here.sandbox.write({"k3": {"message": "do 2", "taskID": extra}, **as_tasks(ONE)})
    assert here.run("apply").results() == {"k3": "adopted"}
    assert here.sandbox.recorded()["k3"] == extra


def test_one_create_reads_no_old_conversation(here: InProcess) -> None:
    """The list has pages of 1,000 tasks; those after the baseline are older than the apply."""
    for n in range(1_900):
        here.server.world.create("me", "acme", {"message": {"content": f"by hand {n}"}})
    here.sandbox.write({"k1": {"message": "do 1"}})
    assert here.run("apply").results() == {"k1": "created"}
    here.sandbox.write({"k1": {"message": "do 1"}, "k2": {"message": "do 2"}})
    before = len(here.server.of("events"))
    assert here.run("apply").results() == {"k2": "created"}
    assert len(here.server.of("events")) - before == 0


def test_a_new_state_reads_no_old_conversation(here: InProcess) -> None:
    for n in range(1_900):
        here.server.world.create("me", "acme", {"message": {"content": f"by hand {n}"}})
        here.server.world.tasks[-1].shown["createdAt"] = "2020-01-01T00:00:00.000Z"
    here.sandbox.write({"k2": {"message": "do 2"}})
    assert here.run_state("init", "--new").code == 0
    assert here.run("apply").results() == {"k2": "created"}
    assert len(here.server.of("events")) == 1  # of its own task: is the last line kept?


def test_a_response_with_its_id_is_no_proof(here: InProcess, extra: str) -> None:
    here.sandbox.write(as_tasks({**ONE, "k3": "do 3"}))
    text, head = json.dumps({"taskId": extra}), {"Content-Type": "application/json"}
    set_rules(here, Rule("create", Fault("raw", status=201, text=text, headers=head), nth=(1,)))
    assert here.run("apply").results() == {"k3": "created"}
    assert here.sandbox.recorded()["k3"] != extra


def test_neither_strangers_nor_other_tasks_hide_any(here: InProcess) -> None:
    """Sixty keys, each delivered twice; the newest task is that of a stranger and unreadable, and
    sixty others of this user are newer, too."""
    texts = prompts(60)
    here.sandbox.write(as_tasks(texts))
    unreadable: list[str] = []

    def others(body: dict[str, Any]) -> None:
        for n in range(60):
            here.server.world.create("me", "acme", {"message": {"content": f"by hand {n}"}})
        shared = {"message": {"content": "a stranger's"}}
        unreadable.append(here.server.world.create("eve", "acme", shared)["taskId"])
        task = here.server.world.by_id[unreadable[0]]
        task.shown |= {"isShared": True, "createdBy": {"name": "Eve", "githubLogin": "eve"}}

    on_first_create(here, "do 59", others, Fault())
    choose = here.server.choose

    def twice(call: Call) -> Fault | None:
        if call.endpoint == "create":
            here.server.world.create("me", "acme", json.loads(call.body))
        if call.endpoint == "events" and call.task_id in unreadable:
            return Fault("status", status=500)
        return choose(call)

    here.server.choose = twice
    ended = here.run("apply")
    assert ended.code == 0
    assert len(warned(ended)) == 60
