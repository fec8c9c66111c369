"""When the lock of a shared state may be taken from its holder.

A holder writes the head in each beat, so a head that does not change for much longer than a beat is
that of a dead one. Time is that of this process alone: the clocks of two machines are never
compared. If a living holder is taken for a dead one, its next write fails, and it sends nothing
more; so this decides about waiting, never about safety.
"""

from __future__ import annotations

from reconciler.model.clock import Clock
from reconciler.model.codes import Code
from reconciler.model.diagnostics import NOWHERE, Arg, error
from reconciler.model.errors import StateError
from reconciler.state.engines import Pace, Version
from reconciler.state.head import Head
from reconciler.state.held import Claim

LEAST_READS = 4
"""How many equal reads it takes: after a long pause of this process, one would not be enough."""


class Vigil:
    """Looks at successive versions of the head until the lock may be taken."""

    def __init__(self, pace: Pace, clock: Clock, claim: Claim, shown: str) -> None:
        self._pace, self._clock, self._claim, self._shown = pace, clock, claim, shown
        self._began = clock.boot()
        self._version: Version | None = None
        self._since, self._equal = 0.0, 0
        self._is_alive = False

    def may_take(self, head: Head, version: Version) -> bool:
        """Whether to take the lock over this version. StateError if its holder is alive and the
        lock timeout has passed; without a sign of life, waiting goes on until it may be taken."""
        now, holder = self._clock.boot(), head.holder
        if holder is None or holder.is_gone(self._clock.boot_id):
            return True
        if version == self._version:
            self._equal += 1
        else:
            self._is_alive = self._version is not None
            if self._version is None and self._claim.waiting is not None:
                self._claim.waiting(str(holder))
            self._version, self._since, self._equal = version, now, 1
        if self._equal >= LEAST_READS and now - self._since >= self._pace.takeover:
            return True
        timeout = self._claim.lock_timeout.total_seconds()
        if self._is_alive and now - self._began >= timeout:
            facts: dict[str, Arg] = {"holder": str(holder), "epoch": head.epoch}
            case = "shared.waited" if timeout else "shared"
            facts |= {"seconds": round(timeout, 1), "file": self._shown}
            raise StateError([error(Code.STATE_LOCKED, case, at=NOWHERE, **facts)])
        return False
