"""A request that a gateway delivers twice: both tasks are known until the second one is over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.crash.test_lost_identity import on_first_create, set_rules
from tests.support.fault_server import Call, Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import Ended, as_tasks, prompts

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


def finish(here: InProcess, task_id: str) -> None:
    task = here.server.world.by_id[task_id]
    said = {"type": "assistant_message", "is_final": True, "content": "Done."}
    task.shown |= {"status": "idle", "tokensUsed": 9}
    task.events.append({"id": "last", "type": "agentResponse", "eventBody": said})


def test_every_plan_apply_and_status_shows_a_duplicate_and_its_command(
    here: InProcess, extra: str
) -> None:
    plan = here.run("plan", "--detailed-exitcode")
    assert (plan.code, plan.document["hasChanges"], plan.document["applyWillFail"]) == (0, 0, 0)
    ended = [plan, here.run("apply"), here.run("status")]
    here.sandbox.write(as_tasks({**ONE, "k1": "do 1"}))
    for each in (*ended, here.run("plan", "--target", "k1")):
        (found,) = warned(each)
        assert (found["severity"], found["key"]) == ("warning", "k2")
        assert f"taskctl cancel {extra}" in found["detail"]
    assert len(here.server.world.tasks) == 2


@pytest.mark.parametrize("command", ["show", "open"])
def test_other_commands_accept_its_id(here: InProcess, extra: str, command: str) -> None:
    ended = here.run_words([command, extra, "--backend", here.server.url])
    assert ended.code == 0, ended.stderr
    assert extra in ended.stdout
    assert "adopted" not in ended.stdout


@pytest.mark.parametrize("way", ["removed", "rm", "rename"])
def test_nothing_that_happens_to_the_key_loses_it(here: InProcess, extra: str, way: str) -> None:
    if way == "rm":
        assert here.run_state("rm", "k2").code == 0
    elif way == "rename":
        here.sandbox.write({"new": {"message": "do 2", "movedFrom": "k2"}})
    else:
        here.sandbox.write({"k1": {"message": "do 1"}}, removed=["k2"])
    here.run("apply")
    (found,) = warned(here.run("plan"))
    assert found["key"] == ("new" if way == "rename" else "k2")
    assert f"taskctl cancel {extra}" in found["detail"]
    assert extra not in here.sandbox.recorded().values()


@pytest.mark.parametrize("way", ["finished", "gone"])
def test_one_that_is_over_is_no_longer_shown(here: InProcess, extra: str, way: str) -> None:
    if way == "finished":
        finish(here, extra)
    else:
        del here.server.world.by_id[extra]
        here.server.world.tasks[:] = [t for t in here.server.world.tasks if t.id != extra]
    for command in ("plan", "status", "apply"):
        assert warned(here.run(command)) == []
    assert extra in here.sandbox.state()["duplicates"]  # nothing else had to be written
    here.sandbox.write(as_tasks({**ONE, "k3": "do 3"}))
    assert here.run("apply").code == 0
    assert "duplicates" not in here.sandbox.state()


def test_for_another_user_it_is_not_gone(
    here: InProcess, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.server.habits.tokens["other"] = "other"
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "other")
    assert len(warned(here.run("plan"))) == 1


def test_one_that_cannot_be_read_is_shown(here: InProcess, extra: str) -> None:
    finish(here, extra)
    set_rules(here, Rule("get", Fault("status", status=500), task=extra))
    ended = here.run("plan")
    assert (ended.code, len(warned(ended))) == (0, 1)


def test_state_rm_drops_it(here: InProcess, extra: str) -> None:
    assert here.run_state("rm", extra).code == 0
    assert warned(here.run("plan")) == []
    assert list(here.sandbox.recorded()) == ["k2"]


def test_a_key_may_get_it_once_a_person_says_so(here: InProcess, extra: str) -> None:
    here.sandbox.write({"k3": {"message": "do 2", "taskID": extra}, **as_tasks(ONE)})
    plan = here.run("plan")
    (planned,) = [task for task in plan.document["tasks"] if task["key"] == "k3"]
    assert planned["action"] == "unresolved"
    assert f"taskctl state rm {extra}" in json.dumps(planned)
    here.sandbox.write({"k2": {"message": "do 2", "taskID": extra}})
    assert here.run_state("rm", "k2").code == 0
    ended = here.run("apply")
    assert (ended.results(), warned(ended)) == ({"k2": "adopted"}, [])
    assert here.sandbox.recorded() == {"k2": extra}
    assert "duplicates" not in here.sandbox.state()


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
        task.shown |= {"isShared": True, "createdBy": {"name": "Eve"}}

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
    (unread,) = warned(ended, "TC747")
    assert unreadable[0] in unread["summary"]
    assert len(warned(here.run("plan"))) == 60
