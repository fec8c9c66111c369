"""`policy` in taskctl.toml: the same message in validate, plan, apply and every report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli.main import run
from tests.support.doc_blocks import blocks
from tests.support.loaded_modules import loaded
from tests.support.repository import new_repository, track
from tests.support.sandbox import ROOT

LOCAL = ["--backend", "local"]
POLICY = """\
required: [role]
errorMessage: "::error::name a\\trole"
"""
TASK = "version: 1\norgName: acme\ntasks:\n  one:\n    message: Do it.\n"
LINE = "tasks/a.yaml:4:3: error: tasks.one.role: policy: "


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    new_repository(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "rules").mkdir()
    (tmp_path / "tasks/a.yaml").write_text(TASK)
    (tmp_path / "rules/policy.yaml").write_text(POLICY)
    (tmp_path / "taskctl.toml").write_text('policy = "rules/policy.yaml"\n')
    track(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_commands_report_the_violation_and_nothing_is_created(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["validate"], ["plan", *LOCAL], ["apply", "--yes", *LOCAL]):
        assert run(command) == 1
        said = capsys.readouterr().err.splitlines()
        assert said[0] == f"{LINE}::error::name a\\trole [TC501]"
        assert said[1:] == ["    4 |   one:", "      |   ^^^"]
    assert not (repository / ".taskctl").exists()
    role = TASK.replace("Do it.", "Do it.\n    role: r")
    (repository / "tasks/a.yaml").write_text(role)
    assert run(["apply", "--yes", *LOCAL]) == 0


def test_a_saved_plan_is_checked_against_the_current_policy(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "rules/policy.yaml").write_text("{}\n")
    assert run(["plan", "--out", "p.taskctl", *LOCAL]) == 0
    (repository / "rules/policy.yaml").write_text(POLICY)
    capsys.readouterr()
    assert run(["apply", "p.taskctl", *LOCAL]) == 1
    assert LINE in capsys.readouterr().err
    assert run(["status", *LOCAL]) == 0
    assert "No tasks are recorded yet." in capsys.readouterr().out


@pytest.mark.parametrize("form", ["json", "sarif", "github", "junit", "markdown", "html"])
def test_every_report_contains_the_violation(
    repository: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert run(["validate", "--format", form]) == 1
    out = capsys.readouterr().out
    assert "policy: " in out
    assert "\t" not in out
    if form == "sarif":
        results = json.loads(out)["runs"][0]["results"]
        assert [result["ruleId"] for result in results] == ["TC501"]
    if form == "json":
        (problem,) = json.loads(out)["diagnostics"]
        assert (problem["file"], problem["line"], problem["key"]) == ("tasks/a.yaml", 4, "one")


def test_the_policy_applies_in_subdirectories(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-C", "tasks", "validate", "a.yaml"]) == 1
    assert "tasks/a.yaml:4:3: error: tasks.one.role: policy: " in capsys.readouterr().err
    (repository / "rules/policy.yaml").unlink()
    assert run(["-C", "tasks", "validate", "a.yaml"]) == 1
    said = capsys.readouterr().err.splitlines()[0]
    assert said.startswith("taskctl.toml:1:10: error: policy: ")
    assert said.endswith("[TC101]")


def test_a_policy_outside_of_the_repository_is_refused(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "link.json").symlink_to("/etc/hostname")
    for path in ("../policy.json", "/etc/hostname", "link.json", ".git/config"):
        (repository / "taskctl.toml").write_text(f'policy = "{path}"\n')
        assert run(["validate"]) == 1
        assert "taskctl.toml:1:10: error: policy: " in capsys.readouterr().err
    (repository / "taskctl.toml").write_text("policy = 1\n")
    assert run(["validate"]) == 1
    assert "policy: must be a path" in capsys.readouterr().err


def test_without_a_policy_the_validator_is_not_loaded(repository: Path) -> None:
    asked = {"reconciler.manifest.policy", "jsonschema", "referencing"}
    assert loaded(repository, "validate", "-q", code=1) >= asked
    (repository / "taskctl.toml").write_text('paths = ["tasks"]\n')
    assert not loaded(repository, "validate", "-q") & asked


def test_the_example_matches_the_page() -> None:
    example = (ROOT / "examples/policy.yaml").read_text(encoding="utf-8")
    assert example in [block.text for block in blocks("docs/policy.md")]
