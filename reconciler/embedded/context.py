"""What the handlers of one embedded service share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Semaphore

from reconciler.embedded.lifecycle import Life, milliseconds
from reconciler.embedded.storage import Storage


@dataclass(frozen=True, slots=True)
class Context:
    """One service: its database, its clock, how its tasks live, and what it was told to be."""

    storage: Storage
    now: Callable[[], datetime]
    life: Life
    default_org: str
    redacts: bool
    stopping: Event
    stream_places: Semaphore

    def now_ms(self) -> int:
        return milliseconds(self.now())
