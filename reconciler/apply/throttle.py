"""Limits concurrent requests, and holds creates back after rate limits and lost connections.

After a 429, no create starts until the service's `Retry-After` is over. Then one create probes. If
it succeeds, half as many slots as before are available, and one more with each success.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

MAX_HOLD = 300.0
"""Seconds for which rate limits may hold creates back in total. After that, none is started."""

_LEAST_HOLD, _MAX_STEP = 1.0, 64.0


class Throttle:
    """Shared by all workers. As a context manager, it is a slot for any request; `enter` and
    `leave` acquire and release a slot for a create. `slots` is the current number of slots.

    `seconds` is a clock, `wait` sleeps and returns False if apply must stop, and `held` is called
    with the seconds of each hold. Each free slot wakes one waiting worker: waking all of them takes
    longer than a request.
    """

    def __init__(
        self,
        slots: int,
        seconds: Callable[[], float],
        wait: Callable[[float], bool],
        held: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._most = self.slots = slots
        self._seconds, self._wait, self._tell = seconds, wait, held
        self._free = threading.Condition()
        self._active = 0
        self._until = 0.0
        self._generation = 0
        self._limited_in_a_row = 0
        self._after_probe: int | None = None
        self._held = 0.0

    @property
    def is_exhausted(self) -> bool:
        """Whether rate limits have held creates back for too long."""
        return self._held > MAX_HOLD

    def __enter__(self) -> None:
        with self._free:
            while self._active >= self.slots:
                self._free.wait()
            self._active += 1

    def __exit__(self, *_: object) -> None:
        self.leave()

    def enter(self) -> int | None:
        """Acquires a slot for a create once creates may start. Returns the generation to pass to
        `succeeded` or `limited`; None if apply must stop or the rate limit lasts too long."""
        while True:
            with self._free:
                while (left := self._hold()) <= 0 and self._active >= self.slots:
                    self._free.wait()
                if left <= 0:
                    self._active += 1
                    generation = self._generation
                    break
                self._free.notify()  # the slot that may have woken this worker is still free
            if math.isinf(left) or not self._wait(left):
                return None
        if self._wait(0):
            return generation
        self.leave()
        return None

    def _hold(self) -> float:
        """Seconds until creates may start; `inf` if none may. The lock is held."""
        return math.inf if self.is_exhausted else self._until - self._seconds()

    def leave(self) -> None:
        with self._free:
            self._active -= 1
            self._free.notify()

    def pause(self, seconds: float) -> None:
        """Starts no create for that long, or for longer if a longer pause is in effect."""
        with self._free:
            self._until = max(self._until, self._seconds() + seconds)

    def succeeded(self, generation: int) -> None:
        """After a create that succeeded. One that started before the last limit proves nothing."""
        with self._free:
            if generation != self._generation:
                return
            self._limited_in_a_row, before = 0, self.slots
            if self._after_probe is not None:
                self.slots, self._after_probe = self._after_probe, None
            else:
                self.slots = min(self._most, self.slots + 1)
            self._free.notify(self.slots - before)

    def limited(self, generation: int, retry_after: float | None) -> None:
        """After a create that met a rate limit. All that were in flight together count as one."""
        with self._free:
            is_first = generation == self._generation
            if is_first:
                self._generation += 1
                before = self._after_probe or self.slots
                self._after_probe, self.slots = max(1, before // 2), 1
                self._limited_in_a_row += 1
            step = min(_MAX_STEP, _LEAST_HOLD * 2.0 ** (self._limited_in_a_row - 1))
            seconds = max(step, retry_after or 0.0)
            now = self._seconds()
            longer = now + seconds - max(self._until, now)
            if longer > 0:
                self._until = now + seconds
                self._held += longer
        if is_first and not self.is_exhausted:
            self._tell(seconds)
