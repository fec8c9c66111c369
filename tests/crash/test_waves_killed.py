"""`apply --wait` of a rollout is killed (SIGKILL) at points of the whole run, then run again: one
task per key, and none of the rest before the pilot is done."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.embedded.scenarios import scenario_of
from reconciler.embedded.server import Server
from tests.support.budgeted_app import BudgetedApp, TokenBudget
from tests.support.crash_points import Point, Run, run
from tests.support.embedded_client import Api
from tests.support.sandbox import TOKEN

ROWS = ("a", "b", "c", "d")


@dataclass
class Rollout:
    """Tasks that are created in waves, with a separate service."""

    folder: Path
    url: str
    api: Api
    app: BudgetedApp

    def write(self, tasks: dict[str, Any]) -> None:
        (self.folder / "tasks").mkdir()
        document = {"version": 1, "orgName": "acme", "tasks": tasks}
        (self.folder / "tasks" / "all.yaml").write_text(json.dumps(document))

    def apply(self, kill_at: int | None = None) -> Run:
        words = ["--backend", self.url, "--settle-time", "1s", "--yes", "--wait"]
        words += ["--interval", "100ms", "--parallelism", "1", "--format", "json"]
        home = {"PULUMI_ACCESS_TOKEN": TOKEN, "PULUMI_HOME": str(self.folder / "home")}
        return run(["apply", *words], kill_at=kill_at, cwd=self.folder, env={**os.environ, **home})

    def made(self) -> dict[str, dict[str, Any]]:
        """The tasks of the service by the name in their prompt; no name has two tasks."""
        found = [task for page in self.api.pages() for task in page]
        texts = [self.events(task)[0]["content"] for task in found]
        words = [text.partition("the work of ")[2].split()[0] for text in texts]
        assert len(set(words)) == len(words), words
        return dict(zip(words, found, strict=True))

    def events(self, task: dict[str, Any]) -> list[dict[str, Any]]:
        return [event["eventBody"] for event in self.api.events(task["id"])]

    def assert_pilot_first(self) -> dict[str, dict[str, Any]]:
        """The rest was created after the pilot had succeeded."""
        return self.assert_order(dict.fromkeys(ROWS[1:], ("a",)))

    def assert_order(self, before: dict[str, tuple[str, ...]]) -> dict[str, dict[str, Any]]:
        """Each task was created after all tasks `before` it had succeeded."""
        made = self.made()
        for name in made:
            for earlier in before.get(name, ()):
                assert earlier in made, (name, made.keys())
                done = [e for e in self.events(made[earlier]) if e.get("is_final")]
                assert done, (name, earlier)
                assert done[-1]["timestamp"] <= made[name]["createdAt"], (name, earlier)
        return made


def with_pilot(does: str = "finishing") -> dict[str, Any]:
    rows = [{"name": n, "does": does if n == "a" else "finishing"} for n in ROWS]
    entry = {
        "forEach": {"row": rows},
        "rollout": {"pilot": 1, "atOnce": 2},
        "message": "{{ row.does }} the work of {{ row.name }}",
    }
    return {"t": entry}


@contextmanager
def rollout(
    folder: Path, tasks: dict[str, Any], budget: TokenBudget | None = None
) -> Iterator[Rollout]:
    folder.mkdir()
    scenario = scenario_of("by-prompt", 0.05)
    with (
        closing(BudgetedApp(folder / "service.db", scenario=scenario)) as app,
        closing(Server(app, "127.0.0.1", 0)) as server,
    ):
        app.budget = budget
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            made = Rollout(folder, server.url, Api(app, token=TOKEN), app)
            made.write(tasks)
            yield made
        finally:
            server.stop()
            thread.join()


def points(folder: Path, pilot: str = "finishing") -> tuple[Point, ...]:
    with rollout(folder / "whole", with_pilot(pilot)) as whole:
        counted = whole.apply()
        assert counted.returncode == (0 if pilot == "finishing" else 1), counted.stderr
    return counted.points


def killed_and_run_again(folder: Path, point: int) -> None:
    with rollout(folder / f"p{point}", with_pilot()) as here:
        here.apply(point)
        here.assert_pilot_first()
        again = here.apply()
        assert again.returncode == 0, f"{point}: {again.stdout}{again.stderr}"
        assert here.assert_pilot_first().keys() == set(ROWS), point
        state = json.loads((here.folder / "taskctl.state.json").read_text())
        assert sorted(state["tasks"]) == [f"acme/t@{name}" for name in ROWS]
        assert not state["attempts"]


def killed_with_a_failing_pilot(folder: Path, point: int) -> None:
    with rollout(folder / f"f{point}", with_pilot("failing")) as here:
        here.apply(point)
        again = here.apply()
        assert again.returncode == 1, f"{point}: {again.stdout}{again.stderr}"
        assert here.made().keys() <= {"a"}, point


def killed_with_a_used_up_budget(folder: Path, point: int) -> None:
    """The pilot uses up the budget, so that the rest is only created with the next one."""
    with rollout(folder / f"b{point}", with_pilot(), TokenBudget(1)) as here:
        here.apply(point)
        again = here.apply()
        assert again.returncode == 1, f"{point}: {again.stdout}{again.stderr}"
        assert here.made().keys() <= {"a"}, point
        here.app.budget = None
        last = here.apply()
        assert last.returncode == 0, f"{point}: {last.stdout}{last.stderr}"
        assert here.assert_pilot_first().keys() == set(ROWS), point


def test_killed_at_some_points(tmp_path: Path) -> None:
    """After requests that create a task, and at points spread over the whole apply."""
    found = points(tmp_path)
    sends = [p.number for p in found if p.operation == "send" and "POST" in p.what]
    assert len(found) > 100
    for point in sorted({*sends[1::4], *range(5, len(found), len(found) // 5)}):
        killed_and_run_again(tmp_path, point)


def test_killed_while_the_pilot_fails(tmp_path: Path) -> None:
    found = points(tmp_path, "failing")
    for point in range(7, len(found), len(found) // 4):
        killed_with_a_failing_pilot(tmp_path, point)


@pytest.mark.timeout(300)
def test_killed_while_the_budget_ends_between_waves(tmp_path: Path) -> None:
    found = points(tmp_path)
    for point in range(7, len(found), len(found) // 3):
        killed_with_a_used_up_budget(tmp_path, point)


@pytest.mark.soak
@pytest.mark.parametrize("chunk", range(8))
def test_killed_at_every_point(tmp_path: Path, chunk: int) -> None:
    for point in points(tmp_path)[chunk::8]:
        killed_and_run_again(tmp_path, point.number)


@pytest.mark.soak
@pytest.mark.parametrize("chunk", range(4))
def test_killed_at_every_point_while_the_pilot_fails(tmp_path: Path, chunk: int) -> None:
    for point in points(tmp_path, "failing")[chunk::4]:
        killed_with_a_failing_pilot(tmp_path, point.number)


@pytest.mark.soak
@pytest.mark.parametrize("chunk", range(4))
def test_killed_at_every_point_while_the_budget_ends(tmp_path: Path, chunk: int) -> None:
    for point in points(tmp_path)[chunk::4]:
        killed_with_a_used_up_budget(tmp_path, point.number)
