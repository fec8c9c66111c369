"""Records, attempts and events for states."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reconciler.model.canonical import digest
from reconciler.model.service import Identity
from reconciler.model.task import TaskRef
from reconciler.state.attempt import Attempt, Provenance
from reconciler.state.model import Attempted, Closed, Event, Forgotten, Record, Recorded, State

BACKEND = "https://api.example.com"
LINEAGE = "5f0c1b9de2a74a6f8f3b7d1c9a04e6b2"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WHO = Identity("u-1", login="octocat")
STATE_ID = "bafol-rusab-tizok"
PROVENANCE = Provenance((STATE_ID,), NOON)


def reference_at(number: int) -> str:
    return f"task-{number}/{number + 1} {STATE_ID}"


def attempt(number: int, key: str | None = None) -> Attempt:
    inputs = {"message": {"content": f"Do {number}.\n"}, "planMode": True}
    return Attempt(
        ref=TaskRef("acme", key or f"task-{number}"),
        reference=reference_at(number),
        inputs=inputs,
        digest=digest(inputs),
        identity=WHO,
        file="tasks/a.yaml",
        started_at=NOON,
        settle_time=150.0,
    )


def record(number: int, key: str | None = None, **more: Any) -> Record:
    made = attempt(number, key)
    fields: dict[str, Any] = {"reference": made.reference, "number": made.number, **more}
    return Record(
        ref=made.ref,
        task_id=f"id-{number}",
        file=made.file,
        inputs=made.inputs,
        digest=made.digest,
        identity=WHO,
        created_at=NOON,
        pending={"name": f"Task {number}"},
        outputs={"status": "idle", "tokensUsed": number},
        **fields,
    )


def history(count: int) -> list[Event]:
    """The events of creating `count` tasks: the last has no outcome, and the first has moved."""
    events: list[Event] = []
    for number in range(count):
        events.append(Attempted(attempt(number)))
        if number % 3 == 1:
            events.append(Closed(number + 1, "refused", was_sent=False))
        elif number < count - 1:
            events.append(Recorded(record(number)))
    return [*events, Recorded(record(0, "moved")), Forgotten(TaskRef("acme", "task-0"))]


def empty(*, serial: int = 0, backend: str = BACKEND) -> State:
    return State(LINEAGE, serial, backend, PROVENANCE)
