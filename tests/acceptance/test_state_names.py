"""Which state of a git remote a directory uses: its own, unless its address names another."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.main import run
from tests.support.fault_server import FaultServer
from tests.support.git_server import bare_repository, git

GIT_STATE = 'state = "git:origin"\n'


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    with FaultServer() as service:
        monkeypatch.setenv("TASKCTL_BACKEND", service.url)
        monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "any")
        yield service


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FaultServer) -> Path:
    """A clone with two directories that have the same key."""
    for name in [n for n in os.environ if n.startswith("TASKCTL_STATE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    git(tmp_path, "clone", "-q", str(bare_repository(tmp_path, "team")), "here")
    for folder in ("a", "b"):
        make(tmp_path / "here" / folder)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def make(folder: Path) -> None:
    (folder / "tasks").mkdir(parents=True)
    (folder / "taskctl.toml").write_text(GIT_STATE)
    text = f"version: 1\norgName: acme\ntasks:\n  cleanup:\n    message: Clean {folder.name}.\n"
    (folder / "tasks/all.yaml").write_text(text)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr()
    return found.out + found.err


def refs(clone: Path) -> set[str]:
    listed = git(clone, "ls-remote", "origin", "refs/taskctl/*").split()
    return {name.removeprefix("refs/taskctl/state/") for name in listed[1::2]}


def test_two_directories_never_share_a_state(
    clone: Path, server: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same key in both is two tasks."""
    assert run(["-C", "a", "state", "init"]) == 0
    assert run(["-C", "b", "state", "init", "--new"]) == 0
    for folder in ("a", "b", "a/tasks"):
        assert run(["-C", folder, "apply", "--yes", "-q"]) == 0
    assert refs(clone) == {"at-a", "at-b"}
    assert len(server.posts) == 2
    assert run(["doctor", "-C", "a"]) == 0
    assert "git:origin#at-a (serial" in said(capsys)


def test_the_root_of_a_repository_has_the_state_default(clone: Path) -> None:
    assert run(["state", "init", "git:origin"]) == 0
    make(clone / "sp ace/ü.x")
    assert run(["-C", "sp ace/ü.x", "state", "init", "--new"]) == 0
    assert refs(clone) == {"default", "at-sp%20ace%2F%C3%BC%2Ex"}
    assert run(["-C", "sp ace/ü.x", "apply", "--yes", "-q"]) == 0
    assert run(["state", "list", "--state", "git:origin#at-sp%20ace%2F%C3%BC%2Ex"]) == 0


def test_a_long_path_needs_a_name(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = Path("x" * 150) / ("y" * 60)
    make(clone / long)
    assert run(["-C", str(long), "state", "init"]) == 1
    assert "add #NAME" in said(capsys)
    assert run(["-C", str(long), "state", "init", "git:origin#long"]) == 0


def test_a_state_that_is_not_there_names_the_others(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory that was moved must not get a new state, and new agents."""
    assert run(["-C", "a", "state", "init"]) == 0
    assert run(["-C", "a", "apply", "--yes", "-q"]) == 0
    (clone / "a").rename(clone / "moved")
    capsys.readouterr()
    for words in (["plan"], ["apply", "--yes"], ["state", "init"], ["state", "init", "git:origin"]):
        assert run(["-C", "moved", *words, "--format", "json"]) == 1
        (problem,) = json.loads(capsys.readouterr().out)["diagnostics"]
        assert problem["code"] == "TC619"
        assert "git:origin#at-a" in problem["summary"]
        assert 'state = "git:origin#at-a"' in problem["detail"]
    assert refs(clone) == {"at-a"}
    (clone / "moved/taskctl.toml").write_text('state = "git:origin#at-a"\n')
    assert run(["-C", "moved", "plan", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["create"] == 0


def test_the_advice_beside_other_states_continues_a_lost_state(
    clone: Path, server: FaultServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("a", "b"):
        assert run(["-C", folder, "state", "init", "--new"]) == 0
        assert run(["-C", folder, "apply", "--yes", "-q"]) == 0
    said(capsys)
    assert run(["-C", "a", "state", "pull"]) == 0
    (lost,) = json.loads(said(capsys))["provenance"]["ids"]
    git(clone, "push", "-q", "origin", ":refs/taskctl/state/at-a")
    assert run(["-C", "a", "apply", "--yes"]) == 1
    lines = [line.strip().removeprefix("$ ") for line in said(capsys).splitlines()]
    (advice,) = [line for line in lines if line.startswith("taskctl state init") and "ID" in line]
    words = shlex.split(advice.replace("ID", lost))[1:]
    assert run([*words, "-y"]) == 0
    assert run(["-C", "a", "apply", "--yes"]) == 0
    assert len(server.posts) == 2


def test_an_existing_state_needs_no_confirmation(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-C", "a", "state", "init"]) == 0
    assert run(["-C", "b", "state", "init", "--new"]) == 0
    assert run(["-C", "b", "state", "init"]) == 0
    assert "git:origin#at-b already exists" in said(capsys)


def test_without_a_configuration_the_working_directory_counts(clone: Path) -> None:
    (clone / "a/taskctl.toml").unlink()
    assert run(["-C", "a", "state", "init", "git:origin"]) == 0
    assert refs(clone) == {"at-a"}
