"""The hooks of this repository, run by pre-commit on a checkout, without cloning any hooks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.checkout import checkout, git, git_environment


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    return checkout(folder)


def hooks(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `pre-commit run`, with the tools of this interpreter in place of `.venv`."""
    tools = str(Path(sys.executable).parent)
    assert shutil.which("pre-commit", path=tools)
    env = {
        **git_environment(),
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PRE_COMMIT_HOME": str(clone.parent / "pre-commit"),
    }
    return subprocess.run(
        ["pre-commit", "run", *arguments],
        cwd=clone,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.tools
def test_all_hooks_pass_on_all_files(clone: Path) -> None:
    ran = hooks(clone, "--all-files")
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.count("Passed") == (clone / ".pre-commit-config.yaml").read_text().count(
        "- id: "
    )
    assert git(clone, "status", "--porcelain") == ""
    assert not list((clone.parent / "pre-commit").glob("repo*"))


@pytest.mark.tools
def test_a_commit_with_an_invalid_manifest_fails_with_its_line(clone: Path) -> None:
    path = clone / "examples" / "tasks" / "cost-review.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("permissionMode: read-only", "permissionMode: readonly", 1))
    git(clone, "add", "--all")
    ran = hooks(clone)
    assert ran.returncode == 1
    assert "examples/tasks/cost-review.yaml:7:" in ran.stdout
    assert "read-only" in ran.stdout


@pytest.mark.tools
def test_an_unformatted_commit_is_formatted(clone: Path) -> None:
    path = clone / "README.md"
    tidy = path.read_text(encoding="utf-8")
    path.write_text(tidy + "more  \n\n\n", encoding="utf-8")
    git(clone, "add", "--all")
    assert hooks(clone).returncode == 1
    assert path.read_text(encoding="utf-8") == tidy + "more\n"
