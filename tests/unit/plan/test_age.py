"""When an attempt can no longer create a task; docs/exactly-once.md, "Attempts"."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.plan.ages import AttemptAges, time_left, waited_totals
from reconciler.state.attempt import Attempt
from tests.support.plan_values import NOW, attempt

SETTLE = timedelta(seconds=150)
SPAN = 160.0
"""The settle time and the send window."""


def sent(**more: Any) -> Attempt:
    return attempt("a", NOW, **{"waited": 0.0, **more})


def left(tried: Attempt, ages: AttemptAges | None = None, boot: float = 0.0) -> float:
    return time_left(tried, SETTLE, ages, boot)


def test_in_its_own_process_an_attempt_ages_from_the_end_of_the_exchange() -> None:
    ages = AttemptAges(0.0)
    ages.ended(sent().number, 1100.0)
    assert left(sent(), ages, 1100.0) == 150.0
    assert left(sent(), ages, 1249.0) == 1.0
    assert left(sent(), ages, 1251.0) == 0.0


def test_an_attempt_in_flight_is_never_old() -> None:
    ages = AttemptAges(0.0)
    ages.sending(sent().number)
    assert left(sent(), ages, 9e9) == 150.0
    assert list(waited_totals([sent()], SETTLE, ages, 9e9)) == []


def test_an_inherited_attempt_ages_from_the_lock_and_the_window_counts() -> None:
    ages = AttemptAges(5000.0, [sent()])
    assert left(sent(), ages, 5000.0) == SPAN
    assert left(sent(), ages, 5000.0 + SPAN) == 0.0


def test_what_others_have_waited_counts() -> None:
    before = sent(waited=100.0)
    ages = AttemptAges(5000.0, [before])
    assert left(before, ages, 5000.0) == 60.0
    assert left(before, ages, 5070.0) == 0.0


def test_a_journaled_total_is_not_counted_twice() -> None:
    """While a process waits, it journals totals, which become part of the state."""
    ages = AttemptAges(5000.0, [sent(waited=100.0)])
    assert left(sent(waited=130.0), ages, 5030.0) == 30.0


def test_a_plan_counts_what_is_journaled() -> None:
    assert left(sent()) == SPAN
    assert left(sent(waited=159.0)) == 1.0
    assert left(sent(waited=SPAN)) == 0.0


def test_the_longer_settle_time_counts() -> None:
    ages = AttemptAges(0.0)
    assert time_left(sent(settle_time=40.0), timedelta(seconds=5), ages, 0.0) == 50.0
    assert time_left(sent(settle_time=5.0), timedelta(seconds=40), ages, 0.0) == 50.0


def test_totals_are_absolute_and_end_with_the_age() -> None:
    young, old = sent(waited=10.0), attempt("b", NOW, number=2, waited=SPAN)
    ages = AttemptAges(5000.0, [young, old])
    assert dict(waited_totals([young, old], SETTLE, ages, 5015.0)) == {young.reference: 25.0}
    assert list(waited_totals([young, old], SETTLE, ages, 5000.0)) == []


spans = st.lists(st.tuples(st.floats(0, 300), st.floats(0, 300)), max_size=6)


@given(spans, st.floats(0, 1e6))
def test_the_total_never_exceeds_what_was_waited(
    applies: list[tuple[float, float]], boot: float
) -> None:
    """Applies follow each other, each on another machine, and each is killed some time after it has
    journaled its last total."""
    tried, waited = sent(), 0.0
    for noted, lost in applies:
        ages = AttemptAges(boot, [tried])
        found = dict(waited_totals([tried], SETTLE, ages, boot + noted))
        tried = sent(waited=found.get(tried.reference, tried.waited))
        waited += noted + lost
        assert tried.waited <= waited + 0.01
        assert left(tried) >= SPAN - waited - 0.01
