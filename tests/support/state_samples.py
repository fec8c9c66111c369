"""Records, attempts and events to fill states with, by hand and by hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from reconciler.canonical import digest
from reconciler.model import Identity, TaskRef, rfc3339
from reconciler.state.model import (
    OUTPUTS,
    Attempt,
    Attempted,
    Closed,
    Event,
    Forgotten,
    Record,
    Recorded,
    State,
    fold,
)

BACKEND = "https://api.example.com"
LINEAGE = "5f0c1b9de2a74a6f8f3b7d1c9a04e6b2"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WHO = Identity("u-1", login="octocat")


def mark_at(number: int) -> str:
    return rfc3339(NOON + timedelta(milliseconds=number))


def attempt(number: int, key: str | None = None) -> Attempt:
    inputs = {"message": {"content": f"Do {number}.\n"}, "planMode": True}
    return Attempt(
        TaskRef("acme", key or f"task-{number}"),
        mark_at(number),
        inputs,
        digest(inputs),
        WHO,
        "tasks/a.yaml",
        NOON,
        NOON - timedelta(seconds=1),
    )


def record(number: int, key: str | None = None, marks: tuple[str, ...] | None = None) -> Record:
    made = attempt(number, key)
    return Record(
        made.ref,
        f"id-{number}",
        made.file,
        made.inputs,
        made.digest,
        WHO,
        NOON,
        (made.mark,) if marks is None else marks,
        {"name": f"Task {number}"},
        {"status": "idle", "tokensUsed": number},
    )


def history(count: int) -> list[Event]:
    """What creating `count` tasks leaves, the last of them without an outcome, the first moved."""
    events: list[Event] = []
    for number in range(count):
        events.append(Attempted(attempt(number)))
        if number % 3 == 1:
            events.append(Closed(mark_at(number), "refused"))
        elif number < count - 1:
            events.append(Recorded(record(number)))
    return [*events, Recorded(record(0, "moved")), Forgotten(TaskRef("acme", "task-0"))]


def empty(*, serial: int = 0, is_new: bool = False, backend: str = BACKEND) -> State:
    return State(lineage=LINEAGE, serial=serial, backend=backend, is_new=is_new)


text = st.text(max_size=20)
filled = st.text(min_size=1, max_size=8)
names = st.text(min_size=1, max_size=6).filter(lambda name: "/" not in name)
refs = st.builds(
    TaskRef, st.sampled_from(["acme", "other"]) | names, st.sampled_from("abc") | names
)
marks = st.integers(0, 6).map(mark_at)
moments = st.timedeltas(timedelta(), timedelta(days=36_500)).map(
    lambda since: datetime(2000, 1, 1, tzinfo=UTC) + since
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
inputs = st.fixed_dictionaries(
    {"message": st.fixed_dictionaries({"content": text}, optional={"commands": values})},
    optional={"planMode": st.booleans(), "enabledIntegrations": st.lists(values, max_size=2)},
)
identities = st.builds(Identity, filled, st.none() | filled, st.none() | filled, text)
outputs = st.dictionaries(
    st.sampled_from(OUTPUTS), values.filter(lambda v: v is not None), max_size=4
)
attempts = st.builds(
    Attempt, refs, marks, inputs, filled, identities, text, moments, st.none() | moments
)
records = st.builds(
    Record,
    refs,
    filled,
    text,
    inputs,
    filled,
    identities,
    st.none() | moments,
    st.lists(marks, max_size=3).map(tuple),
    st.dictionaries(text, values, max_size=2),
    outputs,
)
events = st.one_of(
    st.builds(Attempted, attempts),
    st.builds(Closed, marks, text),
    st.builds(Recorded, records),
    st.builds(Forgotten, refs),
)
histories = st.lists(events, max_size=8)
states = st.builds(
    lambda serial, is_new, happened: fold(empty(serial=serial, is_new=is_new), happened),
    st.integers(0, 99),
    st.booleans(),
    histories,
)
