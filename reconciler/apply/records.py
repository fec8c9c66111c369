"""The records that an apply writes, for a new task or once a task is known to exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.apply.context import ApplyContext
from reconciler.model.canonical import ABSENT, digest
from reconciler.model.diagnostics import RemoteError
from reconciler.model.service import Identity, RemoteTask
from reconciler.model.task import Inputs, TaskRef
from reconciler.model.value import replace
from reconciler.model.wire import patch_after_create
from reconciler.plan.diff import current_inputs
from reconciler.plan.lookup import moved_ref
from reconciler.plan.plan import PlannedTask
from reconciler.state.attempt import (
    Attempt,
    ChangeKind,
    HistoryEntry,
    HistoryKind,
    RetiredTask,
    kept_outputs,
)
from reconciler.state.model import Event, Forgotten, Noted, Record, Recorded, Retired


def created_record(task: PlannedTask, attempt: Attempt, task_id: str, ctx: ApplyContext) -> Record:
    """The record of a successful create."""
    record = replace(
        Record.of(attempt, task_id, ctx.identity, ctx.clocks().moment),
        marks=(*_closed_marks(task, ctx), attempt.mark),
        pending=patch_after_create(attempt.inputs),
        changes=(attempt.created(),),
    )
    return record.in_place_of(task.record, attempt)


def adopted_record(task: PlannedTask, ctx: ApplyContext) -> Record:
    """The record of an existing task. It closes every attempt for its key. Its identity is the
    creator of the task, if known."""
    state = ctx.session.state
    attempt, remote = task.attempt, task.remote
    removed = state.retired.get(task.task_id or "")
    inputs = created_with(task)
    if attempt is None:  # else an edit of the manifest would look like a change at the service
        inputs = current_inputs(inputs, inputs, remote)
    created_inputs: Inputs = {}
    if attempt is None and removed is not None and removed.inputs:
        inputs, created_inputs = removed.inputs, removed.created_inputs
    source = attempt or removed
    tried = [attempt.mark for attempt in state.attempts_of(_refs(task))]
    before = removed.marks if removed is not None else ()
    record = Record(
        ref=task.ref,
        task_id=task.task_id or "",
        file=task.file,
        inputs=inputs,
        created_inputs=created_inputs,
        digest=digest(inputs),
        identity=_creator(source, remote, ctx.identity),
        created_at=ctx.clocks().moment,
        marks=tuple(dict.fromkeys((*before, *_closed_marks(task, ctx), *tried))),
        pending=patch_after_create(inputs) if attempt is not None else {},
        outputs=kept_outputs(remote.raw) if remote is not None else {},
        generated=task.generated,
    )
    old = task.record
    if attempt is not None:
        return replace(record, changes=attempt.found()).in_place_of(old, attempt)
    return record.as_adopted().in_place_of(old, None)


def _creator(
    known: Attempt | RetiredTask | None, remote: RemoteTask | None, caller: Identity
) -> Identity:
    if known is not None:
        return known.identity
    return remote.owner(caller) if remote is not None else caller


def _refs(task: PlannedTask) -> list[TaskRef]:
    """The key and its former key."""
    old = moved_ref(task.desired) if task.desired is not None else None
    return [task.ref] if old is None else sorted({task.ref, old})


def _closed_marks(task: PlannedTask, ctx: ApplyContext) -> list[str]:
    """The marks of the key's closed attempts, which stay with it."""
    return [mark for ref in _refs(task) for mark in ctx.session.notes_on(ref).marks]


def recorded_events(task: PlannedTask, record: Record) -> list[Event]:
    """The events that store the record under the task's key, and remove it from its former key
    (`movedFrom`)."""
    old = task.recorded_as
    moved = [Forgotten(old)] if old != task.ref else []
    return [Recorded(record), *moved]


def answered_events(task: PlannedTask, ctx: ApplyContext) -> Iterator[Event]:
    """The events after which `--not-created` for the former key counts for a single task: it ends
    now or, while a lost state is recovered, becomes the answer for the new key, and nothing waits
    for the former key."""
    new, session = task.desired, ctx.session
    old = moved_ref(new) if new is not None else None
    if new is None or old is None or not (notes := session.notes_on(old)).not_created:
        return
    if old.org_name in session.state.recovering:
        yield Noted(new.ref, replace(session.notes_on(new.ref), not_created=True))
        yield Forgotten(old)
    yield Noted(old, replace(notes, not_created=False))


def moved_record(task: PlannedTask, record: Record, ctx: ApplyContext) -> Record:
    """The record under its new key."""
    at = ctx.clocks().moment
    entry = HistoryEntry(HistoryKind.MOVED.value, at, record.task_id, "", record.ref.key)
    marks = tuple(dict.fromkeys((*_closed_marks(task, ctx), *record.marks)))
    moved = replace(record.with_history(entry), ref=task.ref, marks=marks)
    return replace(moved, file=task.file, generated=task.generated)


def retired_event(record: Record, ctx: ApplyContext) -> Retired:
    """The event that removes a record; no key adopts its task again. Its usage so far is kept if
    the service returns it."""
    try:
        shown = ctx.service.get_task(record.ref.org_name, record.task_id)
    except RemoteError:
        shown = None
    if shown is not None:
        record = replace(record, outputs=kept_outputs(shown.raw))
    return Retired(record.retired(ctx.clocks().moment, adoptable=False))


def updated_record(
    record: Record, values: Mapping[str, object], shown: RemoteTask | None, ctx: ApplyContext
) -> Record:
    """The record of a task that now has these settings, with the outputs of `shown`. ABSENT: the
    manifest no longer declares it."""
    inputs = {n: v for n, v in {**record.inputs, **values}.items() if v is not ABSENT}
    names = ", ".join(sorted(values))
    at = ctx.clocks().moment
    entry = HistoryEntry(HistoryKind.UPDATED.value, at, record.task_id, "", names)
    return replace(
        record.with_history(entry).changed(ChangeKind.UPDATED),
        inputs=inputs,
        digest=digest(inputs),
        pending={name: v for name, v in record.pending.items() if name not in values},
        outputs=kept_outputs(shown.raw) if shown is not None else record.outputs,
    )


def created_with(task: PlannedTask) -> Inputs:
    """The inputs that an adopted task was created with: the attempt's, else the manifest's."""
    if task.attempt is not None:
        return task.attempt.inputs
    return task.desired.inputs if task.desired is not None else {}
