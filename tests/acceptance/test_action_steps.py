"""All steps of the GitHub Action, installed as in a workflow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.support.action_runner import Runner, Step, metadata, quick_python
from tests.support.checkout import ROOT, checkout, git
from tests.support.fault_server import Fault, FaultServer, Rule
from tests.support.github_api import GitHub
from tests.support.sandbox import TOKEN, as_tasks, prompts

TRAPS = ("venv", "pip", "ensurepip", "json", "subprocess", "hatchling", "sitecustomize", "click")
"""Modules in the root of the repository that run if Python searches there first."""


@pytest.fixture(scope="module")
def action(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the action, as a runner downloads it."""
    return checkout(tmp_path_factory.mktemp("action"))


@pytest.fixture
def runner(tmp_path: Path, server: FaultServer) -> Iterator[Runner]:
    """A machine with a clone of a repository that has two tasks."""
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin")
    git(tmp_path, "clone", "--quiet", "origin", "work")
    with GitHub() as github:
        env = {"TASKCTL_BACKEND": server.url}
        runner = Runner(tmp_path / "runner", tmp_path / "work", github.url, env=env)
        tasks = {"version": 1, "orgName": "acme", "tasks": as_tasks(prompts(2))}
        (runner.workspace / "tasks").mkdir()
        (runner.workspace / "tasks" / "all.yaml").write_text(json.dumps(tasks))
        (runner.workspace / "taskctl.toml").write_text('state = "git:origin"\n')
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


@pytest.mark.tools
@pytest.mark.timeout(600)
def test_the_action_installs_taskctl_and_applies(
    action: Path, runner: Runner, server: FaultServer, tmp_path: Path
) -> None:
    taskctl(runner, "state", "init", "git:origin")
    (tmp_path / "traps").mkdir()
    for name in TRAPS:
        trap = f"import os\nopen({str(tmp_path / 'traps' / name)!r}, 'w').close()\n"
        (runner.workspace / f"{name}.py").write_text(trap)
    ran = runner.composite(action, command="apply")
    assert ran.code == 0, ran.said
    assert ran.outputs["creates"] == "2"
    assert "taskctl 0." in ran.said
    assert not list((tmp_path / "traps").iterdir())
    assert sorted(map(len, server.tasks_by_work().values())) == [1, 1]


