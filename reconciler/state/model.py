"""The state as a value, and the events that change it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from reconciler.memory import value
from reconciler.model.task import Generated, Identity, Inputs, RemoteTask, TaskRef
from reconciler.state.attempt import (
    HISTORY,
    Attempt,
    Baseline,
    HistoryEntry,
    HistoryKind,
    Move,
    RetiredTask,
)


@value(frozen=True, slots=True)
class Record:
    """An existing task and its key.

    - `inputs`: the settings it was created with (for an adopted task, its manifest's at that time);
      `digest` is their digest.
    - `created_at`: the time of the create's response, or of the adoption, by the service's clock if
      known.
    - `marks`: the marks of all attempts for the key.
    - `pending`: settings to patch after the create.
    - `sensitive`: reports hide its prompt, even if its manifest is gone.
    - `history`: empty, or several entries (see `full_history`).
    - `former`: the IDs of the key's earlier tasks, which are never adopted.
    - `duplicates`: other tasks with a mark of the key, from a create that was delivered twice.
    - `generated`: the entry it was generated from.
    - `done`: the agent has finished, for the entry's rollout.
    """

    JSON_NAMES: ClassVar[Mapping[str, str]] = {
        "ref": "task",
        "former": "formerTaskIds",
        "duplicates": "duplicateTaskIds",
    }

    ref: TaskRef
    task_id: str
    file: str
    inputs: Inputs
    digest: str
    identity: Identity
    created_at: datetime | None = None
    marks: tuple[str, ...] = ()
    pending: Mapping[str, object] = field(default_factory=dict)
    outputs: Mapping[str, object] = field(default_factory=dict)
    sensitive: bool = False
    history: tuple[HistoryEntry, ...] = ()
    former: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    generated: Generated | None = None
    done: bool = False

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

    def was_replaced(self) -> bool:
        """Whether its task replaced another one on request."""
        return any(
            h.what == HistoryKind.REPLACED and h.task_id == self.task_id for h in self.history
        )

    def retired(self, at: datetime | None, *, adoptable: bool) -> RetiredTask:
        """What the state keeps about its task when the record is removed."""
        known = (self.ref, self.task_id, self.file, self.identity)
        shown = (self.created_at, self.outputs, self.sensitive)
        former = (*self.former, *self.duplicates)
        return RetiredTask(*known, at, *shown, former, adoptable)

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
            return replace(self, history=old.history, former=old.former, duplicates=old.duplicates)
        entry = HistoryEntry(kind.value, self.created_at, self.task_id, mark, old.task_id)
        former = (*old.former, *([before] if before else ()), old.task_id)
        return replace(
            self,
            marks=tuple(dict.fromkeys((*old.marks, *self.marks))),
            history=old.with_history(entry).history,
            former=tuple(dict.fromkeys(former)),
            duplicates=old.duplicates,
        )


@dataclass(frozen=True, slots=True)
class State:
    """The content of a state file.

    - `attempts`: the open attempts, by mark. `last_mark` is the latest mark ever given.
    - `is_new`: no apply has completed on this state, so unknown tasks of any age may exist. A save
      does not end that: an apply on a lost state that stopped half way has not searched for the
      other half. `searched` are the PATHs for which an apply has completed on a new state.
    - `baselines`: the baselines that open attempts and `latest` refer to, by name. `latest` has the
      name of the baseline that the last complete apply read, by PATH (`.`: everything) and
      organization.
    - `retired`: the tasks whose record was removed, by ID; they may have a record again.
    - `move`: if set, the state is not in use.
    - `journal`: the ID of the journal folded last.
    - `unreported`: keys whose task was replaced by a run that died before reporting it.
    """

    lineage: str
    serial: int
    backend: str
    records: Mapping[TaskRef, Record] = field(default_factory=dict)
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    last_mark: str = ""
    is_new: bool = False
    searched: tuple[str, ...] = ()
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    latest: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    retired: Mapping[str, RetiredTask] = field(default_factory=dict)
    move: Move | None = None
    journal: str = field(default="", compare=False)
    unreported: frozenset[TaskRef] = field(default=frozenset(), compare=False)

    def is_new_for(self, file: str) -> bool:
        """Whether tasks of any age that a manifest file declares may exist without a record."""
        return self.is_new and not is_in(file, self.searched)

    def baseline_of(self, attempt: Attempt) -> Baseline | None:
        return self.baselines.get(attempt.baseline)

    def may_have_created(self, attempt: Attempt, task: RemoteTask) -> bool:
        """Whether the task is in the attempt's organization and not known to be older."""
        baseline = self.baseline_of(attempt)
        if task.org_name != attempt.ref.org_name:
            return False
        return baseline is None or task.id not in baseline.ids

    def baselines_for(self, file: str, org_name: str) -> tuple[Baseline, ...]:
        """Baselines whose tasks are not look-alikes for a manifest file: a complete apply has
        checked each of them."""
        if self.is_new_for(file):
            return ()
        names = [of.get(org_name, "") for path, of in self.latest.items() if is_in(file, (path,))]
        return tuple(self.baselines[name] for name in names if name in self.baselines)

    def pruned(self) -> State:
        """Without unreferenced baselines."""
        used = {attempt.baseline for attempt in self.attempts.values()}
        used.update(name for of in self.latest.values() for name in of.values())
        kept = {name: b for name, b in self.baselines.items() if name in used}
        return self if len(kept) == len(self.baselines) else replace(self, baselines=kept)

    def files(self) -> set[str]:
        """The manifest files of all records and open attempts."""
        files = {record.file for record in self.records.values()}
        return files | {attempt.file for attempt in self.attempts.values()}

    def attempts_for(self, ref: TaskRef) -> tuple[Attempt, ...]:
        return tuple(a for _, a in sorted(self.attempts.items()) if a.ref == ref)

    def recorded_ids(self) -> dict[str, TaskRef]:
        """The key of each task that has or had one, by task ID; including the tasks that open
        attempts are to replace, even if their record was lost."""
        ids = {record.task_id: ref for ref, record in self.records.items()}
        for ref, record in self.records.items():
            for other in (*record.former, *record.duplicates):
                ids.setdefault(other, ref)
        for attempt in self.attempts.values():
            if attempt.replaces:
                ids.setdefault(attempt.replaces, attempt.ref)
        for task in self.retired.values():
            for task_id in () if task.adoptable else (task.task_id, *task.former):
                ids.setdefault(task_id, task.ref)
        return ids

    def is_retired(self, task_id: str) -> bool:
        """Whether the task had a key, and has none now."""
        has_it = (r for r in self.records.values() if task_id in (r.task_id, *r.former))
        return task_id in self.retired and next(has_it, None) is None

    def close_attempts(self, marks: Iterable[str], why: str, at: datetime | None) -> list[Event]:
        """The events that close attempts without a task. If the key has a record, its history keeps
        the attempts."""
        events: list[Event] = []
        records: dict[TaskRef, Record] = {}
        for mark in marks:
            attempt = self.attempts.get(mark)
            ref = attempt.ref if attempt is not None else None
            if attempt is not None and attempt.replaces and ref not in self.records:
                ref = self.recorded_ids()[attempt.replaces]  # its key was to move, too
            record = ref and (records.get(ref) or self.records.get(ref))
            if ref is None or record is None:
                events.append(Closed(mark, why))
                continue
            entry = HistoryEntry(HistoryKind.NOT_CREATED.value, at, record.task_id, mark, why)
            known = tuple(dict.fromkeys((*record.marks, mark)))
            records[ref] = replace(record.with_history(entry), marks=known)
            events.append(Recorded(records[ref]))
        return events


def with_unreported(saved: State, events: Iterable[Event]) -> State:
    """`saved` with the keys whose task a run replaced before it died; `events` are that run's."""
    replaced = {
        event.record.ref
        for event in events
        if isinstance(event, Recorded)
        and (old := saved.records.get(event.record.ref)) is not None
        and old.task_id in event.record.former
        and event.record.was_replaced()
    }
    return replace(saved, unreported=frozenset(replaced)) if replaced else saved


def is_in(file: str, paths: Iterable[str]) -> bool:
    """Whether a manifest file is one of the PATHs, or inside one of them."""
    return any(path in (".", file) or file.startswith(path.rstrip("/") + "/") for path in paths)


# Events: each is one line of the journal, and idempotent.


@value(frozen=True, slots=True)
class Attempted:
    """A create is about to be sent."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Closed:
    """An attempt created no task: it was not sent, or it was refused, or no task was found after
    the settle time."""

    mark: str
    reason: str


@value(frozen=True, slots=True)
class Recorded:
    """A task was created, found, adopted, moved, accepted or updated.

    Replaces the record of the key, and closes the open attempts with a mark in `record.marks`.
    """

    record: Record


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A record was removed: its task has another key."""

    JSON_NAMES: ClassVar[Mapping[str, str]] = {"ref": "task"}

    ref: TaskRef


@dataclass(frozen=True, slots=True)
class Retired:
    """A record was removed, and its task no longer has a key."""

    task: RetiredTask


@dataclass(frozen=True, slots=True)
class BaselineRead:
    """An organization's newest tasks were listed, before its first attempt."""

    baseline: Baseline


Event = Attempted | Closed | Recorded | Forgotten | Retired | BaselineRead


class Ledger:
    """A mutable state: events are applied in place, without copying its many records."""

    def __init__(self, state: State) -> None:
        self.rest = state
        """Has the fields that no event changes; the other fields are out of date."""
        self.records, self.attempts = dict(state.records), dict(state.attempts)
        self.baselines, self.retired = dict(state.baselines), dict(state.retired)
        self.last_mark = state.last_mark

    def state(self) -> State:
        """A copy, which later events do not change."""
        return replace(
            self.rest,
            records=dict(self.records),
            attempts=dict(self.attempts),
            baselines=dict(self.baselines),
            retired=dict(self.retired),
            last_mark=self.last_mark,
        )

    def add(self, events: Iterable[Event]) -> None:
        """Each event sets absolute values, so a journal that was folded, but not yet removed when a
        process died, may be folded again."""
        for event in events:
            match event:
                case Attempted(attempt):
                    self.attempts[attempt.mark] = attempt
                    self.last_mark = max(self.last_mark, attempt.mark)
                case Closed(mark):
                    self.attempts.pop(mark, None)
                case Recorded(record):
                    self.records[record.ref] = record
                    for mark in record.marks:
                        self.attempts.pop(mark, None)
                case Forgotten(ref):
                    self.records.pop(ref, None)
                case Retired(task):
                    self.retired[task.task_id] = task
                    known = self.records.get(task.ref)
                    if known is not None and known.task_id == task.task_id:
                        del self.records[task.ref]
                case BaselineRead(baseline):
                    self.baselines[baseline.name] = baseline


def fold(state: State, events: Iterable[Event]) -> State:
    """The state after `events`. Folding the same events again changes nothing."""
    ledger = Ledger(state)
    ledger.add(events)
    return ledger.state()
