"""What is known: records of tasks that exist, and attempts whose outcome is not known yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar

from reconciler.model.entry import Generated
from reconciler.model.task import Identity, Inputs, RemoteTask, TaskRef
from reconciler.state.attempt import (
    HISTORY,
    Attempt,
    Baseline,
    HistoryEntry,
    HistoryKind,
    Move,
    RetiredTask,
)


@dataclass(frozen=True, slots=True)
class Record:
    """A task that exists, and the key it is kept for.

    `inputs` are those it was created with (of an adopted task: the manifest's when it was adopted)
    and `digest` theirs. `marks` are those of all attempts made for the key. `pending` is what is
    still to be patched after the create. `created_at` is when the create was answered or the task
    adopted, by the clock of the service where it is known. `sensitive`: no report shows its prompt,
    though its manifest may have lost it. `history` is what became of the key, once that is more
    than one thing (see `history_of`). `former` are the ids of all tasks it had before: they are
    nobody's, and adopted for nothing. `duplicates` are further tasks that bear a mark of the key:
    a create was delivered twice. `generated`: what an entry made it from. `done`: its agent has
    been, for its rollout.
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
    pending: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    sensitive: bool = False
    history: tuple[HistoryEntry, ...] = ()
    former: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    generated: Generated | None = None
    done: bool = False

    def history_of(self) -> tuple[HistoryEntry, ...]:
        """What became of the key. A record that only one thing became of need not keep it."""
        if self.history:
            return self.history
        mark = self.marks[-1] if self.marks else ""
        what = HistoryKind.CREATED if mark else HistoryKind.ADOPTED
        return (HistoryEntry(what.value, self.created_at, self.task_id, mark),)

    def after(self, *entries: HistoryEntry) -> Record:
        """The record once that has happened as well."""
        known = {(h.what, h.mark) for h in self.history if h.mark}
        new = (h for h in entries if not h.mark or (h.what, h.mark) not in known)
        return replace(self, history=(*self.history_of(), *new)[-HISTORY:])

    def was_replaced(self) -> bool:
        """Whether its task took the place of another on purpose."""
        return any(
            h.what == HistoryKind.REPLACED and h.task_id == self.task_id for h in self.history
        )

    def retired(self, at: datetime | None, *, adoptable: bool) -> RetiredTask:
        """What stays known of its task once the record is taken out."""
        return RetiredTask(
            self.ref,
            self.task_id,
            self.file,
            self.identity,
            at,
            self.created_at,
            self.outputs,
            self.sensitive,
            (*self.former, *self.duplicates),
            adoptable,
        )

    def in_place_of(self, old: Record | None, attempt: Attempt | None) -> Record:
        """This record of a new task, which `attempt` made where its key had the record `old`, or
        had the task that the attempt was to replace, whose record was lost."""
        mark = attempt.mark if attempt is not None else ""
        before = attempt.replaces if attempt is not None else ""
        anew = HistoryKind.REPLACED if before else HistoryKind.RECREATED
        if old is None:
            if not before:
                return self
            said = HistoryEntry(anew.value, self.created_at, self.task_id, mark, before)
            return replace(self, history=(said,), former=(before,))
        if old.task_id == self.task_id:
            return replace(self, history=old.history, former=old.former, duplicates=old.duplicates)
        said = HistoryEntry(anew.value, self.created_at, self.task_id, mark, old.task_id)
        former = (*old.former, *([before] if before else ()), old.task_id)
        return replace(
            self,
            marks=tuple(dict.fromkeys((*old.marks, *self.marks))),
            history=old.after(said).history,
            former=tuple(dict.fromkeys(former)),
            duplicates=old.duplicates,
        )


@dataclass(frozen=True, slots=True)
class State:
    """The whole of what is known. `attempts` are the open ones, by mark.

    `last_mark` is the latest mark ever given out: the next is later. `is_new`: no apply has come to
    its end on this state yet, so tasks may exist that it does not know of, however old they are.
    It outlives a save: an apply on a lost state that was stopped half way has not looked for the
    other half. `untold` are keys whose task was replaced by a run that died before it could tell.
    `searched` are PATHs for whose manifests alone one did: what other files want was
    not looked for. `baselines` has, by name, those that open attempts and `latest` refer to;
    `latest` names, by PATH (`.`: everything) and organization, the one read by the last apply that
    accounted for every task before it.
    `journal` is the id of the journal that was folded into it last. `retired` has, by id, the tasks
    whose record was taken out; one may have a record again. With a `move` it is not in use.
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
    untold: frozenset[TaskRef] = field(default=frozenset(), compare=False)

    def is_new_for(self, file: str) -> bool:
        """Whether tasks of any age may exist that a manifest file wants and no record names."""
        return self.is_new and not is_in(file, self.searched)

    def baseline_of(self, attempt: Attempt) -> Baseline | None:
        return self.baselines.get(attempt.baseline)

    def may_have_created(self, attempt: Attempt, task: RemoteTask) -> bool:
        """Whether the task is of the attempt's organization and is not known to be older."""
        baseline = self.baseline_of(attempt)
        if task.org_name != attempt.ref.org_name:
            return False
        return baseline is None or task.id not in baseline.ids

    def accounted_before(self, file: str, org_name: str) -> tuple[Baseline, ...]:
        """Baselines whose tasks are no look-alikes for that manifest file: an apply that has
        looked for all its tasks has read each of them."""
        if self.is_new_for(file):
            return ()
        names = [of.get(org_name, "") for path, of in self.latest.items() if is_in(file, (path,))]
        return tuple(self.baselines[name] for name in names if name in self.baselines)

    def pruned(self) -> State:
        """Without the baselines that nothing refers to."""
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
        """The ids of all tasks that have or had a key, each with the key; that a key has the task
        which an open attempt of it is to replace is known though its record was lost."""
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

    def known_ids(self) -> set[str]:
        """The ids of all tasks that it knows of, whatever they are to it."""
        return {*self.recorded_ids(), *self.retired}

    def is_retired(self, task_id: str) -> bool:
        """Whether no key has the task any more."""
        has_it = (r for r in self.records.values() if task_id in (r.task_id, *r.former))
        return task_id in self.retired and next(has_it, None) is None

    def settled(self, marks: Iterable[str], why: str, at: datetime | None) -> list[Event]:
        """That attempts made no task. Where their key has one, its record tells it ever after."""
        events: list[Event] = []
        records: dict[TaskRef, Record] = {}
        for mark in marks:
            attempt = self.attempts.get(mark)
            ref = attempt.ref if attempt is not None else None
            if attempt is not None and attempt.replaces and ref not in self.records:
                ref = self.recorded_ids()[attempt.replaces]  # it was to be moved as well
            record = ref and (records.get(ref) or self.records.get(ref))
            if ref is None or record is None:
                events.append(Closed(mark, why))
                continue
            said = HistoryEntry(HistoryKind.NOT_CREATED.value, at, record.task_id, mark, why)
            known = tuple(dict.fromkeys((*record.marks, mark)))
            records[ref] = replace(record.after(said), marks=known)
            events.append(Recorded(records[ref]))
        return events


def with_untold(saved: State, events: Iterable[Event]) -> State:
    """`saved`, and what a run that died before it saved had replaced: `events` are its own."""
    replaced = {
        event.record.ref
        for event in events
        if isinstance(event, Recorded)
        and (old := saved.records.get(event.record.ref)) is not None
        and old.task_id in event.record.former
        and event.record.was_replaced()
    }
    return replace(saved, untold=frozenset(replaced)) if replaced else saved


def is_in(file: str, paths: Iterable[str]) -> bool:
    """Whether a manifest file is one of the PATHs, or lies inside one."""
    return any(path in (".", file) or file.startswith(path.rstrip("/") + "/") for path in paths)


# Events: each is one line of the journal. Applying one twice gives what applying it once gives.


@dataclass(frozen=True, slots=True)
class Attempted:
    """A create is about to leave."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Closed:
    """An attempt made no task: never left, was refused, or came to nothing in the settle time."""

    mark: str
    reason: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A task is known to exist (created, found again, adopted, moved, accepted or updated).

    Its record replaces the key's; every open attempt whose mark is in `record.marks` is closed.
    """

    record: Record


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A record was taken out: its task has another key."""

    JSON_NAMES: ClassVar[Mapping[str, str]] = {"ref": "task"}

    ref: TaskRef


@dataclass(frozen=True, slots=True)
class Retired:
    """A record was taken out, and its task has no key any more."""

    task: RetiredTask


@dataclass(frozen=True, slots=True)
class BaselineRead:
    """The newest tasks before the attempts that name this baseline."""

    baseline: Baseline


Event = Attempted | Closed | Recorded | Forgotten | Retired | BaselineRead


def fold(state: State, events: Iterable[Event]) -> State:
    """The state after `events`. Folding the same events again changes nothing.

    Each event sets absolute values, so a journal that was folded but not yet removed when a
    process died does no harm when it is folded once more.
    """
    parts: dict[str, Any] = {
        "records": dict(state.records),
        "attempts": dict(state.attempts),
        "baselines": dict(state.baselines),
        "retired": dict(state.retired),
    }
    return replace(state, last_mark=fold_into(state.last_mark, events, **parts), **parts)


def fold_into(
    last_mark: str,
    events: Iterable[Event],
    *,
    records: dict[TaskRef, Record],
    attempts: dict[str, Attempt],
    baselines: dict[str, Baseline],
    retired: dict[str, RetiredTask],
) -> str:
    """`fold` in place, for who adds one event at a time to many records; gives the last mark."""
    for event in events:
        match event:
            case Attempted(attempt):
                attempts[attempt.mark] = attempt
                last_mark = max(last_mark, attempt.mark)
            case Closed(mark):
                attempts.pop(mark, None)
            case Recorded(record):
                records[record.ref] = record
                for mark in record.marks:
                    attempts.pop(mark, None)
            case Forgotten(ref):
                records.pop(ref, None)
            case Retired(task):
                retired[task.task_id] = task
                known = records.get(task.ref)
                if known is not None and known.task_id == task.task_id:
                    del records[task.ref]
            case BaselineRead(baseline):
                baselines[baseline.name] = baseline
    return last_mark
