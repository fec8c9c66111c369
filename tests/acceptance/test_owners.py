"""Files of another user above the working directory are an error: never used, and never ignored."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.system import git

STRANGER = 54_321
GIVEN_AWAY: set[Path] = set()
MANIFEST = "version: 1\norgName: acme\ntasks: {a: {message: Do it.}}\n"
Plan = Callable[..., tuple[int, Any]]


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that everyone can write; this user works below it, in `mine`."""
    (tmp_path / "top/mine/tasks").mkdir(parents=True)
    (tmp_path / "top/mine/tasks/a.yaml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path / "top/mine")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    if os.geteuid() != 0:  # only root may give files away
        owner = git.owner_of
        monkeypatch.setattr(
            git, "owner_of", lambda path: STRANGER if path in GIVEN_AWAY else owner(path)
        )
    return tmp_path / "top"


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str]) -> Plan:
    def planned(*words: str) -> tuple[int, Any]:
        code = run(["plan", "--backend", "local", "--format", "json", *words])
        return code, json.loads(capsys.readouterr().out)

    return planned


def given_away(path: Path) -> Path:
    for part in (path, *path.rglob("*")):
        if os.geteuid() != 0:
            GIVEN_AWAY.add(part)
        else:
            os.chown(part, STRANGER, STRANGER, follow_symlinks=False)
    return path


def refused(planned: tuple[int, Any]) -> dict[str, Any]:
    code, document = planned
    (problem,) = document["diagnostics"]
    assert (code, problem["code"]) == (1, "TC879")
    found: dict[str, Any] = problem
    return found


def test_a_git_directory_of_another_user_is_an_error(top: Path, plan: Plan) -> None:
    (top / ".git").mkdir()
    (top / "taskctl.toml").write_text('paths = ["theirs"]\n')
    given_away(top / ".git")
    problem = refused(plan())
    assert f"{top}/.git belongs to user {STRANGER}" in problem["summary"]
    assert f"{top}/mine to {pwd.getpwuid(os.geteuid()).pw_name}" in problem["summary"]
    ways = problem["detail"].index("taskctl init"), problem["detail"].index("safe.directory")
    assert ways == tuple(sorted(ways))


def test_a_configuration_of_another_user_is_an_error(top: Path, plan: Plan) -> None:
    (top / ".git").mkdir()
    (top / "taskctl.toml").write_text("")
    given_away(top / "taskctl.toml")
    assert f"{top}/taskctl.toml" in refused(plan())["summary"]


@pytest.mark.parametrize("theirs", ["link", "target"])
def test_a_link_and_its_target_must_be_trusted(top: Path, plan: Plan, theirs: str) -> None:
    (top / "target").mkdir()
    (top / ".git").symlink_to("target")
    assert plan()[0] == 0
    given_away(top / (".git" if theirs == "link" else "target"))
    assert f"{top}/{'.git' if theirs == 'link' else 'target'} belongs" in refused(plan())["summary"]


def test_the_directory_that_a_git_file_names_must_be_trusted(top: Path, plan: Plan) -> None:
    (top / "elsewhere").mkdir()
    (top / ".git").write_text("gitdir: elsewhere\n")
    assert plan()[0] == 0
    given_away(top / "elsewhere")
    assert f"{top}/elsewhere belongs" in refused(plan())["summary"]


def test_a_job_as_root_works_below_a_checkout_of_another_user(top: Path, plan: Plan) -> None:
    (top / ".git").mkdir()
    (top / "tasks").mkdir()
    (top / "tasks/b.yaml").write_text(MANIFEST.replace("a:", "b:"))
    (top / "taskctl.toml").write_text("")
    given_away(top)
    code, document = plan()
    assert (code, [task["key"] for task in document["tasks"]]) == (0, ["b"])


def test_a_configuration_in_the_directory_ends_the_search(
    top: Path, plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also for directories below it; `init` creates it there."""
    (top / ".git").mkdir()
    (top / "taskctl.toml").write_text('paths = ["theirs"]\n')
    given_away(top / ".git")
    given_away(top / "taskctl.toml")
    assert run(["init", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["written"] == ["taskctl.toml", ".gitignore"]
    (top / "mine/below").mkdir()
    for directory in (".", "below"):
        code, document = plan("-C", directory)
        assert (code, [task["key"] for task in document["tasks"]]) == (0, ["a"])


def test_git_can_be_told_to_trust_the_directory(top: Path, plan: Plan) -> None:
    (top / ".git").mkdir()
    given_away(top / ".git")
    refused(plan())
    config = ["git", "config", "--global", "safe.directory", str(top)]
    subprocess.run(config, check=True)
    assert plan()[0] == 0


def test_a_repository_cannot_trust_itself(top: Path, plan: Plan) -> None:
    subprocess.run(["git", "init", "--quiet", str(top)], check=True)
    subprocess.run(["git", "-C", str(top), "config", "safe.directory", "*"], check=True)
    given_away(top / ".git")
    refused(plan())


def test_a_state_that_somebody_names_may_be_anywhere(top: Path, plan: Plan) -> None:
    (top / "theirs/.git").mkdir(parents=True)
    (top / "theirs/below").mkdir()
    given_away(top / "theirs/.git")
    assert plan("--state", "../theirs/below/state.json")[0] == 0


@pytest.mark.parametrize(
    ("listed", "trusted"),
    [
        (["/a/b"], True),
        (["/a/b/"], True),
        (["/a"], False),
        (["/a/*"], True),
        (["*"], True),
        (["*", ""], False),
        (["*", "", "/a/b"], True),
        ([], False),
    ],
)
def test_directories_are_compared_as_git_does(listed: list[str], *, trusted: bool) -> None:
    assert git.is_safe(Path("/a/b"), listed) == trusted
