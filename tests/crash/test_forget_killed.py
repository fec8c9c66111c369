"""An apply that forgets keys is killed at every tenth point (at the others only by `make soak`),
then run again: each task is removed from the state and never adopted, and a key that is declared
again has one new task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.crash_points import Run, run
from tests.support.fault_server import Fault, FaultServer, Habits, Rule
from tests.support.live_tasks import LiveTasks, live_tasks
from tests.support.sandbox import TOKEN, Sandbox, as_tasks, prompts

KEYS = ("keep", "gone", "old-one")
REMOVED = ["gone", "old-*"]


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[LiveTasks]:
    with live_tasks(tmp_path, monkeypatch, capsys, work_seconds=3600) as place:
        yield place


def within(place: LiveTasks, name: str) -> LiveTasks:
    """The same service, with a new directory, organization and prompts."""
    folder = place.folder / name
    (folder / "tasks").mkdir(parents=True)
    return LiveTasks(folder, place.url, place.api, place.capture)


def declare(here: LiveTasks, *keys: str, removed: list[str] | None = None) -> None:
    tasks = {key: {"message": f"slow - {here.folder.name} {key}"} for key in keys}
    name = here.folder.name
    manifest = {"version": 1, "orgName": name, "tasks": tasks, "removed": removed or []}
    (here.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))


def state(here: LiveTasks) -> dict[str, Any]:
    known: dict[str, Any] = json.loads((here.folder / "taskctl.state.json").read_text())
    return known


def recorded(here: LiveTasks) -> dict[str, str]:
    return {ref.split("/")[1]: task["taskId"] for ref, task in state(here)["tasks"].items()}


def begun(place: LiveTasks, name: str) -> tuple[LiveTasks, dict[str, str]]:
    """Three running tasks, two of which the manifest then lists as removed."""
    here = within(place, name)
    declare(here, *KEYS)
    assert here.run("apply", "--yes")[0] == 0
    known = recorded(here)
    declare(here, "keep", removed=REMOVED)
    return here, known


def killed(here: LiveTasks, point: int | None) -> Run:
    words = ["apply", "--yes", "--parallelism", "1", "--backend", here.url]
    return run(words, kill_at=point, cwd=here.folder)


def assert_forgotten(here: LiveTasks, known: dict[str, str]) -> None:
    assert recorded(here) == {"keep": known["keep"]}
    assert sorted(state(here)["retired"]) == sorted([known["gone"], known["old-one"]])
    assert not (here.folder / "taskctl.state.json.journal").exists()
    assert here.document("apply", "--yes")["tasks"] == []


def assert_comes_back_once(here: LiveTasks, known: dict[str, str]) -> None:
    declare(here, *KEYS)
    assert here.document("plan")["summary"]["create"] == 2
    assert here.run("apply", "--yes")[0] == 0
    new = recorded(here)
    assert new["keep"] == known["keep"]
    assert not {new["gone"], new["old-one"]} & set(known.values())
    assert here.document("apply", "--yes")["tasks"] == []


@pytest.mark.parametrize(
    "chunk", [0, *(pytest.param(chunk, marks=pytest.mark.soak) for chunk in range(1, 10))]
)
def test_killed_at_every_point(place: LiveTasks, cache_folder: Path, chunk: int) -> None:
    (cache_folder / "taskctl").mkdir(parents=True, mode=0o700)  # else, one run has more points
    here, known = begun(place, "whole")
    counted = killed(here, None)
    assert counted.returncode == 0, counted.stdout + counted.stderr
    assert_forgotten(here, known)
    assert_comes_back_once(here, known)
    assert len(counted.points) > 30
    for point in counted.points[chunk::10]:
        here, known = begun(place, f"p{point.number}")
        assert killed(here, point.number).killed, point
        again, out, err = here.run("apply", "--yes")
        assert again == 0, f"{point}: {out}{err}"
        try:
            assert_forgotten(here, known)
            assert_comes_back_once(here, known)
        except AssertionError as problem:
            raise AssertionError(f"killed {point}: {problem}") from problem


def test_a_key_with_an_open_attempt_is_not_forgotten(tmp_path: Path) -> None:
    """Killed at each create, then listed as removed: a task that was created is recorded first."""
    (text,) = prompts(1).values()
    with FaultServer(habits=Habits(tokens={TOKEN: "me"})) as server:

        def fresh(name: str, kill_at: int | None) -> tuple[Sandbox, Run]:
            (tmp_path / name).mkdir()
            here = Sandbox(tmp_path / name, server, "2s")
            here.write(as_tasks({"k0": f"{name} {text}"}), orgName=name)
            words = here.arguments("apply", "--parallelism", "1")
            env = {**here.environment()}
            return here, run(words, kill_at=kill_at, cwd=here.folder, env=env)

        sends = {
            point.phase: point.number
            for point in fresh("counted", None)[1].points
            if point.operation == "send" and "POST" in point.what
        }
        for phase in ("before", "after"):
            here, died = fresh(phase, sends[phase])
            assert died.killed
            here.write({}, orgName=phase, removed=["k*"])
            assert "forget" not in here.run("plan").actions().values()
            ended = here.run("apply")
            assert ended.code == 0, ended.stdout + ended.stderr
            created = server.tasks_by_work().get(f"{phase} {text}", [])
            assert len(created) == (phase == "after")
            assert not here.state()["attempts"]
            assert list(here.recorded().values()) == created
            assert here.run("apply").code == 0
            assert here.recorded() == {}
            assert list(here.state().get("retired", {})) == created


def test_a_task_forgotten_before_the_first_save_is_not_adopted_later(tmp_path: Path) -> None:
    """The apply that created it was killed, so it is only in the journal."""
    with FaultServer([Rule("patch", Fault(before=600))], Habits(tokens={TOKEN: "me"})) as server:
        here = Sandbox(tmp_path, server, "2s")
        here.write(as_tasks(prompts(1), named=["k0"]))
        process = here.start("apply")
        process.until(lambda: server.of("patch"))
        process.kill()
        process.communicate()
        server.set_rules()
        here.write({}, removed=["k*"])
        assert here.run("apply").results() == {"k0": "forgotten"}
        (old,) = server.tasks_by_work()["do 0"]
        here.write(as_tasks(prompts(1)))
        assert here.run("apply").results() == {"k0": "created"}
        assert old not in here.recorded().values()
