"""Time that passes without waiting: where a command would wait, this process's clock is set ahead.

The settle time can then be long, so that no slow machine misses the window of a request, and costs
nothing. The clock of a fault server in this process is set ahead, too. What a server delays
(`Fault.before`) takes as long as it says: a test in which that matters starts processes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from unittest.mock import patch

from reconciler.stop import Stop
from reconciler.system_clock import SystemClock

_clock, _boot, _now = SystemClock(), SystemClock.boot, SystemClock.now


@dataclass
class Skipped:
    """`seconds` have been skipped so far. `signal_at`: a command that waits until then (in
    `seconds`) is interrupted as by SIGTERM."""

    seconds: float = 0.0
    signal_at: float | None = None
    _stopped: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        return self._unskipped()[0] + timedelta(seconds=self.seconds)

    def boot(self) -> float:
        """Seconds since this machine was started."""
        return self._unskipped()[1] + self.seconds

    def stop(self, now: datetime, boot: float) -> None:
        """From now on, it is `now` and `boot` until a command waits."""
        self._stopped = (now - timedelta(seconds=self.seconds), boot - self.seconds)

    def go_on(self) -> None:
        self._stopped = self.signal_at = None

    def _unskipped(self) -> tuple[datetime, float]:
        return self._stopped or (_now(_clock), _boot(_clock))


_skipped = Skipped()


def now() -> float:
    """Seconds since the epoch."""
    return _skipped.now().timestamp()


@contextmanager
def skipped_time() -> Iterator[None]:
    """Commands in this process do not wait for the settle time."""
    with (
        patch.object(Stop, "wait", _wait),
        patch.object(SystemClock, "boot", lambda _: _skipped.boot()),
        patch.object(SystemClock, "now", lambda _: _skipped.now()),
    ):
        yield


@contextmanager
def stopped_time() -> Iterator[Skipped]:
    """Within `skipped_time`: no time passes except where a command waits."""
    _skipped.stop(_now(_clock), _boot(_clock))
    try:
        yield _skipped
    finally:
        _skipped.go_on()


def _wait(self: Stop, seconds: float) -> bool:
    if seconds > 0 and self.exit_code is None:
        time.sleep(0.001)  # what is ready to run does
        _skipped.seconds += seconds
        if _skipped.signal_at is not None and _skipped.seconds >= _skipped.signal_at:
            self.set(143)
    return self.exit_code is None
