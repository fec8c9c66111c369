from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from reconciler.remote.client import ServiceClock
from reconciler.remote.exchange import ServiceResponse

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_an_earlier_date_does_not_set_the_clock_back() -> None:
    """Another node of the service, or a proxy, has a slow clock."""
    passed = 0.0
    clock = ServiceClock(lambda: passed, lambda: NOON)

    def note(date: datetime) -> None:
        headers = {"Date": format_datetime(date, usegmt=True)}
        clock.note(ServiceResponse(200, headers, b"", passed))

    assert clock.now() is None
    note(NOON)
    passed = 10.0
    note(NOON - timedelta(minutes=1))
    assert clock.now() == NOON + timedelta(seconds=10)
    note(NOON + timedelta(minutes=1))
    assert clock.now() == NOON + timedelta(minutes=1)
