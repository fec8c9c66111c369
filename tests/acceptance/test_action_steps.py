"""All steps of the GitHub Action, installed as in a workflow."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.action_runner import Runner, metadata, quick_python
from tests.support.checkout import checkout, git
from tests.support.fault_server import Fault, FaultServerProcess, Rule
from tests.support.github_api import GitHub
from tests.support.sandbox import TOKEN, as_tasks, prompts

TRAPS = ("venv", "pip", "ensurepip", "json", "subprocess", "hatchling", "sitecustomize", "click")
"""Modules in the root of the repository that run if Python searches there first."""


@pytest.fixture(scope="module")
def action(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the action, as a runner downloads it."""
    return checkout(tmp_path_factory.mktemp("action"))


@pytest.fixture
def server() -> Iterator[FaultServerProcess]:
    with FaultServerProcess(habits={"tokens": {TOKEN: "me"}}) as server:
        yield server


@pytest.fixture
def runner(tmp_path: Path, server: FaultServerProcess) -> Iterator[Runner]:
    """A machine with a clone of a repository that has two tasks."""
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin")
    git(tmp_path, "clone", "--quiet", "origin", "work")
    with GitHub() as github:
        env = {"TASKCTL_BACKEND": server.url}
        runner = Runner(tmp_path / "runner", tmp_path / "work", github.url, env=env)
        tasks = {"version": 1, "orgName": "acme", "tasks": as_tasks(prompts(2))}
        (runner.workspace / "tasks").mkdir()
        (runner.workspace / "tasks" / "all.yaml").write_text(json.dumps(tasks))
        (runner.workspace / ".gitignore").write_text(".taskctl/\ntaskctl.state.json.[!j]*\n")
        git(runner.workspace, "add", "--all")
        git(runner.workspace, "commit", "--quiet", "--message=Tasks")
        git(runner.workspace, "push", "--quiet", "origin", "HEAD:main")
        yield runner


@pytest.fixture
def installed(runner: Runner, tmp_path: Path) -> None:
    """Replaces the installation: virtual environments get a link to the taskctl of the tests."""
    shim = quick_python(tmp_path / "shim")
    runner.env["PATH"] = f"{shim}{os.pathsep}{os.environ['PATH']}"


def again(runner: Runner, tmp_path: Path) -> None:
    """The next job runs on a new machine."""
    shutil.rmtree(runner.workspace)
    git(tmp_path, "clone", "--quiet", "--branch=main", "origin", "work")


