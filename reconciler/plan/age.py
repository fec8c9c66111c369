"""How long an attempt may still create a task: docs/exactly-once.md, "Age". Pure.

The settle time covers the time that the service may take to commit a create and to list the task.
It starts when the request can no longer arrive. Only the process that sent the request knows that
moment; any other process counts from the journal entry or later, and adds the send window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta

from reconciler.model.clock import Clocks
from reconciler.state.attempt import Attempt

CLOCKS_APART = timedelta(hours=1)
"""Added if there are only wall clocks to compare: they may have been set in between."""


@dataclass(slots=True)
class LockHolder:
    """What the process that holds the lock knows, in seconds since boot: when it took the lock, and
    when the exchange of each of its own attempts (by mark) ended. `inf`: still in flight."""

    locked_at: float
    ended: dict[str, float] = field(default_factory=dict)


def time_left(
    attempt: Attempt, clocks: Clocks, settle_time: timedelta, holder: LockHolder | None
) -> float | None:
    """Seconds until the attempt can no longer create a task, at least 0.

    None if only an apply can tell, since a plan holds no lock (`holder` is None).
    """
    settle = settle_time.total_seconds()
    if holder is not None and attempt.mark in holder.ended:
        return max(0.0, holder.ended[attempt.mark] + settle - clocks.boot)
    span = settle + attempt.window
    left = math.inf
    if holder is not None:
        left = holder.locked_at + span - clocks.boot
    if attempt.boot_id and attempt.boot_id == clocks.boot_id and attempt.boot <= clocks.boot:
        left = min(left, attempt.boot + span - clocks.boot)
    if _both_clocks_show(timedelta(seconds=span) + CLOCKS_APART, attempt, clocks):
        left = 0.0
    return None if left == math.inf else max(0.0, left)


def _both_clocks_show(span: timedelta, attempt: Attempt, clocks: Clocks) -> bool:
    if attempt.service_clock is None or clocks.service_now is None:
        return False
    return (
        clocks.now - attempt.started_at >= span
        and clocks.service_now - attempt.service_clock >= span
    )
