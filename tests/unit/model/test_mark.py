"""Marks ascend, cannot be guessed, and are recognized in every form that a service may return."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_DOWN, ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.mark import is_exact, is_mark, matches, mint, nanoseconds

NOW = datetime(2026, 11, 24, 14, 44, 49, 123456, tzinfo=UTC)
TIMES = st.integers(-(10**15), 2 * 10**17).map(
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)
ENTROPY = st.integers(0, 999_999)
MARKS = st.builds(mint, TIMES, entropy=ENTROPY)
ROUNDINGS = (ROUND_DOWN, ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP)


def test_a_mark_is_a_time_in_milliseconds_and_six_random_digits() -> None:
    assert mint(NOW, entropy=7) == "2026-11-24T14:44:49.123000007Z"
    assert len({mint(NOW) for _ in range(50)}) > 40


@given(TIMES, st.lists(st.tuples(TIMES, ENTROPY), max_size=20))
def test_marks_ascend_by_at_least_two_milliseconds(
    start: datetime, rest: list[tuple[datetime, int]]
) -> None:
    marks = [mint(start)]
    for now, entropy in rest:
        marks.append(mint(now, marks[-1], entropy))
    found = [ns for mark in marks if (ns := nanoseconds(mark)) is not None]
    assert all(later - earlier >= 2_000_000 for earlier, later in pairwise(found))
    assert sorted(marks) == marks
    assert all(map(is_mark, marks))
    # Still distinct at a service that shows milliseconds, truncated or rounded.
    assert not any(matches(a, _shown(b, 3, r)) for a, b in pairwise(marks) for r in ROUNDINGS)


@given(MARKS, st.integers(0, 12), st.sampled_from(ROUNDINGS), st.booleans())
def test_a_mark_matches_itself_truncated_or_rounded(
    mark: str, digits: int, rounding: str, trimmed: bool
) -> None:
    shown = _shown(mark, digits, rounding)
    if trimmed and "." in shown:
        shown = shown.removesuffix("Z").rstrip("0").rstrip(".") + "Z"
    assert matches(mark, shown)
    assert is_exact(mark, shown) or digits < 9


@given(MARKS, st.integers(0, 9), st.integers(2, 10**9), st.booleans())
def test_no_other_mark_matches(mark: str, digits: int, units: int, later: bool) -> None:
    unit = 10 ** (9 - digits)
    ns = nanoseconds(mark)
    assert ns is not None
    other = _from(Decimal(ns + units * unit * (1 if later else -1)), 9)
    if other is not None:
        assert not matches(mark, _shown(other, digits, ROUND_DOWN))
        assert not is_exact(mark, other)


@given(TIMES, st.integers(-14, 14))
def test_any_offset_is_the_same_time(moment: datetime, hours: int) -> None:
    there = moment.astimezone(timezone(timedelta(hours=hours)))
    assert nanoseconds(there.isoformat()) == nanoseconds(moment.isoformat())
    assert nanoseconds(moment.replace(tzinfo=None).isoformat()) == nanoseconds(moment.isoformat())


def test_further_digits_are_truncated_but_do_not_match() -> None:
    mark = "2026-11-24T14:44:49.123456789Z"
    assert nanoseconds("2026-11-24T14:44:49.1234567899Z") == nanoseconds(mark)
    assert not matches(mark, "2026-11-24T14:44:49.1234567891Z")
    assert matches(mark, "2026-11-24T14:44:49.123456789000Z")
    assert nanoseconds("2026-11-24T14:44:49." + "1" * 5000 + "Z") is not None


@pytest.mark.parametrize(
    "shown",
    [
        *("", "now", None, 5, "9999999", "2026-11-24", "2026-11-24T14:44:60Z"),
        *("2026-13-24T14:44:49Z", "2026-11-24T14:44:49.Z", "2026-11-24T14:44:49Z\n"),
        "٢٠٢٦-11-24T14:44:49Z",
    ],
)
def test_an_invalid_time_matches_nothing(shown: object) -> None:
    assert nanoseconds(shown) is None
    assert not matches("2026-11-24T14:44:49.123456789Z", shown)
    assert not is_exact("2026-11-24T14:44:49.123456789Z", shown)
    assert not is_mark(shown)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-24T14:44:49.123Z", "2026-11-24T14:44:49.1234567890Z"),
        *("2026-11-24t14:44:49.123456789Z", "2026-11-24T14:44:49.123456789+00:00"),
    ],
)
def test_a_mark_has_one_spelling(text: str) -> None:
    assert nanoseconds(text) is not None
    assert not is_mark(text)


def test_there_is_no_mark_after_the_end_of_the_calendar() -> None:
    with pytest.raises(OverflowError):
        mint(NOW, "9999-12-31T23:59:59.999999999Z")
    with pytest.raises(ValueError, match="tomorrow"):
        mint(NOW, "tomorrow")


def _shown(mark: str, digits: int, rounding: str) -> str:
    ns = nanoseconds(mark)
    assert ns is not None
    unit = Decimal(10) ** -digits
    value = (Decimal(ns) / 10**9).quantize(unit, rounding)
    if rounding == ROUND_DOWN and value * 10**9 > ns:
        value -= unit  # truncating the digits goes down on both sides of 1970
    shown = _from(value * 10**9, digits)
    assert shown is not None
    return shown


def _from(ns: Decimal, digits: int) -> str | None:
    seconds, rest = divmod(int(ns), 10**9)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    fraction = f"{rest:09}".ljust(digits, "0")[:digits]
    return f"{moment.replace(tzinfo=None).isoformat()}{'.' if digits else ''}{fraction}Z"
