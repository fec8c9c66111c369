"""Folds events into a state. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from reconciler.model.value import replace
from reconciler.state.attempt import Attempt, Baseline, Provenance, RetiredTask, number_of
from reconciler.state.model import (
    Aged,
    Attempted,
    BaselineMoved,
    Closed,
    Dismissed,
    Event,
    Forgotten,
    Learned,
    Ran,
    Record,
    Recorded,
    Retired,
    State,
)


class Ledger:
    """A mutable state: events are applied in place, without copying its many records."""

    def __init__(self, state: State) -> None:
        self._before = state
        self.records, self.attempts = dict(state.records), dict(state.attempts)
        self.closed, self.retired = dict(state.closed), dict(state.retired)
        self.runs, self.provenance = dict(state.runs), state.provenance
        self.baselines, self.dismissed = state.baselines, state.dismissed

    def state(self) -> State:
        """A copy, which later events do not change."""
        return replace(
            self._before,
            records=dict(self.records),
            attempts=dict(self.attempts),
            closed=dict(self.closed),
            retired=dict(self.retired),
            runs=dict(self.runs),
            provenance=self.provenance,
            baselines=self.baselines,
            dismissed=self.dismissed,
        )

    def add(self, events: Iterable[Event]) -> None:
        """Adds events. Each event sets absolute values, so a journal that was folded, but not
        removed before the process was killed, may be folded again."""
        for event in events:
            match event:
                case Attempted(attempt):
                    self.attempts[attempt.number] = attempt
                    self.provenance = self.provenance.counted(attempt.number)
                case Closed(number, was_sent=was_sent):
                    self._close(number, was_sent=was_sent)
                case Recorded(record):
                    self._record(record)
                case Forgotten(ref):
                    self.records.pop(ref, None)
                case Retired(task):
                    self._retire(task)
                case BaselineMoved(baseline):
                    self._move_baseline(baseline)
                case Learned(provenance, continues=continues):
                    self._learn(provenance, continues=continues)
                case Dismissed(org_name, task_id):
                    self.dismissed = _sorted(self.dismissed, f"{org_name}/{task_id}")
                case Ran(run):
                    self.runs[run.name] = run
                case Aged(seconds):
                    self._wait(seconds)

    def _learn(self, provenance: Provenance, *, continues: bool) -> None:
        self.provenance = self.provenance.joined(provenance)
        if continues:
            self.provenance = replace(self.provenance, explained=provenance.explained)
            self.baselines = ()

    def _record(self, record: Record) -> None:
        ref = record.ref
        for reference in record.references:
            self._settle(reference)
        self.closed.pop(ref, None)
        self.records[ref] = record
        self.provenance = self.provenance.counted(record.number).seen(record.references)

    def _settle(self, reference: str) -> None:
        """Closes the open attempt that sent the reference."""
        found = next((n for n, a in self.attempts.items() if a.reference == reference), None)
        if found is not None:
            del self.attempts[found]

    def _close(self, number: int, *, was_sent: bool) -> None:
        attempt = self.attempts.pop(number, None)
        if attempt is not None and was_sent and attempt.ref not in self.records:
            known = self.closed.get(attempt.ref, ())
            self.closed[attempt.ref] = tuple(dict.fromkeys((*known, attempt.reference)))

    def _retire(self, task: RetiredTask) -> None:
        self.retired[task.task_id] = task
        self.provenance = self.provenance.seen((task.reference, *task.spent))
        record = self.records.get(task.ref)
        if record is not None and record.task_id == task.task_id:
            del self.records[task.ref]

    def _move_baseline(self, baseline: Baseline) -> None:
        org_name, identity = baseline.org_name, baseline.identity
        others = (b for b in self.baselines if not b.is_of(org_name, identity))
        key = _place_of
        self.baselines = tuple(sorted((*others, baseline), key=key))

    def _wait(self, seconds: Mapping[str, float]) -> None:
        for reference, waited in seconds.items():
            number = number_of(reference)
            if number in self.attempts:
                self.attempts[number] = replace(self.attempts[number], waited=waited)


def _place_of(baseline: Baseline) -> tuple[str, ...]:
    return (baseline.org_name, *(part or "" for part in baseline.identity.proof()))


def _sorted(known: Collection[str], new: str) -> tuple[str, ...]:
    return tuple(sorted({*known, new}))


def fold(state: State, events: Collection[Event]) -> State:
    """The state after `events`. Folding the same events again changes nothing."""
    if not events:
        return state
    ledger = Ledger(state)
    ledger.add(events)
    return ledger.state()


def without_baselines(events: Iterable[Event]) -> tuple[Event, ...]:
    """The events to fold if the state that they follow was lost: its records are missing, so the
    tasks that a baseline covers have to be explained again."""
    return tuple(event for event in events if not isinstance(event, BaselineMoved))


def attempts_alone(events: Iterable[Event], saved: State) -> tuple[Event, ...]:
    """The events to fold into `saved` if the journal was written for another version of the state.
    Its attempts stay open, unless `saved` has their outcome. If a task was recorded for an attempt,
    the next explanation finds it by its reference."""
    events = tuple(events)
    ledger = Ledger(State(saved.lineage, 0, saved.backend, saved.provenance))
    ledger.add(e for e in events if isinstance(e, Attempted | Closed | Ran | Aged))
    known = {each for record in saved.records.values() for each in record.references}
    known |= {each for task in saved.retired.values() for each in (task.reference, *task.spent)}
    known |= {each for references in saved.closed.values() for each in references}
    left: list[Attempt] = [a for a in ledger.attempts.values() if a.reference not in known]
    learned: list[Event] = [e for e in events if isinstance(e, Learned | Dismissed)]
    if ledger.provenance != saved.provenance:  # no number is used again
        learned.append(Learned(ledger.provenance))
    return (*map(Ran, ledger.runs.values()), *learned, *map(Attempted, left))
