"""Prepares a plan without changes, in a separate process to keep the measuring process small.

`python -m bench.prepare list FOLDER FILE`: FOLDER's tasks as the list shows them, one per line.
`python -m bench.prepare database FOLDER DB`: a database of the embedded service with these tasks.
`python -m bench.prepare state FOLDER URL [--only N] [--ids FILE]`: the state after an apply there.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from bench.fast_server import shown
from bench.measure import TOKEN
from reconciler.embedded.mutations import TaskWriter
from reconciler.embedded.requests import create_request
from reconciler.embedded.scenarios import scenario_of
from reconciler.embedded.storage import Storage
from reconciler.embedded.wsgi import user_of
from reconciler.manifest.loader import load
from reconciler.model.canonical import digest
from reconciler.model.reference import Reference
from reconciler.model.task import DesiredTask, rfc3339
from reconciler.model.wire import create_body
from reconciler.remote.client import Client
from reconciler.remote.transport import Transport
from reconciler.state.attempt import Author, ChangeKind, Provenance, RecordChange, kept_outputs
from reconciler.state.codec import encode_state
from reconciler.state.model import Record, State

DAY_MS = 86_400_000
SENT_AT = datetime(2026, 1, 1, tzinfo=UTC)


def desired_in(folder: Path) -> Sequence[DesiredTask]:
    return load((), root=folder).tasks


def write_list(folder: Path, file: Path) -> None:
    tasks = desired_in(folder)
    with file.open("wb") as lines:
        for age, task in enumerate(reversed(tasks)):
            lines.write(shown(_id_of(task.key), task.key, age) + b"\n")


STATE = "bafol-rusab-tizok"


def reference_of(task: DesiredTask, number: int) -> Reference:
    """The reference of a task, as its state would write it."""
    return Reference(task.key, number, STATE)


def _id_of(key: str) -> str:
    """An ID with only the characters that IDs may have."""
    return f"task-{key.replace('@', '-')}"


def write_database(folder: Path, db: Path) -> None:
    """Also writes `DB.ids`: the task IDs by key, as JSON."""
    storage, user = Storage(db), user_of(TOKEN)
    begun = time.time_ns() // 1_000_000 - 30 * DAY_MS
    tasks = desired_in(folder)
    requests = [
        create_request(create_body(task.inputs, reference_of(task, n), SENT_AT), rfc3339(SENT_AT))
        for n, task in enumerate(tasks, 1)
    ]

    def insert_all(connection: sqlite3.Connection) -> dict[str, str]:
        ids = {}
        for created, (task, new) in enumerate(zip(tasks, requests, strict=True), start=begun):
            writer = TaskWriter(connection, user, scenario_of("finishing", 1.0), created)
            ids[task.key] = writer.insert_task(task.ref.org_name, new)
        return ids

    ids = storage.write(insert_all)
    storage.close()
    db.with_suffix(".ids").write_text(json.dumps(ids))


def write_state(folder: Path, url: str, only: int | None, ids: Path | None) -> None:
    known = json.loads(ids.read_text()) if ids else {}
    with Client(Transport(url, TOKEN)) as client:
        identity = client.identity()
    made = datetime.now(UTC)
    raw = json.loads(shown("", "", 0))
    runs = [
        Author(made, "bot", "anna", f"https://ci.example/runs/{number}") for number in range(10_000)
    ]
    names = cycle([run.name for run in runs])
    records = {
        task.ref: Record(
            ref=task.ref,
            task_id=known.get(task.key, _id_of(task.key)),
            file=task.file,
            inputs=task.inputs,
            digest=digest(task.inputs),
            identity=identity,
            created_at=made,
            reference=str(reference_of(task, number)),
            number=number,
            outputs=kept_outputs(raw),
            generated=task.generated,
            changes=(RecordChange(ChangeKind.CREATED.value, next(names)),),
        )
        for number, task in enumerate(desired_in(folder)[:only], 1)
    }
    provenance = Provenance((STATE,), made, len(records), is_new=True)
    state = State("bench", 1, url, provenance, records, runs={run.name: run for run in runs})
    (folder / "taskctl.state.json").write_bytes(encode_state(state.pruned()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("list", "database", "state"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("target")
    parser.add_argument("--only", type=int)
    parser.add_argument("--ids", type=Path)
    given = parser.parse_args()
    if given.what == "list":
        write_list(given.folder, Path(given.target))
    elif given.what == "database":
        write_database(given.folder, Path(given.target))
    else:
        write_state(given.folder, given.target, given.only, given.ids)


if __name__ == "__main__":
    main()
