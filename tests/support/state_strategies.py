"""Hypothesis strategies for states and their events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from reconciler.model.reference import state_id
from reconciler.model.service import Identity
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.state.attempt import OUTPUTS, Attempt, Baseline, HistoryEntry, Provenance
from reconciler.state.ledger import Ledger, fold
from reconciler.state.model import (
    Aged,
    Attempted,
    BaselineMoved,
    Closed,
    Dismissed,
    Event,
    Forgotten,
    Learned,
    Record,
    Recorded,
    Retired,
    State,
)
from tests.support.json_values import json_values
from tests.support.state_samples import empty, reference_at

text = st.text(max_size=20)
filled = st.text(min_size=1, max_size=8)
names = st.text(min_size=1, max_size=6).filter(lambda name: "/" not in name)
refs = st.builds(
    TaskRef, st.sampled_from(["acme", "other"]) | names, st.sampled_from("abc") | names
)
numbers = st.integers(1, 7)
references = st.integers(0, 6).map(reference_at)
moments = st.integers(0, 100 * 365 * 86_400 * 10**6).map(
    lambda since: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=since)
)
scalars = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = json_values(st.none() | scalars, text)
inputs = st.fixed_dictionaries(
    {"message": st.fixed_dictionaries({"content": text}, optional={"commands": values})},
    optional={"planMode": st.booleans(), "enabledIntegrations": st.lists(values, max_size=2)},
)
identities = st.builds(Identity, filled, st.none() | filled, st.none() | filled, text)
outputs = st.dictionaries(st.sampled_from(OUTPUTS), json_values(scalars, text), max_size=4)
attempts = st.builds(
    Attempt,
    ref=refs,
    reference=references,
    inputs=inputs,
    digest=filled,
    identity=identities,
    file=text,
    started_at=moments,
    replaces=text,
    settle_time=st.floats(0, 1e6),
    window=st.floats(0, 1e6),
    waited=st.floats(0, 1e6),
)
happenings = st.builds(HistoryEntry, filled, st.none() | moments, text, st.just(0) | numbers, text)
records = st.builds(
    Record,
    ref=refs,
    task_id=filled,
    reference=st.just("") | references,
    file=text,
    inputs=inputs,
    digest=filled,
    identity=identities,
    created_at=st.none() | moments,
    number=st.just(0) | numbers,
    spent=st.lists(references, max_size=3).map(tuple),
    pending=st.dictionaries(text, values, max_size=2),
    outputs=outputs,
    history=st.lists(happenings, max_size=3).map(tuple),
    former=st.lists(filled, max_size=2).map(tuple),
)
baselines = st.builds(
    Baseline, names, st.lists(filled, max_size=2).map(tuple), identities, st.none() | moments
)
state_ids = st.binary(min_size=6, max_size=6).map(state_id)
provenances = st.builds(
    Provenance,
    ids=st.lists(state_ids, min_size=1, max_size=2).map(tuple),
    begun_at=moments,
    counter=st.integers(0, 9),
    is_new=st.booleans(),
    answered=st.lists(state_ids, max_size=1).map(tuple),
    explained=st.lists(names, max_size=1).map(tuple),
    is_kept=st.booleans(),
)


def _retired(record: Record, at: datetime | None) -> Retired:
    return Retired(record.retired(at))


events = st.one_of(
    st.builds(Attempted, attempts),
    st.builds(Closed, numbers, text, st.booleans()),
    st.builds(Recorded, records),
    st.builds(Forgotten, refs),
    st.builds(_retired, records, moments | st.none()),
    st.builds(Dismissed, names, filled.filter(lambda task_id: not task_id.startswith("/"))),
    st.builds(BaselineMoved, baselines),
    st.builds(Learned, provenances),
    st.builds(Aged, st.dictionaries(references, st.floats(0, 1e6), max_size=2)),
)
histories = st.lists(events, max_size=6)


def _possible(state: State, happened: Sequence[Event]) -> list[Event]:
    """The events as a run appends them to this state: each attempt has a number of its own, and is
    closed once."""
    ledger, possible = Ledger(state), list[Event]()
    for event in happened:
        new: Sequence[Event] = [event]
        match event:
            case Attempted(attempt):
                reference = reference_at(ledger.provenance.counter)
                new = [Attempted(replace(attempt, reference=reference))]
            case Closed(number, why, was_sent):
                opened = sorted(ledger.attempts)
                chosen = [opened[number % len(opened)]] if opened else []
                new = ledger.state().close_attempts(chosen, why, None, was_sent=was_sent)
            case _:
                pass
        ledger.add(new)
        possible += new
    return possible


states = st.builds(
    lambda serial, happened: fold(empty(serial=serial), happened),
    st.integers(0, 99),
    histories,
)
continued = st.tuples(states, st.lists(events, max_size=12)).map(
    lambda both: (both[0], _possible(*both))
)
"""A state, and events that a run appends to it."""
