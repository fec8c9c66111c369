"""The wait for attempts whose outcome is unknown: how long, and what is journaled and shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from reconciler.apply.context import ApplyContext
from reconciler.model.clock import Clocks
from reconciler.model.remarks import Remark
from reconciler.model.task import TaskRef, natural
from reconciler.plan.ages import time_left, waited_totals
from reconciler.state.attempt import Attempt
from reconciler.state.model import Aged

MAX_GRACE = 60.0
"""The maximum number of seconds after the settle time in which a failing lookup is repeated."""

BETWEEN_TOTALS = 15.0
"""Seconds between two journal entries that update the time waited for attempts."""


class Waiting(NamedTuple):
    """Progress while attempts settle: the keys, each with the time of its oldest attempt. `until`
    is by the local clock. `why` is the reason for an unknown outcome, `problem` the failure of the
    lookup."""

    attempts: dict[TaskRef, datetime]
    until: datetime
    why: tuple[Remark, ...] = ()
    problem: tuple[Remark, ...] = ()


class Settling:
    """The wait of one run. `waiting` is called at least once a second."""

    def __init__(self, ctx: ApplyContext, waiting: Callable[[Waiting], None]) -> None:
        self._ctx, self._waiting = ctx, waiting
        self._deadlines: dict[int, float] = {}
        self._noted = ctx.clock.boot()

    def restart(self) -> None:
        """Restarts the deadlines after requests were sent, which may have taken minutes."""
        self._deadlines.clear()

    def is_over(self, attempt: Attempt) -> bool:
        """Whether the lookup of an attempt is given up."""
        clocks = self._ctx.clocks()
        return clocks.boot >= self._deadline(attempt, clocks)

    def pause(
        self,
        attempts: Sequence[Attempt],
        most: float,
        why: Callable[[TaskRef], tuple[Remark, ...] | None],
        problem: tuple[Remark, ...],
    ) -> bool:
        """Waits until another lookup may help, at `most` that many seconds; False if apply must
        stop. For `why` and `problem`, see `Waiting`."""
        clocks = self._ctx.clocks()
        left = [self._left(attempt, clocks) for attempt in attempts]
        oldest: dict[TaskRef, datetime] = {}
        for attempt in sorted(attempts, key=lambda a: (natural(a.ref), a.started_at)):
            oldest.setdefault(attempt.ref, attempt.started_at)
        known = next((found for ref in oldest if (found := why(ref)) is not None), ())
        until = clocks.now + timedelta(seconds=max(left))
        seconds = min([most, *(some + 0.02 for some in left if some > 0)])
        while seconds > 0:
            # Without the lock, the results of a lookup could not be recorded.
            self._ctx.session.check_lock()
            self._waiting(Waiting(oldest, until, known, problem))
            self._note_totals()
            if not self._ctx.wait(min(seconds, 1.0)):
                return False
            seconds -= 1.0
        return True

    def _left(self, attempt: Attempt, clocks: Clocks) -> float:
        """Seconds until an attempt is old enough."""
        return time_left(attempt, self._ctx.settle_time, self._ctx.ages, clocks.boot)

    def _deadline(self, attempt: Attempt, clocks: Clocks) -> float:
        """The time at which its lookup is given up, in seconds since boot. It is fixed until
        another request is sent, so that no clock and no failing lookup can postpone it. It is not
        before the list must show the last task that this apply created: until then, the list may
        prove nothing."""
        settle = self._ctx.settle_time.total_seconds()
        listed = max(self._ctx.ages.own.values(), default=0.0) + settle
        at = max(clocks.boot + self._left(attempt, clocks), listed) + min(MAX_GRACE, settle)
        return self._deadlines.setdefault(attempt.number, at)

    def _note_totals(self) -> None:
        """Journals the time waited for the attempts, so that it counts even if the run is
        killed."""
        boot = self._ctx.clock.boot()
        if boot - self._noted < BETWEEN_TOTALS:
            return
        self._noted = boot
        attempts = self._ctx.session.state.attempts.values()
        seconds = dict(waited_totals(attempts, self._ctx.settle_time, self._ctx.ages, boot))
        if seconds:
            self._ctx.session.append(Aged(seconds))
