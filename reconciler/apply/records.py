"""The records that an apply writes for new and existing tasks."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.apply.context import ApplyContext
from reconciler.model.canonical import ABSENT, digest
from reconciler.model.diagnostics import RemoteError
from reconciler.model.service import Identity, RemoteTask
from reconciler.model.value import replace
from reconciler.model.wire import patch_after_create
from reconciler.plan.diff import current_inputs
from reconciler.plan.keys import moved_ref
from reconciler.plan.plan import PlannedTask
from reconciler.state.attempt import (
    Attempt,
    ChangeKind,
    HistoryEntry,
    HistoryKind,
    RetiredTask,
    kept_outputs,
)
from reconciler.state.model import Event, Forgotten, Record, Recorded, Retired


def created_record(task: PlannedTask, attempt: Attempt, task_id: str, ctx: ApplyContext) -> Record:
    """The record of a successful create."""
    record = replace(
        Record.of(attempt, task_id, ctx.identity, ctx.clocks().moment),
        spent=_closed(task, ctx),
        pending=patch_after_create(attempt.inputs),
        changes=(attempt.created(),),
    )
    return record.in_place_of(task.record, attempt.replaces)


def named_record(task: PlannedTask, ctx: ApplyContext) -> Record:
    """The record of the existing task that a manifest names (`taskID`). Its identity is the creator
    of the task, if known. It takes the next number, since a person has named it."""
    session, remote = ctx.session, task.remote
    removed = session.state.retired.get(task.task_id or "")
    declared = task.desired.inputs if task.desired is not None else {}
    inputs = current_inputs(declared, declared, remote)
    record = Record(
        ref=task.ref,
        task_id=task.task_id or "",
        reference=removed.reference if removed is not None else "",
        number=session.next_reference(task.ref.key).number,
        file=task.file,
        inputs=inputs,
        digest=digest(inputs),
        identity=_creator(removed, remote, ctx.identity),
        created_at=ctx.clocks().moment,
        spent=(*(removed.spent if removed is not None else ()), *_closed(task, ctx)),
        outputs=kept_outputs(remote.raw) if remote is not None else {},
        generated=task.generated,
    )
    return record.as_adopted().in_place_of(task.record)


def _creator(removed: RetiredTask | None, remote: RemoteTask | None, caller: Identity) -> Identity:
    if removed is not None:
        return removed.identity
    return remote.owner(caller) if remote is not None else caller


def _closed(task: PlannedTask, ctx: ApplyContext) -> tuple[str, ...]:
    """The references of attempts that created no task, for the key or its former key."""
    old = moved_ref(task.desired) if task.desired is not None else None
    refs = [task.ref] if old is None else [task.ref, old]
    return tuple(reference for ref in refs for reference in ctx.session.closed(ref))


def recorded_events(task: PlannedTask, record: Record) -> list[Event]:
    """The events that store the record under the task's key, and remove it from its former key
    (`movedFrom`)."""
    old = task.recorded_as
    moved = [Forgotten(old)] if old != task.ref else []
    return [Recorded(record), *moved]


def moved_record(task: PlannedTask, record: Record, ctx: ApplyContext) -> Record:
    """The record under its new key."""
    at = ctx.clocks().moment
    entry = HistoryEntry(HistoryKind.MOVED.value, at, record.task_id, detail=record.ref.key)
    spent = tuple(dict.fromkeys((*record.spent, *_closed(task, ctx))))
    moved = replace(record.with_history(entry), ref=task.ref, spent=spent)
    return replace(moved, file=task.file, generated=task.generated)


def retired_event(record: Record, ctx: ApplyContext) -> Retired:
    """The event that removes a record; no key adopts its task again. Keeps the usage so far, if the
    service returns it."""
    try:
        shown = ctx.service.get_task(record.ref.org_name, record.task_id)
    except RemoteError:
        shown = None
    if shown is not None:
        record = replace(record, outputs=kept_outputs(shown.raw))
    return Retired(record.retired(ctx.clocks().moment))


def updated_record(
    record: Record, values: Mapping[str, object], shown: RemoteTask | None, ctx: ApplyContext
) -> Record:
    """The record of a task that now has these settings, with the outputs of `shown`. ABSENT: the
    manifest no longer declares it."""
    inputs = {n: v for n, v in {**record.inputs, **values}.items() if v is not ABSENT}
    names = ", ".join(sorted(values))
    at = ctx.clocks().moment
    entry = HistoryEntry(HistoryKind.UPDATED.value, at, record.task_id, detail=names)
    return replace(
        record.with_history(entry).changed(ChangeKind.UPDATED),
        inputs=inputs,
        digest=digest(inputs),
        pending={name: v for name, v in record.pending.items() if name not in values},
        outputs=kept_outputs(shown.raw) if shown is not None else record.outputs,
    )
