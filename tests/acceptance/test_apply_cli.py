"""What apply refuses before anything is sent: no consent, too much, a plan that no longer fits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fault_server import FaultServer, Habits
from tests.support.ground import STATE, TOKEN, Ended, Ground, as_tasks, prompts

TEXTS = prompts(2)
PLAN = "p.taskctl"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(habits=Habits(tokens={TOKEN: "me", "other": "other"})) as running:
        yield running


@pytest.fixture
def ground(tmp_path: Path, server: FaultServer) -> Ground:
    made = Ground(tmp_path, server)
    made.write(as_tasks(TEXTS))
    return made


def summaries(ended: Ended) -> str:
    return " ".join(problem["summary"] for problem in ended.document["diagnostics"])


def test_without_yes_and_without_a_terminal_nothing_is_sent(
    ground: Ground, server: FaultServer
) -> None:
    words = [word for word in ground.arguments("apply") if word != "--yes"]
    ended = subprocess.run(
        [sys.executable, "-m", "reconciler", *words],
        cwd=ground.folder,
        env=ground.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "cannot prompt for confirmation" in summaries(Ended(1, ended.stdout, ended.stderr))
    assert server.posts == []


def test_more_creates_than_allowed_sends_nothing(ground: Ground, server: FaultServer) -> None:
    ended = ground.run("apply", "--max-creates", "1")
    assert ended.code == 1
    assert "2 tasks would be created" in summaries(ended)
    assert server.posts == []
    assert ground.run("apply", "--max-creates", "2").code == 0
    ground.assert_exactly_one_each(TEXTS)


def test_a_problem_is_told_once_and_an_error_last(ground: Ground, server: FaultServer) -> None:
    same = next(iter(TEXTS.values()))
    ground.write(as_tasks({**TEXTS, "twin": same}))
    words = ground.arguments("apply", "--max-creates", "1")
    words = [word for word in words if word not in ("--format", "json")]
    ended = subprocess.run(
        [sys.executable, "-m", "reconciler", *words],
        cwd=ground.folder,
        env=ground.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    said = ended.stdout
    assert ended.returncode == 1
    assert said.count("same prompt as") == 1
    assert said.count("3 tasks would be created") == 1
    assert said.index("same prompt as") < said.index("Plan: 3 to create")
    assert said.index("Plan: 3 to create") < said.index("3 tasks would be created")
    assert server.posts == []


def test_a_saved_plan_does_what_it_says(ground: Ground, server: FaultServer) -> None:
    kept = ground.run("plan", "--out", PLAN)
    assert (kept.code, f"    taskctl apply {PLAN}\n" in kept.stderr) == (0, True)
    assert ground.run("apply", PLAN).code == 0
    assert (
        "Saved the plan. Apply would make no changes." in ground.run("plan", "--out", "idle").stderr
    )
    ground.assert_exactly_one_each(TEXTS)
    again = ground.run("apply", PLAN)  # the state has moved on
    assert again.code == 1
    assert len(server.posts) == 2


def edited(ground: Ground) -> None:
    ground.write(as_tasks({**TEXTS, "k1": "something else"}))


def another_state(ground: Ground) -> None:
    texts = {**TEXTS, "k9": "do 9"}
    ground.write(as_tasks(texts))
    assert ground.run("apply", "--adopt", "none").code == 0
    ground.write(as_tasks(TEXTS))


def another_user(ground: Ground) -> None:
    ground.env["PULUMI_ACCESS_TOKEN"] = "other"


@pytest.mark.parametrize("change", [edited, another_state, another_user])
def test_a_saved_plan_is_refused_once_its_ground_moved(
    ground: Ground, server: FaultServer, change: Callable[[Ground], None]
) -> None:
    assert ground.run("plan", "--out", PLAN).code == 0
    change(ground)
    sent = len(server.posts)
    state = ground.folder / STATE
    before = state.read_bytes() if state.exists() else None
    ended = ground.run("apply", PLAN)
    assert ended.code == 1, ended.stdout
    assert "plan" in summaries(ended)
    assert len(server.posts) == sent
    assert (state.read_bytes() if state.exists() else None) == before


def test_a_saved_plan_creates_nothing_that_it_would_not_have_created(
    ground: Ground, server: FaultServer
) -> None:
    """It said adopt; what was to be adopted is not to be seen any more."""
    assert ground.run("apply").code == 0
    (ground.folder / STATE).unlink()
    planned = ground.run("plan", "--out", PLAN)
    assert set(planned.actions().values()) == {"adopt"}
    server.control({"habits": {"list_lag": 1e6}})
    ended = ground.run("apply", PLAN)
    assert ended.code == 1
    assert "would not create k0, k1" in summaries(ended)
    assert len(server.posts) == 2
