"""A real apply is killed (SIGKILL) at every point of it, then applied again: one task per key.

A point is before, within or after each write, fsync, rename, unlink
and request (see tests.support.crash_points).
"""

from __future__ import annotations

import json
import random
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import pytest

from tests.support.crash_points import Run, run
from tests.support.fault_server import Fault, FaultServerProcess, Rule
from tests.support.sandbox import TOKEN, Sandbox, as_tasks, prompts

CHUNKS = 6
FIFTHS = [0, *(pytest.param(chunk, marks=pytest.mark.soak) for chunk in range(1, 5))]
"""Every fifth point in each test run, and the rest in `make soak`."""
TEXTS = prompts(3)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with FaultServerProcess(habits={"tokens": {TOKEN: "me"}}) as server:
        yield Sandbox(tmp_path, server)


def fresh(sandbox: Sandbox, name: str) -> Sandbox:
    """The same server, with an organization and a folder of its own for each run."""
    folder = sandbox.folder / name
    folder.mkdir()
    made = Sandbox(folder, sandbox.server, sandbox.settle)
    made.write(as_tasks({k: f"{name} {t}" for k, t in TEXTS.items()}, named=["k0"]))
    return made


def killed(sandbox: Sandbox, point: int | None) -> Run:
    return run(
        sandbox.arguments("apply", "--parallelism", "1"),
        kill_at=point,
        cwd=sandbox.folder,
        env={**sandbox.environment()},
    )


def assert_whole(sandbox: Sandbox, name: str) -> None:
    """One task per key, the recorded one, with its name and sharing; nothing left to do."""
    made = sandbox.server.tasks_by_work()
    recorded = sandbox.recorded()
    for key, text in TEXTS.items():
        assert made.pop(f"{name} {text}") == [recorded[key]]
    assert not [text for text in made if text.startswith(f"{name} ")]
    shown = get(sandbox, f"/api/preview/agents/acme/tasks/{recorded['k0']}")
    assert (shown["name"], shown["isShared"]) == ("A name", True)
    assert not sandbox.state()["attempts"]
    assert not (sandbox.folder / "taskctl.state.json.journal").exists()


