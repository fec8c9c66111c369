"""`status` of tasks that have finished: requests, time and memory of a second look."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from pathlib import Path

from bench.measure import Command, run, seconds, spread, take_turns, taskctl
from bench.plan import settled_service
from bench.servers import Server
from bench.table import Row


def second_look(folder: Path) -> Iterator[Row]:
    """10,000 tasks: `plan` reads the same list."""
    folder = folder / "looks"
    with settled_service(folder, 10_000) as server:
        first = _requests(_look("status", folder, server), server)
        yield _requests_row("`status`, 10,000 finished tasks, first look", first, 10_030, 10_030)
        commands = [_look(name, folder, server) for name in ("plan", "status")]
        counts = _requests(commands[1], server)
        plans, mine = take_turns(commands, rounds=5)
    what = "`status`, 10,000 finished tasks, second look"
    yield _requests_row(what, counts, 30, 30)
    yield Row(
        f"{what}, against `plan`",
        seconds(mine) / seconds(plans),
        2,
        1.5,
        "x",
        f"{seconds(mine):.2f} s, {seconds(plans):.2f} s; {spread(mine, plans)}",
        smaller=True,
    )


def many(folder: Path) -> Iterator[Row]:
    """10,000 tasks; only the first look reads the events of each."""
    folder = folder / "many-looks"
    with settled_service(folder, 10_000) as server:
        look = _look("status", folder, server)
        first = run(look)
        server.counts()
        second = run(look)
        counts = server.counts()
    what = "`status`, 10,000 finished tasks, first look"
    yield Row(f"{what}: CPU time", first.cpu, inf, inf, " s", "", smaller=True)
    yield Row(f"{what}: peak memory", first.peak, 170, 170, " MiB", "", smaller=True)
    what = "`status`, 10,000 finished tasks, second look"
    yield _requests_row(what, counts, 40, 40)
    yield Row(f"{what}: time", second.seconds, 5, 5, " s", "", smaller=True)
    yield Row(f"{what}: peak memory", second.peak, 170, 170, " MiB", "", smaller=True)


def imported(folder: Path) -> Iterator[Row]:
    """`import` of 5,000 tasks into a new manifest."""
    folder, empty = folder / "imported", folder / "importing"
    empty.mkdir()
    with settled_service(folder, 5_000) as server:
        words = ("import", "--all", "--write", "tasks/a.yaml", "--org", "acme")
        server.counts()
        ran = run(taskctl(*words, "--backend", server.url, folder=empty))
        counts = server.counts()
    what = "`import`, 5,000 tasks"
    yield _requests_row(what, counts, 5_020, 5_010)
    yield Row(f"{what}: CPU time", ran.cpu, inf, inf, " s", "", smaller=True)
    yield Row(f"{what}: peak memory", ran.peak, 200, 150, " MiB", "", smaller=True)


def _look(name: str, folder: Path, server: Server) -> Command:
    return taskctl(name, "--backend", server.url, folder=folder)


def _requests(command: Command, server: Server) -> dict[str, int]:
    server.counts()
    run(command)
    return server.counts()


def _requests_row(what: str, counts: dict[str, int], at_most: float, aim: float) -> Row:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    total = sum(counts.values())
    return Row(f"{what}: requests", total, at_most, aim, "", kinds, smaller=True)
