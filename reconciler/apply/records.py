"""What is recorded of a task: after its create, or once it was found to exist."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reconciler.apply.surroundings import Surroundings
from reconciler.canonical import digest
from reconciler.model import Inputs
from reconciler.plan.plan import PlannedTask
from reconciler.state.model import Attempt, Record, kept_outputs
from reconciler.wire import patch_after_create


def created(
    task: PlannedTask,
    attempt: Attempt,
    task_id: str,
    earlier: Sequence[str],
    around: Surroundings,
) -> Record:
    """The record of a create that was answered; `earlier` are marks of attempts before it."""
    old = task.record.marks if task.record is not None else ()
    return Record(
        ref=task.ref,
        task_id=task_id,
        file=attempt.file,
        inputs=attempt.inputs,
        digest=attempt.digest,
        identity=around.identity,
        created_at=_now(around),
        marks=(*old, *earlier, attempt.mark),
        pending=patch_after_create(attempt.inputs),
        sensitive=attempt.sensitive,
    )


def adopted(task: PlannedTask, around: Surroundings) -> Record:
    """The record of a task that exists already."""
    inputs = made_from(task)
    attempt, remote = task.attempt, task.remote
    return Record(
        ref=task.ref,
        task_id=task.task_id or "",
        file=task.file,
        inputs=inputs,
        digest=digest(inputs),
        identity=around.identity,
        created_at=_now(around),
        marks=(attempt.mark,) if attempt is not None else (),
        pending=patch_after_create(inputs) if attempt is not None else {},
        outputs=kept_outputs(remote.raw) if remote is not None else {},
        sensitive=task.sensitive,
    )


def made_from(task: PlannedTask) -> Inputs:
    """What an adopted task counts as created with: the attempt's inputs, else the manifest's."""
    if task.attempt is not None:
        return task.attempt.inputs
    return task.desired.inputs if task.desired is not None else {}


def _now(around: Surroundings) -> datetime:
    return around.service.service_clock() or around.clock()