def get(sandbox: Sandbox, path: str) -> Any:
    request = urllib.request.Request(
        sandbox.server.url + path, headers={"Authorization": f"token {TOKEN}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_killed_at_every_point(sandbox: Sandbox, chunk: int) -> None:
    whole = fresh(sandbox, "whole")
    counted = killed(whole, None)
    assert counted.returncode == 0, counted.stderr
    assert_whole(whole, "whole")
    assert len(counted.points) > 70
    for point in counted.points[chunk::CHUNKS]:
        name = f"p{point.number}"
        here = fresh(sandbox, name)
        first = killed(here, point.number)
        assert first.killed, f"{point}: {first.stderr}"
        again = here.run("apply")
        assert again.code == 0, f"{point}: {again.stdout}{again.stderr}"
        try:
            assert_whole(here, name)
        except AssertionError as problem:
            raise AssertionError(f"killed {point}: {problem}\n{again.stdout}") from problem
        assert here.run("apply").document["tasks"] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("chunk", FIFTHS)
def test_killed_again_while_it_recovers(sandbox: Sandbox, chunk: int) -> None:
    """Killed with an attempt open, then at every point of the apply that recovers from that."""
    posts = [
        point.number
        for point in killed(fresh(sandbox, "whole"), None).points
        if point.operation == "send" and point.phase == "after" and "POST" in point.what
    ]
    counted = fresh(sandbox, "counted")
    assert killed(counted, posts[1]).killed
    points = killed(counted, None).points
    assert_whole(counted, "counted")
    assert len(points) > 40
    for point in points[chunk::5]:
        name = f"r{point.number}"
        here = fresh(sandbox, name)
        assert killed(here, posts[1]).killed
        assert killed(here, point.number).killed, point
        again = here.run("apply")
        assert again.code == 0, f"{point}: {again.stdout}{again.stderr}"
        assert_whole(here, name)


REPLACING = (["apply", "--replace", "k1"], ["apply"])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("chunk", FIFTHS)
@pytest.mark.parametrize("again", REPLACING, ids=["the same command", "apply"])
def test_a_replacement_killed_at_every_point(
    sandbox: Sandbox, again: list[str], chunk: int
) -> None:
    """Then run again, as CI does, or applied without the wish: one new task, or none where it was
    not begun; and the wish is not granted twice."""
    points = _replaced(sandbox, "whole", None).points
    assert len(points) > 25
    for point in points[chunk::5]:
        name = f"x{point.number}-{len(again)}"
        assert _replaced(sandbox, name, point.number).killed, point
        here = Sandbox(sandbox.folder / name, sandbox.server, sandbox.settle)
        old = here.server.tasks_by_work()[f"{name} {TEXTS['k1']}"][0]
        for _ in again[1:] or again:  # twice with the wish
            ended = here.run(*again)
            assert ended.code == 0, f"{point}: {ended.stdout}{ended.stderr}"
            made = here.server.tasks_by_work()[f"{name} {TEXTS['k1']}"]
            assert len(made) == 2 or (len(made) == 1 and len(again) == 1), f"{point}: {made}"
            assert here.recorded()["k1"] == made[-1], point
            known = here.state()["tasks"]["acme/k1"]
            assert known.get("formerTaskIds", []) == made[:-1], point
            assert made[0] == old
            assert not here.state()["attempts"]


def _replaced(sandbox: Sandbox, name: str, kill_at: int | None) -> Run:
    """Three tasks, then `--replace k1`, killed or not."""
    here = fresh(sandbox, name)
    assert here.run("apply").code == 0
    return run(
        here.arguments("apply", "--parallelism", "1", "--replace", "k1"),
        kill_at=kill_at,
        cwd=here.folder,
        env={**here.environment()},
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("chunk", FIFTHS)
def test_an_update_killed_at_every_point(sandbox: Sandbox, chunk: int) -> None:
    """Changed at the service and in the record, by that apply or the next; nothing made."""

    def updated(name: str, kill_at: int | None) -> tuple[Sandbox, Run]:
        here = fresh(sandbox, name)
        assert here.run("apply").code == 0
        here.write(as_tasks({"k0": f"{name} {TEXTS['k0']}"}, named=["k0"], approvalMode="manual"))
        words = here.arguments("apply", "--parallelism", "1", "--update")
        env = {**here.environment()}
        return here, run(words, kill_at=kill_at, cwd=here.folder, env=env)

    points = updated("whole", None)[1].points
    assert len(points) > 15
    for point in points[chunk::5]:
        here, killed_one = updated(f"u{point.number}", point.number)
        assert killed_one.killed, point
        again = here.run("apply", "--update")
        assert again.code == 0, f"{point}: {again.stdout}{again.stderr}"
        task_id = here.recorded()["k0"]
        shown = get(sandbox, f"/api/preview/agents/acme/tasks/{task_id}")
        assert (shown["approvalMode"], shown["name"]) == ("manual", "A name"), point
        known = here.state()["tasks"]["acme/k0"]
        assert known["inputs"]["approvalMode"] == "manual", point
        assert [h["what"] for h in known["history"]].count("updated") == 1, point
        assert sandbox.server.tasks_by_work()[f"u{point.number} {TEXTS['k0']}"] == [task_id]


def many(sandbox: Sandbox, seed: int, parallelism: int, kills: int) -> None:
    """Killed `kills` times at random moments, then left to end."""
    chance = random.Random(seed)
    texts = prompts(12)
    sandbox.write(as_tasks(texts, named=["k3", "k7"]))
    for _ in range(kills):
        process = sandbox.start("apply", "--parallelism", str(parallelism))
        with suppress(TimeoutExpired):
            process.wait(chance.uniform(0.25, 0.9))
        process.kill()
        process.communicate()
    ended = sandbox.run("apply", "--parallelism", str(parallelism))
    assert ended.code == 0, f"seed {seed}: {ended.stdout}{ended.stderr}"
    sandbox.assert_exactly_one_each(texts)


SLOW = [Rule("create", Fault(before=0.03, after=0.03))]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("parallelism", [1, 4, 10])
@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random(tmp_path: Path, seed: int, parallelism: int) -> None:
    """Five kills each: thirty in all."""
    with FaultServerProcess(SLOW, {"tokens": {TOKEN: "me"}}) as server:
        many(Sandbox(tmp_path, server, settle="2s"), seed * 100 + parallelism, parallelism, kills=5)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("parallelism", [1, 4, 10])
@pytest.mark.parametrize("seed", range(1000, 1020))
def test_killed_at_random_for_long(tmp_path: Path, seed: int, parallelism: int) -> None:
    """Six kills in each of sixty runs: three hundred and sixty."""
    with FaultServerProcess(SLOW, {"tokens": {TOKEN: "me"}}) as server:
        many(Sandbox(tmp_path, server, settle="2s"), seed, parallelism, kills=6)
