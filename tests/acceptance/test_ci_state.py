"""The workflow of docs/other-ci.md: each job runs on a new runner.

When the first apply is killed, two tasks are recorded, one was created without a response, one is
created while the next apply waits, and one request was lost.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.checkout import git
from tests.support.ci_runner import CI, KILLED, job_steps
from tests.support.fault_server import Fault, FaultServer, Rule
from tests.support.sandbox import as_tasks, prompts

pytestmark = pytest.mark.tools

TEXTS = prompts(5)
SETTLE = 60
FAULTS = [
    Rule("create", Fault(after=600.0), contains="do 2"),
    Rule("create", Fault(before=600.0), contains="do 3"),
    Rule("create", Fault("reset"), contains="do 4"),
]


@pytest.fixture
def ci(tmp_path: Path, server: FaultServer) -> CI:
    made = CI(tmp_path, server.url, SETTLE)
    made.create_state()
    return made


def manifest(texts: dict[str, str]) -> dict[str, str]:
    """The files to push: one manifest (JSON is YAML)."""
    tasks = as_tasks(texts)
    return {"tasks/all.yaml": json.dumps({"version": 1, "orgName": "acme", "tasks": tasks})}


def assert_one_each(server: FaultServer) -> None:
    made = {text: len(ids) for text, ids in server.tasks_by_work().items()}
    assert made == dict.fromkeys(TEXTS.values(), 1)


def nothing_to_do(ci: CI) -> bool:
    assert ci.run(job_steps()) == 0, ci.said
    return "Apply: 0 created" in ci.said[-1]


def test_the_next_runner_continues_after_a_runner_that_was_lost(
    ci: CI, server: FaultServer
) -> None:
    ci.push(manifest(TEXTS))
    server.set_rules(*FAULTS)
    assert ci.run(job_steps(), lost=True) == KILLED, ci.said
    shutil.rmtree(ci.folder / f"runner-{ci.runs}")
    server.release_at_list(2, 4)
    assert ci.run(job_steps()) == 0, ci.said
    assert_one_each(server)
    assert nothing_to_do(ci)
    assert_one_each(server)


def test_an_edited_prompt_creates_no_second_task(ci: CI, server: FaultServer) -> None:
    ci.push(manifest(TEXTS))
    assert ci.run(job_steps()) == 0, ci.said
    ci.push(manifest({key: f"{text}, please" for key, text in TEXTS.items()}))
    assert nothing_to_do(ci)
    assert "5 differ" in ci.said[-1]
    assert_one_each(server)


def test_a_shared_state_is_in_no_branch_and_no_file(ci: CI) -> None:
    ci.push(manifest(TEXTS))
    before = git(ci.folder / "origin", "rev-parse", "main")
    assert ci.run(job_steps()) == 0, ci.said
    listed = git(ci.folder / "origin", "for-each-ref", "--format=%(refname)").split()
    assert listed == ["refs/heads/main", "refs/taskctl/state/default"]
    assert git(ci.folder / "origin", "rev-parse", "main") == before
    assert not list((ci.folder / f"runner-{ci.runs}" / "work").glob("taskctl.state*"))
