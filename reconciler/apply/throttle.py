"""Limits concurrent requests, and pauses create requests after unknown outcomes and lost
connections.

After an unknown outcome, such as a 429 or a lost response, no create request starts until the
service's `Retry-After` is over. Then a single request probes. If its outcome is known, half as many
slots as before are available, and another slot with each known outcome. So an outage costs few
requests.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from reconciler.model.remarks import Arg

MAX_OUTAGE = 300.0
"""Seconds after an unknown outcome in which requests may start, even if no outcome has been known
since. A single unknown outcome is not an outage: its request may have a longer settle time, and is
then sent again."""

_LEAST_PAUSE, _MAX_STEP = 1.0, 64.0


class Throttle:
    """Shared by all workers. As a context manager, it is a slot for any request; `enter` and
    `leave` acquire and release a slot for a create request. `slots` is the current number of slots.

    `seconds` is a clock, `wait` sleeps and returns False if apply must stop, and `paused` is called
    with the seconds and the cause of each pause that is longer than the shortest. Each free slot
    wakes one waiting worker: waking all of them takes longer than a request. `why` is the last
    unknown outcome.
    """

    def __init__(
        self,
        slots: int,
        seconds: Callable[[], float],
        wait: Callable[[float], bool],
        paused: Callable[[float, Arg], None] = lambda *_: None,
    ) -> None:
        self._most = self.slots = slots
        self._seconds, self._wait, self._tell = seconds, wait, paused
        self._free = threading.Condition()
        self._active = 0
        self._until = 0.0
        self._generation = 0
        self._unknown_in_a_row = 0
        self._after_probe: int | None = None
        self._since = self._ends = math.inf
        self.why: Arg = ""

    @property
    def is_outage(self) -> bool:
        """Whether outcomes have been unknown for too long, or will be when the pause ends."""
        return max(self._until, self._seconds()) >= self._ends

    def __enter__(self) -> None:
        with self._free:
            while self._active >= self.slots:
                self._free.wait()
            self._active += 1

    def __exit__(self, *_: object) -> None:
        self.leave()

    def enter(self) -> int | None:
        """Acquires a slot for a create request once such requests may start. Returns the generation
        to pass to `known` or `unknown`; None if apply must stop, or in an outage."""
        while True:
            with self._free:
                while (left := self._pause_left()) <= 0 and self._active >= self.slots:
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

    def _pause_left(self) -> float:
        """Seconds until create requests may start; `inf` if none may. The lock is held."""
        return math.inf if self.is_outage else self._until - self._seconds()

    def leave(self) -> None:
        with self._free:
            self._active -= 1
            self._free.notify()

    def pause(self, seconds: float) -> None:
        """Starts no create request for this duration, or until a longer pause ends."""
        with self._free:
            self._until = max(self._until, self._seconds() + seconds)

    def known(self, generation: int) -> None:
        """Call it after a known outcome. A request that started before the last unknown outcome
        proves nothing."""
        with self._free:
            if generation != self._generation:
                return
            self._unknown_in_a_row, before = 0, self.slots
            self._since = self._ends = math.inf
            if self._after_probe is not None:
                self.slots, self._after_probe = self._after_probe, None
            else:
                self.slots = min(self._most, self.slots + 1)
            self._free.notify(self.slots - before)

    def unknown(self, generation: int, retry_after: float | None, why: Arg) -> None:
        """Call it after an unknown outcome. Requests that were in flight together count once."""
        with self._free:
            self.why, now = why, self._seconds()
            is_first = generation == self._generation
            if is_first:
                self._generation += 1
                before = self._after_probe or self.slots
                self._after_probe, self.slots = max(1, before // 2), 1
                self._unknown_in_a_row += 1
                self._since = min(self._since, now)
            step = min(_MAX_STEP, _LEAST_PAUSE * 2.0 ** (self._unknown_in_a_row - 1))
            seconds = max(step, retry_after or 0.0)
            if self._unknown_in_a_row > 1 or seconds >= MAX_OUTAGE:
                self._ends = self._since + MAX_OUTAGE
            self._until = max(self._until, now + seconds)
            is_outage = self.is_outage
        if is_first and not is_outage and seconds > _LEAST_PAUSE:
            self._tell(seconds, why)
