"""Who created a task, and who changed its record last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_server import Fault, Rule
from tests.support.git_server import git
from tests.support.in_process import InProcess
from tests.support.sandbox import STATE, as_tasks
from tests.support.shared_places import git_place

LINK = "https://github.com/acme/infra/actions/runs/7"
JOB = {
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/infra",
    "GITHUB_RUN_ID": "7",
    "GITHUB_ACTOR": "anna",
}
WHO = "taskctl <taskctl@localhost> 0 +0000"
LOST = Rule("create", Fault("reset", committed=True), nth=(1,))
DOWN = Rule("events", Fault("status", status=500))


@pytest.fixture
def desk(here: InProcess, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    """One task in the manifest, and a person at a desk."""
    for name in ("GITHUB_ACTOR", "GITHUB_RUN_ID", "CI_JOB_URL", "CI_PIPELINE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOGNAME", "bob")
    here.sandbox.write(as_tasks({"k1": "do 1"}))
    return here


def in_job(patch: pytest.MonkeyPatch, **more: str) -> None:
    for name, value in {**JOB, **more}.items():
        patch.setenv(name, value)


def changes(here: InProcess) -> list[tuple[str, str | None, str | None, str | None]]:
    """What was done to the record of k1: what, the token's user, the person, the link."""
    (task,) = here.run("show", "k1").document["tasks"]
    said: list[dict[str, Any]] = task["recorded"]["changes"]
    (listed,) = here.run_state("list").document["tasks"]
    assert listed["recorded"]["changes"] == said
    assert all(each["at"].startswith("20") for each in said)
    return [(each["what"], each["user"], each["actor"], each["url"]) for each in said]


