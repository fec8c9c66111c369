"""What the first apply after a crash reads to find out which creates succeeded."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.manifests import write_manifest, write_repository
from bench.measure import Command, environment, run, taskctl
from bench.plan import prepare
from bench.servers import Server, fast
from bench.table import Row

LOST = 10
"""Creates that are sent, and whose responses do not arrive."""


def after_a_crash(folder: Path) -> Iterator[Row]:
    """Ten creates without a response, with 1,000 older tasks of the same user; then also with 100
    tasks that others created since."""
    for others in (0, 100):
        own = folder / f"crash-{others}"
        write_repository(own / "others", 1_000)
        write_manifest(own / "tasks" / "own.yaml", LOST, first=5_000)
        prepare("list", own / "others", str(own / "list"))
        with fast(own / "list", latency=3_600) as server:
            command = taskctl("apply", "--yes", "--backend", server.url, folder=own)
            run(taskctl("state", "init", "--new", "--backend", server.url, folder=own))
            _kill_during_creates(command, server)
            server.add(others)
            server.counts()
            said = run(command).stdout
            counts = server.counts()
        if f"{LOST} adopted" not in said:
            raise RuntimeError(f"the creates were not found:\n{said[-2000:]}")
        what = f"apply after {LOST} lost responses, {others} tasks by others since: first messages"
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        limit = LOST + others
        yield Row(what, counts.get("events", 0), limit, limit, "", kinds, smaller=True)


def _kill_during_creates(command: Command, server: Server) -> None:
    """Starts the command, and kills it once it has sent all creates."""
    env = environment() | dict(command.env or {})
    begun, sent = time.monotonic(), 0
    with subprocess.Popen(
        command.words, cwd=command.folder, env=env, stdout=subprocess.DEVNULL
    ) as process:
        while sent < LOST:
            sent += server.counts().get("create", 0)
            if process.poll() is not None or time.monotonic() - begun > 300:
                raise RuntimeError(f"only {sent} creates were sent")
            time.sleep(0.05)
        process.kill()
