"""What a state knows about itself: its IDs and numbers, the answers of people, and the tasks that
were explained."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.reference import Reference, is_state_id
from reconciler.model.service import Identity
from reconciler.model.value import replace
from reconciler.state.attempt import Baseline, Provenance
from reconciler.state.beginning import begin
from reconciler.state.edit import push
from reconciler.state.ledger import fold
from reconciler.state.local import LocalState
from reconciler.state.location import Claim
from reconciler.state.model import (
    Attempted,
    BaselineMoved,
    Dismissed,
    Event,
    Learned,
    Recorded,
    Retired,
    State,
)
from reconciler.state.session import Session, read_state
from tests.support.client_tools import cause
from tests.support.state_samples import (
    BACKEND,
    NOON,
    PROVENANCE,
    STATE_ID,
    WHO,
    attempt,
    empty,
    record,
    reference_at,
)

LOST, OTHER = "kabor-tanuf-lisab", "babab-babab-babab"
BOT = Identity("u-2", login="acme-bot")
LIMITED = replace(WHO, organization="acme")
FIRST, SECOND = Baseline("acme", ("t1", "t0"), WHO), Baseline("acme", ("t2", "t1"), WHO)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def appended(path: Path, *events: Event) -> State:
    """The state as read after a run that has appended these events."""
    with Session.open(LocalState(path), Claim(BACKEND, "apply")) as session:
        session.append(*events)
    return read_state(LocalState(path), backend=BACKEND)


# IDs and numbers


def test_each_state_begins_with_an_id_of_its_own() -> None:
    begun = [begin(BACKEND, NOON) for _ in range(3)]
    ids = [state.provenance.id for state in begun]
    assert all(map(is_state_id, ids))
    assert len({*ids, *(state.lineage for state in begun)}) == 6
    assert [state.provenance.begun_at for state in begun] == [NOON] * 3
    assert begin(BACKEND).provenance.begun_at < NOON - timedelta(days=10_000)  # reads everything


@pytest.mark.parametrize(
    ("backend", "said", "is_new"),
    [
        (BACKEND, False, False),
        (BACKEND, True, True),
        ("local:/srv/taskctl", False, True),  # it starts no agents
        ("local", False, True),
    ],
)
def test_a_state_is_new_if_a_person_says_so(backend: str, said: bool, is_new: bool) -> None:
    assert begin(backend, NOON, is_new=said).provenance.is_new is is_new


@pytest.mark.parametrize(
    ("events", "counter"),
    [
        ([], 0),
        ([Attempted(attempt(4))], 5),
        ([Attempted(attempt(4)), Attempted(attempt(1))], 5),
        ([Recorded(record(6))], 7),
        ([Recorded(replace(record(6), number=0))], 7),
        ([Recorded(replace(record(6), number=0, reference=f"task-6/7 {LOST}"))], 0),
        ([Recorded(record(1, spent=(reference_at(6),)))], 7),
        ([Retired(replace(record(1), spent=(reference_at(6),)).retired(NOON))], 7),
        ([Learned(PROVENANCE.counted(9))], 9),
        ([Learned(PROVENANCE.counted(9)), Attempted(attempt(4))], 9),
    ],
)
def test_the_counter_is_the_highest_number_used_or_seen(events: list[Event], counter: int) -> None:
    assert fold(empty(), events).provenance.counter == counter


@pytest.mark.parametrize(("state_id", "is_ours"), [(STATE_ID, True), (LOST, True), (OTHER, False)])
def test_references_of_a_continued_state_are_ours(state_id: str, is_ours: bool) -> None:
    state = fold(empty(), [Learned(replace(PROVENANCE, ids=(STATE_ID, LOST)))])
    assert state.is_ours(Reference("a", 1, state_id)) is is_ours
    assert not state.is_ours(None)


EARLIER = NOON - timedelta(days=1)


@pytest.mark.parametrize(
    ("learned", "expected"),
    [
        (Provenance((STATE_ID,), EARLIER), {"begun_at": EARLIER}),
        (Provenance((LOST,), NOON), {"ids": (STATE_ID, LOST)}),  # the own ID stays first
        (Provenance((STATE_ID,), NOON, counter=2), {}),
        (Provenance((STATE_ID,), NOON, counter=8), {"counter": 8}),
        (Provenance((STATE_ID,), NOON, is_new=True), {"is_new": True}),
        (Provenance((STATE_ID,), NOON, answered=(LOST,)), {"answered": (OTHER, LOST)}),
        (Provenance((STATE_ID,), NOON, explained=("other",)), {"explained": ("acme", "other")}),
        (Provenance((STATE_ID,), NOON, is_kept=True), {"is_kept": True}),
    ],
)
def test_nothing_that_a_state_has_learned_is_forgotten(
    learned: Provenance, expected: dict[str, object]
) -> None:
    known = replace(PROVENANCE, counter=5, answered=(OTHER,), explained=("acme",))
    state = replace(empty(), provenance=known)
    assert fold(state, [Learned(learned)]).provenance == replace(known, **expected)


def test_the_journal_of_a_lost_state_file_continues_it(path: Path) -> None:
    known = replace(PROVENANCE, is_new=True, answered=(OTHER,), explained=("acme",))
    with Session.open(LocalState(path), Claim(BACKEND, "apply")) as session:
        session.put(replace(session.state, provenance=known))
        session.save()
        session.append(Attempted(attempt(3)), Learned(replace(known, ids=(STATE_ID, LOST))))
        left = path.with_name(path.name + ".journal").read_bytes()
        before = session.state.provenance
    path.unlink()
    path.with_name(path.name + ".journal").write_bytes(left)
    with Session.open(LocalState(path), Claim(BACKEND, "apply")) as session:
        assert session.state.provenance == before
        assert session.next_reference("a") == Reference("a", 5, STATE_ID)


# Users


@pytest.mark.parametrize(
    ("events", "users"),
    [
        ([BaselineMoved(replace(FIRST, identity=BOT))], {"acme-bot"}),
        ([Attempted(replace(attempt(1), identity=BOT))], {"acme-bot"}),
        ([Recorded(replace(record(1), identity=BOT))], {"acme-bot"}),
        ([Retired(replace(record(1), identity=BOT).retired(NOON))], {"acme-bot"}),
        ([Recorded(replace(record(1, reference=""), identity=BOT))], set()),
        ([Retired(replace(record(1, reference=""), identity=BOT).retired(NOON))], set()),
    ],
)
def test_the_users_of_a_state_have_sent_its_tasks_and_not_only_imported_tasks(
    events: list[Event], users: set[str]
) -> None:
    assert fold(empty(), events).users() == users


# Baselines


def test_each_organization_and_identity_has_one_baseline(path: Path) -> None:
    appended(path, BaselineMoved(FIRST), BaselineMoved(replace(FIRST, identity=BOT)))
    elsewhere = replace(FIRST, org_name="other")
    state = appended(path, BaselineMoved(SECOND), BaselineMoved(elsewhere))
    assert state.baseline("acme", WHO) == SECOND
    assert state.baseline("acme", BOT) == replace(FIRST, identity=BOT)
    assert state.baseline("other", WHO) == elsewhere
    assert len(state.baselines) == 3


@pytest.mark.parametrize(
    ("identity", "is_same"),
    [(WHO, True), (replace(WHO, login="renamed"), True), (BOT, False), (LIMITED, False)],
)
def test_a_baseline_proves_nothing_for_another_identity(identity: Identity, is_same: bool) -> None:
    state = fold(empty(), [BaselineMoved(FIRST)])
    assert state.baseline("acme", identity) == (FIRST if is_same else None)
    assert state.baseline("other", identity) is None


def test_a_baseline_says_nothing_about_a_state_that_is_continued_later(path: Path) -> None:
    """Also if the process is killed before the tasks of that state are recorded."""
    events: list[Event] = [BaselineMoved(FIRST), Learned(replace(PROVENANCE, is_kept=True))]
    assert fold(empty(), events).baselines == (FIRST,)
    events.append(Learned(replace(PROVENANCE, ids=(STATE_ID, "lusab-lusab-lusab")), continues=True))
    assert fold(empty(), events).baselines == ()
    assert fold(fold(empty(), events), events).baselines == ()
    assert fold(empty(), [*events, BaselineMoved(FIRST)]).baselines == (FIRST,)


def test_a_pushed_state_has_no_baselines_and_knows_what_was_explained(path: Path) -> None:
    """It may be an old version."""
    known = replace(PROVENANCE, is_new=True, explained=("acme",), is_kept=True)
    state = appended(path, BaselineMoved(FIRST), Learned(known), Recorded(record(1)))
    older = replace(PROVENANCE, ids=state.provenance.ids)
    given = replace(state, serial=state.serial + 1, provenance=older)
    pushed = push(state, replace(given, baselines=(SECOND,)))
    assert pushed.baselines == ()
    assert pushed.provenance.id == state.provenance.id
    assert pushed.provenance.explained == ("acme",)
    assert (pushed.provenance.is_new, pushed.provenance.is_kept) == (True, True)
    assert pushed.provenance.counter == 2


def test_a_state_keeps_its_own_id(path: Path) -> None:
    """Another state may write the pushed one."""
    state = appended(path, Recorded(record(1)))
    other = replace(state.provenance, ids=(LOST, *state.provenance.ids))
    with pytest.raises(StateError) as caught:
        push(state, replace(state, serial=state.serial + 1, provenance=other))
    assert cause(caught) == (Code.STATE_EDIT, "lineage")


def test_a_pushed_state_cannot_age_attempts() -> None:
    """By the waiting that it claims, of attempts that are known or not."""
    state = fold(empty(serial=1), [Attempted(replace(attempt(1), waited=7.0))])
    older = [Attempted(replace(attempt(number), waited=900.0)) for number in (1, 2)]
    pushed = push(state, fold(empty(serial=2), older))
    assert [a.waited for a in pushed.attempts.values()] == [7.0, 0.0]


def test_a_dismissed_task_is_listed_once(path: Path) -> None:
    appended(path, Dismissed("acme", "t-2"), Dismissed("acme", "t-1"))
    assert appended(path, Dismissed("acme", "t-2")).dismissed == ("acme/t-1", "acme/t-2")


def test_the_closed_attempts_of_a_key_are_its_own_once_it_has_a_task() -> None:
    """Without a record, the state keeps their references; with one, the record does."""
    state = fold(empty(), [Attempted(attempt(1, "a")), Attempted(attempt(2, "a"))])
    state = fold(state, state.close_attempts([2], "made no task", NOON))
    state = fold(state, state.close_attempts([3], "refused", NOON, was_sent=False))
    assert state.closed == {attempt(1, "a").ref: (reference_at(1),)}
    known = replace(record(3, "a"), spent=state.closed[attempt(1, "a").ref])
    state = fold(state, [Recorded(known), Attempted(attempt(4, "a")), Attempted(attempt(5, "a"))])
    state = fold(state, state.close_attempts([5], "made no task", NOON))
    state = fold(state, state.close_attempts([6], "refused", NOON, was_sent=False))
    (held,) = state.records.values()
    assert held.spent == (reference_at(1), reference_at(4))
    assert held.references == (*held.spent, reference_at(3))
    assert (state.closed, state.attempts) == ({}, {})
