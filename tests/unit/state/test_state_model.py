from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.state.attempt import OUTPUTS, kept_outputs
from reconciler.state.ledger import fold
from reconciler.state.model import Event, State
from tests.support.state_samples import attempt, empty, history, record
from tests.support.state_strategies import continued


@given(continued, st.integers(0, 12))
def test_folding_a_partly_folded_journal_gives_the_same_state(
    before: tuple[State, list[Event]], count: int
) -> None:
    state, happened = before
    assert fold(fold(state, happened[:count]), happened) == fold(state, happened)


def test_a_folded_history_gives_records_and_open_attempts() -> None:
    state = fold(empty(), history(4))
    assert {ref.key: r.task_id for ref, r in state.records.items()} == {
        "moved": "id-0",
        "task-2": "id-2",
    }
    assert state.attempts == {4: attempt(3)}
    assert state.provenance.counter == 4
    assert state.attempts_for(attempt(3).ref) == (attempt(3),)
    assert state.recorded_ids()["id-2"] == record(2).ref


def test_only_outputs_with_a_value_are_kept() -> None:
    shown = dict.fromkeys(OUTPUTS, 1) | {"status": None, "isShared": False, "surprise": 1}
    kept = kept_outputs(shown)
    assert set(kept) == set(OUTPUTS) - {"status"}
    assert kept["isShared"] is False
