"""Ownership of tasks: attempts without an outcome in ambiguous situations.

Without references and baselines, each case ends with a second task or with the task of another
user.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.cli.main import run
from tests.support.fault_server import Call, Fault, Rule
from tests.support.in_process import TEXTS, InProcess
from tests.support.remark_cases import commands_of
from tests.support.sandbox import STATE, as_tasks
from tests.support.skipped_time import stopped_time

STACK = {"type": "stack", "name": "web", "project": "shop"}
LOST = Fault("reset", committed=True)
DOWN = Fault("status", status=500)


def set_rules(here: InProcess, *rules: Rule) -> None:
    here.server.set_rules(*rules)


def tasks_of(here: InProcess, user: str = "me") -> list[str]:
    return [task.id for task in here.server.world.tasks if task.user == user]


def on_first_create(
    here: InProcess, text: str, act: Callable[[dict[str, Any]], None], fault: Fault
) -> None:
    """The first create with that text gets `fault`, after `act` was called with its body."""
    seen: list[Call] = []

    def choose(call: Call) -> Fault | None:
        if call.endpoint != "create" or text not in call.body or seen:
            return None
        seen.append(call)
        act(json.loads(call.body))
        return fault

    here.server.choose = choose


def twin(here: InProcess, body: dict[str, Any], last_line: str, **message: Any) -> None:
    """The same user creates the same task at the same time, with another last line."""
    text, _, _ = body["message"]["content"].rpartition("\n\n")
    said = {**body["message"], "content": f"{text}{last_line}", **message}
    here.server.world.create("me", "acme", {**body, "message": said})


def lose_and_continue(here: InProcess) -> None:
    """The state is lost, and a new one continues it."""
    lost = here.sandbox.state()["provenance"]["ids"][0]
    (here.sandbox.folder / STATE).unlink()
    assert here.run_state("init", "--continue", lost, "-y").code == 0


OTHER_STATE = "\n\nTaskctl-Task: k2/2 babab-lusab-zokij"


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("last_line", [OTHER_STATE, ""])
def test_nobody_takes_another_repositorys_task_or_one_from_the_console(
    here: InProcess, *, last_line: str, committed: bool
) -> None:
    """The service has shown a reference before, so a task without one is not from this state."""
    here.sandbox.write(as_tasks({"k0": "do 0"}))
    assert here.run("apply").code == 0
    here.sandbox.write(as_tasks(TEXTS))
    fault = Fault("status", status=503, committed=committed)
    on_first_create(here, "do 2", lambda body: twin(here, body, last_line), fault)
    ended = here.run("apply")
    assert ended.results()["k2"] == "created"
    theirs, ours = here.server.tasks_by_work()["do 2"]
    assert here.sandbox.recorded()["k2"] == ours != theirs
    assert [len(ids) for ids in here.server.tasks_by_work().values()].count(1) == 3
    assert here.run("apply").document["tasks"] == []


def test_a_task_id_for_the_key_of_an_open_attempt_is_adopted(here: InProcess) -> None:
    """While events fail, the attempt stays open; the user finds the task and sets its ID."""
    set_rules(here, Rule("create", LOST, contains="do 2"), Rule("events", DOWN))
    assert here.run("apply").results()["k2"] == "unresolved"
    (made,) = here.server.tasks_by_work()["do 2"]
    for with_message in (True, False):
        named: dict[str, Any] = {"taskID": made}
        if with_message:
            named["message"] = "do 2"
        tasks = as_tasks({k: t for k, t in TEXTS.items() if k != "k2"}, named=["k1"])
        here.sandbox.write({**tasks, "k2": named})
        set_rules(here)
        ended = here.run("apply")
        assert ended.code == 0, ended.stdout
        assert here.sandbox.recorded()["k2"] == made
        assert not here.sandbox.state()["attempts"]
    assert len(tasks_of(here)) == 4


def test_a_task_id_that_is_not_what_an_open_attempt_created(here: InProcess) -> None:
    set_rules(here, Rule("create", LOST, contains="do 2"), Rule("events", DOWN))
    assert here.run("apply").results()["k2"] == "unresolved"
    assert run(["logs", "k2", "--backend", here.server.url]) == 1
    assert "acme/k2: the attempt to create it is unresolved" in here.capture.readouterr().err
    (made,) = here.server.tasks_by_work()["do 2"]
    other = here.server.world.create("me", "acme", {"message": {"content": "by hand"}})["taskId"]
    tasks = as_tasks(TEXTS, named=["k1"])
    here.sandbox.write({**tasks, "k2": {**tasks["k2"], "taskID": other}})
    set_rules(here)
    (task,) = here.run("apply").document["tasks"]
    assert (task["key"], task["result"]) == ("k2", "unresolved")
    assert other in task["error"]
    assert made in task["error"]
    assert commands_of(task) == ["taskctl state rm acme/k2"]
    assert len(tasks_of(here)) == 5


def test_a_restored_state_finds_newer_tasks_of_any_age(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"k0": "do 0"}))
    assert here.run("apply").code == 0
    backup = here.sandbox.folder / "backup.json"
    shutil.copy(here.sandbox.folder / STATE, backup)
    here.sandbox.write(as_tasks(TEXTS))
    assert here.run("apply").code == 0
    for task in here.server.world.tasks:
        task.shown["createdAt"] = task.shown["createdAt"].replace("20", "19", 1)
    shutil.copy(backup, here.sandbox.folder / STATE)
    ended = here.run("apply")
    assert set(ended.results().values()) == {"adopted"}
    here.assert_settled()


@pytest.mark.parametrize("gone", [True, False])
def test_a_replacement_rerun_after_a_lost_runner_creates_no_further_task(
    here: InProcess, *, gone: bool
) -> None:
    """Neither the new record nor the attempt survived the runner, only the older state."""
    assert here.run("apply").code == 0
    old = here.sandbox.recorded()["k2"]
    if gone:
        here.server.world.by_id.pop(old)
        here.server.world.tasks = [t for t in here.server.world.tasks if t.id != old]
        with stopped_time() as time:
            time.seconds += 60
    backup = here.sandbox.folder / "backup.json"
    shutil.copy(here.sandbox.folder / STATE, backup)
    flag = ("--allow-recreate=k2",) if gone else ("--replace", f"k2={old}")
    assert here.run("apply", *flag).code == 0
    count, new = len(tasks_of(here)), here.sandbox.recorded()["k2"]
    shutil.copy(backup, here.sandbox.folder / STATE)
    assert here.run("apply", *flag).results() == {"k2": "adopted"}
    assert here.run("apply").document["tasks"] == []
    assert len(tasks_of(here)) == count
    assert here.sandbox.recorded()["k2"] == new


def test_dates_of_created_tasks_do_not_matter(here: InProcess) -> None:
    """As behind a proxy with a wrong clock: the task appears older than its attempt."""
    set_rules(here, Rule("create", LOST, contains="do 2"), Rule("events", DOWN))
    assert here.run("apply").code == 1
    for task in here.server.world.tasks:
        task.shown["createdAt"] = "2020-01-01T00:00:00.000Z"
    set_rules(here)
    assert here.run("apply").results() == {"k2": "adopted"}
    here.assert_settled()


@pytest.mark.parametrize("recorded", [True, False])
def test_a_key_under_another_organization_is_unresolved(here: InProcess, *, recorded: bool) -> None:
    """Because of an option, or of a manifest that follows a renamed organization."""
    tasks = as_tasks(TEXTS)
    path = here.sandbox.folder / "tasks" / "all.yaml"
    path.write_text(json.dumps({"version": 1, "tasks": tasks}))
    if not recorded:
        set_rules(here, Rule("create", LOST), Rule("events", DOWN))
    here.run("apply", "--org", "acme")
    set_rules(here)
    assert len(here.server.world.tasks) == 4
    for org_name in ("--org", "orgName"):
        extra = ["--org", "acme2"] if org_name == "--org" else []
        if not extra:
            path.write_text(json.dumps({"version": 1, "orgName": "acme2", "tasks": tasks}))
        ended = here.run("plan", *extra)
        assert set(TEXTS) <= {k for k, a in ended.actions().items() if a == "unresolved"}
        here.run("apply", *extra)
        assert len(here.server.world.tasks) == 4


def test_without_an_organization_nothing_is_sent(here: InProcess) -> None:
    path = here.sandbox.folder / "tasks" / "all.yaml"
    path.write_text(json.dumps({"version": 1, "tasks": as_tasks(TEXTS)}))
    here.server.habits.default_org = ""
    ended = here.run("apply")
    assert ended.code == 1
    assert [problem["code"] for problem in ended.document["diagnostics"]] == ["TC816"]
    assert not here.server.world.tasks


def test_an_undeclared_rename_is_unresolved_for_an_absolute_path(here: InProcess) -> None:
    assert here.run("apply", "tasks").code == 0
    tasks = {k if k != "k2" else "renamed": t for k, t in TEXTS.items()}
    here.sandbox.write(as_tasks(tasks, named=["k1"]))
    ended = here.run("apply", str(here.sandbox.folder / "tasks"))
    assert ended.results()["renamed"] == "unresolved", ended.stdout
    assert len(tasks_of(here)) == 4


def test_a_removed_lock_stops_the_creates(here: InProcess) -> None:
    """`git clean` removes ignored files including the lock, so another apply may run."""

    def clean(body: dict[str, Any]) -> None:
        for name in (".lock", ".journal"):
            here.sandbox.folder.joinpath(STATE + name).unlink()

    on_first_create(here, "do 0", clean, Fault())
    ended = here.run("apply", "--parallelism", "1")
    assert ended.code == 1
    assert len(tasks_of(here)) == 1


CHANGED = {
    "same": "Do the work.\r\nAnd more of it.",
    "cut": "Do the work.",
    "prefixed": "[api] Do the work.\nAnd more of it.",
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_text_that_the_service_changes_does_not_matter(here: InProcess, change: str) -> None:
    here.sandbox.write(as_tasks({"k0": "Do the work.  \nAnd more of it.\n"}))
    set_rules(here, Rule("create", LOST))
    create = here.server.world.create

    def create_changed(*args: Any) -> dict[str, Any]:
        made = create(*args)
        said = here.server.world.tasks[-1].events[1]["eventBody"]
        said["content"] = f"{CHANGED[change]}\n\n{said['content'].rpartition(chr(10))[2]}"
        return made

    here.server.world.create = create_changed  # type: ignore[method-assign, assignment]
    assert here.run("apply").results() == {"k0": "created"}
    assert here.run("apply").code == 0
    assert tasks_of(here) == [here.sandbox.recorded()["k0"]]


LISTS = {
    "null": '{"tasks": null}',
    "no list": "{}",
    "odd entries": '{"tasks": [{"taskID": "t"}, null]}',
}


@pytest.mark.parametrize("lie", LISTS)
def test_an_invalid_list_proves_no_task_absent(here: InProcess, lie: str) -> None:
    answer = Fault("raw", status=200, text=LISTS[lie])
    head = {"Content-Type": "application/json"}
    answer = Fault("raw", status=200, text=LISTS[lie], headers=head)
    set_rules(here, Rule("create", LOST, contains="do 2"), Rule("events", DOWN))
    assert here.run("apply").code == 1
    set_rules(here, Rule("list", answer))
    for _ in range(2):
        assert here.run("apply").code == 1
        assert len(tasks_of(here)) == 4
    set_rules(here)
    assert here.run("apply").code == 0
    here.assert_settled()


def test_an_html_403_is_not_a_refusal_of_the_service(here: InProcess) -> None:
    page = Fault("html", status=403, committed=True, headers={"Content-Type": "text/html"})
    set_rules(here, Rule("create", page, nth=(2,)))
    assert here.run("apply").code == 0
    here.assert_settled()


@pytest.mark.parametrize("year", [2099, 9999])
def test_an_invalid_date_does_not_delay_a_journaled_attempt(here: InProcess, year: int) -> None:
    offset = (year - 2026) * 365.25 * 86400 - 86400 * 400
    here.server.habits.clock_offset = offset
    set_rules(here, Rule("create", LOST, contains="do 2"), Rule("events", DOWN))
    assert here.run("apply").results()["k2"] == "unresolved"
    here.server.habits.clock_offset = 0.0
    for task in here.server.world.tasks:
        task.committed = 0.0  # otherwise the list hides it until then
    set_rules(here)
    assert here.run("plan").actions()["k2"] == "adopt"
    assert here.run("apply").results() == {"k2": "adopted"}
    here.assert_settled()


def test_an_attempt_in_an_inaccessible_organization_does_not_block_other_keys(
    here: InProcess,
) -> None:
    assert here.run("apply").code == 0
    other = here.sandbox.folder / "tasks" / "other.yaml"
    other.write_text(
        json.dumps({"version": 1, "orgName": "closed", "tasks": as_tasks({"o": "elsewhere"})})
    )
    set_rules(here, Rule("create", LOST, contains="elsewhere"), Rule("events", DOWN))
    assert here.run("apply").results()["o"] == "unresolved"
    here.server.habits.orgs = ("acme",)
    set_rules(here)
    here.sandbox.write(as_tasks({**TEXTS, "k4": "do 4"}, named=["k1"]))
    assert here.run("apply", "--target", "k4").code == 0
    here.sandbox.write(as_tasks({**TEXTS, "k4": "do 4", "k5": "do 5"}, named=["k1"]))
    ended = here.run("apply")
    assert ended.results() == {"k5": "created", "o": "unresolved"}
    assert "taskctl apply --target" in ended.stdout


def test_429_after_the_commit_creates_no_second_task(here: InProcess) -> None:
    """Without this check, two keys became eight tasks, with exit code 0."""
    limited = Fault("status", status=429, committed=True, headers={"Retry-After": "0"})
    set_rules(here, Rule("create", limited, nth=tuple(range(1, 7))))
    ended = here.run("apply")
    assert {text: len(ids) for text, ids in here.server.tasks_by_work().items()} == dict.fromkeys(
        TEXTS.values(), 1
    )
    assert ended.code == 0, ended.stdout
    here.assert_settled()


def test_after_the_first_402_nothing_more_is_sent(here: InProcess) -> None:
    spent = Fault("status", status=402, text="no Neo tokens left")
    set_rules(here, Rule("create", spent))
    ended = here.run("apply", "--parallelism", "1")
    assert ended.code == 1
    assert sorted(ended.results().values()) == ["failed", *["notStarted"] * 3]
    assert len(here.server.posts) == 1


def test_a_task_with_a_deleted_entity_is_found_without_a_state(here: InProcess) -> None:
    """The service deletes invalid entities, so its task differs from the manifest."""
    here.sandbox.write({"k0": {"message": {"content": "do 0", "entity_diff": {"add": [STACK]}}}})
    assert here.run("apply").code == 0
    here.server.world.tasks[0].events[1]["eventBody"]["entity_diff"] = {"add": []}
    shutil.rmtree(here.sandbox.cache, ignore_errors=True)
    lose_and_continue(here)
    assert here.run("apply").code == 0
    assert tasks_of(here) == [here.sandbox.recorded()["k0"]]


def test_a_late_first_event_is_awaited(here: InProcess) -> None:
    """The task first shows another message than the one it was created with."""
    set_rules(here, Rule("create", LOST, contains="do 2"))
    create = here.server.world.create

    def create_late(user: str, org: str, body: Any) -> dict[str, Any]:
        made = create(user, org, body)
        task = here.server.world.tasks[-1]
        if task.work == "do 2":
            first = task.events.pop()
            other = {**first, "eventBody": {**first["eventBody"], "content": "a greeting"}}
            other["eventBody"]["timestamp"] = "2026-01-01T00:00:00Z"
            looks: list[int] = []
            task.events.append(other)
            events = here.server.world.events

            def later(*args: Any) -> dict[str, Any]:
                if args[2] == task.id:
                    looks.append(1)
                    if len(looks) == 2:
                        task.events[-1] = first
                return events(*args)

            here.server.world.events = later  # type: ignore[method-assign, assignment]
        return made

    here.server.world.create = create_late  # type: ignore[method-assign]
    here.run("apply")
    assert len(here.server.tasks_by_work()["do 2"]) == 1
    assert here.run("apply").code == 0
    here.assert_settled()
