"""`apply`: many creates, compared with the limit of ten connections."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.manifests import write_repository
from bench.measure import PYTHON, Command, between, seconds, spread, take_turns, taskctl
from bench.prepare import SENT_AT, reference_of
from bench.servers import Server, fast
from bench.table import Row

WORKERS = 10
IDEAL = 400 / WORKERS * 0.1


def waiting(folder: Path) -> Iterator[Row]:
    """400 creates, each of which takes the service 100 ms."""
    many, one = folder / "wait-400", folder / "wait-0"
    write_repository(many, 400)
    write_repository(one, 1)
    with fast(latency=0.1) as slow, fast() as quick:
        commands = [_apply(many, slow), _apply(one, quick)]
        runs, starts = take_turns(commands, rounds=3)
    start = seconds(starts)
    yield Row(
        "`apply`, 400 creates of 100 ms, 10 at once, against the ideal 4 s",
        (seconds(runs) - start) / IDEAL,
        1.2,
        1.1,
        "x",
        f"{seconds(runs):.2f} s, of it start-up {start:.2f} s; "
        + between([(ran.seconds - start) / IDEAL for ran in runs]),
        smaller=True,
    )


def hurrying(folder: Path) -> Iterator[Row]:
    """2,000 creates with immediate responses; both sides are complete processes."""
    own = folder / "hurry"
    write_repository(own, 2_000)
    bodies = folder / "bodies"
    _write_bodies(own, bodies)
    with fast() as server:
        peer = Command((PYTHON, "-m", "bench.bare_pool", server.url, str(bodies)))
        mine, peers = take_turns([_apply(own, server), peer], rounds=5)
    yield Row(
        "`apply`, 2,000 creates, rate against a bare pool of 10 sessions",
        100 * seconds(peers) / seconds(mine),
        60,
        80,
        "%",
        f"{seconds(mine):.2f} s, bare pool {seconds(peers):.2f} s; {spread(peers, mine, 100)}",
    )


def _apply(folder: Path, server: Server) -> Command:
    """Without a state and with an empty service each time; state and manifests share a disk."""

    def prepare() -> None:
        server.forget()
        for path in folder.glob("taskctl.state.json*"):
            path.unlink()
        shutil.rmtree(folder / ".taskctl", ignore_errors=True)

    words = ("apply", "--yes", "--backend", server.url)
    return taskctl(*words, folder=folder, prepare=prepare)


def _write_bodies(folder: Path, file: Path) -> None:
    """The same bodies that taskctl sends."""
    from reconciler.manifest.loader import load
    from reconciler.model.wire import create_body

    tasks = load((), root=folder).tasks
    lines = [
        json.dumps(create_body(task.inputs, reference_of(task, n), SENT_AT), separators=(",", ":"))
        for n, task in enumerate(tasks, 1)
    ]
    file.write_text("\n".join(lines) + "\n")
