"""Apply fails before anything is sent: no confirmation, too many creates, a stale plan."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fault_server import FaultServer, Habits
from tests.support.sandbox import STATE, TOKEN, Ended, Sandbox, as_tasks, prompts

TEXTS = prompts(2)
PLAN = "p.taskctl"


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(habits=Habits(tokens={TOKEN: "me", "other": "other"})) as running:
        yield running


@pytest.fixture
def sandbox(tmp_path: Path, server: FaultServer) -> Sandbox:
    made = Sandbox(tmp_path, server)
    made.write(as_tasks(TEXTS))
    return made


def summaries(ended: Ended) -> str:
    return " ".join(problem["summary"] for problem in ended.document["diagnostics"])


def test_without_yes_and_without_a_terminal_nothing_is_sent(
    sandbox: Sandbox, server: FaultServer
) -> None:
    words = [word for word in sandbox.arguments("apply") if word != "--yes"]
    ended = subprocess.run(
        [sys.executable, "-m", "reconciler", *words],
        cwd=sandbox.folder,
        env=sandbox.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "cannot prompt for confirmation" in summaries(Ended(1, ended.stdout, ended.stderr))
    assert server.posts == []


def test_exceeding_max_creates_sends_nothing(sandbox: Sandbox, server: FaultServer) -> None:
    ended = sandbox.run("apply", "--max-creates", "1")
    assert ended.code == 1
    assert "2 tasks would be created" in summaries(ended)
    assert server.posts == []
    assert sandbox.run("apply", "--max-creates", "2").code == 0
    sandbox.assert_exactly_one_each(TEXTS)


def test_a_problem_is_printed_once_and_errors_last(sandbox: Sandbox, server: FaultServer) -> None:
    same = next(iter(TEXTS.values()))
    sandbox.write(as_tasks({**TEXTS, "twin": same}, named=["twin"]))
    words = sandbox.arguments("apply", "--max-creates", "1")
    words = [word for word in words if word not in ("--format", "json")]
    ended = subprocess.run(
        [sys.executable, "-m", "reconciler", *words],
        cwd=sandbox.folder,
        env=sandbox.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    said = ended.stdout
    assert ended.returncode == 1
    assert said.count("same prompt as") == 1
    assert said.count("3 tasks would be created") == 1
    assert said.index("same prompt as") < said.index("Plan: 3 to create")
    assert said.index("Plan: 3 to create") < said.index("3 tasks would be created")
    assert server.posts == []


def test_a_saved_plan_is_applied_as_shown(sandbox: Sandbox, server: FaultServer) -> None:
    kept = sandbox.run("plan", "--out", PLAN)
    assert (kept.code, f"    taskctl apply {PLAN} --backend " in kept.stderr) == (0, True)
    with_paths = sandbox.run("apply", PLAN, "tasks")
    assert (with_paths.code, server.posts) == (1, [])
    assert f"{PLAN} is a saved plan and cannot be combined" in summaries(with_paths)
    assert sandbox.run("apply", PLAN).code == 0
    assert (
        "Saved the plan. There is nothing to apply." in sandbox.run("plan", "--out", "idle").stderr
    )
    sandbox.assert_exactly_one_each(TEXTS)
    again = sandbox.run("apply", PLAN)  # the state has changed
    assert again.code == 1
    assert len(server.posts) == 2


def edited(sandbox: Sandbox) -> None:
    sandbox.write(as_tasks({**TEXTS, "k1": "something else"}))


def another_state(sandbox: Sandbox) -> None:
    texts = {**TEXTS, "k9": "do 9"}
    sandbox.write(as_tasks(texts))
    assert sandbox.run("apply").code == 0
    sandbox.write(as_tasks(TEXTS))


def another_user(sandbox: Sandbox) -> None:
    sandbox.env["PULUMI_ACCESS_TOKEN"] = "other"


@pytest.mark.parametrize("change", [edited, another_state, another_user])
def test_a_stale_saved_plan_is_refused(
    sandbox: Sandbox, server: FaultServer, change: Callable[[Sandbox], None]
) -> None:
    assert sandbox.run("plan", "--out", PLAN).code == 0
    change(sandbox)
    sent = len(server.posts)
    state = sandbox.folder / STATE
    before = state.read_bytes() if state.exists() else None
    ended = sandbox.run("apply", PLAN)
    assert ended.code == 1, ended.stdout
    assert "plan" in summaries(ended)
    assert len(server.posts) == sent
    assert (state.read_bytes() if state.exists() else None) == before


def test_a_saved_plan_never_creates_instead_of_recording(
    sandbox: Sandbox, server: FaultServer
) -> None:
    """The plan records a task that is not visible any more."""
    texts = sandbox.folder / "tasks/all.yaml"
    both = texts.read_text()
    sandbox.write(as_tasks({"k0": "do 0"}))
    assert sandbox.run("apply").code == 0
    older = (sandbox.folder / STATE).read_bytes()
    texts.write_text(both)
    assert sandbox.run("apply").code == 0
    (sandbox.folder / STATE).write_bytes(older)
    planned = sandbox.run("plan", "--out", PLAN)
    assert planned.actions() == {"k0": "unchanged", "k1": "adopt"}
    server.habits.list_lag = 1e6
    ended = sandbox.run("apply", PLAN)
    assert ended.code == 1
    assert "acme/k1" in summaries(ended)
    assert len(server.posts) == 2
