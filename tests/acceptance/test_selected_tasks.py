"""plan and apply with --target, on the embedded service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run

MANIFEST = """\
version: 1
orgName: acme
tasks:
  iam-keys: {message: Rotate the keys.}
  iam-roles: {message: Look at the roles.}
  costs: {message: What costs most.}
"""
LOCAL = ["--backend", "local"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/a.yaml").write_text(MANIFEST)
    return tmp_path


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    said = capsys.readouterr()
    assert said.err == "", said.err
    made: dict[str, Any] = json.loads(said.out)
    return made


def planned(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    capsys.readouterr()
    assert run(["plan", *LOCAL, "-q", "--format", "json", *arguments]) == 0
    return {task["key"]: task["action"] for task in document(capsys)["tasks"]}


def recorded(folder: Path) -> set[str]:
    state = json.loads((folder / ".taskctl/local.state.json").read_text())
    return {ref.split("/")[1] for ref in state["tasks"]}


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_key_in_place_of_a_path_is_a_target(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    text = MANIFEST + "  up: {forEach: {app: [x]}, message: 'Upgrade {{ app }}.'}\n"
    (folder / "tasks/a.yaml").write_text(text)
    for key in ("costs", "up", "up@x"):
        assert run([command, key, *LOCAL]) == 1
        assert f"--target {key}\n" in capsys.readouterr().err
        assert run([command, f"acme/{key}", *LOCAL]) == 1
        assert f"--target {key}\n" in capsys.readouterr().err
    assert run([command, "cost-report", *LOCAL]) == 1
    said = capsys.readouterr().err
    assert "TC101" in said
    assert "--target" not in said


def test_only_keys_are_printed_one_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def keys(*words: str) -> list[str]:
        capsys.readouterr()
        assert run([*words, *LOCAL, "--format", "keys"]) == 0
        return capsys.readouterr().out.splitlines()

    assert keys("plan") == ["costs", "iam-keys", "iam-roles"]
    assert run(["--format", "keys", "plan", *LOCAL]) == 0
    assert capsys.readouterr().out.splitlines() == keys("plan")
    assert run(["apply", *LOCAL, "--yes", "--target", "iam-*"]) == 0
    assert keys("plan") == ["costs"]
    assert keys("plan", "-v") == ["costs", "iam-keys", "iam-roles"]
    for words in (["status"], ["results"], ["state", "list"]):
        assert keys(*words) == ["iam-keys", "iam-roles"]
        assert keys(*words, "*-keys") == ["iam-keys"]
    other = MANIFEST.replace("acme", "other").replace("costs", "iam-keys").replace("iam-roles", "x")
    (folder / "tasks/b.yaml").write_text(
        other.replace("  iam-keys: {message: Ro", "  y: {message: A")
    )
    assert run(["apply", *LOCAL, "--yes", "--target", "other/*"]) == 0
    assert "other/iam-keys" in keys("status")
    assert run(["apply", *LOCAL, "--format", "keys"]) == 1


def test_no_recorded_key_is_printed_as_an_option_or_a_glob(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script passes what is printed to commands that select tasks."""
    assert run(["apply", *LOCAL, "--yes", "--target", "costs"]) == 0
    file = folder / ".taskctl/local.state.json"
    state = json.loads(file.read_text())
    del state["checksum"]
    for key in ("*", "--force", "a b", "$(id)"):
        state["tasks"][f"acme/{key}"] = state["tasks"]["acme/costs"]
    file.write_text(json.dumps(state))
    for words in (["status"], ["results"], ["state", "list"]):
        capsys.readouterr()
        assert run([*words, *LOCAL, "--format", "keys"]) == 0
        assert set(capsys.readouterr().out.splitlines()) == {"KEY", "costs"}


def test_only_selected_tasks_are_planned_and_created(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["--target", "iam-k*"]
    assert planned(capsys, *chosen) == {"iam-keys": "create"}
    assert run(["apply", *LOCAL, "--yes", *chosen]) == 0
    said = capsys.readouterr()
    assert "Plan: 1 to create." in said.out
    assert "warning: --target iam-k* limits this run to 1 of 3 tasks" in said.err
    assert recorded(folder) == {"iam-keys"}
    assert run(["apply", *LOCAL, "--yes", *chosen]) == 0
    assert "No changes. All selected tasks exist." in capsys.readouterr().out
    assert planned(capsys) == {"iam-keys": "unchanged", "iam-roles": "create", "costs": "create"}


def test_orphans_show_only_where_selected(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["apply", *LOCAL, "-q", "--yes"]) == 0
    text = MANIFEST.replace("  iam-roles: {message: Look at the roles.}\n", "")
    (folder / "tasks/a.yaml").write_text(text)
    assert planned(capsys, "--target", "costs") == {"costs": "unchanged"}
    assert planned(capsys, "--target", "*-roles") == {"iam-roles": "orphaned"}


def test_a_saved_plan_keeps_the_selection(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", *LOCAL, "--target", "costs", "--out", "p"]) == 0
    said = capsys.readouterr()
    assert "--target costs limits this run to 1 of 3 tasks" in said.err
    assert run(["apply", *LOCAL, "p", "--target", "iam-keys"]) == 1
    assert "[TC653]" in capsys.readouterr().err
    assert run(["apply", *LOCAL, "p"]) == 0
    assert recorded(folder) == {"costs"}


def test_a_saved_plan_that_was_applied_has_nothing_left(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def problem() -> str:
        capsys.readouterr()
        assert run(["apply", *LOCAL, "p"]) == 1
        said = capsys.readouterr().err
        assert "[TC653]" in said
        return said

    assert run(["plan", *LOCAL, "--out", "p"]) == 0
    assert run(["apply", *LOCAL, "p"]) == 0
    assert "nothing left to apply" in problem()
    edited = MANIFEST.replace("Look at", "Watch")  # then it does not exist as it was declared
    (folder / "tasks/a.yaml").write_text(edited)
    assert "nothing left" not in problem()


def test_a_saved_plan_that_was_not_applied_is_stale(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its task exists, but not as it was reviewed."""

    def write(settings: str) -> None:
        text = MANIFEST.replace("What costs most.", f"What costs most., {settings}")
        (folder / "tasks/a.yaml").write_text(text)

    def problem() -> str:
        capsys.readouterr()
        assert run(["apply", *LOCAL, "p"]) == 1
        return capsys.readouterr().err

    write("approvalMode: manual")
    assert run(["plan", *LOCAL, "--out", "p"]) == 0
    write("approvalMode: auto")
    assert run(["apply", *LOCAL, "--yes"]) == 0
    assert "a new plan would no longer contain" in problem()
    write("approvalMode: manual")
    assert run(["plan", *LOCAL, "--update", "--out", "p"]) == 0
    write("approvalMode: auto")
    assert "a new plan would no longer contain" in problem()


def test_an_unknown_selection_is_an_error_before_any_request(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["plan"], ["apply", "--yes"]):
        assert run([*command, *LOCAL, "--target", "iam-key", "--target", "cots"]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert "error: --target iam-key: no such task; nothing was done" in said.err
        assert "Did you mean iam-keys" in said.err
        assert "error: --target cots: no such task" in said.err
    assert not (folder / ".taskctl/local.state.json").exists()
