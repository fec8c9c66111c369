"""Holds all creates back while the service is overloaded or out of reach."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

STEP = 0.05
"""Seconds by which those that waited together are spread for each one that goes on."""


class Throttle:
    """Shared by all workers: one that is told to slow down slows all of them.

    `wait` sleeps for a number of seconds and says whether to go on (False: apply is stopping).
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        wait: Callable[[float], bool],
        chance: random.Random | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._wait = wait
        self._chance = chance or random.Random()  # noqa: S311 - spreading load is no secret
        self._lock = threading.Lock()
        self._until = 0.0
        self._waiting = 0

    def pause(self, seconds: float) -> None:
        """Nobody goes on for so long; a longer pause that is under way stays."""
        with self._lock:
            self._until = max(self._until, self._monotonic() + seconds)

    def pass_through(self) -> bool:
        """Waits as long as all must; False where apply is stopping."""
        while (left := self._left()) > 0:
            if not self._wait(left):
                return False
        return self._wait(0)

    def _left(self) -> float:
        with self._lock:
            left = self._until - self._monotonic()
            if left <= 0:
                self._waiting = max(0, self._waiting - 1)
                return 0.0
            self._waiting += 1
            return left + self._chance.uniform(0, STEP * self._waiting)
