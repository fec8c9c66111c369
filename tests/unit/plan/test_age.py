"""When an attempt can no longer create a task; docs/exactly-once.md, "Age"."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.clock import Clocks
from reconciler.plan.age import LockHolder, time_left
from tests.support.plan_values import NOW, attempt

SETTLE = timedelta(seconds=150)
SPAN = 160.0
"""The settle time and the send window."""

SENT = attempt("a", NOW, boot=1000.0, boot_id="boot-1")


def left(holder: LockHolder | None = None, **clocks: Any) -> float | None:
    shown: dict[str, Any] = {"now": NOW, "boot": 1000.0, "boot_id": "boot-1", "service": NOW}
    return time_left(SENT, Clocks(**{**shown, **clocks}), SETTLE, holder)


def test_in_its_own_process_an_attempt_ages_from_the_end_of_the_exchange() -> None:
    holder = LockHolder(0.0, {SENT.mark: 1100.0})
    assert left(holder, boot=1100.0) == 150.0
    assert left(holder, boot=1249.0) == 1.0
    assert left(holder, boot=1251.0) == 0.0


def test_an_attempt_in_flight_is_never_old() -> None:
    holder = LockHolder(0.0, {SENT.mark: float("inf")})
    assert left(holder, boot=9e9) == float("inf")


def test_the_age_of_an_inherited_attempt_counts_from_the_lock_or_its_journal_entry() -> None:
    assert left(LockHolder(5000.0), boot=5000.0, boot_id="boot-2") == SPAN
    assert left(LockHolder(5000.0), boot=5000.0 + SPAN, boot_id="boot-2") == 0.0
    assert left(LockHolder(1100.0), boot=1100.0) == SPAN - 100.0


def test_a_plan_knows_the_age_only_on_the_same_boot() -> None:
    assert left(boot=1000.0 + SPAN) == 0.0
    assert left(boot=1050.0) == SPAN - 50.0
    assert left(boot=1050.0, boot_id="boot-2") is None
    assert left(boot=900.0) is None  # the machine was restarted, with the same id by accident


def test_wall_clocks_count_only_if_both_agree_with_an_hour_to_spare() -> None:
    later = NOW + timedelta(seconds=SPAN, hours=1)
    other: dict[str, Any] = {"boot": 0.0, "boot_id": "boot-2"}
    assert left(now=later, service=later, **other) == 0.0
    assert left(now=later, service=later - timedelta(seconds=1), **other) is None
    assert left(now=later - timedelta(seconds=1), service=later, **other) is None
    assert left(now=later, service=None, **other) is None


@pytest.mark.parametrize("year", [1, 1970, 2099, 9999])
def test_a_date_that_cannot_be_correct_changes_nothing(year: int) -> None:
    odd = datetime(year, 6, 1, tzinfo=NOW.tzinfo)
    clocks = Clocks(NOW, 1000.0, "boot-2", odd)
    assert clocks.is_odd
    assert time_left(replace(SENT, service_clock=odd), clocks, SETTLE, None) is None
    holder = LockHolder(1000.0)
    assert time_left(replace(SENT, service_clock=odd), clocks, SETTLE, holder) == SPAN


MOMENTS = st.datetimes().map(lambda moment: moment.replace(tzinfo=NOW.tzinfo))


@given(MOMENTS, MOMENTS, MOMENTS, st.floats(0, 1e9), st.floats(0, 1e9), st.booleans())
def test_no_clock_makes_an_apply_wait_longer(
    now: datetime, service: datetime, started: datetime, boot: float, locked: float, same: bool
) -> None:
    """Never longer than the settle time and the send window after the lock was taken."""
    sent = replace(SENT, started_at=started, service_clock=started, boot=boot)
    clocks = Clocks(now, locked + 7.0, "boot-1" if same else "boot-2", service)
    found = time_left(sent, clocks, SETTLE, LockHolder(locked))
    assert found is not None
    assert 0 <= found <= SPAN - 6.99
