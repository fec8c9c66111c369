"""What the handlers of one embedded service share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Semaphore

from reconciler.embedded.lifecycle import Scenario, milliseconds
from reconciler.embedded.storage import Storage


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """One service: its database, clock, scenario, and options (see `App`)."""

    storage: Storage
    now: Callable[[], datetime]
    scenario: Scenario
    default_org: str
    streams_end: bool
    heartbeat_seconds: float
    stopping: Event
    stream_slots: Semaphore

    def now_ms(self) -> int:
        return milliseconds(self.now())
