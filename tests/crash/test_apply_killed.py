"""An apply is killed (SIGKILL) at any point, then run again: one task per key.

A point is before, within or after each write, fsync, rename, unlink and request (see
tests.support.crash_points). An apply is killed at every third point, recoveries, replacements and
updates at every fifth, and at the others only by `make soak`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping

import pytest

from tests.support.crash_points import Run, run
from tests.support.fault_server import Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks, prompts

CHUNKS = 6
SIXTHS = [0, *(pytest.param(chunk, marks=pytest.mark.soak) for chunk in range(1, 6))]
FIFTHS = [0, *(pytest.param(chunk, marks=pytest.mark.soak) for chunk in range(1, 5))]
"""Every third or fifth point in each test run, and the rest in `make soak`."""
TEXTS = prompts(3)


@pytest.fixture
def place(here: InProcess) -> InProcess:
    """The server, in whose directory each run has its own."""
    return here


def fresh(place: InProcess, name: str, texts: Mapping[str, str] = TEXTS) -> InProcess:
    """The same server, with a new directory, organization and prompts for each run."""
    here = place.within(name)
    tasks = as_tasks({k: f"{name} {t}" for k, t in texts.items()}, named=["k0"])
    here.sandbox.write(tasks, orgName=name)
    return here


def killed(here: InProcess, point: int | None, *options: str) -> Run:
    sandbox = here.sandbox
    words = sandbox.arguments("apply", "--parallelism", "1", *options)
    return run(words, kill_at=point, cwd=sandbox.folder)


def assert_whole(here: InProcess, name: str, texts: Mapping[str, str] = TEXTS) -> None:
    """One task per key, the recorded one, with its name and sharing, and no open attempts."""
    made = here.server.tasks_by_work()
    recorded = here.sandbox.recorded()
    for key, text in texts.items():
        assert made.pop(f"{name} {text}") == [recorded[key]]
    assert not [text for text in made if text.startswith(f"{name} ")]
    shown = here.server.world.by_id[recorded["k0"]].shown
    assert (shown["name"], shown["isShared"]) == ("A name", True)
    assert not here.sandbox.state()["attempts"]
    assert not (here.sandbox.folder / "taskctl.state.json.journal").exists()


@pytest.mark.parametrize("chunk", SIXTHS)
def test_killed_at_every_point(place: InProcess, chunk: int) -> None:
    whole = fresh(place, "whole")
    counted = killed(whole, None)
    assert counted.returncode == 0, counted.stderr
    assert_whole(whole, "whole")
    assert len(counted.points) > 70
    for point in counted.points[chunk::CHUNKS]:
        name = f"p{point.number}"
        here = fresh(place, name)
        first = killed(here, point.number)
        assert first.killed, f"{point}: {first.stderr}"
        again = here.run("apply")
        assert again.code == 0, f"{point}: {again.stdout}{again.stderr}"
        try:
            assert_whole(here, name)
        except AssertionError as problem:
            raise AssertionError(f"killed {point}: {problem}\n{again.stdout}") from problem
        assert here.run("apply").document["tasks"] == []


@pytest.mark.parametrize("chunk", FIFTHS)
def test_killed_again_while_it_recovers(place: InProcess, chunk: int) -> None:
    """Killed with an open attempt, then at every point of the apply that recovers."""
    posts = [
        point.number
        for point in killed(fresh(place, "whole"), None).points
        if point.operation == "send" and point.phase == "after" and "POST" in point.what
    ]
    counted = fresh(place, "counted")
    assert killed(counted, posts[1]).killed
    points = killed(counted, None).points
    assert_whole(counted, "counted")
    assert len(points) > 40
    for point in points[chunk::5]:
        name = f"r{point.number}"
        here = fresh(place, name)
        assert killed(here, posts[1]).killed
        assert killed(here, point.number).killed, point
        again = here.run("apply")
        assert again.code == 0, f"{point}: {again.stdout}{again.stderr}"
        assert_whole(here, name)


REPLACING = (["apply", "--replace", "k1"], ["apply"])


@pytest.mark.parametrize("chunk", FIFTHS)
@pytest.mark.parametrize("again", REPLACING, ids=["the same command", "apply"])
def test_a_replacement_killed_at_every_point(
    place: InProcess, again: list[str], chunk: int
) -> None:
    """Then run again, as in CI, or applied without `--replace`: one new task, or none if the
    replacement had not begun, and never a second replacement."""
    points = _replaced(place, "whole", None)[1].points
    assert len(points) > 25
    for point in points[chunk::5]:
        name = f"x{point.number}"
        here, first = _replaced(place, name, point.number)
        assert first.killed, point
        old = here.server.tasks_by_work()[f"{name} {TEXTS['k1']}"][0]
        for _ in again[1:] or again:  # twice with `--replace`
            ended = here.run(*again)
            assert ended.code == 0, f"{point}: {ended.stdout}{ended.stderr}"
            made = here.server.tasks_by_work()[f"{name} {TEXTS['k1']}"]
            assert len(made) == 2 or (len(made) == 1 and len(again) == 1), f"{point}: {made}"
            assert here.sandbox.recorded()["k1"] == made[-1], point
            known = here.sandbox.state()["tasks"][f"{name}/k1"]
            assert known.get("formerTaskIds", []) == made[:-1], point
            assert made[0] == old
            assert not here.sandbox.state()["attempts"]


def _replaced(place: InProcess, name: str, kill_at: int | None) -> tuple[InProcess, Run]:
    """Three tasks, then `--replace k1`, killed at that point."""
    here = fresh(place, name)
    assert here.run("apply").code == 0
    here.finish()
    path = here.sandbox.folder / "tasks" / "all.yaml"
    manifest = json.loads(path.read_text())
    manifest["tasks"]["k1"]["planMode"] = True  # its prompt stays
    path.write_text(json.dumps(manifest))
    return here, killed(here, kill_at, "--replace", "k1")


@pytest.mark.parametrize("chunk", FIFTHS)
def test_an_update_killed_at_every_point(place: InProcess, chunk: int) -> None:
    """Changed at the service and in the record by that apply or the next, and nothing created."""

    def updated(name: str, kill_at: int | None) -> tuple[InProcess, Run]:
        here = fresh(place, name)
        assert here.run("apply").code == 0
        tasks = as_tasks({"k0": f"{name} {TEXTS['k0']}"}, named=["k0"], approvalMode="manual")
        here.sandbox.write(tasks, orgName=name)
        return here, killed(here, kill_at, "--update")

    points = updated("whole", None)[1].points
    assert len(points) > 15
    for point in points[chunk::5]:
        name = f"u{point.number}"
        here, first = updated(name, point.number)
        assert first.killed, point
        again = here.run("apply", "--update")
        assert again.code == 0, f"{point}: {again.stdout}{again.stderr}"
        task_id = here.sandbox.recorded()["k0"]
        shown = here.server.world.by_id[task_id].shown
        assert (shown["approvalMode"], shown["name"]) == ("manual", "A name"), point
        known = here.sandbox.state()["tasks"][f"{name}/k0"]
        assert known["inputs"]["approvalMode"] == "manual", point
        assert [h["what"] for h in known["history"]].count("updated") == 1, point
        assert here.server.tasks_by_work()[f"{name} {TEXTS['k0']}"] == [task_id]


def many(place: InProcess, seed: int, parallelism: int, kills: int) -> None:
    """Killed `kills` times at random points, while the other threads are anywhere, then run to
    completion. All runs but the first may end before their points."""
    chance, texts, options = random.Random(seed), prompts(12), ("--parallelism", str(parallelism))
    place.server.set_rules(Rule("create", Fault(before=0.03, after=0.03)))
    points = killed(fresh(place, "whole", texts), None, *options).points
    here = fresh(place, "random", texts)
    for kill in range(kills):
        assert killed(here, chance.randrange(len(points) * 3 // 4), *options).killed or kill
    ended = here.run("apply", *options)
    assert ended.code == 0, f"seed {seed}: {ended.stdout}{ended.stderr}"
    assert_whole(here, "random", texts)


@pytest.mark.parametrize("parallelism", [1, 4, 10])
@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random(place: InProcess, seed: int, parallelism: int) -> None:
    """Five kills each, thirty in total."""
    many(place, seed * 100 + parallelism, parallelism, kills=5)


@pytest.mark.soak
@pytest.mark.parametrize("parallelism", [1, 4, 10])
@pytest.mark.parametrize("seed", range(1000, 1020))
def test_killed_at_random_for_long(place: InProcess, seed: int, parallelism: int) -> None:
    """Six kills in each of sixty runs, 360 in total."""
    many(place, seed, parallelism, kills=6)
