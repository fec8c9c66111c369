"""Applies and plans with a shared state, compared with a local file and minimal round trips."""

from __future__ import annotations

import secrets
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.manifests import write_repository
from bench.measure import Command, run, taskctl
from bench.plan import prepare
from bench.servers import embedded, fast
from bench.table import Row
from tests.support.state_engines import HERE, Served, serving

WORKERS = 10
LATENCIES = (0.0, 0.005, 0.05)
FREE = float("inf")
"""No minimum: the value is only shown."""


def applied(folder: Path) -> Iterator[Row]:
    """100 and 1,000 creates, with the server of each engine 0, 5 and 50 ms away. The minimum is one
    round trip for every ten creates."""
    for name in _installed("git", "s3", "postgres"):
        with serving(name, _made(folder / f"server-{name}")) as server:
            for count in (100, 1_000):
                file = _apply(folder, count, None, 0.0)
                for latency in LATENCIES:
                    took = _apply(folder, count, server, latency)
                    least = file + count / WORKERS * latency
                    yield Row(
                        f"`apply`, {count:,} creates, state in {name}, {latency * 1000:.0f} ms"
                        " away, against the local file",
                        took / file,
                        FREE,
                        FREE,
                        "x",
                        f"{took:.2f} s, file {file:.2f} s, with bare round trips {least:.2f} s",
                        smaller=True,
                    )
                    if (name, count, latency) == ("s3", 1_000, 0.05):
                        what = "`apply`, 1,000 creates, state in s3, 50 ms away"
                        yield Row(what, took, 20, 10, " s", "", smaller=True)


def slow_creates(folder: Path) -> Iterator[Row]:
    """1,000 creates of 50 ms each with the state in git, on the same machine and 50 ms away."""
    with serving("git", _made(folder / "server-git-slow")) as server:
        for latency, target in ((0.0, 12.0), (0.05, 16.0)):
            took = _apply(folder, 1_000, server, latency, create=0.05)
            what = f"`apply`, 1,000 creates of 50 ms, state in git, {latency * 1000:.0f} ms away"
            yield Row(what, took, FREE, target, " s", "", smaller=True)


def planned(folder: Path) -> Iterator[Row]:
    """A plan of 10,000 tasks without changes, with its state in S3 and in a file."""
    if not _installed("s3"):
        return
    ours, db = folder / "planned", folder / "planned.db"
    write_repository(ours, 10_000)
    prepare("database", ours, str(db))
    with (
        embedded(db) as service,
        serving("s3", _made(folder / "server-plan")) as server,
    ):
        prepare("state", ours, service.url, "--ids", str(db.with_suffix(".ids")))
        runner = server.runner("planned")
        words = ("plan", "--backend", service.url)
        file = statistics.median(run(_taskctl(ours, {}, *words)).seconds for _ in range(4))
        moved = ("state", "migrate", "--to", runner.address, "--backend", service.url)
        run(_taskctl(ours, dict(runner.env), *moved))
        env = {**runner.env, "TASKCTL_STATE": runner.address}
        took = statistics.median(run(_taskctl(ours, env, *words)).seconds for _ in range(4))
    yield Row(
        "`plan` without changes, 10,000 tasks, state in s3, against the local file",
        took / file,
        FREE,
        FREE,
        "x",
        f"{took:.2f} s, file {file:.2f} s",
        smaller=True,
    )


def listed(folder: Path) -> Iterator[Row]:
    """The state of 10,000 tasks as text and as JSON."""
    folder = folder / "listed"
    write_repository(folder, 10_000)
    with fast() as service:
        prepare("state", folder, service.url)
        words = ("state", "list", "--backend", service.url, "--format")
        for shown in ("text", "json"):
            ran = run(_taskctl(folder, {}, *words, shown))
            what = f"`state list`, 10,000 tasks, {shown}: peak memory"
            yield Row(what, ran.peak, 170, 150, " MiB", f"{ran.cpu:.1f} s of CPU", smaller=True)


def _installed(*names: str) -> list[str]:
    """The engines whose server is installed; the others are named on stderr."""
    for name in names:
        if name not in HERE:
            what = "its server is not installed; `make test-tools` installs what it can"
            print(f"left out: state in {name} ({what})", file=sys.stderr, flush=True)
    return [name for name in names if name in HERE]


def _apply(
    folder: Path, count: int, served: Served | None, latency: float, create: float = 0.0
) -> float:
    """Seconds for an apply; a round trip to the state and a create take `latency` and `create`."""
    own = _made(folder / f"apply-{secrets.token_hex(4)}")
    with _delayed(served, latency) as port, fast(latency=create) as service:
        env = {}
        if served is not None:
            runner = served.runner(f"bench{secrets.token_hex(4)}", port)
            own, env = runner.folder, {**runner.env, "TASKCTL_STATE": runner.address}
        write_repository(own, count)
        if served is not None:
            run(_taskctl(own, env, "state", "init", "--new", "--backend", service.url))
        return run(_taskctl(own, env, "apply", "--yes", "--backend", service.url)).seconds


def _taskctl(folder: Path, env: dict[str, str], *words: str) -> Command:
    made = taskctl(*words, folder=folder)
    return Command(made.words, folder, {**(made.env or {}), **env})


@contextmanager
def _delayed(served: Served | None, latency: float) -> Iterator[int | None]:
    """The port of a delaying proxy in a separate process."""
    if served is None or not latency:
        yield None
        return
    words = [sys.executable, "-m", "tests.support.fault_proxy", served.protocol, str(served.port)]
    words += ["--latency", str(latency)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
