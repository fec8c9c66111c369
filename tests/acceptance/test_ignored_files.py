"""Files that git ignores are not in the repository: no manifest makes them prompts or data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run

MANIFEST = """
version: 1
orgName: acme
tasks:
  one: {message: {contentFile: ../build/prompt.md}}
  two: {message: {contentFile: ../build/prompt.md}, name: Two}
  many: {forEach: {n: {file: ../build/rows.txt}}, message: "do {{ n }}"}
"""
SECRET = "hunter-2"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    top = tmp_path / "clone"
    for name in ("tasks", "build"):
        (top / name).mkdir(parents=True)
    git(top, "init", "--quiet")
    (top / "tasks/a.yaml").write_text(MANIFEST)
    (top / "build/prompt.md").write_text(f"{SECRET}\n")
    (top / "build/rows.txt").write_text(f"{SECRET}\n")
    (top / ".gitignore").write_text("build/\npolicy.json\n")
    monkeypatch.chdir(top)
    return top


def validate(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]], str]:
    code = run(["validate", "--format", "json", "-v"])
    said = capsys.readouterr()
    return code, json.loads(said.out)["diagnostics"], said.out + said.err


@pytest.mark.parametrize("exists", [True, False])
def test_an_ignored_file_is_neither_prompt_nor_data(
    clone: Path, capsys: pytest.CaptureFixture[str], *, exists: bool
) -> None:
    if not exists:
        shutil.rmtree(clone / "build")
    code, found, printed = validate(capsys)
    assert (code, [each["code"] for each in found]) == (1, ["TC116"] * 3)
    assert [each["line"] for each in found] == [5, 6, 7]
    assert "git add --force build/prompt.md" in found[0]["detail"]
    assert "git add --force build/rows.txt" in found[2]["detail"]
    assert SECRET not in printed


def test_what_is_tracked_or_not_ignored_is_read(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(clone, "add", "--force", "build/prompt.md", "build/rows.txt")
    assert validate(capsys)[0] == 0
    git(clone, "rm", "--cached", "--quiet", "-r", "build")
    assert validate(capsys)[0] == 1
    (clone / ".gitignore").write_text("build/*\n!build/prompt.md\n!build/rows.txt\n")
    assert validate(capsys)[0] == 0


def test_a_policy_that_git_ignores_is_not_read(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clone / ".gitignore").write_text("policy.json\n")
    (clone / "policy.json").write_text(SECRET)
    (clone / "taskctl.toml").write_text('policy = "policy.json"\n')
    code, found, printed = validate(capsys)
    assert (code, [each["code"] for each in found]) == (1, ["TC116"])
    assert SECRET not in printed
    (clone / "taskctl.toml").write_text('policy = ".policy.json"\n')
    assert validate(capsys)[1][0]["code"] == "TC805"


def test_git_is_asked_once_and_only_for_named_files(
    clone: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = clone.parent / "log"
    tool = clone.parent / "bin/git"
    real = shutil.which("git")
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$*" >>{log}\nenv >>{log}.env\nexec {real} "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-1")
    validate(capsys)
    first, second = sorted(log.read_text().splitlines())  # both run at once
    assert first.replace("ignoreCase=false", "ignoreCase=true") == second
    for part in (
        "safe.bareRepository=explicit",
        "core.hooksPath=/dev/null",
        "core.fsmonitor=false",
    ):
        assert part in first
    assert "pul-1" not in Path(f"{log}.env").read_text()
    log.unlink()
    (clone / "tasks/a.yaml").write_text("version: 1\ntasks: {one: {message: x}}\n")
    assert validate(capsys)[0] == 0
    assert not log.exists()


def test_nothing_that_the_clone_configures_is_run(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = clone.parent / "ran"
    program = clone.parent / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    git(clone, "config", "core.fsmonitor", str(program))
    assert validate(capsys)[0] == 1
    assert not ran.exists()


def test_the_configuration_of_the_clone_is_not_read(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another user may have written it: a pipe would never end."""
    os.mkfifo(clone.parent / "pipe")
    with (clone / ".git/config").open("a") as file:
        file.write(f"[include]\n\tpath = {clone.parent / 'pipe'}\n")
    assert [each["code"] for each in validate(capsys)[1]] == ["TC116"] * 3


