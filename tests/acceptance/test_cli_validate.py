"""`taskctl validate` through the command line: diagnostics, positions and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli.main import run

GOOD = """\
version: 1
orgName: acme
tasks:
  rotate-iam-keys:
    message: Rotate them.
    permissionMode: read-only
  cost-review:
    message: Review it.
"""
BAD = """\
version: 1
tasks:
  "::error::x":
    message: "\\e[2J"
  good:
    message: Do it.
    planMode: "yes"
    approvalMod: auto
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "iam.yaml").write_text(GOOD)
    return tmp_path


def test_valid_manifests_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "-C", str(folder)]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("2 tasks in 1 file: valid.\n", "")
    assert run(["-C", str(folder), "validate", "-q", "tasks/iam.yaml"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_every_problem_is_one_line_with_its_position(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tasks" / "zz.yaml").write_text(BAD)
    assert run(["validate", "-C", str(folder)]) == 1
    said = capsys.readouterr()
    heads = [line for line in said.err.splitlines() if not line.startswith(" ")]
    assert len(heads) >= 3
    assert all(line.startswith("tasks/zz.yaml:") and ": error: " in line for line in heads)
    assert "\x1b" not in said.err
    assert said.out == "3 errors in 2 files.\n"


def test_json_is_one_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "-C", str(folder), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "formatVersion": 1,
        "diagnostics": [],
        "valid": True,
        "summary": {"tasks": 2, "files": 1, "errors": 0, "warnings": 0},
    }
    (folder / "tasks" / "zz.yaml").write_text(BAD)
    assert run(["validate", "-C", str(folder), "--format", "json"]) == 1
    said = capsys.readouterr()
    shown = json.loads(said.out)
    assert shown["valid"] is False
    assert said.err == ""
    assert all(
        found["file"] == "tasks/zz.yaml" and found["line"] and found["column"]
        for found in shown["diagnostics"]
    )


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_missing_path_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert run(["validate", "-C", str(folder), "none.yaml", "--format", form]) == 1
    said = capsys.readouterr()
    assert "none.yaml" in (said.out if form == "json" else said.err)


def test_validate_imports_only_what_it_needs(folder: Path) -> None:
    code = (
        "import sys; from reconciler.cli.main import run\n"
        f"run(['validate', '-C', {str(folder)!r}])\n"
        "print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = {name.split(".")[0] for name in ran.stdout.splitlines()[-1].split()}
    ours = {name for name in ran.stdout.splitlines()[-1].split() if name.startswith("reconciler.")}
    unwanted = {"requests", "urllib3", "deepdiff", "rich", "jsonschema", "sqlite3", "waitress"}
    assert not modules & (unwanted | {"cheroot", "asyncio", "http", "ssl"})
    assert not {
        name for name in ours if name.split(".")[1] in ("remote", "engine") or "codec" in name
    }


ADVICE = """\
version: 1
orgName: acme
defaults: {approvalMode: manual}
tasks:
  fix:
    message: Fix issue #412
"""


def test_a_prompt_that_a_comment_cuts_off_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would start a paid agent with half of its job; a comment can accept it."""
    path = folder / "tasks" / "iam.yaml"
    text = "version: 1\norgName: acme\ntasks:\n  a:\n    message: Fix issue #412\n"
    path.write_text(text)
    assert run(["validate", "-C", str(folder)]) == 1
    assert run(["apply", "-C", str(folder), "--backend", "local", "--yes", "-q"]) == 1
    assert "[TC404]" in capsys.readouterr().err
    path.write_text(text.replace("#412", "#412 # taskctl: ignore[TC404]"))
    assert run(["validate", "-C", str(folder)]) == 0


def test_two_equal_tasks_are_an_error_unless_one_of_them_exists(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each would start a paid agent; a comment can accept it."""
    path = folder / "tasks" / "iam.yaml"
    one, two = ("{message: Do it., taskID: t-1}", "{message: Do it.}")
    path.write_text(f"version: 1\norgName: acme\ntasks:\n  a: {one}\n  b: {two}\n")
    assert run(["validate", "-C", str(folder)]) == 0
    assert ": warning: tasks.b: same prompt" in capsys.readouterr().err
    path.write_text(path.read_text() + f"  c: {two}\n")
    assert run(["validate", "-C", str(folder)]) == 1
    assert run(["apply", "-C", str(folder), "--backend", "local", "--yes", "-q"]) == 1
    assert ":6:3: error: tasks.c: identical to `b`" in capsys.readouterr().err
    path.write_text(path.read_text()[:-1] + " # taskctl: ignore[TC304]\n")
    assert run(["validate", "-C", str(folder)]) == 0


def test_strict_fails_on_warnings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "tasks" / "iam.yaml").write_text(ADVICE.replace("issue #412", "TODO 412"))
    assert run(["validate", "-C", str(folder)]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("tasks/iam.yaml:6:18: warning: ")
    assert said.out == "1 task in 1 file: valid, 1 warning.\n"
    assert run(["validate", "-C", str(folder), "--strict"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("tasks/iam.yaml:6:18: error: ")
    assert said.out == "1 error in 1 file.\n"


def test_a_comment_accepts_a_suspected_credential(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "AKIAIOSFODNN7EXAMPLE"  # this format has no known dummy values
    text = f"version: 1\norgName: acme\ntasks:\n  a:\n    message: |\n      Use {key}.\n"
    (folder / "tasks" / "iam.yaml").write_text(text)
    apply = ["apply", "-C", str(folder), "--backend", "local", "--yes", "--format", "json"]
    assert run(apply) == 1
    out = capsys.readouterr().out
    assert [d["code"] for d in json.loads(out)["diagnostics"]] == ["TC402"]
    assert key not in out
    (folder / "tasks" / "iam.yaml").write_text(text.replace("|", "|  # taskctl: ignore[TC402]"))
    assert run(["validate", "-C", str(folder), "--strict"]) == 0
    capsys.readouterr()
    assert run(apply) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["created"] == 1


def test_deliberately_repeated_prompts_are_accepted_in_any_organization(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "version: 1\ntasks:\n  a: {message: Do it., orgName: acme}\n  b: {message: Do it.}\n"
    (folder / "tasks" / "iam.yaml").write_text(text)
    plan = ["plan", "-C", str(folder), "--backend", "local", "--org", "acme", "--format", "json"]
    assert run(plan) == 1
    assert "TC304" in capsys.readouterr().out
    text = text.replace("\n  b:", " # taskctl: ignore[TC304]\n  b:")
    (folder / "tasks" / "iam.yaml").write_text(text[:-1] + " # taskctl: ignore[TC304]\n")
    assert run(plan) == 0
    codes = [each["code"] for each in json.loads(capsys.readouterr().out)["diagnostics"]]
    assert "TC304" not in codes