@pytest.mark.tools
def test_the_state_is_stored_in_a_ref_of_the_repository(
    action: Path, runner: Runner, installed: None, server: FaultServer, tmp_path: Path
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


@pytest.mark.tools
def test_the_next_run_continues_from_the_state_of_a_failed_apply(
    action: Path, runner: Runner, installed: None, server: FaultServer, tmp_path: Path
) -> None:
    taskctl(runner, "state", "init", "git:origin")
    server.set_rules(Rule("create", Fault("status", status=403), contains="do 1"))
    assert runner.composite(action, command="apply").code == 1
    server.set_rules()
    again(runner, tmp_path)
    ran = runner.composite(action, command="apply")
    assert (ran.code, ran.outputs["creates"]) == (0, "1"), ran.said
    assert sorted(map(len, server.tasks_by_work().values())) == [1, 1]


@pytest.mark.tools
@pytest.mark.parametrize("state", ["git:origin", "committed"])
def test_a_committed_repository_runs_no_program(
    action: Path, runner: Runner, installed: None, tmp_path: Path, state: str
) -> None:
    """Git takes the working directory for a bare repository, whose configuration names programs."""
    taskctl(runner, "state", "init", "git:origin")
    folder, ran = runner.workspace / "infra", tmp_path / "ran"
    for name in ("objects", "refs", "tasks"):
        (folder / name).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    program = f'"touch {ran}; false"'
    (folder / "config").write_text(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n"
        f'\tfsmonitor = {program}\n\tsshCommand = {program}\n[remote "origin"]\n\turl = ssh://git@127.0.0.1/x.git\n'
    )
    shutil.copy(runner.workspace / "tasks" / "all.yaml", folder / "tasks" / "all.yaml")
    for command in ("validate", "plan", "apply"):
        runner.composite(action, command=command, working_directory="infra", state=state)
        assert not ran.exists(), command


ON_A_SCHEDULE = "${{ github.event_name == 'schedule' && '--fail-on none' || '' }}"
"""Empty after a push."""


def run_workflow(action: Path, runner: Runner) -> tuple[Step, Step | None]:
    """The jobs of examples/ci/github-apply.yml: the plan, and the apply unless it is skipped."""
    text = (ROOT / "examples/ci/github-apply.yml").read_text()
    jobs = YAML(typ="safe", pure=True).load(text)["jobs"]

    def inputs(job: str) -> dict[str, str]:
        (step,) = [step for step in jobs[job]["steps"] if "taskctl@" in step.get("uses", "")]
        given = {name.replace("-", "_"): value for name, value in step["with"].items()}
        return {name: value for name, value in given.items() if name != "access_token"}

    plan = runner.composite(action, **inputs("plan"))
    assert plan.code == 0, plan.said
    assert jobs["apply"]["if"] == "needs.plan.outputs.has-changes == 'true'"
    if plan.outputs["has-changes"] != "true":
        return plan, None
    given = inputs("apply")
    assert given["expect_plan"] == "${{ needs.plan.outputs.digest }}"
    assert ON_A_SCHEDULE in given["args"]
    given["args"] = given["args"].replace(ON_A_SCHEDULE, "")
    return plan, runner.composite(action, **{**given, "expect_plan": plan.outputs["plan-digest"]})


def declare(runner: Runner, texts: dict[str, str], **more: object) -> None:
    manifest = {"version": 1, "orgName": "acme", "tasks": as_tasks(texts), **more}
    (runner.workspace / "tasks" / "all.yaml").write_text(json.dumps(manifest))


@pytest.mark.tools
def test_a_merged_removal_leads_to_an_apply_in_the_workflow(
    action: Path, runner: Runner, installed: None, server: FaultServer
) -> None:
    taskctl(runner, "state", "init", "git:origin")
    _, applied = run_workflow(action, runner)
    assert applied is not None
    assert (applied.code, applied.outputs["creates"]) == (0, "2"), applied.said
    declare(runner, {"k0": "do 0"}, removed=["k1"])
    plan, applied = run_workflow(action, runner)
    assert (plan.outputs["creates"], plan.outputs["apply-will-fail"]) == ("0", "false")
    assert applied is not None
    assert (applied.code, applied.outputs["has-changes"]) == (0, "true"), applied.said
    assert "1 forgotten" in applied.said
    plan, applied = run_workflow(action, runner)
    assert (plan.outputs["has-changes"], applied) == ("false", None)
    assert sorted(map(len, server.tasks_by_work().values())) == [1, 1]


@pytest.mark.tools
def test_an_unresolved_task_does_not_stop_the_others_in_the_workflow(
    action: Path, runner: Runner, installed: None, server: FaultServer
) -> None:
    taskctl(runner, "state", "init", "git:origin")
    run_workflow(action, runner)
    declare(runner, {"renamed": "do 0", "k1": "do 1", "k2": "do 2"})
    plan, applied = run_workflow(action, runner)
    assert plan.outputs["apply-will-fail"] == "true"
    assert applied is not None
    assert (applied.code, applied.outputs["creates"]) == (1, "1"), applied.said
    plan, applied = run_workflow(action, runner)
    assert (plan.outputs["apply-will-fail"], applied) == ("true", None)
    assert sorted(map(len, server.tasks_by_work().values())) == [1, 1, 1]


@pytest.mark.tools
def test_the_token_may_come_from_the_environment_of_the_job(
    action: Path, runner: Runner, installed: None
) -> None:
    """As pulumi/auth-actions sets it; the installation does not see it."""
    taskctl(runner, "state", "init", "git:origin")
    runner.env["PULUMI_ACCESS_TOKEN"] = TOKEN
    ran = runner.composite(action, command="plan", access_token="")
    assert (ran.code, ran.outputs["creates"]) == (0, "2"), ran.said
    del runner.env["PULUMI_ACCESS_TOKEN"]
    ran = runner.composite(action, command="plan", access_token="")
    assert (ran.code, "PULUMI_ACCESS_TOKEN" in ran.said) == (1, True), ran.said


@pytest.mark.tools
def test_only_one_step_sees_the_token_and_no_other_action_is_used() -> None:
    for step in metadata()["runs"]["steps"]:
        assert "uses" not in step
        token = step["env"].get("PULUMI_ACCESS_TOKEN", "")
        assert bool(token) == (step["name"] == "Run taskctl"), step["name"]
        assert "INPUT_GITHUB_TOKEN" not in step["env"] or step["name"] == "Run taskctl"