@pytest.mark.timeout(600)
def test_the_action_installs_taskctl_applies_and_commits_the_state(
    action: Path,
    runner: Runner,
    server: FaultServerProcess,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    (tmp_path / "traps").mkdir()
    for name in TRAPS:
        trap = f"import os\nopen({str(tmp_path / 'traps' / name)!r}, 'w').close()\n"
        (runner.workspace / f"{name}.py").write_text(trap)
    ran = runner.composite(action, command="apply", state="committed")
    assert ran.code == 0, ran.said
    assert ran.outputs["creates"] == "2"
    assert "taskctl 0." in ran.said
    assert not list((tmp_path / "traps").iterdir())
    again(runner, tmp_path)
    assert (runner.workspace / "taskctl.state.json").exists()
    said = git(runner.workspace, "log", "-1", "--format=%an: %s", "--name-only")
    assert said.split("\n\n") == ["taskctl: Tasks: what was applied", "taskctl.state.json\n"]
    request.getfixturevalue("installed")
    ran = runner.composite(action, command="apply", state="committed")
    assert (ran.code, ran.outputs["has-changes"]) == (0, "false"), ran.said
    assert len(git(runner.workspace, "log", "--format=%h").split()) == 2
    assert {text: len(ids) for text, ids in server.tasks_by_work().items()} == {
        "do 0": 1,
        "do 1": 1,
    }


def test_the_state_is_stored_in_a_ref_of_the_repository(
    action: Path, runner: Runner, installed: None, server: FaultServerProcess, tmp_path: Path
) -> None:
    ran = runner.composite(action, command="apply")
    assert (ran.code, "taskctl state init git:origin" in ran.said) == (1, True), ran.said
    assert server.tasks_by_work() == {}
    before = git(tmp_path / "origin", "rev-parse", "main")
    taskctl(runner, "state", "init", "git:origin")
    ran = runner.composite(action, command="apply")
    assert (ran.code, ran.outputs["creates"]) == (0, "2"), ran.said
    again(runner, tmp_path)
    for command in ("plan", "apply"):
        ran = runner.composite(action, command=command)
        assert (ran.code, ran.outputs["has-changes"]) == (0, "false"), ran.said
    assert sorted(map(len, server.tasks_by_work().values())) == [1, 1]
    assert git(tmp_path / "origin", "rev-parse", "main") == before
    assert not list(runner.workspace.glob("taskctl.state*"))


def taskctl(runner: Runner, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", *words],
        cwd=runner.workspace,
        env={**os.environ, **runner.env},
        check=False,
    )
    assert done.returncode == 0


def test_the_state_can_be_kept_in_the_cache(
    action: Path, runner: Runner, installed: None, tmp_path: Path
) -> None:
    ran = runner.composite(action, command="apply", state="cache")
    assert ran.code == 0, ran.said
    again(runner, tmp_path)
    assert not (runner.workspace / "taskctl.state.json").exists()
    ran = runner.composite(action, command="plan", state="cache")
    assert (ran.code, ran.outputs["has-changes"]) == (0, "false"), ran.said
    assert "no state at" not in ran.said


def test_the_action_works_without_a_state(
    action: Path, runner: Runner, installed: None, server: FaultServerProcess, tmp_path: Path
) -> None:
    for said in ("Apply: 2 created", "Apply: 0 created, 2 adopted"):
        ran = runner.composite(action, command="apply", state="none", wait="0.1")
        assert ran.code == 0, ran.said
        assert said in ran.said
        assert "Waiting 0.1 seconds" in ran.said
        again(runner, tmp_path)
    assert sorted(map(len, server.tasks_by_work().values())) == [1, 1]


def test_the_state_of_a_failed_apply_is_pushed_too(
    action: Path, runner: Runner, installed: None, server: FaultServerProcess, tmp_path: Path
) -> None:
    """One create fails, one succeeds, and another commit is pushed in the meantime."""
    server.change(rules=[Rule("create", Fault("status", status=403), contains="do 1")])
    git(tmp_path, "clone", "--quiet", "--branch=main", "origin", "somebody")
    somebody = tmp_path / "somebody"
    (somebody / "README").write_text("Tasks")
    git(somebody, "add", "--all")
    git(somebody, "commit", "--quiet", "--message=Read me")
    git(somebody, "push", "--quiet")
    ran = runner.composite(action, command="apply", state="committed")
    assert ran.code == 1
    again(runner, tmp_path)
    kept = json.loads((runner.workspace / "taskctl.state.json").read_text())
    assert list(kept["tasks"]) == ["acme/k0"]
    assert (runner.workspace / "README").exists()


def test_a_state_that_cannot_be_pushed_fails_the_job(
    action: Path, runner: Runner, installed: None
) -> None:
    git(runner.workspace, "checkout", "--quiet", "--detach")
    ran = runner.composite(action, command="apply", state="committed")
    assert ran.code == 1
    assert "::error title=taskctl::the state can only be pushed to a branch" in ran.said


def test_the_token_may_come_from_the_environment_of_the_job(
    action: Path, runner: Runner, installed: None
) -> None:
    """As pulumi/auth-actions sets it; the installation does not see it."""
    runner.env["PULUMI_ACCESS_TOKEN"] = TOKEN
    ran = runner.composite(action, command="plan", state="committed", access_token="")
    assert (ran.code, ran.outputs["creates"]) == (0, "2"), ran.said
    del runner.env["PULUMI_ACCESS_TOKEN"]
    ran = runner.composite(action, command="plan", state="committed", access_token="")
    assert (ran.code, "PULUMI_ACCESS_TOKEN" in ran.said) == (1, True), ran.said


def test_only_one_step_sees_the_token_and_actions_are_pinned_to_commits() -> None:
    for step in metadata()["runs"]["steps"]:
        if "uses" in step:
            assert PINNED.fullmatch(step["uses"]), step["uses"]
            continue
        token = step["env"].get("PULUMI_ACCESS_TOKEN", "")
        assert bool(token) == (step["name"] == "Run taskctl"), step["name"]
        assert "INPUT_GITHUB_TOKEN" not in step["env"] or step["name"] == "Run taskctl"


PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40}")
