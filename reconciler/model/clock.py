"""Clock readings as values; `app/context.py` reads the clocks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

FARTHEST = timedelta(days=1)
"""A service clock that differs more than this from the machine's is ignored as implausible."""


class Clocks(NamedTuple):
    """A reading of all clocks. `now` is the wall clock. `boot` is the seconds since boot, including
    suspended time; nobody can set this clock. `service` is the service's clock, as of its last
    response; None before the first response.
    """

    now: datetime
    boot: float = 0.0
    service: datetime | None = None

    @property
    def moment(self) -> datetime:
        """The service's clock if it is plausible, otherwise the wall clock."""
        if self.service is None or abs(self.service - self.now) > FARTHEST:
            return self.now
        return self.service


class Clock(Protocol):
    """The clocks of this machine."""

    @property
    def boot_id(self) -> str: ...

    def now(self) -> datetime:
        """The wall clock, UTC."""

    def boot(self) -> float:
        """Seconds since boot (monotonic), including time for which the machine was suspended."""
