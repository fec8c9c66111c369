"""The `state` commands, on the embedded service."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run

STATE = Path(".taskctl/local.state.json")

Taskctl = Callable[..., str]


@pytest.fixture
def taskctl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Taskctl:
    """Runs a command that must exit with `code`; returns stdout, or stderr if it fails."""
    monkeypatch.chdir(tmp_path)
    for name in ("PULUMI_ACCESS_TOKEN", "TASKCTL_STATE", "TASKCTL_ORG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TASKCTL_BACKEND", "local")
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert run(arguments) == code, capsys.readouterr().err
        out, err = capsys.readouterr()
        return err if code == 1 and not out else out

    write({"a": {"message": "Do a."}, "b": {"message": "Do b."}})
    call("apply", "--yes")
    return call


def write(tasks: dict[str, Any]) -> None:
    Path("tasks").mkdir(exist_ok=True)
    text = json.dumps({"version": 1, "orgName": "acme", "tasks": tasks})
    Path("tasks/all.yaml").write_text(text, encoding="utf-8")


def recorded() -> dict[str, str]:
    tasks = json.loads(STATE.read_text())["tasks"]
    return {ref: task["taskId"] for ref, task in tasks.items()}


def test_list_and_show(taskctl: Taskctl) -> None:
    ids = recorded()
    table = taskctl("state", "list")
    assert [line.split()[:2] for line in table.splitlines()[1:]] == [
        ["acme/a", ids["acme/a"]],
        ["acme/b", ids["acme/b"]],
    ]
    shown = taskctl("show", "a")
    for part in ("acme/a", ids["acme/a"], "tasks/all.yaml", "| Do a."):
        assert part in shown
    document = json.loads(taskctl("state", "list", "acme/b", "--format", "json"))
    assert (document["formatVersion"], document["diagnostics"]) == (1, [])
    assert ids["acme/b"] in json.dumps(document)
    assert "Do a." not in json.dumps(document)


def test_an_unknown_key_is_reported_with_similar_keys(taskctl: Taskctl) -> None:
    before = STATE.read_bytes()
    for command in (["list", "c"], ["mv", "c", "d"], ["rm", "c"], ["accept", "c"]):
        assert "c" in taskctl("state", *command, code=1)
    assert STATE.read_bytes() == before


def test_mv_and_rm_change_only_the_record_and_keep_a_backup(taskctl: Taskctl) -> None:
    ids, before = recorded(), STATE.read_bytes()
    assert taskctl("state", "mv", "b", "c") == "Renamed acme/b to acme/c.\n"
    assert recorded() == {"acme/a": ids["acme/a"], "acme/c": ids["acme/b"]}
    assert STATE.with_name("local.state.json.backup").read_bytes() == before
    write({"a": {"message": "Do a."}, "c": {"message": "Do b."}})
    assert json.loads(taskctl("plan", "--format", "json"))["summary"]["unchanged"] == 2
    said = json.loads(taskctl("state", "rm", "c", "--format", "json"))
    assert (said["edits"][0]["changed"], said["formatVersion"]) == (True, 1)
    assert recorded() == {"acme/a": ids["acme/a"]}
    plan = json.loads(taskctl("plan", "--format", "json"))
    assert (plan["summary"]["adopt"], plan["summary"]["create"]) == (0, 1)


def test_mv_rejects_an_invalid_organization(taskctl: Taskctl) -> None:
    before = STATE.read_bytes()
    said = taskctl("state", "mv", "b", "acme corp/c", code=1)
    assert 'invalid organization name "acme corp"' in said
    assert STATE.read_bytes() == before


def test_accept_records_the_values_of_the_manifest(taskctl: Taskctl) -> None:
    write({"a": {"message": "Do a, please."}, "b": {"message": "Do b."}})
    assert json.loads(taskctl("plan", "--format", "json"))["summary"]["changed"] == 1
    assert "tasks/all.yaml" in taskctl("state", "accept", "a", "tasks")
    assert json.loads(taskctl("plan", "--format", "json"))["summary"]["unchanged"] == 2
    assert taskctl("state", "accept", "a", "tasks", "-q") == ""
    write({"b": {"message": "Do b."}})
    assert "not in any manifest" in taskctl("state", "accept", "a", code=1)


def test_the_tasks_of_a_state_of_another_backend_are_listed(taskctl: Taskctl) -> None:
    """Nothing is sent; commands that need the service fail."""
    listed = json.loads(taskctl("state", "list", "--format", "json"))
    elsewhere = ("--backend", "local:other.db", "--state", str(STATE))
    assert json.loads(taskctl("state", "list", "--format", "json", *elsewhere)) == listed
    assert taskctl("state", "list", "b", "--format", "keys", *elsewhere) == "b\n"
    for command in (["status"], ["plan"], ["state", "rm", "a", "-y"]):
        assert "[TC606]" in taskctl(*command, *elsewhere, code=1)
    STATE.write_text("{")
    assert "[TC606]" not in taskctl("state", "list", *elsewhere, code=1)


def test_several_records_are_listed_and_edited_by_a_pattern(taskctl: Taskctl) -> None:
    write({"a": {"message": "Do a, please."}, "b": {"message": "Do b, please."}})
    assert "acme/b" not in taskctl("state", "list", "a*")
    assert "[TC807]" in taskctl("state", "accept", "*", "tasks", code=1)
    assert json.loads(taskctl("plan", "--format", "json"))["summary"]["changed"] == 2
    said = json.loads(taskctl("state", "accept", "*", "tasks", "-y", "--format", "json"))
    assert [(e["key"], e["changed"]) for e in said["edits"]] == [("a", True), ("b", True)]
    assert json.loads(taskctl("plan", "--format", "json"))["summary"]["unchanged"] == 2
    before = STATE.read_bytes()
    refused = taskctl("state", "rm", "tasks/all.yaml", code=1)
    assert "taskctl state rm tasks/all.yaml -y" in refused
    assert "[TC617]" in taskctl("state", "rm", "a", "x*", "-y", code=1)
    assert STATE.read_bytes() == before
    taskctl("state", "rm", "tasks/all.yaml", "-y")
    assert recorded() == {}


def test_pull_prints_the_state_file_in_inert_ascii(taskctl: Taskctl) -> None:
    write({key: {"message": f"{key}: ##[error]Grüße 🙂\x7f\n"} for key in "abcde"})
    taskctl("apply", "--yes")
    state = json.loads(STATE.read_bytes())
    del state["checksum"]
    inert = [json.dumps(state, indent=n).replace("##[", "\\u0023#[") for n in (2, None)]
    assert taskctl("state", "pull") == f"{inert[0]}\n"
    start = '{"formatVersion": 1,\n "diagnostics": [],\n "state": '
    assert taskctl("state", "pull", "--format", "json") == f"{start}{inert[1]}}}\n"
    taskctl("state", "rm", "*", "-y")
    assert json.loads(taskctl("state", "pull"))["tasks"] == {}


@pytest.mark.parametrize("words", ["mv a c", "rm * -y", "accept a tasks"])
def test_an_edit_that_cannot_be_saved_is_repeated(taskctl: Taskctl, words: str) -> None:
    """It is not in the journal: an apply could create the task of a moved key again."""
    write({"a": {"message": "Do more."}, "b": {"message": "Do b."}})
    before, blocked = STATE.read_bytes(), STATE.with_name(f"{STATE.name}.tmp")
    blocked.mkdir()
    said = taskctl("state", *words.split(), code=1)
    assert ("[TC613]" in said, "same command again" in said, "taskctl apply" in said) == (1, 1, 0)
    assert STATE.read_bytes() == before
    blocked.rmdir()
    taskctl("state", *words.split())
    assert STATE.read_bytes() != before


@pytest.mark.parametrize("suffix", ["", ".lock"])
def test_an_edit_of_a_state_that_another_program_changes_is_repeated(
    taskctl: Taskctl, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    file = STATE.with_name(STATE.name + suffix)

    def confirm(*_: object, **__: object) -> bool:
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content + b"\n")
        return True

    monkeypatch.setattr("reconciler.app.state.confirm", confirm)
    said = taskctl("state", "rm", "*", code=1)
    assert ("same command again" in said, "taskctl apply" in said) == (True, False)


def test_assign_verifies_the_task_with_the_service(taskctl: Taskctl) -> None:
    ids = recorded()
    before = STATE.read_bytes()
    assert "[TC817]" in taskctl("state", "assign", "a", "nowhere", code=1)
    said = taskctl("state", "assign", "a", ids["acme/b"], code=1)
    assert "[TC618]" in said
    assert f"taskID: {ids['acme/b']}" in said
    assert "acme/a" in taskctl("state", "close", "a", code=1)  # it has no open attempt
    taskctl("state", "assign", "a", ids["acme/a"])  # nothing has to change
    assert STATE.read_bytes() == before


def test_an_assigned_task_replaces_the_recorded_one(taskctl: Taskctl) -> None:
    """It has no reference of the key, but is now its task; the key's earlier one is history."""
    ids = recorded()
    taskctl("state", "rm", "b")
    write({"a": {"message": "Do a."}})
    assert f"Recorded task {ids['acme/b']} for acme/a" in taskctl(
        "state", "assign", "a", ids["acme/b"]
    )
    assert recorded() == {"acme/a": ids["acme/b"]}
    assert ids["acme/a"] in taskctl("show", "a")
    plan = json.loads(taskctl("plan", "--format", "json"))
    assert (plan["summary"]["adopt"], plan["summary"]["create"]) == (0, 0)


