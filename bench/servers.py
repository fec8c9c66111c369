"""Servers in separate processes, as context managers."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measure import BIN, PYTHON, ROOT, TOKEN


@dataclass(frozen=True)
class Server:
    url: str

    def counts(self) -> dict[str, int]:
        """The number of requests of each kind since the previous call (fast server only)."""
        counts: dict[str, int] = json.loads(_get(f"{self.url}/_counts"))
        return counts

    def add(self, count: int) -> None:
        """Adds tasks of another user, newer than all others (fast server only)."""
        _get(f"{self.url}/_add?{count}")

    def forget(self) -> None:
        """Deletes all created tasks (fast server only)."""
        _get(f"{self.url}/_forget")


@contextmanager
def embedded(db: Path) -> Iterator[Server]:
    """Runs `taskctl serve` on `db`."""
    with _process([str(BIN / "taskctl"), "serve", "--port", "0", "--db", str(db)]) as server:
        yield server


@contextmanager
def fast(tasks: Path | None = None, latency: float = 0.0) -> Iterator[Server]:
    """Runs `bench.fast_server` with the tasks of a list file."""
    words = [PYTHON, "-m", "bench.fast_server", "--latency", str(latency)]
    with _process([*words, *(["--tasks", str(tasks)] if tasks else [])]) as server:
        yield server


@contextmanager
def _process(words: Sequence[str]) -> Iterator[Server]:
    env = {**os.environ, "TASKCTL_SERVE_TOKEN": TOKEN}
    with subprocess.Popen(words, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError(f"{words[0]} did not start")
            yield Server(url)
        finally:
            process.terminate()


def _get(url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as answer:
        body: bytes = answer.read()
    return body
