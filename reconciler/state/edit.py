"""`taskctl state mv | rm | accept | assign | close | push` as events.

Each function takes the state and returns the events to append, in such an order that a run that is
killed between two of them leaves a task recorded twice, never unrecorded. For an unknown task, each
raises StateError with similar names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches

from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, StateError
from reconciler.model.fields import DRIFTING
from reconciler.model.glob import STAR, other_sign, texts_of
from reconciler.model.remarks import Arg
from reconciler.model.service import FirstMessage, Identity, RemoteTask
from reconciler.model.shell import is_key, is_org_name
from reconciler.model.task import DesiredTask, Generated, Inputs, TaskRef
from reconciler.model.value import replace
from reconciler.model.wire import patch_after_create
from reconciler.model.work import inputs_of
from reconciler.state.attempt import ChangeKind, HistoryEntry, HistoryKind, kept_outputs
from reconciler.state.model import (
    Attempted,
    Event,
    Forgotten,
    Record,
    Recorded,
    Retired,
    State,
)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def find(state: State, name: str) -> TaskRef:
    """The recorded or attempted task with this `KEY` or `ORG/KEY`."""
    recorded = known_refs(state)
    matches = sorted(ref for ref in recorded if name in (ref.key, str(ref)))
    if len(matches) == 1:
        return matches[0]
    if matches:
        refs, at = tuple(map(str, matches)), Place(key=name)
        facts: dict[str, Arg] = {"name": name, "refs": refs, "count": len(refs)}
        raise StateError.of(Code.UNKNOWN_TASK, "ambiguous", at=at, **facts)
    removed = (t for t in state.retired.values() if name in (t.ref.key, str(t.ref)))
    if retired := [(task.at or _LONG_AGO, task.task_id) for task in removed]:
        at, (_, last) = Place(key=name), max(retired)
        raise StateError.of(Code.UNKNOWN_TASK, "retired", at=at, name=name, id=last)
    raise unknown(name, recorded if TaskRef.has_org(name) else [ref.key for ref in recorded])


def destination(name: str, old: TaskRef) -> TaskRef:
    """The new key for `old`: `KEY` in the same organization, or `ORG/KEY`."""
    ref = TaskRef.parse(name) if TaskRef.has_org(name) else TaskRef(old.org_name, name)
    if not is_org_name(ref.org_name):
        raise _refused("org", name, name=ref.org_name)
    if not is_key(ref.key):
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
    # An attempt may have created a task in the old organization.
    if attempts and new.org_name != old.org_name:
        raise _refused("organization", old.key, ref=str(old))
    events: list[Event] = []
    if record is not None:
        entry = HistoryEntry(HistoryKind.MOVED.value, at, record.task_id, detail=old.key)
        made, moved = _renamed(record.generated, new), record.with_history(entry)
        spent = tuple(dict.fromkeys((*record.spent, *state.closed.get(new, ()))))
        events.append(Recorded(replace(moved, ref=new, generated=made, spent=spent)))
    events += [
        Attempted(replace(attempt, ref=new, generated=_renamed(attempt.generated, new)))
        for attempt in attempts
    ]
    return [*events, Forgotten(old)] if record is not None else events


def _renamed(made: Generated | None, new: TaskRef) -> Generated | None:
    entry, at, _ = new.key.partition("@")
    return replace(made, entry=entry) if made is not None and at else None


def rm(state: State, ref: TaskRef, *, at: datetime | None = None) -> list[Event]:
    """Removes the record of `ref`; its task keeps running. Rejected while attempts are unresolved.
    `at` is now."""
    if state.attempts_for(ref):
        raise _refused("unresolved", ref.key, ref=str(ref))
    return [Retired(_record(state, ref).retired(at))]


def accept(state: State, ref: TaskRef, inputs: Inputs, file: str) -> list[Event]:
    """Records a manifest's `inputs` as those of `ref`, in addition to the inputs as created; `file`
    is the manifest. Returns no events if nothing differs."""
    record = _record(state, ref)
    created = record.versions[0]
    may_differ = created != inputs or any(name in inputs for name in DRIFTING)
    accepted = replace(
        record,
        inputs=inputs,
        created_inputs=created if may_differ else {},
        digest=digest(inputs),
        file=file,
    )
    return [] if accepted == record else [Recorded(accepted.changed(ChangeKind.ACCEPTED))]


def update_declared(state: State, desired: Iterable[DesiredTask]) -> list[Event]:
    """Updates which records have an expectation, from their manifests. Returns events only for
    changes."""
    known = ((state.records.get(task.ref), task) for task in desired)
    return [
        Recorded(replace(record, expects=task.expect is not None))
        for record, task in known
        if record is not None and record.expects != (task.expect is not None)
    ]


def mark_done(state: State, done: Mapping[str, str]) -> list[Recorded]:
    """Marks the records of these tasks as done; the values are the digests of the expectations that
    they met (empty: none). Returns events only for changes."""
    return [
        Recorded(replace(record, done=True, met=met))
        for record in (state.records.values() if done else ())
        if (met := done.get(record.task_id)) is not None and (not record.done or record.met != met)
    ]


def assign(
    state: State,
    ref: TaskRef,
    remote: RemoteTask,
    *,
    caller: Identity,
    number: int,
    at: datetime,
    message: FirstMessage | None = None,
    desired: DesiredTask | None = None,
) -> list[Event]:
    """Records `remote` as the task of `ref`, with the next number, because a person decided it.
    Closes the key's open attempts. `message` is its first message, if it was read; `desired` the
    manifest. `at` is now."""
    _check_free(state, ref, remote.id, message)
    attempts, old = state.attempts_for(ref), state.records.get(ref)
    sent = attempts[-1] if attempts else None
    is_sent = sent is not None and remote.creator_login in (None, sent.identity.login)
    inputs = sent.inputs if sent is not None else desired.inputs if desired is not None else {}
    if not inputs:
        inputs = inputs_of(message)
    source = sent or desired or old
    retired = state.retired.get(remote.id)
    spent = [*state.closed.get(ref, ()), *(attempt.reference for attempt in attempts)]
    spent += [*retired.spent, retired.reference] if retired is not None else []
    shown = message.reference if message is not None else None
    own = str(shown) if state.is_ours(shown) else ""
    is_users = remote.creator_login in (None, caller.login, *state.users())
    # A record with a reference makes the task's creator a user of the state; who copied it is none.
    reference = own if is_users else ""
    spent.append(own)
    record = Record(
        ref=ref,
        task_id=remote.id,
        reference=reference,
        number=number,
        file=source.file if source is not None else "",
        inputs=inputs,
        digest=digest(inputs),
        identity=sent.identity if sent is not None and is_sent else remote.owner(caller),
        created_at=remote.created_at or at,
        spent=tuple(dict.fromkeys(each for each in spent if each not in ("", reference))),
        pending=patch_after_create(sent.inputs) if sent is not None else {},
        outputs=kept_outputs(remote.raw),
        generated=source.generated if source is not None else None,
    )
    changes = sent.found() if sent is not None else record.as_adopted().changes
    record = replace(record, changes=changes)
    return [Recorded(record.in_place_of(old, sent.replaces if sent is not None else ""))]


def close(state: State, ref: TaskRef, *, at: datetime) -> list[Event]:
    """Closes the open attempts of `ref`, because a person confirmed that they created no task. `at`
    is now."""
    attempts = state.attempts_for(ref)
    if not attempts:
        raise _refused("resolved", ref.key, ref=str(ref))
    numbers = [attempt.number for attempt in attempts]
    return state.close_attempts(numbers, "closed by a person", at)


def push(state: State, given: State, *, force: bool = False) -> State:
    """The state `given`, as the successor of `state`. Raises StateError if it has another lineage,
    lacks an unresolved attempt or a task, or is not newer (unless `force`).

    It may be an old version, so it has no baselines: all tasks are explained again.
    """
    if given.lineage != state.lineage:
        raise _refused("lineage", "", given=given.lineage, known=state.lineage)
    if given.provenance.id != state.provenance.id:
        raise _refused("lineage", "", given=given.provenance.id, known=state.provenance.id)
    if given.serial <= state.serial and not force:
        raise _refused("serial", "", given=given.serial, known=state.serial)
    for number, attempt in sorted(state.attempts.items()):
        other = given.attempts.get(number)
        if other is None or replace(other, waited=attempt.waited) != attempt:
            facts = {"ref": str(attempt.ref), "reference": attempt.reference}
            raise _refused("attempt", attempt.ref.key, **facts)
    known = {*given.recorded_ids(), *given.retired}
    if lost := sorted({*state.recorded_ids(), *state.retired} - known):
        raise _refused("lost", "", tasks=tuple(lost), count=len(lost))
    waited = {number: attempt.waited for number, attempt in state.attempts.items()}
    attempts = {
        number: replace(attempt, waited=waited.get(number, 0.0))
        for number, attempt in given.attempts.items()
    }
    pushed = replace(
        given,
        attempts=attempts,
        baselines=(),
        provenance=given.provenance.joined(state.provenance),
    )
    serial = max(given.serial - 1, state.serial)
    return replace(pushed, serial=serial, journal=state.journal).pruned()


def is_known(state: State, name: str) -> bool:
    """Whether a record or an open attempt has this `KEY` or `ORG/KEY`."""
    return any(name in (ref.key, str(ref)) for ref in known_refs(state))


def record_named(state: State, record: Record) -> list[Event]:
    """Records a task that a person has specified, for a key without a task; it gets a new
    number."""
    _check_free(state, record.ref, record.task_id, None)
    removed = state.retired.get(record.task_id)
    before = (*removed.spent, removed.reference) if removed is not None else ()
    spent = dict.fromkeys((*before, *state.closed.get(record.ref, ())))
    others = tuple(each for each in spent if each not in ("", record.reference))
    return [Recorded(replace(record, spent=others).as_adopted())]


def _check_free(state: State, ref: TaskRef, task_id: str, message: FirstMessage | None) -> None:
    """Raises StateError if the task was an earlier task of this key, or if another key has it, as a
    record or because of an open attempt. An earlier task of another key is accepted: after a state
    was lost, only a person can tell the tasks of a renamed key from those of a later key with the
    same name."""
    record = state.records.get(ref)
    if record is not None and task_id in record.former:
        raise _refused("former", ref.key, task=task_id, ref=str(ref))
    holders = {record.task_id: known for known, record in state.records.items()}
    holders |= {a.replaces: a.ref for a in state.attempts.values() if a.replaces not in holders}
    holder = holders.get(task_id)
    if holder is not None and holder != ref:
        raise _refused("recorded", ref.key, task=task_id, ref=str(ref), holder=str(holder))
    refuse_attempted(state, ref, task_id, message)


def refuse_attempted(
    state: State, ref: TaskRef, task_id: str, message: FirstMessage | None
) -> None:
    """Raises StateError if an open attempt of another key has created the task. If the
    organization was renamed, the attempt has the same key in another organization."""
    attempt = state.attempt_with(message.reference) if message is not None else None
    if attempt is not None and attempt.ref.key != ref.key:
        owner = str(attempt.ref)
        raise _refused("attempted", ref.key, task=task_id, ref=str(ref), owner=owner)


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
