"""What is recorded of a task: after its create, or once it was found to exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from reconciler.apply.context import Surroundings
from reconciler.model.canonical import digest
from reconciler.model.task import Inputs, RemoteTask
from reconciler.model.wire import patch_after_create
from reconciler.plan.plan import PlannedTask
from reconciler.state.model import Attempt, Happened, Happening, Record, kept_outputs


def created(
    task: PlannedTask,
    attempt: Attempt,
    task_id: str,
    earlier: Sequence[str],
    around: Surroundings,
) -> Record:
    """The record of a create that was answered; `earlier` are marks of attempts before it."""
    record = Record(
        ref=task.ref,
        task_id=task_id,
        file=attempt.file,
        inputs=attempt.inputs,
        digest=attempt.digest,
        identity=around.identity,
        created_at=now(around),
        marks=(*earlier, attempt.mark),
        pending=patch_after_create(attempt.inputs),
        sensitive=attempt.sensitive,
    )
    return record.in_place_of(task.record, attempt)


def adopted(task: PlannedTask, around: Surroundings) -> Record:
    """The record of a task that exists already."""
    inputs = made_from(task)
    attempt, remote = task.attempt, task.remote
    record = Record(
        ref=task.ref,
        task_id=task.task_id or "",
        file=task.file,
        inputs=inputs,
        digest=digest(inputs),
        identity=around.identity,
        created_at=now(around),
        marks=(attempt.mark,) if attempt is not None else (),
        pending=patch_after_create(inputs) if attempt is not None else {},
        outputs=kept_outputs(remote.raw) if remote is not None else {},
        sensitive=task.sensitive,
    )
    return record.in_place_of(task.record, attempt)


def moved(task: PlannedTask, record: Record, around: Surroundings) -> Record:
    """The record under its new key."""
    said = Happening(Happened.MOVED.value, now(around), record.task_id, "", record.ref.key)
    return replace(record.after(said), ref=task.ref, file=task.file)


def updated(
    record: Record, values: Mapping[str, Any], shown: RemoteTask | None, around: Surroundings
) -> Record:
    """The record once the task has these settings, and `shown` is how the service shows it."""
    inputs = {**record.inputs, **values}
    said = Happening(
        Happened.UPDATED.value, now(around), record.task_id, "", ", ".join(sorted(values))
    )
    return replace(
        record.after(said),
        inputs=inputs,
        digest=digest(inputs),
        pending={name: v for name, v in record.pending.items() if name not in values},
        outputs=kept_outputs(shown.raw) if shown is not None else record.outputs,
    )


def made_from(task: PlannedTask) -> Inputs:
    """What an adopted task counts as created with: the attempt's inputs, else the manifest's."""
    if task.attempt is not None:
        return task.attempt.inputs
    return task.desired.inputs if task.desired is not None else {}


def now(around: Surroundings) -> datetime:
    """By the service's clock where it is known."""
    return around.service.service_clock() or around.clock()