@pytest.mark.parametrize("name", ["index", "info/exclude", "../.gitignore"])
def test_a_pipe_in_the_clone_is_an_error(
    clone: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr("reconciler.model.limits.GIT_ANSWER_SECONDS", 0.01)
    (clone / ".git" / name).unlink(missing_ok=True)
    os.mkfifo(clone / ".git" / name)
    code, found, printed = validate(capsys)
    assert (code, {each["code"] for each in found}) == (1, {"TC101"})
    assert SECRET not in printed


@pytest.mark.parametrize("words", [["--object-format=sha256"], ["--object-format=sha1"]])
def test_a_split_index_a_linked_work_tree_and_an_exclude_file_count(
    clone: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    shutil.rmtree(clone / ".git")
    git(clone, "init", "--quiet", *words)
    (clone / ".gitignore").unlink()
    (clone / ".git/info/exclude").write_text("build/\n")
    for folder in (clone, clone.parent / "linked"):
        if folder != clone:
            git(clone, "add", "tasks")
            git(clone, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "x")
            git(clone, "worktree", "add", "--quiet", str(folder))
            shutil.copytree(clone / "build", folder / "build", dirs_exist_ok=True)
            git(folder, "rm", "--cached", "--quiet", "-r", "--ignore-unmatch", "build")
            monkeypatch.chdir(folder)
        assert [each["code"] for each in validate(capsys)[1]] == ["TC116"] * 3
        git(folder, "update-index", "--split-index")
        git(folder, "add", "--force", "build")
        assert validate(capsys)[0] == 0
        git(folder, "rm", "--cached", "--quiet", "-r", "build")


@pytest.mark.parametrize("value", ["true", "false"])
def test_a_pattern_in_other_letters_counts(
    clone: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    """As for git where file names have no case (`core.ignoreCase`)."""
    git(clone, "config", "core.ignoreCase", value)
    (clone / ".gitignore").write_text("BUILD/\n")
    assert [each["code"] for each in validate(capsys)[1]] == ["TC116"] * 3


def test_no_remote_is_asked_for_a_missing_ignore_file(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A partial clone fetches what is missing, with the programs of its own configuration."""
    ignores = clone / "tasks/.gitignore"
    ignores.write_text("*.log\n")
    git(clone, "add", "tasks/.gitignore")
    git(clone, "update-index", "--skip-worktree", "tasks/.gitignore")
    ignores.unlink()
    for each in (clone / ".git/objects").glob("??/*"):
        each.unlink()
    (clone / ".gitignore").unlink()
    (clone / "tasks/prompt.md").write_text("Say hello.\n")
    (clone / "tasks/a.yaml").write_text(
        "version: 1\norgName: acme\ntasks: {a: {message: {contentFile: prompt.md}}}\n"
    )
    for name, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", "ssh://127.0.0.1/x.git"),
        ("core.sshCommand", f"touch {tmp_path}/ran; false"),
    ):
        git(clone, "config", name, value)
    validate(capsys)
    assert not (tmp_path / "ran").exists()


def test_without_git_only_hidden_files_are_refused(
    clone: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(clone.parent))
    assert validate(capsys)[0] == 0
    (clone / "tasks/a.yaml").write_text(MANIFEST.replace("../build/prompt.md", "../.env"))
    assert [each["code"] for each in validate(capsys)[1]] == ["TC116"] * 2


def test_a_git_that_does_not_answer_is_an_error(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clone / ".git/index").write_bytes(b"broken")
    code, found, printed = validate(capsys)
    assert (code, {each["code"] for each in found}) == (1, {"TC101"})
    assert SECRET not in printed
