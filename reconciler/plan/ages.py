"""The ages of open attempts. Pure.

The settle time covers the time that the service may take to commit a create request and to list the
task. It starts when the request can no longer arrive. Only the process that sent the request knows
that moment; any other process counts from when it took the lock, and adds the send window. Only
seconds that passed on one machine are ever added up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import timedelta

from reconciler.state.attempt import Attempt


class AttemptAges:
    """The age of attempts, by number, as known to the process that holds the lock. `locked_at`: the
    time when it took the lock, in seconds since boot; `attempts` are the attempts that it found
    then. `own`: when its own exchanges ended, in seconds since boot."""

    def __init__(self, locked_at: float = 0.0, attempts: Iterable[Attempt] = ()) -> None:
        self._locked_at = locked_at
        self._before = {attempt.number: attempt.waited for attempt in attempts}
        self.own: dict[int, float] = {}

    def sending(self, number: int) -> None:
        """Note that an attempt is about to be sent. It does not age until its exchange has
        ended."""
        self.own[number] = math.inf

    def ended(self, number: int, boot: float) -> None:
        """Note that the exchange of an attempt has ended."""
        self.own[number] = boot

    def waited(self, number: int, boot: float) -> float:
        """The seconds for which runs have waited for the outcome of an attempt, in total."""
        if number in self.own:
            return max(0.0, boot - self.own[number])
        return self._before.get(number, 0.0) + max(0.0, boot - self._locked_at)


def time_left(
    attempt: Attempt, settle_time: timedelta, ages: AttemptAges | None = None, boot: float = 0.0
) -> float:
    """Seconds, at least 0, for which an apply has to wait until the attempt can no longer create a
    task. `settle_time` is the current setting. Without `ages`, only journaled waiting counts."""
    needed = max(attempt.settle_time, settle_time.total_seconds())
    if ages is None or attempt.number not in ages.own:
        needed += attempt.window
    waited = attempt.waited if ages is None else ages.waited(attempt.number, boot)
    return max(0.0, needed - waited)


def waited_totals(
    attempts: Iterable[Attempt], settle_time: timedelta, ages: AttemptAges, boot: float
) -> Iterator[tuple[str, float]]:
    """The totals to journal, by reference. Left out are totals that have not grown, and attempts
    that have reached their age in the journal."""
    for attempt in attempts:
        waited = round(ages.waited(attempt.number, boot), 3)
        if waited > attempt.waited and time_left(attempt, settle_time) > 0:
            yield attempt.reference, waited
