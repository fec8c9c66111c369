"""Calendar periods: the day, ISO week, month, quarter or year that an instant falls into, and the
recurrence of an entry. Pure.

A period is part of a task's key, so its name depends only on the calendar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconciler.manifest.finding import Facts, Finding
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path
from reconciler.model.value import Value


class Unit(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"

    def named(self, name: str) -> Period | None:
        """The period with this name; None if there is none."""
        day = re.sub("Q([1-4])$", lambda found: f"{3 * int(found[1]) - 2:02}", name)
        for rest in ("", "-01", "-01-01"):
            with suppress(ValueError):
                found = period_of(date.fromisoformat(day + rest), self)
                if found.name == name:
                    return found
        return None


class Period(Value, frozen=True, order=True):
    """A period, which `start` and `unit` define. `end` is the last day, inclusive."""

    start: date
    unit: Unit

    @property
    def name(self) -> str:
        """`2026-11-24`, `2026-W48` (ISO), `2026-11`, `2026-Q4` or `2026`."""
        start = self.start
        match self.unit:
            case Unit.DAY:
                return start.isoformat()
            case Unit.WEEK:
                year, week, _ = start.isocalendar()
                return f"{year:04}-W{week:02}"
            case Unit.MONTH:
                return f"{start.year:04}-{start.month:02}"
            case Unit.QUARTER:
                return f"{start.year:04}-Q{(start.month + 2) // 3}"
            case Unit.YEAR:
                return f"{start.year:04}"

    @property
    def end(self) -> date:
        return self.next().start - timedelta(days=1)

    def next(self) -> Period:
        return period_of(self.start + timedelta(days=_MAX_DAYS[self.unit]), self.unit)

    def previous(self) -> Period:
        return period_of(self.start - timedelta(days=1), self.unit)

    def begins_at(self, zone: ZoneInfo) -> datetime:
        """The instant at which the period begins in `zone`, as UTC: the first instant of its first
        day, which may have no midnight."""
        return datetime.combine(self.start, time(), zone).astimezone(UTC)


_MAX_DAYS = {Unit.DAY: 1, Unit.WEEK: 7, Unit.MONTH: 31, Unit.QUARTER: 92, Unit.YEAR: 366}
"""Days from the first day of any period to a day of the next period."""


def period_of(day: date, unit: Unit) -> Period:
    """The period that contains a day."""
    match unit:
        case Unit.DAY:
            start = day
        case Unit.WEEK:
            start = day - timedelta(days=day.weekday())
        case Unit.MONTH:
            start = day.replace(day=1)
        case Unit.QUARTER:
            start = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case Unit.YEAR:
            start = day.replace(month=1, day=1)
    return Period(start, unit)


def period_at(now: datetime, unit: Unit, zone: ZoneInfo) -> Period:
    """The period that contains an aware instant, by the calendar of `zone`."""
    return period_of(now.astimezone(zone).date(), unit)


class Recurrence(Value, frozen=True):
    """An entry's `every`: periods whose first day lies in `first` to `last`, both inclusive."""

    unit: Unit
    zone: ZoneInfo
    first: date | None = None
    last: date | None = None

    def includes(self, period: Period) -> bool:
        return (self.first is None or period.start >= self.first) and (
            self.last is None or period.start <= self.last
        )

    def due(self, now: datetime) -> Period | None:
        """The current period; None if it is not included."""
        period = period_at(now, self.unit, self.zone)
        return period if self.includes(period) else None

    def due_name(self, now: datetime) -> str:
        """The name of the period that is due; empty if there is none."""
        period = self.due(now)
        return period.name if period is not None else ""

    def upcoming(self, now: datetime) -> tuple[Period, ...]:
        """The next two periods: other time zones may be that far ahead."""
        last = self.latest(now)
        return tuple(each for each in (last.previous(), last) if self.includes(each))

    def latest(self, now: datetime) -> Period:
        """The last period that may be current in any time zone, whether included or not."""
        return period_at(now, self.unit, self.zone).next().next()

    def limits(self) -> tuple[str, str]:
        """The names of the first and the last period that it includes; empty: no limit."""
        first = period_of(self.first, self.unit) if self.first is not None else None
        if first is not None and not self.includes(first):
            first = first.next()
        last = period_of(self.last, self.unit) if self.last is not None else None
        return first.name if first is not None else "", last.name if last is not None else ""


def recurrence_of(entry: Mapping[str, Any], path: Path, found: list[Finding]) -> Recurrence | None:
    """The recurrence of the entry at `path`, None without `every`. Adds problems to `found`."""
    if "every" not in entry:
        return None

    def wrong(name: str, case: str, facts: Facts) -> None:
        found.append(Finding(Code.INVALID_RECURRENCE, (*path, name), case, facts))

    days: dict[str, date | None] = {"from": None, "until": None}
    for name in days:
        try:
            days[name] = date.fromisoformat(entry[name]) if name in entry else None
        except ValueError:
            wrong(name, "date", {"text": entry[name]})
    first, last = days.values()
    if first is not None and last is not None and first > last:
        wrong("until", "order", {"first": entry["from"], "last": entry["until"]})
    name = entry.get("timezone", "UTC")
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        wrong("timezone", "timezone", {"zone": name})
        zone = ZoneInfo("UTC")
    return Recurrence(Unit(entry["every"]), zone, first, last)
