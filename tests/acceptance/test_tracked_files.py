"""In a git repository, a file that a manifest or a configuration names must be tracked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.manifest.tracked_files import TrackedFiles
from reconciler.model import limits
from reconciler.system import memory
from tests.support.repository import committed, git

MANIFEST = """
version: 1
orgName: acme
tasks:
  one: {message: {contentFile: ../shared/prompt.md}}
  two: {message: {contentFile: ../shared/prompt.md}, name: Two}
  many: {forEach: {n: {file: ../shared/rows.txt}}, message: "do {{ n }}"}
  json: {message: as JSON, expect: {data: ../shared/answer.json}}
"""
SECRET = "hunter-2"
Found = list[tuple[str, int]]
Validate = Callable[..., tuple[Found, str]]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    top = tmp_path / "clone"
    for name in ("tasks", "shared"):
        (top / name).mkdir(parents=True)
    git(top, "init", "--quiet")
    (top / "tasks/a.yaml").write_text(MANIFEST)
    (top / "shared/prompt.md").write_text(f"{SECRET}\n")
    (top / "shared/rows.txt").write_text(f"{SECRET}\n")
    (top / "shared/answer.json").write_text(f'{{"title": "{SECRET}"}}')
    monkeypatch.chdir(top)
    return top


@pytest.fixture
def validate(capsys: pytest.CaptureFixture[str]) -> Validate:
    def call(*words: str) -> tuple[Found, str]:
        code = run(["validate", "--format", "json", "-v", *words])
        printed = capsys.readouterr()
        problems = json.loads(printed.out)["diagnostics"]
        found = [each for each in problems if each["severity"] == "error"]
        assert code == (1 if found else 0)
        return [(each["code"], each["line"]) for each in found], printed.out + printed.err

    return call


ALL_REFUSED = [("TC116", line) for line in (5, 6, 7, 8)]


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("ignores", ["", "shared/\n", "!shared/\n"])
def test_an_untracked_file_is_neither_prompt_nor_data_nor_schema(
    clone: Path, validate: Validate, ignores: str, *, exists: bool
) -> None:
    """Whatever the pull request says about ignoring it, and whether it exists or not."""
    (clone / ".gitignore").write_text(ignores)
    if not exists:
        shutil.rmtree(clone / "shared")
    found, printed = validate()
    assert found == ALL_REFUSED
    assert "git add shared/prompt.md" in printed
    assert "git add shared/rows.txt" in printed
    assert SECRET not in printed


@pytest.mark.parametrize("how", [("add",), ("add", "--intent-to-add"), ("add", "--force")])
def test_a_tracked_file_is_read(clone: Path, validate: Validate, how: tuple[str, ...]) -> None:
    """Also before it is committed, and with changes."""
    git(clone, *how, "shared")
    (clone / "shared/rows.txt").write_text("changed\n")
    assert validate()[0] == []
    git(clone, "rm", "--cached", "--force", "--quiet", "-r", "shared")
    assert validate()[0] == ALL_REFUSED


def test_the_target_of_a_link_must_be_tracked(clone: Path, validate: Validate) -> None:
    shutil.move(clone / "shared", clone / "real")
    (clone / "shared").symlink_to("real")
    git(clone, "add", "shared")
    found, printed = validate()
    assert found == ALL_REFUSED
    assert "git add real/prompt.md" in printed
    git(clone, "add", "real")
    assert validate()[0] == []


@pytest.mark.parametrize("name", ["policy.json", "policy.yaml"])
def test_a_policy_must_be_tracked(clone: Path, validate: Validate, name: str) -> None:
    (clone / "tasks/a.yaml").write_text("version: 1\ntasks: {one: {message: x}}\n")
    (clone / name).write_text(SECRET)
    (clone / "taskctl.toml").write_text(f'policy = "{name}"\n')
    found, printed = validate()
    assert [code for code, _ in found] == ["TC116"]
    assert SECRET not in printed
    (clone / name).write_text("{}")
    git(clone, "add", name)
    assert validate()[0] == []
    (clone / "taskctl.toml").write_text(f'policy = ".{name}"\n')
    assert [code for code, _ in validate()[0]] == ["TC805"]


def test_a_manifest_need_not_be_tracked(clone: Path, validate: Validate) -> None:
    """A job may generate manifests; an error in another file would show parts of it."""
    (clone / "tasks/a.yaml").write_text("version: 1\ntasks: {one: {message: x}}\n")
    assert validate()[0] == []
    (clone / "vars.txt").write_text(f"{SECRET}: 1\n{SECRET}: 2\n")
    (clone / "tasks/b.yaml").symlink_to("../vars.txt")
    found, printed = validate()
    assert [code for code, _ in found] == ["TC116"]
    assert SECRET not in printed


@pytest.mark.parametrize("flag", ["--skip-worktree", "--assume-unchanged"])
def test_a_file_whose_changes_git_does_not_see_is_refused(
    clone: Path, validate: Validate, flag: str
) -> None:
    """A pull request may have added it: the one on the machine is another."""
    git(clone, "add", "shared")
    git(clone, "update-index", flag, "shared/prompt.md")
    found, printed = validate()
    assert found == ALL_REFUSED[:2]
    assert SECRET not in printed
    git(clone, "update-index", flag.replace("--", "--no-"), "shared/prompt.md")
    assert validate()[0] == []


def test_in_a_sparse_checkout_a_file_must_equal_its_entry(clone: Path, validate: Validate) -> None:
    """It may have been there before the entry, which git leaves as it is."""
    committed(clone)
    git(clone, "sparse-checkout", "set", "--no-cone", "/tasks/", "/shared/")
    assert validate()[0] == []
    (clone / "shared/prompt.md").write_bytes(f"{SECRET}\r\n".encode())
    assert validate()[0] == []  # the same text, as git checks it out on Windows
    (clone / "shared/prompt.md").write_text(f"changed {SECRET}\n")
    found, printed = validate()
    assert found == ALL_REFUSED[:2]
    assert SECRET not in printed
    git(clone, "add", "--sparse", "shared/prompt.md")
    assert validate()[0] == []
    git(clone, "sparse-checkout", "set", "--no-cone", "/tasks/")
    (clone / "shared").mkdir()
    (clone / "shared/prompt.md").write_text(f"another {SECRET}\n")
    found, printed = validate()
    assert ("TC116", 5) in found
    assert SECRET not in printed


def test_a_pointer_of_lfs_is_no_prompt(clone: Path, validate: Validate) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n"
    (clone / "shared/prompt.md").write_text(pointer)
    git(clone, "add", "shared")
    assert validate()[0] == [("TC101", 5), ("TC101", 6)]


@pytest.mark.parametrize("words", [[], ["--all"], ["--", "shared/prompt.md", "tasks/a.yaml"]])
def test_a_hook_reads_what_is_staged(clone: Path, words: list[str]) -> None:
    """Git gives some hooks another index in GIT_INDEX_FILE."""
    committed(clone, "shared")
    hook = clone / ".git/hooks/pre-commit"
    hook.write_text(f"#!/bin/sh\ncd '{clone}' && exec {sys.executable} -m reconciler validate\n")
    hook.chmod(0o755)
    (clone / "shared/prompt.md").write_text("Look at it.\n")
    git(clone, "add", "shared", "tasks")
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    git(clone, *who, "commit", "-qm", "x", *words)
    git(clone, "rm", "--cached", "--quiet", "shared/rows.txt")
    with pytest.raises(subprocess.CalledProcessError, match="exit status 1"):
        git(clone, *who, "commit", "-qm", "x")


# How git is called


@pytest.fixture
def log(clone: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The calls of git, a line each, and its environments in `log.env`."""
    log, tool = clone.parent / "log", clone.parent / "bin/git"
    real = shutil.which("git")
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$*" >>{log}\nenv >>{log}.env\nexec {real} "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    log.write_text("")
    return log


