"""`taskctl state mv | rm | accept | resolve | push` as events.

Each function takes the state and returns the events to append, in such an order that a run that is
killed between two of them leaves a task recorded twice, never unrecorded. For an unknown task, each
raises StateError with similar names.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches

from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, StateError
from reconciler.model.glob import STAR, other_sign, texts_of
from reconciler.model.mark import is_same
from reconciler.model.remarks import Arg
from reconciler.model.service import Identity, RemoteTask
from reconciler.model.shell import is_key
from reconciler.model.task import DesiredTask, Generated, Inputs, TaskRef
from reconciler.model.value import replace
from reconciler.model.wire import patch_after_create
from reconciler.state.attempt import (
    Attempt,
    ChangeKind,
    HistoryEntry,
    HistoryKind,
    KeyNotes,
    Recovery,
    kept_outputs,
)
from reconciler.state.ledger import fold
from reconciler.state.model import (
    Attempted,
    Event,
    Forgotten,
    Noted,
    Record,
    Recorded,
    Retired,
    State,
)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def find(state: State, name: str) -> TaskRef:
    """The recorded or attempted task with this `KEY` or `ORG/KEY`."""
    recorded = known_refs(state)
    if TaskRef.has_org(name):
        ref = TaskRef.parse(name)
        if ref in recorded:
            return ref
        raise unknown(name, recorded)
    matches = sorted(ref for ref in recorded if ref.key == name)
    if len(matches) == 1:
        return matches[0]
    if matches:
        refs, at = tuple(map(str, matches)), Place(key=name)
        facts: dict[str, Arg] = {"name": name, "refs": refs, "count": len(refs)}
        raise StateError.of(Code.UNKNOWN_TASK, "ambiguous", at=at, **facts)
    retired = [(t.at or _LONG_AGO, t.task_id) for t in state.retired.values() if t.ref.key == name]
    if retired:
        at, (_, last) = Place(key=name), max(retired)
        raise StateError.of(Code.UNKNOWN_TASK, "retired", at=at, name=name, id=last)
    raise unknown(name, [*(ref.key for ref in recorded), *recorded])


def destination(name: str, old: TaskRef) -> TaskRef:
    """The new key for `old`: `KEY` in the same organization, or `ORG/KEY`."""
    ref = TaskRef.parse(name) if TaskRef.has_org(name) else TaskRef(old.org_name, name)
    if not ref.org_name or not is_key(ref.key):
        raise _refused("key", name, name=name)
    return ref


def destinations(refs: Sequence[TaskRef], old: str, new: str) -> list[tuple[TaskRef, TaskRef]]:
    """The new keys for the tasks that the glob `old` selects: each `*` of `new` stands for the
    text that the same `*` of `old` matched. Without a `*`, `old` must select one task."""
    if "*" not in new and len(refs) == 1:
        return [(ref, destination(new, ref)) for ref in refs]
    if old.count(STAR) != new.count(STAR):
        raise _refused("stars", old, old=old, new=new)
    full, found = TaskRef.has_org(old), []
    for ref in refs:
        texts = texts_of(old, str(ref) if full else ref.key) or ()
        name = "".join(map("".join, zip(new.split(STAR), (*texts, ""), strict=True)))
        found.append((ref, destination(name, ref)))
    taken = next((str(to) for to, count in Counter(t for _, t in found).items() if count > 1), None)
    if taken is not None:
        raise _refused("taken", taken, ref=taken)
    return found


def mv(state: State, old: TaskRef, new: TaskRef, *, at: datetime | None = None) -> list[Event]:
    """Moves the record and open attempts of `old` to `new`; `at` is now. A generated task then
    belongs to the entry of the new key."""
    record, attempts = state.records.get(old), state.attempts_for(old)
    if record is None and not attempts:
        raise unknown(str(old), known_refs(state))
    if new == old:
        raise _refused("same", old.key, ref=str(old))
    if new in state.records or state.attempts_for(new):
        raise _refused("taken", new.key, ref=str(new))
    if attempts and new.org_name != old.org_name:  # a task may exist in the old organization
        raise _refused("organization", old.key, ref=str(old))
    events: list[Event] = []
    notes, known = state.notes_on(old), state.notes_on(new)
    marks = tuple(dict.fromkeys((*known.marks, *(record.marks if record else notes.marks))))
    if record is not None:
        entry = HistoryEntry(HistoryKind.MOVED.value, at, record.task_id, "", old.key)
        made, moved = _renamed(record.generated, new), record.with_history(entry)
        events.append(Recorded(replace(moved, ref=new, generated=made, marks=marks)))
    events += [
        Attempted(replace(attempt, ref=new, generated=_renamed(attempt.generated, new)))
        for attempt in attempts
    ]
    if record is not None:
        return [*events, Forgotten(old)]
    both = replace(notes, marks=marks, removed=notes.removed or known.removed)
    return [*events, Noted(new, both), Noted(old, KeyNotes())]


def _renamed(made: Generated | None, new: TaskRef) -> Generated | None:
    entry, at, _ = new.key.partition("@")
    return replace(made, entry=entry) if made is not None and at else None


def rm(state: State, ref: TaskRef, *, at: datetime | None = None) -> list[Event]:
    """Removes the record of `ref`; its task keeps running, and a manifest may adopt it. Rejected
    while attempts are unresolved. `at` is now."""
    if state.attempts_for(ref):
        raise _refused("unresolved", ref.key, ref=str(ref))
    return [Retired(_record(state, ref).retired(at, adoptable=True))]


def accept(state: State, ref: TaskRef, inputs: Inputs, file: str) -> list[Event]:
    """Records a manifest's `inputs` as those of `ref`, in addition to the inputs as created; `file`
    is the manifest. Returns no events if nothing differs."""
    record = _record(state, ref)
    created = record.versions[0]
    accepted = replace(
        record,
        inputs=inputs,
        created_inputs=created if created != inputs else {},
        digest=digest(inputs),
        file=file,
    )
    return [] if accepted == record else [Recorded(accepted.changed(ChangeKind.ACCEPTED))]


def update_declared(state: State, desired: Iterable[DesiredTask]) -> list[Event]:
    """Updates from their manifests which records have an expectation; events only for changes."""
    known = ((state.records.get(task.ref), task) for task in desired)
    return [
        Recorded(replace(record, expects=task.expect is not None))
        for record, task in known
        if record is not None and record.expects != (task.expect is not None)
    ]


def mark_done(state: State, done: Mapping[str, str]) -> list[Recorded]:
    """Marks the records of these tasks as done; the values are the digests of the expectations that
    they met (empty: none). Events only for changes."""
    return [
        Recorded(replace(record, done=True, met=met))
        for record in (state.records.values() if done else ())
        if (met := done.get(record.task_id)) is not None and (not record.done or record.met != met)
    ]


def resolve(
    state: State,
    ref: TaskRef,
    task_id: str | None,
    *,
    created_at: datetime | None = None,
    at: datetime | None = None,
) -> list[Event]:
    """Resolves the open attempts of `ref`: they created the task `task_id`, or no task (None). `at`
    is now.

    `created_at` is by the service's clock. The task may not have its name and sharing yet, so they
    stay pending.
    """
    attempts = state.attempts_for(ref)
    if not attempts:
        if ref not in state.records:
            raise unknown(str(ref), known_refs(state))
        raise _refused("resolved", ref.key, ref=str(ref))
    if task_id is None:
        _check_age(ref, attempts, at)
        closed = [attempt.mark for attempt in attempts]
        events = state.close_attempts(closed, "resolved by hand: not created", at)
        if ref in state.records:
            return events
        notes = fold(state, events).notes_on(ref)
        return [*events, Noted(ref, replace(notes, removed="", not_created=True))]
    _check_free(state, ref, task_id)
    record = _resolved(state.records.get(ref), attempts, task_id, created_at)
    marks = (*state.notes_on(ref).marks, *record.marks)
    return [Recorded(replace(record, marks=tuple(dict.fromkeys(marks))))]


def _check_age(ref: TaskRef, attempts: Iterable[Attempt], at: datetime | None) -> None:
    """Raises StateError while a request may still create a task that is not visible yet."""
    for attempt in attempts:
        if at is not None and (left := attempt.seconds_left(at)) > 0:
            who, seconds = attempt.identity.name, math.ceil(left)
            raise _refused("early", ref.key, ref=str(ref), who=who, seconds=seconds)


def not_created(state: State, ref: TaskRef) -> list[Event]:
    """No task of the key `ref`, which has neither a record nor an attempt, exists: its next task is
    created without a comparison with existing tasks. Returns no events if that is already known."""
    if ref in state.records:
        raise _refused("resolved", ref.key, ref=str(ref))
    known = state.notes_on(ref)
    notes = replace(known, removed="", not_created=True)
    return [] if notes == known else [Noted(ref, notes)]


def push(state: State, given: State, *, force: bool = False) -> State:
    """`given` as the successor of `state`. Raises StateError unless it is newer (or `force`), of
    the same lineage, and has every unresolved attempt and every task.

    It may be an old version, so all tasks are compared with every key again, and each match is
    unresolved. Each recovery of either state continues.
    """
    if given.lineage != state.lineage:
        raise _refused("lineage", "", given=given.lineage, known=state.lineage)
    if given.serial <= state.serial and not force:
        raise _refused("serial", "", given=given.serial, known=state.serial)
    for mark, attempt in sorted(state.attempts.items()):
        baselines = (given.baseline_of(attempt), state.baseline_of(attempt))
        other = given.attempts.get(mark)
        is_same = other is not None and replace(other, waited=attempt.waited) == attempt
        if not is_same or baselines[0] != baselines[1]:
            raise _refused("attempt", attempt.ref.key, ref=str(attempt.ref), mark=mark)
    known = {*given.recorded_ids(), *given.retired}
    if lost := sorted({*state.recorded_ids(), *state.retired} - known):
        raise _refused("lost", "", tasks=tuple(lost), count=len(lost))
    waited = {mark: attempt.waited for mark, attempt in state.attempts.items()}
    attempts = {
        mark: replace(attempt, waited=waited.get(mark, 0.0))
        for mark, attempt in given.attempts.items()
    }
    recovering = {**state.recovering}
    for org_name, recovery in given.recovering.items():
        recovering[org_name] = recovery.joined(recovering.get(org_name, Recovery()))
    pushed = replace(given, attempts=attempts, latest={}, recovering=recovering)
    serial = max(given.serial - 1, state.serial)
    return replace(pushed, serial=serial, journal=state.journal).pruned()


def is_known(state: State, name: str) -> bool:
    """Whether a record or an open attempt has this `KEY` or `ORG/KEY`."""
    return any(name in (ref.key, str(ref)) for ref in known_refs(state))


def record_existing(
    state: State, task: DesiredTask, remote: RemoteTask, caller: Identity, *, at: datetime
) -> list[Event]:
    """Records `remote` as the task of a manifest that has no record yet; `at` is now."""
    _check_free(state, task.ref, remote.id)
    owner = remote.owner(caller)
    record = replace(Record.of(task, remote.id, owner, at), outputs=kept_outputs(remote.raw))
    return [Recorded(with_marks(state, record))]


def with_marks(state: State, record: Record) -> Record:
    """The first record of its key, whose attempts did not create the task, with the marks that key
    and task have had."""
    removed = state.retired.get(record.task_id)
    before = removed.marks if removed is not None else ()
    marks = tuple(dict.fromkeys((*before, *state.notes_on(record.ref).marks)))
    return replace(record, marks=marks).as_adopted()


def _resolved(
    before: Record | None, attempts: tuple[Attempt, ...], task_id: str, created_at: datetime | None
) -> Record:
    marks = tuple(attempt.mark for attempt in attempts)
    if before is not None and before.task_id == task_id:
        return replace(before, marks=tuple(dict.fromkeys((*before.marks, *marks))))
    latest = attempts[-1]
    record = replace(
        Record.of(latest, task_id, latest.identity, created_at),
        marks=marks,
        pending=patch_after_create(latest.inputs),
    )
    if before is None and task_id in {attempt.replaces for attempt in attempts}:
        # It existed before the attempts, and its record was lost.
        return record.changed(ChangeKind.ADOPTED)
    return replace(record, changes=latest.found()).in_place_of(before, latest)


def _check_free(state: State, ref: TaskRef, task_id: str) -> None:
    record = state.records.get(ref)
    retired = state.retired.get(task_id)
    is_spent = retired is not None and not retired.adoptable
    if (record is not None and task_id in record.former) or is_spent:
        raise _refused("former", ref.key, task=task_id, ref=str(ref))
    holder = state.recorded_ids().get(task_id)
    if holder is not None and holder != ref:
        raise _refused("recorded", ref.key, task=task_id, ref=str(ref), holder=str(holder))


def refuse_marked(others: Iterable[Attempt], ref: TaskRef, task_id: str, mark: str) -> None:
    """Raises StateError if the task shows the mark of one of the open attempts of other keys."""
    owner = next((other.ref for other in others if is_same(other.mark, mark)), None)
    if owner is not None:
        raise _refused("marked", ref.key, task=task_id, ref=str(ref), owner=str(owner))


def _record(state: State, ref: TaskRef) -> Record:
    record = state.records.get(ref)
    if record is None:
        raise unknown(str(ref), state.records)
    return record


def known_refs(state: State) -> set[TaskRef]:
    """The keys that have a record or an open attempt."""
    return {*state.records, *(attempt.ref for attempt in state.attempts.values())}


def unknown(name: str, known: Iterable[object]) -> StateError:
    """The error for an unknown task, with similar names."""
    if other_sign(name) is not None:
        return StateError.of(Code.UNKNOWN_TASK, "wildcard", at=Place(key=name), name=name)
    near = tuple(get_close_matches(name, sorted(set(map(str, known))), n=3))
    facts: dict[str, Arg] = {"near": near} if near else {}
    case = "near" if near else ""
    return StateError.of(Code.UNKNOWN_TASK, case, at=Place(key=name), name=name, **facts)


def _refused(case: str, key: str, **facts: Arg) -> StateError:
    return StateError.of(Code.STATE_EDIT, case, at=Place(key=key), **facts)
