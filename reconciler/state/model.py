"""The state as a value, and the events that change it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from reconciler.model.canonical import digest
from reconciler.model.reference import Reference
from reconciler.model.service import Identity
from reconciler.model.task import NO_TASK, DesiredTask, Generated, Inputs, TaskRef
from reconciler.model.value import Moment, Stored, Value, field, replace
from reconciler.state.attempt import (
    HISTORY,
    Attempt,
    Author,
    Baseline,
    ChangeKind,
    HistoryEntry,
    HistoryKind,
    Move,
    Provenance,
    RecordChange,
    RetiredTask,
    number_of,
)


class Record(Stored, frozen=True, kw_only=True):
    """An existing task and its key.

    - `reference`: what the task says about itself; empty if a person has named the task.
    - `number`: orders the tasks of a key; 0 if a continued state created the task.
    - `spent`: references of earlier requests for the key. A task that has such a reference is a
      duplicate.
    - `history`: see `full_history`.
    - `changes`: the change by which the key got the task, and the latest change since then, if any.
    - `created_inputs`: the inputs that the task was created with, if a person has accepted other
      inputs or the drift of a setting.
    """

    ref: TaskRef = field(name="task", default=NO_TASK)
    task_id: str
    reference: str = ""
    number: int = 0
    file: str
    inputs: Inputs
    created_inputs: Inputs = field(default_factory=dict)
    digest: str
    identity: Identity
    created_at: Moment | None = None
    spent: tuple[str, ...] = ()
    pending: Mapping[str, object] = field(default_factory=dict)
    outputs: Mapping[str, object] = field(default_factory=dict)
    history: tuple[HistoryEntry, ...] = ()
    former: tuple[str, ...] = field(name="formerTaskIds", default=())
    generated: Generated | None = None
    done: bool = False
    met: str = ""
    expects: bool = False
    changes: tuple[RecordChange, ...] = ()

    @classmethod
    def of(
        cls, work: DesiredTask | Attempt, task_id: str, identity: Identity, at: datetime | None
    ) -> Record:
        """The record, from `at` on, of a task that was created by `identity` from the manifest, or
        by the attempt."""
        sent = work if isinstance(work, Attempt) else None
        return cls(
            ref=work.ref,
            task_id=task_id,
            reference=sent.reference if sent is not None else "",
            number=sent.number if sent is not None else 0,
            file=work.file,
            inputs=work.inputs,
            digest=sent.digest if sent is not None else digest(work.inputs),
            identity=identity,
            created_at=at,
            generated=work.generated,
        )

    @property
    def is_accepted(self) -> bool:
        """Whether a person has accepted that the task differs from its manifest."""
        return bool(self.created_inputs)

    @property
    def versions(self) -> tuple[Inputs, ...]:
        """The inputs as created, and the inputs that a person has accepted since."""
        return (self.created_inputs, self.inputs) if self.created_inputs else (self.inputs,)

    @property
    def references(self) -> tuple[str, ...]:
        """All references that belong to the key."""
        return (*self.spent, *([self.reference] if self.reference else ()))

    def full_history(self) -> tuple[HistoryEntry, ...]:
        """The history of the key. A single entry follows from the other fields, so it is not
        stored."""
        if self.history:
            return self.history
        made = self.changes[0].what if self.changes else ""
        is_created = made in (ChangeKind.CREATED, ChangeKind.REPLACED)
        what = HistoryKind.CREATED if is_created else HistoryKind.ADOPTED
        number = number_of(self.reference)
        return (HistoryEntry(what.value, self.created_at, self.task_id, number),)

    def with_history(self, entry: HistoryEntry) -> Record:
        """The record with this history entry, unless it has an entry of this kind with the same
        number."""
        known = {(h.what, h.number) for h in self.history if h.number}
        if entry.number and (entry.what, entry.number) in known:
            return self
        return replace(self, history=(*self.full_history(), entry)[-HISTORY:])

    def changed(self, what: ChangeKind) -> Record:
        """The record with a change by this run."""
        return replace(self, changes=(*self.changes[:1], RecordChange(what.value)))

    def as_adopted(self) -> Record:
        """The record of a task that the last attempt for its key did not create."""
        return self.changed(ChangeKind.ADOPTED)

    def retired(self, at: datetime | None) -> RetiredTask:
        """The data that the state keeps about its task when the record is removed."""
        return RetiredTask(
            ref=self.ref,
            task_id=self.task_id,
            file=self.file,
            identity=self.identity,
            at=at,
            created_at=self.created_at,
            outputs=self.outputs,
            former=self.former,
            reference=self.reference,
            spent=self.spent,
        )

    def in_place_of(self, old: Record | None, replaces: str = "") -> Record:
        """This record, with the history of its key: that of the record `old` or, if the record was
        lost, of the task that the attempt `replaces`."""
        kind = HistoryKind.REPLACED if replaces else HistoryKind.RECREATED
        number = number_of(self.reference)
        if old is None:
            if not replaces or replaces == self.task_id:
                return self
            entry = HistoryEntry(kind.value, self.created_at, self.task_id, number, replaces)
            return replace(self, history=(entry,), former=(replaces,))
        is_same = old.task_id == self.task_id
        reference = self.reference or (old.reference if is_same else "")
        spent = dict.fromkeys((*old.references, *self.spent))
        new = replace(
            self, reference=reference, spent=tuple(each for each in spent if each != reference)
        )
        if is_same:
            return replace(new, history=old.history, former=old.former, changes=old.changes)
        entry = HistoryEntry(kind.value, self.created_at, self.task_id, number, old.task_id)
        former = (*old.former, *([replaces] if replaces else ()), old.task_id)
        return replace(
            new,
            history=old.with_history(entry).history,
            former=tuple(dict.fromkeys(former)),
        )


_NEW_TASKS_SHARE = 0.9
"""The share of a state that new tasks may fill. The rest is for existing tasks."""


def room_in(most: int, stored: int) -> int:
    """The number of bytes that new tasks may add to a state and its journal. `stored` is their
    current size, `most` the largest size that can be read."""
    return int(_NEW_TASKS_SHARE * most) - stored


class State(Value, frozen=True):
    """The content of a state file.

    - `attempts`: the open attempts, by number.
    - `closed`: the references of attempts that created no task, of keys without a record.
    - `baselines`: at most one for each organization and identity.
    - `retired`: the tasks whose record was removed, by ID; they may have a record again.
    - `dismissed`: `ORG/ID` of tasks that a person has chosen to ignore.
    - `runs`: the runs that records and open attempts refer to.
    - `move`: if set, the state is not in use. `journal`: the ID of the journal folded last.
    - `room`: the bytes that new tasks may add to it; None for a state that was not read.
    """

    lineage: str
    serial: int
    backend: str
    provenance: Provenance
    records: Mapping[TaskRef, Record] = field(default_factory=dict)
    attempts: Mapping[int, Attempt] = field(default_factory=dict)
    closed: Mapping[TaskRef, tuple[str, ...]] = field(default_factory=dict)
    baselines: tuple[Baseline, ...] = ()
    retired: Mapping[str, RetiredTask] = field(default_factory=dict)
    dismissed: tuple[str, ...] = ()
    runs: Mapping[str, Author] = field(default_factory=dict)
    move: Move | None = None
    journal: str = ""
    room: int | None = None

    def __eq__(self, other: object) -> bool:
        """Compares states without the fields that depend on how the state was read."""
        return isinstance(other, State) and all(
            getattr(self, name) == getattr(other, name)
            for name in self.__struct_fields__
            if name not in ("journal", "room")
        )

    def __hash__(self) -> int:
        return hash((self.lineage, self.serial))

    def is_ours(self, reference: Reference | None) -> bool:
        """Whether this state, or one that it continues, has sent a reference."""
        return reference is not None and reference.state in self.provenance.ids

    def baseline(self, org_name: str, identity: Identity) -> Baseline | None:
        """The baseline of an organization, as this identity saw it."""
        return next((b for b in self.baselines if b.is_of(org_name, identity)), None)

    def users(self) -> set[str]:
        """The logins that have created or continued tasks of this state."""
        found = {baseline.identity.login for baseline in self.baselines}
        found |= {attempt.identity.login for attempt in self.attempts.values()}
        found |= {record.identity.login for record in self.records.values() if record.reference}
        return found | {task.identity.login for task in self.retired.values() if task.reference}

    def pruned(self) -> State:
        """The state without unreferenced runs."""
        ran = {change.run for record in self.records.values() for change in record.changes}
        ran.update(attempt.run for attempt in self.attempts.values())
        runs = {name: run for name, run in self.runs.items() if name in ran}
        return replace(self, runs=runs) if len(runs) < len(self.runs) else self

    def attempts_for(self, ref: TaskRef) -> tuple[Attempt, ...]:
        """The open attempts for a key, in the order in which they were made."""
        return self.attempts_of((ref,))

    def attempts_of(self, refs: Collection[TaskRef | None]) -> tuple[Attempt, ...]:
        """The open attempts for some keys, in the order in which they were made."""
        found = (attempt for attempt in self.attempts.values() if attempt.ref in refs)
        return tuple(sorted(found, key=lambda attempt: attempt.number))

    def attempt_with(self, reference: Reference | None) -> Attempt | None:
        """The open attempt that sent this reference."""
        attempt = self.attempts.get(reference.number) if reference is not None else None
        return attempt if attempt is not None and attempt.reference == str(reference) else None

    def recorded_ids(self) -> dict[str, TaskRef]:
        """The current or former key of each task, by task ID; including the tasks that open
        attempts are to replace, even if their record was lost."""
        ids = {record.task_id: ref for ref, record in self.records.items()}
        for ref, record in self.records.items():
            for other in record.former:
                ids.setdefault(other, ref)
        for attempt in self.attempts.values():
            if attempt.replaces:
                ids.setdefault(attempt.replaces, attempt.ref)
        for task in self.retired.values():
            for task_id in (task.task_id, *task.former):
                ids.setdefault(task_id, task.ref)
        return ids

    def is_removed(self, task_id: str) -> bool:
        """Whether the task had a key, and no longer has a key."""
        had_key = any(task_id in (t.task_id, *t.former) for t in self.retired.values())
        return had_key and not any(
            task_id in (record.task_id, *record.former) for record in self.records.values()
        )

    def close_attempts(
        self, numbers: Iterable[int], why: str, at: datetime | None, *, was_sent: bool = True
    ) -> list[Event]:
        """The events that close attempts without a task. If the key has a record, its history keeps
        the attempts."""
        events: list[Event] = []
        records: dict[TaskRef, Record] = {}
        for number in numbers:
            events.append(Closed(number, why, was_sent))
            attempt = self.attempts.get(number)
            ref = attempt.ref if attempt is not None else None
            record = ref and (records.get(ref) or self.records.get(ref))
            if attempt is None or ref is None or record is None:
                continue
            what = HistoryKind.NOT_CREATED.value
            entry = HistoryEntry(what, at, record.task_id, number, why)
            spent = (*record.spent, *([attempt.reference] if was_sent else ()))
            kept = tuple(dict.fromkeys(spent))
            records[ref] = replace(record.with_history(entry), spent=kept)
        return [*events, *map(Recorded, records.values())]


class _Event(Stored, frozen=True, tag_field="event", tag=str.lower):
    """One line of the journal, idempotent."""


class Attempted(_Event, frozen=True):
    """A create request is about to be sent."""

    attempt: Attempt


class Closed(_Event, frozen=True):
    """An attempt created no task: no task was found after the settle time or, unless it `was_sent`,
    it was not sent or was rejected, so that its reference can never appear."""

    number: int
    reason: str
    was_sent: bool = True


class Recorded(_Event, frozen=True):
    """A task was created, found, adopted, moved, accepted or updated.

    Replaces the record of the key, and closes the open attempts whose references it has.
    """

    record: Record


class Forgotten(_Event, frozen=True):
    """A record was removed: its task has another key."""

    ref: TaskRef = field(name="task")


class Retired(_Event, frozen=True):
    """A record was removed, and its task no longer has a key."""

    task: RetiredTask


class BaselineMoved(_Event, frozen=True):
    """All tasks of an organization were explained, and those of this state were recorded."""

    baseline: Baseline


class Learned(_Event, frozen=True):
    """A person has answered the question about lost states, or references were seen. Both are added
    to the provenance. If the state `continues` another state from now on, its baselines are
    dropped, because they do not cover the tasks of that state, and only the organizations in the
    event count as explained."""

    provenance: Provenance
    continues: bool = False


class Dismissed(_Event, frozen=True):
    """A person has chosen to ignore a task."""

    org_name: str
    task_id: str


class Ran(_Event, frozen=True):
    """A run is about to change records."""

    run: Author


class Aged(_Event, frozen=True):
    """The total of seconds that runs have waited for the outcomes of attempts, by
    reference."""

    seconds: Mapping[str, float]


Event = (
    Attempted
    | Closed
    | Recorded
    | Forgotten
    | Retired
    | BaselineMoved
    | Learned
    | Dismissed
    | Ran
    | Aged
)
