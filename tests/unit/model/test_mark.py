"""Marks cannot be guessed, and are recognized in every spelling of the same instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.mark import Kept, is_mark, is_same, kept, microseconds, mint

NOW = datetime(2026, 11, 24, 14, 44, 49, 123456, tzinfo=UTC)
TIMES = st.integers(-(10**15), 2 * 10**17).map(
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)
MARKS = st.builds(mint, TIMES)


def test_a_mark_is_a_random_time_within_the_last_second() -> None:
    assert mint(NOW, less=7) == "2026-11-24T14:44:49.123449Z"
    marks = {mint(NOW) for _ in range(200)}
    assert len(marks) > 190
    assert len({mark[20:22] for mark in marks}) > 50  # every digit is random
    now = microseconds("2026-11-24T14:44:49.123456Z")
    assert now is not None
    assert all(0 <= now - (microseconds(mark) or 0) <= 1_000_010 for mark in marks)


@given(TIMES, st.integers(0, 999_999))
def test_a_mark_never_ends_in_a_zero(now: datetime, less: int) -> None:
    mark = mint(now, less)
    assert is_mark(mark)
    assert mark[-2] != "0"


@given(MARKS, st.integers(-14, 14), st.integers(0, 3))
def test_every_spelling_of_the_same_instant_is_the_same_mark(
    mark: str, hours: int, zeros: int
) -> None:
    there = datetime.fromisoformat(mark).astimezone(timezone(timedelta(hours=hours)))
    assert is_same(mark, there.isoformat())
    assert is_same(mark, mark.replace("Z", "0" * zeros + "Z"))
    assert kept(mark, there.isoformat()) is Kept.KEPT


@given(MARKS, st.integers(1, 10**7), st.booleans())
def test_no_other_instant_is_the_same_mark(mark: str, microseconds: int, later: bool) -> None:
    sign = 1 if later else -1
    other = datetime.fromisoformat(mark) + sign * timedelta(microseconds=microseconds)
    assert not is_same(mark, other.isoformat())


@given(MARKS, st.integers(0, 5))
def test_a_mark_that_was_cut_off_is_not_the_same(mark: str, digits: int) -> None:
    shown = mark[: 19 + digits + bool(digits)] + "Z"
    assert not is_same(mark, shown)
    assert kept(mark, shown) is Kept.CUT_OFF


@pytest.mark.parametrize(
    "shown",
    [
        *("", None, "2026-11-24T14:44:59.123456Z", "2026-11-24T14:44:51Z"),
        *("2026-11-24T14:44:49.500Z", "2026-11-24T14:44:49.125Z", "2026-11-24T14:44:49.123460001Z"),
    ],
)
def test_any_other_time_is_a_replacement(shown: object) -> None:
    assert kept("2026-11-24T14:44:49.123456Z", shown) is Kept.REPLACED


def test_a_time_between_two_microseconds_is_no_mark() -> None:
    assert microseconds("2026-11-24T14:44:49.1234561Z") is None
    assert microseconds("2026-11-24T14:44:49.1234560Z") is not None
    assert microseconds("2026-11-24T14:44:49." + "1" * 5000 + "Z") is None


@pytest.mark.parametrize(
    "shown",
    [
        *("", "now", None, 5, "9999999", "2026-11-24", "2026-11-24T14:44:60Z"),
        *("2026-13-24T14:44:49Z", "2026-11-24T14:44:49.Z", "2026-11-24T14:44:49Z\n"),
        "٢٠٢٦-11-24T14:44:49Z",
    ],
)
def test_an_invalid_time_matches_nothing(shown: object) -> None:
    assert microseconds(shown) is None
    assert not is_same("2026-11-24T14:44:49.123456Z", shown)
    assert not is_mark(shown)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-24T14:44:49.123Z", "2026-11-24T14:44:49.123450Z"),
        *("2026-11-24t14:44:49.123456Z", "2026-11-24T14:44:49.123456+00:00"),
    ],
)
def test_a_mark_has_one_spelling(text: str) -> None:
    assert microseconds(text) is not None
    assert not is_mark(text)


def test_the_beginning_of_the_calendar_has_no_marks() -> None:
    with pytest.raises(OverflowError):
        mint(datetime(1, 1, 1, tzinfo=UTC))
