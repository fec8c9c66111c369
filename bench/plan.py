"""`plan`: settled, as on every push; beside octoDNS, in its growth, its memory and its requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.manifests import write_manifest, write_repository, write_zone
from bench.measure import BIN, PYTHON, Command, peak, run, seconds, take_turns, taskctl
from bench.servers import Server, embedded, fast
from bench.table import Row

_OCTODNS = """---
providers:
  there: {class: octodns.provider.yaml.YamlProvider, directory: ./there}
  here: {class: octodns.provider.yaml.YamlProvider, directory: ./here}
zones:
  example.com.: {sources: [there], targets: [here]}
"""


def settled(folder: Path) -> Iterator[Row]:
    """10,000 tasks of the embedded service over loopback, beside 10,000 local records."""
    ours, theirs = folder / "settled", folder / "zone"
    write_repository(ours, 10_000)
    db = folder / "settled.db"
    _prepare("database", ours, str(db))
    for side in ("there", "here"):
        write_zone(theirs / side, 10_000)
    (theirs / "config.yaml").write_text(_OCTODNS)
    with embedded(db) as server:
        _prepare("state", ours, server.url, "--ids", str(db.with_suffix(".ids")))
        mine, peers = take_turns([_plan(ours, server), _octodns(theirs)], rounds=7)
    _expect_settled(mine[0].stdout)
    yield Row(
        "settled `plan`, 10,000 tasks, against octoDNS",
        seconds(peers) / seconds(mine),
        3,
        5,
        "x",
        f"{seconds(mine):.2f} s, octoDNS {seconds(peers):.2f} s",
    )


def growth(folder: Path) -> Iterator[Row]:
    """1,000, 10,000 and 100,000 tasks; and what the largest takes of memory."""
    sizes = (1, 10_000, 100_000)
    mine = {}
    for size in sizes:
        with _settled_repository(folder / f"tasks-{size}", size) as command:
            mine[size] = take_turns([command], rounds=3 if size > 10_000 else 9)[0]
    validated = run(taskctl("validate", folder=folder / f"tasks-{sizes[-1]}"))
    start, *rest = (seconds(mine[size]) for size in sizes)
    beyond = [value - start for value in rest]
    yield Row(
        "settled `plan`, 10 times the tasks (10,000 to 100,000)",
        beyond[1] / beyond[0],
        11,
        10,
        "x",
        f"{rest[0]:.2f} s, {rest[1]:.2f} s, of it start-up {start:.2f} s",
        smaller=True,
    )
    for what, mebibytes in (
        ("`validate`, 100,000 tasks", validated.peak),
        ("settled `plan`, 100,000 tasks", peak(mine[sizes[-1]])),
    ):
        yield Row(f"{what}: peak memory", mebibytes, 1024, 600, " MiB", "", smaller=True)


def few_in_many(folder: Path) -> Iterator[Row]:
    """5 recorded tasks in an organization of 30,000: what is asked of the service."""
    folder = folder / "few"
    write_repository(folder / "others", 30_000)
    write_manifest(folder / "tasks" / "own.yaml", 5, first=20_000)
    listed = folder / "list"
    _prepare("list", folder / "others", str(listed))
    with fast(listed) as server:
        _prepare("state", folder, server.url)
        server.counts()
        _expect_settled(run(_plan(folder, server)).stdout)
        counts = server.counts()
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    total = sum(counts.values())
    what = "5 recorded tasks in an organization of 30,000: requests"
    yield Row(what, total, 10, 6, "", said, smaller=True)


def events_once(folder: Path) -> Iterator[Row]:
    """30 keys, no state, 1,000 tasks of one's own: what the second run reads again."""
    folder = folder / "new"
    write_repository(folder / "others", 1_000)
    write_manifest(folder / "tasks" / "own.yaml", 30, first=5_000)
    listed = folder / "list"
    _prepare("list", folder / "others", str(listed))
    with fast(listed) as server:
        command = _plan(folder, server)
        server.counts()
        first, second = ((run(command), server.counts())[1] for _ in range(2))
    reads = first.get("events", 0)
    what = "30 keys, no state, 1,000 own tasks: reads of events, second run"
    yield Row(what, second.get("events", 0), 0, 0, "", f"first run {reads}", smaller=True)


@contextmanager
def _settled_repository(folder: Path, count: int) -> Iterator[Command]:
    """A repository whose plan finds nothing to do at a fast server."""
    write_repository(folder, count)
    _prepare("list", folder, str(folder / "list"))
    with fast(folder / "list") as server:
        _prepare("state", folder, server.url)
        _expect_settled(run(_plan(folder, server)).stdout)
        yield _plan(folder, server)


def _plan(folder: Path, server: Server) -> Command:
    return taskctl("plan", "--backend", server.url, folder=folder)


def _octodns(folder: Path) -> Command:
    return Command((str(BIN / "octodns-sync"), "--config-file", "config.yaml", "--quiet"), folder)


def _prepare(*words: object) -> None:
    run(Command((PYTHON, "-m", "bench.prepare", *map(str, words))))


def _expect_settled(stdout: str) -> None:
    if "Plan: 0 to create, 0 to adopt, 0 changed, 0 orphaned" not in stdout:
        raise RuntimeError(f"the plan is not settled:\n{stdout[-2000:]}")
