"""Time that passes without waiting: where a command would wait, this process's clock is set ahead.

The settle time can then be long, so that no slow machine misses the window of a request, and costs
nothing. The clock of a fault server in this process is set ahead, too. What a server delays
(`Fault.before`) takes as long as it says: a test in which that matters starts processes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest.mock import patch

from reconciler.stop import Stop
from reconciler.system_clock import SystemClock

_skipped = 0.0
_boot, _now = SystemClock.boot, SystemClock.now


def now() -> float:
    """Seconds since the epoch."""
    return time.time() + _skipped


@contextmanager
def skipped_time() -> Iterator[None]:
    """Commands in this process do not wait for the settle time."""
    with (
        patch.object(Stop, "wait", _wait),
        patch.object(SystemClock, "boot", lambda self: _boot(self) + _skipped),
        patch.object(SystemClock, "now", _shifted_now),
    ):
        yield


def _shifted_now(self: SystemClock) -> datetime:
    return _now(self) + timedelta(seconds=_skipped)


def _wait(self: Stop, seconds: float) -> bool:
    global _skipped
    if seconds > 0 and self.exit_code is None:
        time.sleep(0.001)  # what is ready to run does
        _skipped += seconds
    return self.exit_code is None