def test_a_dismissed_task_keeps_its_record(taskctl: Taskctl) -> None:
    ids = recorded()
    name = f"acme/{ids['acme/a']}"
    assert taskctl("state", "dismiss", name) == (
        f"Task {name} is ignored from now on. If it is a key's task, its record stays.\n"
    )
    again = json.loads(taskctl("state", "dismiss", name, "--format", "json"))
    assert [each["changed"] for each in again["edits"]] == [False]
    assert recorded() == ids
    assert "[TC618]" in taskctl("state", "dismiss", ids["acme/a"], code=1)


@pytest.mark.parametrize("side", ["--ours", "--theirs"])
def test_either_side_of_a_merge_conflict_works(taskctl: Taskctl, side: str) -> None:
    def git(*arguments: str, code: int = 0) -> None:
        identity = ("-c", "user.name=n", "-c", "user.email=e@example.test")
        ended = subprocess.run(["git", *identity, *arguments], capture_output=True, check=False)
        assert ended.returncode == code, ended.stderr

    base = {"a": {"message": "Do a."}, "b": {"message": "Do b."}}
    git("init", "-qb", "main")
    git("add", "-f", "tasks", str(STATE))
    git("commit", "-qm", "base")
    for branch in ("one", "two"):
        git("checkout", "-qb", branch, "main")
        write({**base, branch: {"message": f"Do {branch}.", "approvalMode": "manual"}})
        taskctl("apply", "--yes")
        git("commit", "-qam", branch)
    ids = recorded()
    git("merge", "-q", "one", code=1)
    write(
        {**base, **{n: {"message": f"Do {n}.", "approvalMode": "manual"} for n in ("one", "two")}}
    )
    said = taskctl("plan", code=1)
    assert "[TC603]" in said
    assert f"git checkout --ours {STATE}\n" in said
    git("checkout", side, str(STATE))
    taskctl("state", "push", "--force", str(STATE))
    summary = json.loads(taskctl("plan", "--format", "json"))["summary"]
    known = 4 if side == "--ours" else 3  # the second branch has found the task of the first
    assert (summary["create"], summary["adopt"], summary["unchanged"]) == (0, 4 - known, known)
    taskctl("apply", "--yes")
    assert recorded().keys() == ids.keys() | {"acme/one", "acme/two"}
    assert recorded()["acme/two"] == ids["acme/two"]


def test_a_wrong_epoch_is_an_error_that_names_where_to_find_it(taskctl: Taskctl) -> None:
    for wrong in ("x", "1.5", "٣"):
        message = taskctl("state", "unlock", wrong, code=1)
        assert f'"{wrong}" is not a number: use the epoch in the error message' in message
