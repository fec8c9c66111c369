"""The state as a value, and the events that change it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime

from reconciler.model.canonical import digest
from reconciler.model.service import Identity
from reconciler.model.task import NO_TASK, DesiredTask, Generated, Inputs, TaskRef
from reconciler.model.value import Moment, Stored, Value, field, replace
from reconciler.state.attempt import (
    HISTORY,
    Attempt,
    Baseline,
    ChangeKind,
    HistoryEntry,
    HistoryKind,
    KeyNotes,
    Move,
    RecordChange,
    Recovery,
    RetiredTask,
    Run,
)


class Record(Stored, frozen=True, kw_only=True):
    """An existing task and its key. For `history`, see `full_history`. `changes` has at most two
    entries: the change by which the key got the task, and the last change since. `created_inputs`
    are those that the task was created with, if a person has accepted others since."""

    ref: TaskRef = field(name="task", default=NO_TASK)
    task_id: str
    file: str
    inputs: Inputs
    created_inputs: Inputs = field(default_factory=dict)
    digest: str
    identity: Identity
    created_at: Moment | None = None
    marks: tuple[str, ...] = ()
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
        return cls(
            ref=work.ref,
            task_id=task_id,
            file=work.file,
            inputs=work.inputs,
            digest=work.digest if isinstance(work, Attempt) else digest(work.inputs),
            identity=identity,
            created_at=at,
            generated=work.generated,
        )

    @property
    def versions(self) -> tuple[Inputs, ...]:
        """The inputs by which its work is recognized, starting with those it was created with."""
        return (self.created_inputs, self.inputs) if self.created_inputs else (self.inputs,)

    def full_history(self) -> tuple[HistoryEntry, ...]:
        """The history of the key. A single entry follows from the other fields, so it is not
        stored."""
        if self.history:
            return self.history
        mark = self.marks[-1] if self.marks else ""
        what = HistoryKind.CREATED if mark else HistoryKind.ADOPTED
        return (HistoryEntry(what.value, self.created_at, self.task_id, mark),)

    def with_history(self, entry: HistoryEntry) -> Record:
        """The record with this history entry; a mark has one entry of each kind."""
        if entry.mark and any((h.what, h.mark) == (entry.what, entry.mark) for h in self.history):
            return self
        return replace(self, history=(*self.full_history(), entry)[-HISTORY:])

    def changed(self, what: ChangeKind) -> Record:
        """The record with a change by this run."""
        return replace(self, changes=(*self.changes[:1], RecordChange(what.value)))

    def as_adopted(self) -> Record:
        """This record of a task that was not created by the last attempt for its key."""
        entry = HistoryEntry(HistoryKind.ADOPTED.value, self.created_at, self.task_id)
        adopted = self.changed(ChangeKind.ADOPTED)
        return replace(adopted, history=(entry,)) if self.marks else adopted

    def retired(self, at: datetime | None, *, adoptable: bool) -> RetiredTask:
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
            adoptable=adoptable,
            marks=self.marks,
            inputs=self.inputs if adoptable else {},
            created_inputs=self.created_inputs if adoptable else {},
        )

    def in_place_of(self, old: Record | None, attempt: Attempt | None) -> Record:
        """This record of a new task, with the history of its key. `attempt` created the task when
        the key had the record `old`, or to replace a task whose record was lost."""
        mark = attempt.mark if attempt is not None else ""
        before = attempt.replaces if attempt is not None else ""
        kind = HistoryKind.REPLACED if before else HistoryKind.RECREATED
        if old is None:
            if not before:
                return self
            entry = HistoryEntry(kind.value, self.created_at, self.task_id, mark, before)
            return replace(self, history=(entry,), former=(before,))
        if old.task_id == self.task_id:
            return replace(self, history=old.history, former=old.former, changes=old.changes)
        entry = HistoryEntry(kind.value, self.created_at, self.task_id, mark, old.task_id)
        former = (*old.former, *([before] if before else ()), old.task_id)
        return replace(
            self,
            marks=tuple(dict.fromkeys((*old.marks, *self.marks))),
            history=old.with_history(entry).history,
            former=tuple(dict.fromkeys(former)),
        )


_USED = 0.9
"""The share of a state that new tasks may fill. The rest is for existing tasks."""


def room_in(most: int, stored: int) -> int:
    """The bytes that new tasks may add to a state and its journal, given the stored bytes, and the
    maximum that could be read again (`most`)."""
    return int(_USED * most) - stored


class State(Value, frozen=True):
    """The content of a state file.

    - `attempts`: the open attempts, by mark; `keys`: notes about keys without a record.
    - `baselines`: the baselines that open attempts and `latest` refer to, by name. `latest` has the
      name of the baseline that the last apply of all manifests has read, by organization: its
      tasks are not look-alikes.
    - `retired`: the tasks whose record was removed, by ID; they may have a record again.
    - `recovering`: the organizations in which a lost state is recovered.
    - `runs`: the runs that records and open attempts refer to.
    - `move`: if set, the state is not in use. `journal`: the ID of the journal folded last.
    - `room`: the bytes that new tasks may add to it; None for a state that was not read.
    """

    lineage: str
    serial: int
    backend: str
    records: Mapping[TaskRef, Record] = field(default_factory=dict)
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    keys: Mapping[TaskRef, KeyNotes] = field(default_factory=dict)
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    latest: Mapping[str, str] = field(default_factory=dict)
    retired: Mapping[str, RetiredTask] = field(default_factory=dict)
    recovering: Mapping[str, Recovery] = field(default_factory=dict)
    runs: Mapping[str, Run] = field(default_factory=dict)
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

    def baseline_of(self, attempt: Attempt) -> Baseline | None:
        return self.baselines.get(attempt.baseline)

    def notes_on(self, ref: TaskRef) -> KeyNotes:
        return self.keys.get(ref, KeyNotes())

    def marks(self) -> Iterator[tuple[str, TaskRef]]:
        """Every known mark, of an open or closed attempt, with its key; the last key counts. A task
        that `state rm` removed belongs to no key, whatever its mark."""
        known = [(task.ref, task.marks) for task in self.retired.values() if not task.adoptable]
        known += [(ref, notes.marks) for ref, notes in self.keys.items()]
        known += [(ref, record.marks) for ref, record in self.records.items()]
        yield from ((mark, ref) for ref, marks in known for mark in marks)
        yield from ((mark, attempt.ref) for mark, attempt in self.attempts.items())

    def compared(self, org_name: str) -> Baseline | None:
        """The organization's newest tasks that an apply has compared with every key: they are not
        look-alikes."""
        return self.baselines.get(self.latest.get(org_name, ""))

    def pruned(self) -> State:
        """The state without unreferenced baselines and runs."""
        attempts = self.attempts.values()
        read = {*self.latest.values(), *(attempt.baseline for attempt in attempts)}
        ran = {change.run for record in self.records.values() for change in record.changes}
        ran.update(attempt.run for attempt in attempts)
        baselines = {name: value for name, value in self.baselines.items() if name in read}
        runs = {name: run for name, run in self.runs.items() if name in ran}
        return replace(self, baselines=baselines, runs=runs)

    def attempts_for(self, ref: TaskRef) -> tuple[Attempt, ...]:
        """The open attempts for a key, in the order in which they were made."""
        return self.attempts_of((ref,))

    def attempts_of(self, refs: Collection[TaskRef | None]) -> tuple[Attempt, ...]:
        """The open attempts for some keys, in the order in which they were made."""
        found = (attempt for attempt in self.attempts.values() if attempt.ref in refs)
        return tuple(sorted(found, key=lambda attempt: (attempt.started_at, attempt.mark)))

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
            for task_id in (*(() if task.adoptable else (task.task_id,)), *task.former):
                ids.setdefault(task_id, task.ref)
        return ids

    def close_attempts(self, marks: Iterable[str], why: str, at: datetime | None) -> list[Event]:
        """The events that close attempts without a task. If the key has a record, its history keeps
        the attempts."""
        events: list[Event] = []
        records: dict[TaskRef, Record] = {}
        for mark in marks:
            attempt = self.attempts.get(mark)
            ref = attempt.ref if attempt is not None else None
            if attempt is not None and attempt.replaces and ref not in self.records:
                ref = self.recorded_ids()[attempt.replaces]  # its key would have moved, too
            record = ref and (records.get(ref) or self.records.get(ref))
            if ref is None or record is None:
                events.append(Closed(mark, why))
                continue
            entry = HistoryEntry(HistoryKind.NOT_CREATED.value, at, record.task_id, mark, why)
            known = tuple(dict.fromkeys((*record.marks, mark)))
            records[ref] = replace(record.with_history(entry), marks=known)
            events.append(Recorded(records[ref]))
        return events


class _Event(Stored, frozen=True, tag_field="event", tag=str.lower):
    """One line of the journal, idempotent."""


class Attempted(_Event, frozen=True):
    """A create request is about to be sent."""

    attempt: Attempt


class Closed(_Event, frozen=True):
    """An attempt created no task: it was not sent, or rejected, or no task was found after the
    settle time."""

    mark: str
    reason: str


class Recorded(_Event, frozen=True):
    """A task was created, found, adopted, moved, accepted or updated.

    Replaces the record of the key, and closes the open attempts with a mark in `record.marks`.
    """

    record: Record


class Forgotten(_Event, frozen=True):
    """A record was removed: its task, or the answer that it has none, has another key."""

    ref: TaskRef = field(name="task")


class Retired(_Event, frozen=True):
    """A record was removed, and its task no longer has a key."""

    task: RetiredTask


class BaselineRead(_Event, frozen=True):
    """An organization's newest tasks were listed, before its first attempt."""

    baseline: Baseline


class Ran(_Event, frozen=True):
    """A run is about to change records."""

    run: Run


class Aged(_Event, frozen=True):
    """The total of seconds that runs have waited for the outcomes of attempts, by mark."""

    seconds: Mapping[str, float]


class Noted(_Event, frozen=True):
    """A person has changed the notes about a key."""

    ref: TaskRef = field(name="task")
    notes: KeyNotes


class Recovering(_Event, frozen=True):
    """A lost state is recovered in an organization; None ends the recovery."""

    org_name: str
    recovery: Recovery | None = None


Event = (
    Attempted
    | Closed
    | Recorded
    | Forgotten
    | Retired
    | BaselineRead
    | Ran
    | Aged
    | Noted
    | Recovering
)
