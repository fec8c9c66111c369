"""`taskctl validate` through the command line: what it says, where, and with which exit code."""

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


def test_good_manifests_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "-C", str(folder)]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("2 tasks in 1 file: valid.\n", "")
    assert run(["-C", str(folder), "validate", "-q", "tasks/iam.yaml"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_every_problem_is_one_line_with_its_place(
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


def test_as_json_it_is_one_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
def test_no_such_path_fails(folder: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    assert run(["validate", "-C", str(folder), "none.yaml", "--format", form]) == 1
    said = capsys.readouterr()
    assert "none.yaml" in (said.out if form == "json" else said.err)


def test_validate_imports_only_what_it_needs(folder: Path) -> None:
    code = (
        "import sys; from reconciler.cli.main import run\n"
        f"run(['validate', '-C', {str(folder)!r}])\n"
        "print(*sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    modules = {name.split(".")[0] for name in ran.stdout.splitlines()[-1].split()}
    ours = {name for name in ran.stdout.splitlines()[-1].split() if name.startswith("reconciler.")}
    unwanted = {"requests", "urllib3", "deepdiff", "rich", "jsonschema", "sqlite3", "waitress"}
    assert not modules & (unwanted | {"cheroot", "filelock", "asyncio", "http", "ssl"})
    assert not {
        name for name in ours if name.split(".")[1] in ("remote", "engine") or "codec" in name
    }
