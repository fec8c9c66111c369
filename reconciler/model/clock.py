"""What clocks show. Reading them happens at the edge (`app/system_clock.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

FARTHEST = timedelta(days=1)
"""A service clock farther than this from the machine's cannot be correct, and is ignored."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """One reading. `now` is the wall clock; `boot` counts seconds since the boot that `boot_id`
    names ("": unknown), suspended time included, and nobody can set it. `service` is the service's
    clock as shown by its last response, None if it has shown none.
    """

    now: datetime
    boot: float = 0.0
    boot_id: str = ""
    service: datetime | None = None

    @property
    def service_now(self) -> datetime | None:
        """The service's clock, unless it cannot be correct."""
        return self.service if self.service is not None and not self.is_odd else None

    @property
    def moment(self) -> datetime:
        """Now, by the service's clock if it shows one that can be correct."""
        return self.service_now or self.now

    @property
    def is_odd(self) -> bool:
        """Whether the service shows a date that cannot be correct."""
        return self.service is not None and abs(self.service - self.now) > FARTHEST


class Clock(Protocol):
    """The clocks of this machine."""

    @property
    def boot_id(self) -> str: ...

    def now(self) -> datetime:
        """The wall clock, UTC."""

    def boot(self) -> float:
        """Seconds that never go back and go on while the machine sleeps."""
