"""How many requests are under way, and when no create may begin: rate limits and lost connections.

After a 429, no create begins until the service's `Retry-After` is over. Then one create probes. If
it succeeds, half as many as before run at once, and one more with each success.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

LONGEST_HOLD = 300.0
"""Seconds that creates are held back by rate limits, in all. After that, none is started."""

_LEAST_HOLD, _LONGEST_STEP = 1.0, 64.0


class Throttle:
    """Shared by all workers. As a context manager it is a slot for any request; `enter` and `leave`
    are a slot for a create. `slots` is how many there are now.

    `seconds` is a clock, `wait` sleeps and says whether to go on (False: apply is stopping), `held`
    is told about each hold.
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
        return self._held > LONGEST_HOLD

    def __enter__(self) -> None:
        with self._free:
            while self._active >= self.slots:
                self._free.wait()
            self._active += 1

    def __exit__(self, *_: object) -> None:
        self.leave()

    def enter(self) -> int | None:
        """A slot for a create, once creates may begin. Pass its number to what `create` comes to;
        None if apply is stopping or the rate limit lasts too long."""
        while True:
            with self._free:
                if self.is_exhausted:
                    return None
                left = self._until - self._seconds()
                if left <= 0 and self._active < self.slots:
                    self._active += 1
                    generation = self._generation
                    break
                if left <= 0:
                    self._free.wait()
                    continue
            if not self._wait(left):
                return None
        if self._wait(0):
            return generation
        self.leave()
        return None

    def leave(self) -> None:
        with self._free:
            self._active -= 1
            self._free.notify_all()

    def pause(self, seconds: float) -> None:
        """No create begins for so long; a longer pause that is under way stays."""
        with self._free:
            self._until = max(self._until, self._seconds() + seconds)

    def succeeded(self, generation: int) -> None:
        """The create of that slot was answered. One from before the limit proves nothing."""
        with self._free:
            if generation != self._generation:
                return
            self._limited_in_a_row = 0
            if self._after_probe is not None:
                self.slots, self._after_probe = self._after_probe, None
            else:
                self.slots = min(self._most, self.slots + 1)
            self._free.notify_all()

    def limited(self, generation: int, retry_after: float | None) -> None:
        """The create of that slot met a rate limit. All that were under way then count as one."""
        with self._free:
            is_first = generation == self._generation
            if is_first:
                self._generation += 1
                before = self._after_probe or self.slots
                self._after_probe, self.slots = max(1, before // 2), 1
                self._limited_in_a_row += 1
            step = min(_LONGEST_STEP, _LEAST_HOLD * 2.0 ** (self._limited_in_a_row - 1))
            seconds = max(step, retry_after or 0.0)
            now = self._seconds()
            longer = now + seconds - max(self._until, now)
            if longer > 0:
                self._until = now + seconds
                self._held += longer
        if is_first and not self.is_exhausted:
            self._tell(seconds)
