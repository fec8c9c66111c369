"""The apply workflow continues rollouts by itself: on a schedule, unless another run goes on."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler.cli.main import run
from tests.support.action_runner import Runner
from tests.support.checkout import git
from tests.support.doc_blocks import ROOT, environment, shell
from tests.support.live_tasks import LiveTasks

pytestmark = pytest.mark.tools

WAITING = {"waiting": "41\n"}


def workflow(path: Path = ROOT / "examples/ci/github-apply.yml") -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return loaded


@pytest.mark.parametrize(
    ("listed", "number"),
    [
        ({}, "0"),
        ({"in_progress": "42\n"}, "0"),  # this run
        (WAITING, "1"),
        ({"in_progress": "42\n43\n", "pending": "44\n"}, "2"),
    ],
)
def test_it_starts_no_second_run(tmp_path: Path, listed: dict[str, str], number: str) -> None:
    gh(tmp_path, "".join(f"[ $7 = {name} ] && printf '{ids}'\n" for name, ids in listed.items()))
    code, output = due(tmp_path)
    assert (code, output) == (0, f"number={number}\n")
    assert (tmp_path / "calls").read_text().splitlines()[0] == (
        "run list -R acme/infra -w taskctl-apply.yml -s waiting"
    )


def test_a_list_of_runs_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    gh(tmp_path, "exit 1\n")
    code, output = due(tmp_path)
    assert (code, output) == (1, "")


def gh(folder: Path, script: str) -> None:
    (folder / "bin").mkdir()
    calls = f"echo $1 $2 $3 $4 $5 $6 $7 $8 $9 | cut -d' ' -f1-8 >>{folder}/calls\n"
    text = f"#!/bin/sh\n{calls}shift\n{script}exit 0\n"
    (folder / "bin/gh").write_text(text)
    (folder / "bin/gh").chmod(0o755)


def due(folder: Path) -> tuple[int, str]:
    (step,) = workflow()["jobs"]["due"]["steps"]
    output = folder / "output"
    output.touch()
    env = environment(
        folder,
        GITHUB_OUTPUT=str(output),
        GITHUB_REPOSITORY="acme/infra",
        GITHUB_RUN_ID="42",
        GITHUB_WORKFLOW_REF="acme/infra/.github/workflows/taskctl-apply.yml@refs/heads/main",
        RUNNER_TEMP=str(folder),
    )
    env["PATH"] = f"{folder}/bin{os.pathsep}{env['PATH']}"
    (folder / "step.sh").write_text(step["run"])
    return shell("bash -e step.sh", folder, env).returncode, output.read_text()


def test_its_jobs_run_only_where_they_should() -> None:
    jobs = workflow()["jobs"]
    assert "!github.event.repository.fork" in jobs["due"]["if"]
    assert "github.event.repository.default_branch" in jobs["due"]["if"]
    assert (jobs["plan"]["needs"], jobs["apply"]["needs"]) == ("due", "plan")
    text = (ROOT / "examples/ci/github-apply.yml").read_text()
    assert not re.search(r"--(adopt|retry|replace)", text)


def test_only_what_its_plan_does_not_say_fails_it(place: LiveTasks) -> None:
    place.apply({"first": "finishing first"})
    place.write({"renamed": "finishing first", "new": "finishing too"})
    code, _, _ = place.run("apply", "--yes", "--fail-on", "none")
    assert (code, sorted(place.statuses())) == (0, ["first", "new"])
    assert place.run("apply", "--yes")[0] == 1
    assert place.run("apply", "--yes", "--fail-on", "none")[0] == 0
    assert place.run("apply", "--yes", "--fail-on", "none", "--fail-on", "orphaned")[0] == 1


def test_the_workflow_applies_on_the_default_branch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=trunk", "origin")
    git(tmp_path / "origin", "commit", "--quiet", "--allow-empty", "--message=Begin")
    git(tmp_path, "clone", "--quiet", "origin", "clone")
    git(tmp_path / "clone", "checkout", "--quiet", "-b", "mine")
    monkeypatch.chdir(tmp_path / "clone")
    assert run(["init", "--workflow"]) == 0
    made = workflow(tmp_path / "clone/.github/workflows/taskctl-apply.yml")
    assert made["on"]["push"] == {"branches": ["trunk"]}
    jobs = [made["jobs"][name] for name in ("plan", "apply")]
    assert [job["steps"][0]["with"]["ref"] for job in jobs] == ["trunk", "trunk"]


def test_the_scheduled_run_is_red_only_while_a_task_has_failed(
    place: LiveTasks, tmp_path: Path
) -> None:
    job = workflow()["jobs"]["failed"]
    assert (job["needs"], "'schedule'" in job["if"]) == (["due", "plan", "apply"], True)
    assert job["steps"][-1]["with"]["command"] == "status"
    env = {"TASKCTL_BACKEND": place.url, "TASKCTL_STATE": "taskctl.state.json"}
    runner = Runner(tmp_path / "runner", place.folder, pull_request=None, env=env)
    (place.folder / "taskctl.toml").write_text('run-workflow = "taskctl-run.yml"\n')
    place.apply({"bad": "failing: it <b>hurts</b>", "asks": "approving", "slow": "endless"})
    place.finish(bad="failed", asks="waiting", slow="running")
    ran = runner.script("status")
    assert ran.code == 1, ran.said
    assert "::error title=taskctl::acme/bad: failed%0Agh workflow run taskctl-run.yml " in ran.said
    assert "-f command=retry -f tasks=acme/bad" in ran.said
    assert "acme/bad: failed\n\n    gh workflow run " in ran.summary
    for text in ("hurts", "May I", "acme/asks", "acme/slow"):
        assert text not in ran.said + ran.summary
    place.write({"bad": "finishing", "asks": "approving", "slow": "endless"})
    assert place.run("apply", "-y", "--retry", "bad")[0] == 0
    place.finish(bad="done", asks="waiting", slow="running")
    ran = runner.script("status")
    assert (ran.code, ran.said, ran.summary) == (0, "", "")
