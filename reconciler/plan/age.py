"""How long an attempt may still create a task: docs/contributing/exactly-once.md, "One age". Pure.

The settle time covers the time that the service may take to commit a create and to list the task.
It starts when the request can no longer arrive. Only the process that sent the request knows that
moment; any other process counts from when it took the lock, and adds the send window. Only seconds
that passed on one machine are ever added up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import timedelta

from reconciler.state.attempt import Attempt


class AttemptAges:
    """What the process that holds the lock knows about the age of attempts.

    `locked_at`: when it had taken the lock, in seconds since boot; `attempts` are those that it
    found then. `own`: when the exchange of each attempt that it has sent ended, by mark; `inf` if
    it has not.
    """

    def __init__(self, locked_at: float, attempts: Iterable[Attempt] = ()) -> None:
        self._locked_at = locked_at
        self._before = {attempt.mark: attempt.waited for attempt in attempts}
        self.own: dict[str, float] = {}

    def sending(self, mark: str) -> None:
        """An attempt is about to be sent: until its exchange has ended, it does not age."""
        self.own[mark] = math.inf

    def ended(self, mark: str, boot: float) -> None:
        """The exchange of an attempt has ended."""
        self.own[mark] = boot

    def waited(self, mark: str, boot: float) -> float:
        """For how many seconds, in total, the outcome of an attempt has been waited for."""
        if mark in self.own:
            return max(0.0, boot - self.own[mark])
        return self._before.get(mark, 0.0) + max(0.0, boot - self._locked_at)


def time_left(
    attempt: Attempt, settle_time: timedelta, ages: AttemptAges | None = None, boot: float = 0.0
) -> float:
    """Seconds, at least 0, for which an apply has to wait until the attempt can no longer create a
    task. `settle_time` is today's. A plan has no `ages`."""
    needed = max(attempt.settle_time, settle_time.total_seconds())
    if ages is None or attempt.mark not in ages.own:
        needed += attempt.window
    waited = attempt.waited if ages is None else ages.waited(attempt.mark, boot)
    return max(0.0, needed - waited)


def waited_totals(
    attempts: Iterable[Attempt], settle_time: timedelta, ages: AttemptAges, boot: float
) -> Iterator[tuple[str, float]]:
    """The totals to journal, by mark: those that have grown, of attempts that are not past their
    age yet by what is journaled."""
    for attempt in attempts:
        waited = round(ages.waited(attempt.mark, boot), 3)
        if waited > attempt.waited and time_left(attempt, settle_time) > 0:
            yield attempt.mark, waited
