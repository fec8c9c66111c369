"""The options of docs/ci-state.md, with its workflows: each job runs on a new runner.

When the first apply is killed, two tasks are recorded, one was created without a response, one is
created later, and one request was lost.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkout import git
from tests.support.ci_runner import CI, KILLED, SHARED, job_steps
from tests.support.fault_server import Fault, FaultServerProcess, Rule
from tests.support.sandbox import TOKEN, as_tasks, prompts

WAYS = (SHARED, "State committed", "State as cache or artifact", "No state")
KEEPING = WAYS[:3]
TEXTS = prompts(5)
SETTLE = 3
FAULTS = [
    Rule("create", Fault(after=20.0), contains="do 2"),
    Rule("create", Fault(before=1.5), contains="do 3"),
    Rule("create", Fault("reset"), contains="do 4"),
]


@pytest.fixture
def server() -> Iterator[FaultServerProcess]:
    with FaultServerProcess(habits={"tokens": {TOKEN: "me"}}) as server:
        yield server


@pytest.fixture
def ci(tmp_path: Path, server: FaultServerProcess) -> CI:
    made = CI(tmp_path, server.url, SETTLE)
    made.create_state()
    return made


def manifest(texts: dict[str, str], **more: Any) -> dict[str, str]:
    """The files to push: one manifest (JSON is YAML)."""
    tasks = {key: {**task, **more} for key, task in as_tasks(texts).items()}
    return {"tasks/all.yaml": json.dumps({"version": 1, "orgName": "acme", "tasks": tasks})}


def assert_one_each(server: FaultServerProcess) -> None:
    made = {text: len(ids) for text, ids in server.tasks_by_work().items()}
    assert made == dict.fromkeys(TEXTS.values(), 1)


def nothing_to_do(ci: CI, way: str) -> bool:
    assert ci.run(job_steps(way)) == 0, ci.said
    return any("Apply: 0 created, " in said for said in ci.said[-2:])


@pytest.mark.parametrize("way", WAYS)
def test_the_next_runner_finishes_a_killed_apply(
    ci: CI, server: FaultServerProcess, way: str
) -> None:
    ci.push(manifest(TEXTS))
    server.change(rules=FAULTS)
    assert ci.run(job_steps(way), killed=True) == KILLED, ci.said
    server.change(rules=[])
    assert ci.run(job_steps(way)) == 0, ci.said
    assert_one_each(server)
    assert nothing_to_do(ci, way)
    assert_one_each(server)


@pytest.mark.parametrize("way", KEEPING)
def test_tasks_of_a_lost_runner_are_recorded_or_unresolved_until_resolved_by_hand(
    ci: CI, server: FaultServerProcess, way: str
) -> None:
    """The journal on its disk is lost too, so its tasks are found among recent ones. A shared state
    still has them."""
    first, *_ = TEXTS.items()
    ci.push(manifest(dict([first])))
    assert ci.run(job_steps(way)) == 0, ci.said
    ci.push(manifest(TEXTS))
    server.change(rules=FAULTS[:1])
    assert ci.run(job_steps(way), lost=True) == KILLED, ci.said
    server.change(rules=[])
    shutil.rmtree(ci.folder / f"runner-{ci.runs}")
    if way != SHARED:
        time.sleep(SETTLE)
        assert ci.run(job_steps(way)) == 1, ci.said
        assert any("taskctl apply --adopt recent" in said for said in ci.said)
        ci.push({"taskctl.toml": 'adopt = "recent"\n'})
    assert ci.run(job_steps(way)) == 0, ci.said
    assert_one_each(server)


@pytest.mark.parametrize("way", KEEPING)
def test_with_a_state_an_edited_prompt_creates_no_second_task(
    ci: CI, server: FaultServerProcess, way: str
) -> None:
    ci.push(manifest(TEXTS))
    assert ci.run(job_steps(way)) == 0, ci.said
    ci.push(manifest({key: f"{text}, please" for key, text in TEXTS.items()}))
    assert nothing_to_do(ci, way)
    assert "5 changed" in ci.said[-2] + ci.said[-1]
    assert_one_each(server)


def test_without_a_state_an_edited_prompt_creates_a_second_task(
    ci: CI, server: FaultServerProcess
) -> None:
    """As documented for this option."""
    ci.push(manifest(TEXTS))
    assert ci.run(job_steps("No state")) == 0, ci.said
    ci.push(manifest({**TEXTS, "k0": "do 0, please"}))
    assert ci.run(job_steps("No state")) == 0, ci.said
    assert len(server.tasks_by_work()) == len(TEXTS) + 1
    ci.push(manifest({"k9": "do 9"}, adopt=False))
    for count in (1, 2):
        assert ci.run(job_steps("No state")) == 0, ci.said
        assert len(server.tasks_by_work()["do 9"]) == count


def test_a_push_during_apply_does_not_lose_the_state(ci: CI, server: FaultServerProcess) -> None:
    ci.push(manifest(TEXTS))
    meanwhile = (
        f"git clone --quiet '{ci.folder / 'origin'}' other; cd other; touch a; git add a\n"
        "git -c user.name=a -c user.email=a@b.c commit --quiet --message=Meanwhile\n"
        "git push --quiet"
    )
    before, keep = job_steps("State committed")[:-1], job_steps("State committed")[-1]
    assert ci.run([*before, {"run": f"({meanwhile})"}, keep]) == 0, ci.said
    assert nothing_to_do(ci, "State committed")
    assert_one_each(server)


def test_the_state_is_committed_and_the_lock_is_not(ci: CI) -> None:
    ci.push(manifest(TEXTS))
    assert ci.run(job_steps("State committed")) == 0, ci.said
    ci.push({"README": "pulls"})
    clone = ci.folder / "developer"
    assert sorted(path.name for path in clone.glob("taskctl*")) == ["taskctl.state.json"]
    recorded = json.loads((clone / "taskctl.state.json").read_text())["tasks"]
    assert set(recorded) == {f"acme/{key}" for key in TEXTS}


def test_a_shared_state_is_in_no_branch_no_cache_and_no_file(ci: CI) -> None:
    ci.push(manifest(TEXTS))
    before = git(ci.folder / "origin", "rev-parse", "main")
    assert ci.run(job_steps(SHARED)) == 0, ci.said
    listed = git(ci.folder / "origin", "for-each-ref", "--format=%(refname)").split()
    assert listed == ["refs/heads/main", "refs/taskctl/state/default"]
    assert git(ci.folder / "origin", "rev-parse", "main") == before
    assert not list((ci.folder / f"runner-{ci.runs}" / "work").glob("taskctl.*"))
    assert not list((ci.folder / "cache").iterdir())
