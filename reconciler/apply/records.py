"""What is recorded of a task: after its create, or once it was found to exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.apply.context import ApplyContext
from reconciler.model.canonical import digest
from reconciler.model.errors import RemoteError
from reconciler.model.task import Inputs, RemoteTask
from reconciler.model.wire import patch_after_create
from reconciler.plan.lookup import moved_ref
from reconciler.plan.plan import PlannedTask
from reconciler.state.attempt import Attempt, HistoryEntry, HistoryKind, kept_outputs
from reconciler.state.model import Event, Forgotten, Record, Recorded, Retired


def created(
    task: PlannedTask,
    attempt: Attempt,
    task_id: str,
    earlier: Sequence[str],
    ctx: ApplyContext,
) -> Record:
    """The record of a create that was answered; `earlier` are marks of attempts before it."""
    record = Record(
        ref=task.ref,
        task_id=task_id,
        file=attempt.file,
        inputs=attempt.inputs,
        digest=attempt.digest,
        identity=ctx.identity,
        created_at=now(ctx),
        marks=(*earlier, attempt.mark),
        pending=patch_after_create(attempt.inputs),
        sensitive=attempt.sensitive,
        generated=attempt.generated,
    )
    return record.in_place_of(task.record, attempt)


def adopted(task: PlannedTask, ctx: ApplyContext) -> Record:
    """The record of a task that exists already. It closes every attempt of its key."""
    inputs = made_from(task)
    attempt, remote = task.attempt, task.remote
    refs = {task.ref, moved_ref(task.desired) if task.desired is not None else None}
    tried = [mark for mark, a in sorted(ctx.log.state.attempts.items()) if a.ref in refs]
    record = Record(
        ref=task.ref,
        task_id=task.task_id or "",
        file=task.file,
        inputs=inputs,
        digest=digest(inputs),
        identity=ctx.identity,
        created_at=now(ctx),
        marks=tuple(tried),
        pending=patch_after_create(inputs) if attempt is not None else {},
        outputs=kept_outputs(remote.raw) if remote is not None else {},
        sensitive=task.sensitive,
        generated=task.generated,
    )
    return record.in_place_of(task.record, attempt)


def recorded(task: PlannedTask, record: Record) -> list[Event]:
    """The events that make it the record of the task's key, which may have been another key's
    (`movedFrom`)."""
    old = task.record.ref if task.record is not None else task.ref
    return [Recorded(record), *([Forgotten(old)] if old != task.ref else ())]


def moved_record(task: PlannedTask, record: Record, ctx: ApplyContext) -> Record:
    """The record under its new key."""
    said = HistoryEntry(HistoryKind.MOVED.value, now(ctx), record.task_id, "", record.ref.key)
    return replace(
        record.with_history(said), ref=task.ref, file=task.file, generated=task.generated
    )


def retired(record: Record, ctx: ApplyContext) -> Retired:
    """Its task has no key any more, and is adopted for nothing. What it used so far is kept, if the
    service shows it."""
    try:
        shown = ctx.service.get_task(record.ref.org_name, record.task_id)
    except RemoteError:
        shown = None
    if shown is not None:
        record = replace(record, outputs=kept_outputs(shown.raw))
    return Retired(record.retired(now(ctx), adoptable=False))


def updated(
    record: Record, values: Mapping[str, object], shown: RemoteTask | None, ctx: ApplyContext
) -> Record:
    """The record once the task has these settings, and `shown` is how the service shows it."""
    inputs = {**record.inputs, **values}
    said = HistoryEntry(
        HistoryKind.UPDATED.value, now(ctx), record.task_id, "", ", ".join(sorted(values))
    )
    return replace(
        record.with_history(said),
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


def now(ctx: ApplyContext) -> datetime:
    """By the service's clock, if it shows one that can be correct."""
    return ctx.clocks().moment
