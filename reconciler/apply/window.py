"""Until when a journaled attempt may be sent."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.model.clock import Clock
from reconciler.model.errors import StateError


class Window:
    """`seconds` from now on, to be opened before the journal write begins.

    An attempt's age counts from its journal entry, so a request that left much later could arrive
    after everybody has given it up. Time is the larger of what the two clocks show: one may have
    been set, the other may stop while a virtual machine is suspended.

    `check_held` raises StateError if lock or journal are no longer this run's. Then the window is
    closed, and `problem` says why: the client that asks `is_open` needs to know no more.
    """

    def __init__(self, clock: Clock, seconds: float, check_held: Callable[[], None]) -> None:
        self._clock, self._seconds, self._check_held = clock, seconds, check_held
        self._now, self._boot = clock.now(), clock.boot()
        self.problem: StateError | None = None

    @property
    def boot(self) -> float:
        """Seconds since boot when it was opened."""
        return self._boot

    def is_open(self) -> bool:
        by_wall = (self._clock.now() - self._now).total_seconds()
        if max(by_wall, self._clock.boot() - self._boot) >= self._seconds:
            return False
        try:
            self._check_held()
        except StateError as problem:
            self.problem = problem
        return self.problem is None
