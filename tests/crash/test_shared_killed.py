"""An apply with a shared state is killed or stopped at its requests, then run on another machine:
one task per key, none lost, and everything acknowledged is kept.

Requests go to the server of the state or to the service. Each has a point before it arrives, and
one after it was processed and before the response arrives.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from tests.support.sandbox import prompts
from tests.support.shared_world import Phase, shared
from tests.support.state_engines import ENGINE_PARAMS, SERVERS, Served, serving

EVERY = 13
"""Each test run tries every 13th point, `make soak` all of them."""

Point = tuple[int, Phase]


@pytest.fixture(scope="module", params=ENGINE_PARAMS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with serving(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture(scope="module")
def requests(served: Served) -> list[str]:
    """The requests of an uninterrupted apply."""
    return requests_of(served)


def requests_of(served: Served, *, killed_at: int = 0) -> list[str]:
    """The requests of an apply, or of the apply that recovers from a kill at that request."""
    with shared(served) as world:
        if killed_at:
            assert world.killed(killed_at, "after")
        assert not world.killed(10_000, "before")
        world.assert_whole()
        assert any("POST" in asked for asked in world.asked)
        return world.asked


def points(requests: list[str]) -> list[Point]:
    return [(n, phase) for n in range(1, len(requests) + 1) for phase in ("before", "after")]


def second_create(requests: list[str]) -> int:
    """The number of the request of the second create."""
    creates = [n for n, what in enumerate(requests, 1) if what == CREATE]
    return creates[1]


CREATE = "POST /api/preview/agents/acme/tasks"


def kill_at(served: Served, point: Point) -> None:
    with shared(served) as world:
        assert world.killed(*point), point
        again = world.run("apply", "-y")
        assert again.code == 0, f"{point}: {again.stdout}{again.stderr}"
        world.assert_whole()


def kill_again_at(served: Served, first: int, point: Point) -> None:
    with shared(served) as world:
        assert world.killed(first, "after")
        world.killed(*point)
        again = world.run("apply", "-y")
        assert again.code == 0, f"{point}: {again.stdout}{again.stderr}"
        world.assert_whole()


def stop_at(served: Served, point: Point) -> None:
    """Stopped (unless it has ended before), taken over by another machine, which succeeds, and
    continued.

    Other requests may be in flight at that time. If the server processes a write after the other
    machine has first read the lock, the holder looks alive: without a lock timeout, the other
    machine would give up.
    """
    with shared(served) as world:
        stopped = Event()

        def stop(now: int, phase: Phase) -> None:
            if (now, phase) == point and not stopped.is_set():
                os.killpg(process.pid, signal.SIGSTOP)
                stopped.set()

        with world.watching(stop):
            words = ("apply", "-y", "--parallelism", "1")
            process = world.start(*words, machine="one", watched=True)
            while not stopped.wait(0.05) and process.poll() is None:
                pass
            try:
                world.must(["apply", "-y", "--lock-timeout", "1h"], machine="two")
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGCONT)
                process.communicate()
        world.must(["apply", "-y"], machine="three")
        world.assert_whole()


def test_killed_at_a_request(served: Served, requests: list[str]) -> None:
    for point in points(requests)[::EVERY]:
        kill_at(served, point)


def test_killed_at_a_request_to_git(tmp_path: Path) -> None:
    """Three points; with the other servers, and at all points, in `make soak`."""
    with serving("git", tmp_path) as served:
        chosen = points(requests_of(served))
        for point in chosen[:: len(chosen) // 3 + 1]:
            kill_at(served, point)


def test_killed_again_while_it_recovers(served: Served, requests: list[str]) -> None:
    first = second_create(requests)
    chosen = points(requests_of(served, killed_at=first))[4::EVERY]
    for point in chosen:
        kill_again_at(served, first, point)


def test_stopped_taken_over_and_continued(served: Served, requests: list[str]) -> None:
    chosen = [point for point in points(requests)[3::EVERY] if point[1] == "after"]
    for point in chosen:
        stop_at(served, point)


def test_two_runners_at_once(served: Served) -> None:
    with shared(served) as world:
        words = ("apply", "-y", "--lock-timeout", "1h")
        both = [world.start(*words, machine=name, fast=False) for name in "ab"]
        for process in both:
            out, said = process.communicate()
            assert process.returncode == 0, out + said
        world.assert_whole()


def kill_at_random(served: Served, seed: int, parallelism: int, kills: int) -> None:
    """An apply of twelve tasks is killed at random requests, `kills` times in a row, and then
    succeeds. All runs but the first may succeed before they reach that request."""
    chance = random.Random(seed)
    texts = prompts(12)
    with shared(served, texts=texts) as whole:
        assert not whole.killed(10_000, "before", parallelism)
        whole.assert_whole()
    with shared(served, texts=texts) as world:
        for kill in range(kills):
            number = chance.randint(1, whole.count * 3 // 4)
            phase: Phase = chance.choice(("before", "after"))
            assert world.killed(number, phase, parallelism) or kill, (seed, number, phase)
        again = world.run("apply", "-y", "--parallelism", str(parallelism))
        assert again.code == 0, f"seed {seed}: {again.stdout}{again.stderr}"
        world.assert_whole()


@pytest.mark.parametrize("parallelism", [10, pytest.param(4, marks=pytest.mark.soak)])
def test_killed_at_random(served: Served, parallelism: int) -> None:
    kill_at_random(served, parallelism, parallelism, kills=3)


@pytest.mark.soak
@pytest.mark.parametrize("served", SERVERS, indirect=True)
@pytest.mark.parametrize("parallelism", [4, 10])
def test_killed_at_random_for_long(served: Served, parallelism: int) -> None:
    """Six kills in each of twenty rounds and two variants, 240 with each engine."""
    for seed in range(20):
        kill_at_random(served, seed, parallelism, kills=6)


@pytest.mark.soak
def test_at_every_request(served: Served, requests: list[str]) -> None:
    """All points of all scenarios; prints the number of rounds."""
    first, all_points = second_create(requests), points(requests)
    again = points(requests_of(served, killed_at=first))
    for point in all_points:
        kill_at(served, point)
    for point in again:
        kill_again_at(served, first, point)
    for point in all_points:
        stop_at(served, point)
    print(f"{len(all_points)} kills, {len(again)} in recovery, {len(all_points)} stops")