def test_git_is_called_once_for_all_files_and_the_policy(
    clone: Path, validate: Validate, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-1")
    (clone / "policy.json").write_text("{}")
    (clone / "taskctl.toml").write_text('policy = "policy.json"\n')
    git(clone, "add", "policy.json", "shared")
    for file in (log, Path(f"{log}.env")):
        file.write_text("")
    assert validate()[0] == []
    (call,) = log.read_text().splitlines()
    for part in (
        "safe.bareRepository=explicit",
        "core.hooksPath=/dev/null",
        "core.fsmonitor=false",
    ):
        assert part in call
    assert "pul-1" not in Path(f"{log}.env").read_text()


def test_git_is_not_called_if_no_manifest_names_a_file(
    clone: Path, validate: Validate, log: Path
) -> None:
    (clone / "tasks/a.yaml").write_text("version: 1\ntasks: {one: {message: shared/none.md}}\n")
    assert validate()[0] == []
    assert log.read_text() == ""


def test_the_path_of_an_untracked_file_is_no_prompt(clone: Path, validate: Validate) -> None:
    """It was written a moment ago, and the agent would get its path only."""
    (clone / "tasks/a.yaml").write_text("version: 1\ntasks: {one: {message: shared/prompt.md}}\n")
    found, printed = validate()
    assert found == [("TC407", 2)]
    assert SECRET not in printed


def test_nothing_that_the_clone_configures_is_run(clone: Path, validate: Validate) -> None:
    ran = clone.parent / "ran"
    program = clone.parent / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\n")
    program.chmod(0o755)
    git(clone, "add", "shared")
    git(clone, "config", "core.fsmonitor", str(program))
    ran.unlink(missing_ok=True)
    assert validate()[0] == []
    assert not ran.exists()


def test_the_configuration_of_the_clone_is_not_read(clone: Path, validate: Validate) -> None:
    """Another user may have written it: a pipe would never end."""
    git(clone, "add", "shared/prompt.md")
    os.mkfifo(clone.parent / "pipe")
    with (clone / ".git/config").open("a") as file:
        file.write(f"[include]\n\tpath = {clone.parent / 'pipe'}\n")
    assert validate()[0] == ALL_REFUSED[2:]


@pytest.mark.parametrize("name", ["index", "HEAD", "config"])
def test_a_pipe_in_the_clone_is_an_error(clone: Path, validate: Validate, name: str) -> None:
    git(clone, "add", "shared")
    (clone / ".git" / name).unlink(missing_ok=True)
    os.mkfifo(clone / ".git" / name)
    found, printed = validate()
    assert {code for code, _ in found} == {"TC101"}
    assert SECRET not in printed


@pytest.mark.parametrize("words", [["--object-format=sha256"], ["--object-format=sha1"]])
@pytest.mark.parametrize("is_sparse", [True, False])
def test_a_split_index_and_a_linked_work_tree_count(
    clone: Path,
    validate: Validate,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    *,
    is_sparse: bool,
) -> None:
    shutil.rmtree(clone / ".git")
    git(clone, "init", "--quiet", *words)
    committed(clone, "tasks")
    linked = clone.parent / "linked"
    git(clone, "worktree", "add", "--quiet", str(linked))
    shutil.copytree(clone / "shared", linked / "shared")
    for folder in (clone, linked):
        monkeypatch.chdir(folder)
        assert validate()[0] == ALL_REFUSED
        git(folder, "update-index", "--split-index")
        git(folder, "add", "shared")
        if is_sparse:
            git(folder, "sparse-checkout", "set", "--no-cone", "/*")
        assert validate()[0] == []
        if is_sparse:
            (folder / "shared/prompt.md").write_text("other\n")
            assert validate()[0] == ALL_REFUSED[:2]


def test_in_a_submodule_its_own_index_counts(
    clone: Path, validate: Validate, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(clone)
    outer = clone.parent / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet")
    add = ("submodule", "--quiet", "add", str(clone), "inner")
    git(outer, "-c", "protocol.file.allow=always", *add)
    monkeypatch.chdir(outer / "inner")
    assert validate()[0] == []
    git(outer / "inner", "rm", "--cached", "--quiet", "-r", "shared")
    assert validate()[0] == ALL_REFUSED
    monkeypatch.chdir(outer)
    assert validate("inner/tasks")[0] == ALL_REFUSED


def test_in_a_subfolder_the_command_names_the_file_from_there(
    clone: Path, validate: Validate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone / "tasks")
    found, printed = validate("a.yaml")
    assert found == ALL_REFUSED
    assert "git add ../shared/prompt.md" in printed
    git(clone / "tasks", "add", "../shared")
    assert validate("a.yaml")[0] == []


def test_data_that_a_job_generates_is_added_without_its_content(
    clone: Path, validate: Validate
) -> None:
    """As docs/prompts.md says; nothing has to be committed."""
    (clone / ".gitignore").write_text("shared/rows.txt\n")
    committed(clone)
    git(clone, "checkout", "--quiet", "--detach")
    (clone / "shared/rows.txt").write_text("generated\n")
    assert validate()[0] == ALL_REFUSED[2:3]
    git(clone, "add", "--intent-to-add", "--force", "shared/rows.txt")
    assert validate()[0] == []


def test_nothing_is_fetched(clone: Path, tmp_path: Path, validate: Validate) -> None:
    """A partial clone fetches what is missing, with the programs of its configuration."""
    committed(clone)
    for each in (clone / ".git/objects").glob("??/*"):
        each.unlink()
    for name, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", "ssh://127.0.0.1/x.git"),
        ("core.sshCommand", f"touch {tmp_path}/ran; false"),
    ):
        git(clone, "config", name, value)
    assert validate()[0] == []
    assert not (tmp_path / "ran").exists()


# Errors


def test_without_git_no_file_is_read(
    clone: Path, validate: Validate, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(clone, "add", "shared")
    monkeypatch.setenv("PATH", str(clone.parent))
    found, printed = validate()
    assert found == [("TC101", line) for line in (5, 6, 7, 8)]
    assert SECRET not in printed
    shutil.rmtree(clone / ".git")  # no clone: the working directory counts
    assert validate()[0] == []


@pytest.mark.parametrize("broken", ["index", "HEAD", ""])
def test_a_repository_that_git_cannot_read_is_an_error(
    clone: Path, validate: Validate, broken: str
) -> None:
    if broken == "index":
        (clone / ".git/index").write_bytes(b"broken")
    elif broken:
        (clone / ".git" / broken).unlink()
    else:
        shutil.rmtree(clone / ".git")
        (clone / ".git").write_text("gitdir: elsewhere\n")
    found, printed = validate()
    assert found == [("TC101", line) for line in (5, 6, 7, 8)]
    assert SECRET not in printed


@pytest.mark.reaches("GIT_LIST_SECONDS")
def test_a_git_that_does_not_end_is_stopped(
    clone: Path, validate: Validate, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = clone.parent / "bin/git"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    monkeypatch.setattr(limits, "GIT_LIST_SECONDS", 0.01)
    assert {code for code, _ in validate()[0]} == {"TC101"}


def exchange(clone: Path, name: str) -> None:
    """Moves a part of the clone out of it, and puts a link there."""
    path, other = clone / name, clone.parent / "outside"
    if not path.is_symlink():
        path.rename(other)
        path.symlink_to(other)


@pytest.mark.parametrize("name", ["shared", "shared/prompt.md"])
def test_a_file_that_becomes_a_link_once_it_was_checked_is_not_read(
    clone: Path, validate: Validate, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    git(clone, "add", ".")
    assert validate()[0] == []
    checked = TrackedFiles.refusal

    def refusal(*arguments: Any) -> Any:
        answer = checked(*arguments)
        if arguments[2].name == "prompt.md":
            exchange(clone, name)
        return answer

    monkeypatch.setattr(TrackedFiles, "refusal", refusal)
    found, _ = validate()
    assert {line for _, line in found} >= {5, 6}


@pytest.mark.parametrize("name", ["tasks", "tasks/a.yaml"])
def test_a_manifest_that_becomes_a_link_once_it_was_found_is_not_read(
    clone: Path, validate: Validate, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    git(clone, "add", ".")
    (clone / "tasks/a.yaml").write_text(f"{SECRET}: [")
    original = memory.collection_paused

    def paused() -> Any:
        exchange(clone, name)
        return original()

    monkeypatch.setattr(memory, "collection_paused", paused)
    found, printed = validate()
    assert [code for code, _ in found] == ["TC101"]
    assert SECRET not in printed
