"""Hypothesis strategies for states and their events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from reconciler.model.service import Identity
from reconciler.model.task import TaskRef
from reconciler.state.attempt import OUTPUTS, Attempt, HistoryEntry
from reconciler.state.ledger import fold
from reconciler.state.model import (
    Attempted,
    Closed,
    Forgotten,
    Record,
    Recorded,
    Retired,
)
from tests.support.json_values import json_values
from tests.support.state_samples import empty, mark_at

text = st.text(max_size=20)
filled = st.text(min_size=1, max_size=8)
names = st.text(min_size=1, max_size=6).filter(lambda name: "/" not in name)
refs = st.builds(
    TaskRef, st.sampled_from(["acme", "other"]) | names, st.sampled_from("abc") | names
)
marks = st.integers(0, 6).map(mark_at)
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
    mark=marks,
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
happenings = st.builds(HistoryEntry, filled, st.none() | moments, text, st.just("") | marks, text)
records = st.builds(
    Record,
    ref=refs,
    task_id=filled,
    file=text,
    inputs=inputs,
    digest=filled,
    identity=identities,
    created_at=st.none() | moments,
    marks=st.lists(marks, max_size=3).map(tuple),
    pending=st.dictionaries(text, values, max_size=2),
    outputs=outputs,
    history=st.lists(happenings, max_size=3).map(tuple),
    former=st.lists(filled, max_size=2).map(tuple),
)


def _retired(record: Record, at: datetime | None, by_hand: bool) -> Retired:
    return Retired(record.retired(at, adoptable=by_hand))


events = st.one_of(
    st.builds(Attempted, attempts),
    st.builds(Closed, marks, text),
    st.builds(Recorded, records),
    st.builds(Forgotten, refs),
    st.builds(_retired, records, moments | st.none(), st.booleans()),
)
histories = st.lists(events, max_size=6)
states = st.builds(
    lambda serial, happened: fold(empty(serial=serial), happened),
    st.integers(0, 99),
    histories,
)