def test_a_job_creates_a_task_and_a_person_accepts_an_edit(
    desk: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as job:
        in_job(job)
        assert desk.run("apply").results() == {"k1": "created"}
    created = ("created", "me-login", "anna", LINK)
    assert changes(desk) == [created]
    desk.sandbox.write(as_tasks({"k1": "do 1 now"}))
    assert desk.run_state("accept", "k1").code == 0
    assert changes(desk) == [created, ("accepted", None, "bob", None)]
    text = desk.run_words(["show", "k1", "--backend", desk.server.url]).stdout
    assert "created by anna (token of me-login), 20" in text
    assert f"Z, {LINK}\n" in text
    assert "accepted by bob, 20" in text
    assert "bob" not in desk.run_words(["state", "list", "--backend", desk.server.url]).stdout


def test_a_replaced_task_names_who_replaced_it(desk: InProcess) -> None:
    assert desk.run("apply").results() == {"k1": "created"}
    desk.finish()
    desk.sandbox.write(as_tasks({"k1": "do 1 again"}))
    assert desk.run("apply", "--replace", "k1").results() == {"k1": "replaced"}
    assert changes(desk) == [("replaced", "me-login", "bob", None)]
    desk.sandbox.write(as_tasks({"k1": "do 1 again"}, approvalMode="manual"))
    assert desk.run("apply", "--update").results() == {"k1": "updated"}
    assert [what for what, *_ in changes(desk)] == ["replaced", "updated"]


def test_a_create_that_another_run_finds_names_both(
    desk: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.server.set_rules(LOST, DOWN)
    with monkeypatch.context() as job:
        in_job(job)
        assert desk.run("apply").results() == {"k1": "unresolved"}
    desk.server.set_rules()
    assert desk.run("apply").results() == {"k1": "adopted"}
    assert changes(desk) == [
        ("created", "me-login", "anna", LINK),
        ("adopted", "me-login", "bob", None),
    ]


def test_whoever_resolves_an_attempt_is_named_with_the_token(
    desk: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.server.set_rules(LOST, DOWN)
    with monkeypatch.context() as job:
        in_job(job)
        assert desk.run("apply").results() == {"k1": "unresolved"}
    desk.server.set_rules()
    ((task_id,),) = desk.server.tasks_by_work().values()
    assert desk.run_state("assign", "k1", task_id).code == 0
    adopted = ("adopted", "me-login", "bob", None)
    assert changes(desk) == [("created", "me-login", "anna", LINK), adopted]
    assert desk.run_state("rm", "k1").code == 0
    assert desk.run_state("assign", "k1", task_id).code == 0
    assert changes(desk) == [adopted]


def test_a_lost_response_that_the_same_run_resolves_is_a_create(desk: InProcess) -> None:
    desk.server.set_rules(LOST)
    assert desk.run("apply").results() == {"k1": "created"}
    assert changes(desk) == [("created", "me-login", "bob", None)]


def test_a_run_is_named_by_the_journal_that_it_left(
    desk: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response was recorded, and the state could not be saved."""
    with monkeypatch.context() as job:
        in_job(job)
        job.setattr("reconciler.state.local.LocalState.replace", _fails)
        assert desk.run("apply").results() == {"k1": "created"}
    assert desk.run("apply").code == 0
    assert changes(desk) == [("created", "me-login", "anna", LINK)]


def _fails(*_: object) -> None:
    raise OSError("No space left on device")


def test_runs_that_no_record_names_are_dropped(desk: InProcess) -> None:
    desk.run("apply")
    before = (desk.sandbox.folder / STATE).read_bytes()
    assert desk.run("apply").results() == {}
    assert (desk.sandbox.folder / STATE).read_bytes() == before
    for _ in range(3):
        task_id = desk.sandbox.recorded()["k1"]
        ended = desk.run("apply", "--replace", f"k1={task_id}")
        assert ended.results() == {"k1": "replaced"}
        assert len(desk.sandbox.state()["runs"]) == 1
    assert desk.run_state("rm", "k1").code == 0
    assert "runs" not in desk.sandbox.state()
    desk.sandbox.write(as_tasks({"k1": "do 1"}))
    assert desk.run("apply").results() == {"k1": "created"}
    assert changes(desk) == [("created", "me-login", "bob", None)]


def test_the_runs_move_with_the_state(desk: InProcess) -> None:
    desk.run("apply")
    before = changes(desk)
    assert desk.run_state("mv", "k1", "k2").code == 0
    assert desk.run_state("mv", "k2", "k1").code == 0
    assert changes(desk) == before
    copy = desk.run_state("pull").document
    copy["state"]["serial"] += 1
    (desk.sandbox.folder / "copy.json").write_text(json.dumps(copy["state"]))
    assert desk.run_state("push", "copy.json").code == 0
    assert changes(desk) == before


def test_who_did_it_changes_no_plan(desk: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.run("apply")
    desk.sandbox.write(as_tasks({"k1": "do 1", "k2": "do 2"}))

    def digest() -> str:
        return str(desk.run("plan").document["digest"])

    known = digest()
    state = desk.sandbox.state()
    state["runs"] = {name: {"at": run["at"]} for name, run in state["runs"].items()}
    del state["checksum"]
    (desk.sandbox.folder / STATE).write_text(json.dumps(state))
    assert changes(desk) == [("created", None, None, None)]
    in_job(monkeypatch)
    assert digest() == known


def test_names_cannot_write_to_a_terminal(desk: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    in_job(monkeypatch, GITHUB_ACTOR="\x1b[31manna\u202e\udcff\n::error::x" + "x" * 1000)
    assert desk.run("apply").results() == {"k1": "created"}
    text = desk.run_words(["show", "k1", "--backend", desk.server.url]).stdout
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\n::error" not in text
    assert "x" * 500 not in text


def message(bare: Path) -> str:
    """The message of the commit that is the state, whose author and date are fixed."""
    commit = git(bare, "cat-file", "commit", "refs/taskctl/state/x")
    head, _, text = commit.partition("\n\n")
    assert [line.partition(" ")[2] for line in head.splitlines()[-2:]] == [WHO, WHO]
    return text


def test_the_commit_of_a_git_state_names_the_last_change(tmp_path: Path) -> None:
    with git_place(tmp_path) as place:
        runner = place.runner("one", "x", f"local:{tmp_path}/service.db", LOGNAME="bob")
        runner.must("state", "init", "--new")
        bare = tmp_path / "team.git"
        assert message(bare) == "taskctl state\n"
        runner.must("apply", "-y", **JOB)
        said = message(bare)
        runner.must("apply", "-y")
        assert message(bare) == said
        assert said.startswith("taskctl state\n\nLast change: anna (token of ")
        assert said.endswith(f"Z, {LINK}\n")
        manifest = runner.folder / "tasks/all.yaml"
        manifest.write_text(manifest.read_text().replace("message: ", "message: Now "))
        runner.must("state", "accept", "*", "-y")
        assert message(bare).startswith("taskctl state\n\nLast change: bob, 20")
        assert LINK not in message(bare)
