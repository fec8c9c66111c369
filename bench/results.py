"""`results` of 200 tasks, compared with `status` of the same tasks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.measure import Command, Ran, between, take_turns, taskctl
from bench.plan import prepare
from bench.servers import Server, embedded
from bench.table import Row

_COUNT = 200
_ENTRY = {
    "forEach": {"row": [f"r{number}" for number in range(_COUNT)]},
    "message": 'Upgrade {{ row }}.\n\n```json\n{"upgraded": ["aws"], "skipped": []}\n```',
    "expect": {"pullRequests": 1, "data": {"type": "object", "required": ["upgraded"]}},
}


def as_status(folder: Path) -> Iterator[Row]:
    """The first look at the tasks, and a later one, which reads only what is new."""
    place, db = folder / "results", folder / "results.db"
    (place / "tasks").mkdir(parents=True)
    document = {"version": 1, "orgName": "acme", "tasks": {"upgrade": _ENTRY}}
    (place / "tasks" / "all.yaml").write_text(json.dumps(document))
    prepare("database", place, str(db))
    with embedded(db) as server:
        prepare("state", place, server.url, "--ids", str(db.with_suffix(".ids")))
        for what, is_first in (("first", True), ("later", False)):
            commands = [_command(word, place, server, is_first) for word in ("results", "status")]
            mine, status = take_turns(commands, rounds=9)
            if f"\n{_COUNT} done.\n" not in mine[0].stdout:
                raise RuntimeError(f"the tasks are not done:\n{mine[0].stdout[-2000:]}")
            yield Row(
                f"`results` of {_COUNT} tasks, {what} look, against `status`: CPU time",
                _cpu(mine) / _cpu(status),
                1.1,
                1,
                "x",
                f"{_cpu(mine):.2f} s, {_cpu(status):.2f} s; "
                + between([a.cpu / b.cpu for a, b in zip(mine, status, strict=True)]),
                smaller=True,
            )


def _command(word: str, place: Path, server: Server, is_first: bool) -> Command:
    cache = place.with_name(f"{word}-cache")

    def forget() -> None:
        if is_first:
            shutil.rmtree(cache, ignore_errors=True)

    command = taskctl(word, "--backend", server.url, folder=place, prepare=forget)
    return replace(command, env={**(command.env or {}), "TASKCTL_CACHE_DIR": str(cache)})


def _cpu(runs: list[Ran]) -> float:
    return median(ran.cpu for ran in runs)
