from __future__ import annotations

from hypothesis import given

from reconciler.model.task import TaskRef
from reconciler.state.attempt import OUTPUTS, kept_outputs
from reconciler.state.ledger import fold
from reconciler.state.model import Event, State
from tests.support.state_samples import attempt, empty, history, mark_at, record
from tests.support.state_strategies import histories, states


@given(states, histories)
def test_folding_is_idempotent(state: State, happened: list[Event]) -> None:
    once = fold(state, happened)
    assert fold(once, happened) == once


@given(states, histories, histories)
def test_folding_a_partly_folded_journal_gives_the_same_state(
    state: State, first: list[Event], rest: list[Event]
) -> None:
    assert fold(fold(state, first), first + rest) == fold(state, first + rest)


def test_a_folded_history_gives_records_and_open_attempts() -> None:
    state = fold(empty(), history(4))
    assert {ref.key: r.task_id for ref, r in state.records.items()} == {
        "moved": "id-0",
        "task-2": "id-2",
    }
    assert state.attempts == {mark_at(3): attempt(3)}
    assert dict(state.marks()) == {
        mark_at(0): TaskRef("acme", "moved"),
        mark_at(1): attempt(1).ref,
        mark_at(2): attempt(2).ref,
        mark_at(3): attempt(3).ref,
    }
    assert state.attempts_for(attempt(3).ref) == (attempt(3),)
    assert state.recorded_ids()["id-2"] == record(2).ref


def test_only_outputs_with_a_value_are_kept() -> None:
    shown = dict.fromkeys(OUTPUTS, 1) | {"status": None, "isShared": False, "surprise": 1}
    kept = kept_outputs(shown)
    assert set(kept) == set(OUTPUTS) - {"status"}
    assert kept["isShared"] is False
