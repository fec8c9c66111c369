"""Folds events into a state. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.state.attempt import (
    Attempt,
    HistoryKind,
    KeyNotes,
    Recovery,
    RetiredTask,
)
from reconciler.state.model import (
    Aged,
    Attempted,
    BaselineRead,
    Closed,
    Event,
    Forgotten,
    Noted,
    Ran,
    Record,
    Recorded,
    Recovering,
    Retired,
    State,
)

_FOLDED = ("records", "attempts", "baselines", "retired", "keys", "recovering", "runs")


class Ledger:
    """A mutable state: events are applied in place, without copying its many records."""

    def __init__(self, state: State) -> None:
        self._before = state
        self.records, self.attempts = dict(state.records), dict(state.attempts)
        self.baselines, self.retired = dict(state.baselines), dict(state.retired)
        self.keys, self.runs = dict(state.keys), dict(state.runs)
        self.recovering = dict(state.recovering)

    def state(self) -> State:
        """A copy, which later events do not change."""
        copies = {name: dict(getattr(self, name)) for name in _FOLDED}
        return replace(self._before, **copies)

    def add(self, events: Iterable[Event]) -> None:
        """Adds events. Each event sets absolute values, so a journal that was folded, but not
        removed before the process was killed, may be folded again."""
        for event in events:
            match event:
                case Attempted(attempt):
                    self._open(attempt)
                case Closed(mark):
                    self._close(mark)
                case Recorded(record):
                    self._record(record)
                case Forgotten(ref):
                    self.records.pop(ref, None)
                    self._end_wait(ref)
                case Retired(task):
                    self._retire(task)
                case BaselineRead(baseline):
                    self.baselines[baseline.name] = baseline
                case Ran(run):
                    self.runs[run.name] = run
                case Aged(seconds):
                    self._wait(seconds)
                case Noted(ref, notes):
                    self._set_notes(ref, notes)
                case Recovering(org_name, recovery):
                    self._recover(org_name, recovery)

    def _record(self, record: Record) -> None:
        ref = record.ref
        self.records[ref] = record
        self.keys.pop(ref, None)
        for mark in record.marks:
            self.attempts.pop(mark, None)
        self._end_wait(ref)

    def _end_wait(self, ref: TaskRef) -> None:
        """The key, which has a task now or became another key, no longer waits for an answer."""
        recovery = self.recovering.get(ref.org_name)
        if recovery is not None and ref.key in recovery.keys:
            left = tuple(key for key in recovery.keys if key != ref.key)
            self.recovering[ref.org_name] = replace(recovery, keys=left)

    def _recover(self, org_name: str, recovery: Recovery | None) -> None:
        if recovery is not None:
            self.recovering[org_name] = recovery
        else:
            self.recovering.pop(org_name, None)

    def _open(self, attempt: Attempt) -> None:
        self.attempts[attempt.mark] = attempt
        if (notes := self.keys.get(attempt.ref)) is not None:
            marks = tuple(mark for mark in notes.marks if mark != attempt.mark)
            is_kept = attempt.ref.org_name in self.recovering  # until the key has a task
            answered = notes.not_created and is_kept
            self._note(attempt.ref, marks=marks, not_created=answered)

    def _close(self, mark: str) -> None:
        attempt = self.attempts.pop(mark, None)
        if attempt is not None:
            known = self.keys.get(attempt.ref, KeyNotes()).marks
            self._note(attempt.ref, marks=tuple(dict.fromkeys((*known, mark))))

    def _retire(self, task: RetiredTask) -> None:
        self.retired[task.task_id] = task
        record = self.records.get(task.ref)
        if record is not None and record.task_id == task.task_id:
            del self.records[task.ref]
        self._note(task.ref, removed=task.task_id if task.adoptable else "")

    def _wait(self, seconds: Mapping[str, float]) -> None:
        for mark, waited in seconds.items():
            if mark in self.attempts:
                self.attempts[mark] = replace(self.attempts[mark], waited=waited)

    def _note(self, ref: TaskRef, **changes: Any) -> None:
        self._set_notes(ref, replace(self.keys.get(ref, KeyNotes()), **changes))

    def _set_notes(self, ref: TaskRef, notes: KeyNotes) -> None:
        if notes == KeyNotes():
            self.keys.pop(ref, None)
        else:
            self.keys[ref] = notes


def fold(state: State, events: Collection[Event]) -> State:
    """The state after `events`. Folding the same events again changes nothing."""
    if not events:
        return state
    ledger = Ledger(state)
    ledger.add(events)
    return ledger.state()


def attempts_alone(events: Iterable[Event], saved: State) -> tuple[Event, ...]:
    """The only events of a journal that may be folded into `saved`, a version of the state other
    than the one that the journal was written for: its attempts are open, and know the tasks that
    were recorded for them. Attempts whose outcome `saved` knows are omitted."""
    events = tuple(events)
    ledger = Ledger(State(lineage=saved.lineage, serial=0, backend=saved.backend))
    ledger.add(e for e in events if isinstance(e, Attempted | Closed | BaselineRead | Ran | Aged))
    attempts = ledger.attempts
    for entry in (h for e in events if isinstance(e, Recorded) for h in e.record.full_history()):
        if entry.what == HistoryKind.NOT_CREATED:
            attempts.pop(entry.mark, None)
        elif entry.mark in attempts:
            attempts[entry.mark] = replace(attempts[entry.mark], task_id=entry.task_id)
    marks = {mark for mark, _ in saved.marks()}
    replaced = (attempt.replaces for attempt in attempts.values() if attempt.replaces)
    ids = {*saved.recorded_ids(), *saved.retired, *replaced}
    left = [a for a in attempts.values() if a.mark not in marks and a.task_id not in ids]
    runs = map(Ran, ledger.runs.values())
    begun = (e for e in events if isinstance(e, Recovering) and e.recovery is not None)
    return (*map(BaselineRead, ledger.baselines.values()), *runs, *begun, *map(Attempted, left))
