"""The journal of a state that may be replaced under a run. Journals are numbered as states are."""

from __future__ import annotations

from functools import cache

from reconciler.state import ledger
from reconciler.state.model import Aged, Attempted, Event, Recorded
from tests.model import taskctl
from tests.model.world import Process, World

_journals: list[tuple[Event, ...]] = [()]
_numbers: dict[str, int] = {"()": 0}


def _number_of(events: tuple[Event, ...]) -> int:
    number = _numbers.setdefault(repr(events), len(_journals))
    if number == len(_journals):
        _journals.append(events)
    return number


@cache
def extended(journal: int, before: int, after: int) -> int:
    """The journal after an entry that made one state of another."""
    new, events = taskctl.events_between(before, after), _journals[journal]
    if isinstance(new[-1], Aged):  # says everything that earlier ones said
        events = tuple(event for event in events if not isinstance(event, Aged))
    return _number_of((*events, *new))


@cache
def marks(saved: int, journal: int) -> frozenset[str]:
    """The marks of all attempts of a saved state and a journal."""
    own = {event.attempt.mark for event in _journals[journal] if isinstance(event, Attempted)}
    return frozenset(own.union(mark for mark, _ in taskctl.state_of(saved).marks()))


@cache
def replaced(copy: int, journal: int) -> tuple[int, int, str]:
    """The state and its journal, after a copy has replaced the saved state, and what is wrong with
    them: the copy must stay as it is, and the IDs of the journal's attempts must be known."""
    events, saved = _journals[journal], taskctl.state_of(copy)
    rest = ledger.attempts_alone(events, saved)
    state = ledger.fold(saved, rest)
    own = marks(taskctl.NEW, journal)
    records = [event.record for event in events if isinstance(event, Recorded)]
    found = {record.task_id for record in records if own.intersection(record.marks)}
    known = {*state.recorded_ids(), *state.retired, *(a.task_id for a in state.attempts.values())}
    wrong = ""
    if found - known:
        wrong = "the ID of an attempt was forgotten"
    elif state.records != saved.records:
        wrong = "a journal has changed another state"
    return taskctl.append(copy, *rest), _number_of(rest), wrong


def has_its_state(world: World, process: Process) -> bool:
    """Whether a process finds the state that it took. It checks that before each write and right
    before each send (`state.location.HeldState.check_held`)."""
    return process.taken == world.version


def forget() -> None:
    """For a test that changes the rules."""
    replaced.cache_clear()
