"""Periods: every instant is in exactly one, and no two have the same name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.expand.periods import (
    Recurrence,
    Unit,
    period_at,
    period_of,
)

days = st.dates(date(1971, 1, 1), date(2199, 12, 31))
units = st.sampled_from(Unit)
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Pacific/Kiritimati"),
    *("America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca"),
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
instants = st.datetimes(datetime(1975, 1, 1), datetime(2150, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(days, units)
def test_periods_tile_the_calendar(day: date, unit: Unit) -> None:
    period = period_of(day, unit)
    assert period.start <= day <= period.end
    assert period.next().start == period.end + timedelta(days=1)
    assert period.next().previous() == period == period.previous().next()
    assert period.next().name > period.name  # so no two have the same name


@pytest.mark.parametrize(
    ("unit", "day", "name", "start", "end"),
    [
        ("day", "2028-02-29", "2028-02-29", "2028-02-29", "2028-02-29"),
        ("week", "2027-01-01", "2026-W53", "2026-12-28", "2027-01-03"),
        ("week", "2024-12-30", "2025-W01", "2024-12-30", "2025-01-05"),
        ("month", "2028-02-10", "2028-02", "2028-02-01", "2028-02-29"),
        ("month", "2026-11-30", "2026-11", "2026-11-01", "2026-11-30"),
        ("quarter", "2026-12-31", "2026-Q4", "2026-10-01", "2026-12-31"),
        ("year", "2026-07-01", "2026", "2026-01-01", "2026-12-31"),
    ],
)
def test_periods_have_documented_names(
    unit: str, day: str, name: str, start: str, end: str
) -> None:
    period = period_of(date.fromisoformat(day), Unit(unit))
    assert (period.name, str(period.start), str(period.end)) == (name, start, end)


@given(instants, units, zones)
def test_an_instant_is_in_its_period_by_the_calendar_of_the_zone(
    now: datetime, unit: Unit, zone: ZoneInfo
) -> None:
    period = period_at(now, unit, zone)
    assert period.start <= now.astimezone(zone).date() <= period.end
    assert period.begins_at(zone) <= now + timedelta(days=1)


@given(instants, units, zones)
def test_a_later_instant_is_never_in_an_earlier_period(
    now: datetime, unit: Unit, zone: ZoneInfo
) -> None:
    later = now + timedelta(minutes=61)
    assert period_at(later, unit, zone).start >= period_at(now, unit, zone).start


def test_periods_start_at_midnight_of_the_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC)
    assert period_at(before, Unit.MONTH, berlin).name == "2026-10"
    assert period_at(before + timedelta(seconds=1), Unit.MONTH, berlin).name == "2026-11"


def test_a_day_skipped_by_a_zone_is_not_a_period() -> None:
    apia = ZoneInfo("Pacific/Apia")
    last = datetime(2011, 12, 30, 9, 59, tzinfo=UTC)
    names = [period_at(last + timedelta(minutes=m), Unit.DAY, apia).name for m in (0, 1)]
    assert names == ["2011-12-29", "2011-12-31"]


@given(instants, units, zones, st.none() | days, st.none() | days)
def test_the_current_period_within_bounds_is_due(
    now: datetime, unit: Unit, zone: ZoneInfo, first: date | None, last: date | None
) -> None:
    recurrence, current = Recurrence(unit, zone, first, last), period_at(now, unit, zone)
    is_within = (first or date.min) <= current.start <= (last or date.max)
    assert recurrence.due(now) == (current if is_within else None)
    assert recurrence.due_name(now) == (current.name if is_within else "")


def test_the_next_two_periods_are_upcoming() -> None:
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    monthly = Recurrence(Unit.MONTH, ZoneInfo("UTC"))
    assert [period.name for period in monthly.upcoming(now)] == ["2026-12", "2027-01"]
    until = Recurrence(Unit.MONTH, ZoneInfo("UTC"), last=date(2026, 12, 31))
    assert [period.name for period in until.upcoming(now)] == ["2026-12"]


@pytest.mark.parametrize(
    ("first", "name"), [("2026-02-01", "2026-02"), ("2026-02-02", "2026-03"), (None, "")]
)
def test_the_first_period_begins_on_or_after_the_first_day(first: str | None, name: str) -> None:
    begins = date.fromisoformat(first) if first is not None else None
    recurrence = Recurrence(Unit.MONTH, ZoneInfo("UTC"), begins, date(2026, 5, 1))
    assert recurrence.limits() == (name, "2026-05")
