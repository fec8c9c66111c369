"""`plan` without changes, as on every push: compared with octoDNS, growth, memory, requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.manifests import write_entry, write_manifest, write_repository, write_zone
from bench.measure import BIN, PYTHON, Command, between, run, seconds, spread, take_turns, taskctl
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
    """10,000 tasks of the embedded service over loopback, compared with 10,000 local records."""
    ours, theirs = folder / "settled", folder / "zone"
    write_repository(ours, 10_000)
    db = folder / "settled.db"
    prepare("database", ours, str(db))
    for side in ("there", "here"):
        write_zone(theirs / side, 10_000)
    (theirs / "config.yaml").write_text(_OCTODNS)
    with embedded(db) as server:
        prepare("state", ours, server.url, "--ids", str(db.with_suffix(".ids")))
        mine, peers = take_turns([_plan(ours, server), _octodns(theirs)], rounds=7)
    _expect_settled(mine[0].stdout)
    yield Row(
        "`plan` without changes, 10,000 tasks, against octoDNS",
        seconds(peers) / seconds(mine),
        3,
        5,
        "x",
        f"{seconds(mine):.2f} s, octoDNS {seconds(peers):.2f} s; {spread(peers, mine)}",
    )


def entries(folder: Path) -> Iterator[Row]:
    """One entry of 10,000 rows, compared with 10,000 separate tasks."""
    written, entry, count = folder / "written", folder / "entry", 10_000
    with (
        _settled_repository(written, count) as plan_written,
        _settled_repository(entry, count, write_entry) as plan_entry,
    ):
        validates = [taskctl("validate", folder=place) for place in (written, entry)]
        for what, commands in (("validate", validates), ("plan", [plan_written, plan_entry])):
            theirs, mine = take_turns(commands, rounds=7)
            yield Row(
                f"`{what}`, one entry of 10,000 rows, against 10,000 tasks",
                seconds(mine) / seconds(theirs),
                1.05,
                1,
                "x",
                f"{seconds(mine):.2f} s, {seconds(theirs):.2f} s; {spread(mine, theirs)}",
                smaller=True,
            )


def growth(folder: Path) -> Iterator[Row]:
    """1, 1,000 and 10,000 tasks, and the peak memory of the largest run."""
    sizes = (1, 1_000, 10_000)
    with ExitStack() as stack:
        plans = [
            stack.enter_context(_settled_repository(folder / f"tasks-{size}", size))
            for size in sizes
        ]
        rounds = [_ten_beside_one(*plans) for _ in range(4)][1:]  # the first one warms up
    validated = run(taskctl("validate", folder=folder / f"tasks-{sizes[-1]}"))
    start, many, most = (median(turn.seconds[at] for turn in rounds) for at in range(3))
    yield Row(
        "`plan` without changes, 10 times the tasks (1,000 to 10,000)",
        median(turn.growth for turn in rounds),
        11,
        10,
        "x",
        f"{many:.2f} s of CPU, {most:.2f} s, of it start-up {start:.2f} s; "
        + between([turn.growth for turn in rounds]),
        smaller=True,
    )
    for what, mebibytes in (
        ("`validate`, 10,000 tasks", validated.peak),
        ("`plan` without changes, 10,000 tasks", max(turn.peak for turn in rounds)),
    ):
        yield Row(f"{what}: peak memory", mebibytes, 170, 150, " MiB", "", smaller=True)


@dataclass(frozen=True)
class _Round:
    """CPU seconds of a bare start, of many tasks and of ten times as many; the MiB of the last."""

    seconds: tuple[float, float, float]
    peak: float

    @property
    def growth(self) -> float:
        start, many, most = self.seconds
        return (most - start) / (many - start)


def _ten_beside_one(one: Command, many: Command, most: Command) -> _Round:
    """Runs `many` five times before `most` and five times after it: both then take about as long,
    and other load on the machine affects both equally."""
    starts = [run(one) for _ in range(2)]
    mine = [run(many) for _ in range(5)]
    largest = run(most)
    mine += [run(many) for _ in range(5)]
    starts += [run(one) for _ in range(2)]
    mean = sum(ran.cpu for ran in mine) / len(mine)
    return _Round((median(ran.cpu for ran in starts), mean, largest.cpu), largest.peak)


def few_in_many(folder: Path) -> Iterator[Row]:
    """Requests of a plan with 5 recorded tasks in an organization of 30,000."""
    folder = folder / "few"
    write_repository(folder / "others", 30_000)
    write_manifest(folder / "tasks" / "own.yaml", 5, first=20_000)
    listed = folder / "list"
    prepare("list", folder / "others", str(listed))
    with fast(listed) as server:
        prepare("state", folder, server.url)
        server.counts()
        _expect_settled(run(_plan(folder, server)).stdout)
        counts = server.counts()
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    total = sum(counts.values())
    what = "5 recorded tasks in an organization of 30,000: requests"
    yield Row(what, total, 10, 6, "", said, smaller=True)


def look_alikes(folder: Path) -> Iterator[Row]:
    """First messages of 1,000 older tasks of the same user. On a new state, each may do the work of
    one of 30 keys; nothing is cached until the first apply has recorded what existed before."""
    folder = folder / "new"
    write_repository(folder / "others", 1_000)
    write_manifest(folder / "tasks" / "own.yaml", 30, first=5_000)
    listed = folder / "list"
    prepare("list", folder / "others", str(listed))
    with fast(listed) as server:
        command = _plan(folder, server)
        server.counts()
        run(command)
        reads = server.counts().get("events", 0)
        what = "`plan` of 30 keys, 1,000 own tasks, no state: first messages"
        yield Row(what, reads, 1_000, 1_000, "", "", smaller=True)
        run(taskctl("apply", "--yes", "--backend", server.url, folder=folder))
        write_manifest(folder / "tasks" / "own.yaml", 31, first=5_000)
        server.counts()
        run(command)
        what = "`plan` of another key after the first apply: first messages"
        yield Row(what, server.counts().get("events", 0), 0, 0, "", "", smaller=True)


@contextmanager
def _settled_repository(
    folder: Path, count: int, write: Callable[[Path, int], None] = write_repository
) -> Iterator[Command]:
    """A plan without changes."""
    with settled_service(folder, count, write) as server:
        yield _plan(folder, server)


@contextmanager
def settled_service(
    folder: Path, count: int, write: Callable[[Path, int], None] = write_repository
) -> Iterator[Server]:
    """A fast server of a repository whose plan has no changes."""
    write(folder, count)
    prepare("list", folder, str(folder / "list"))
    with fast(folder / "list") as server:
        prepare("state", folder, server.url)
        _expect_settled(run(_plan(folder, server)).stdout)
        yield server


def _plan(folder: Path, server: Server) -> Command:
    return taskctl("plan", "--backend", server.url, folder=folder)


def _octodns(folder: Path) -> Command:
    return Command((str(BIN / "octodns-sync"), "--config-file", "config.yaml", "--quiet"), folder)


def prepare(*words: object) -> None:
    run(Command((PYTHON, "-m", "bench.prepare", *map(str, words))))


def _expect_settled(stdout: str) -> None:
    if "Plan: 0 to create, " not in stdout or "No changes." not in stdout:
        raise RuntimeError(f"the plan has changes:\n{stdout[-2000:]}")
