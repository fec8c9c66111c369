"""Time that passes without waiting: where a command would wait, this process's clock is set ahead.

The settle time can then be long, so that no slow machine misses the window of a request, and costs
nothing; reads are retried as often as usual, without pauses. The clocks of the services in this
process, and of the processes that it starts, are set ahead, too. What a server delays
(`Fault.before`) takes as long as it says: a test in which that matters starts processes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from unittest.mock import patch

from reconciler.app.survey import Survey
from reconciler.embedded.app import App
from reconciler.remote.transport import Transport
from reconciler.state.shared import SharedState
from reconciler.system.clock import Stop, SystemClock

_clock, _boot, _now = SystemClock(), SystemClock.boot, SystemClock.now
really_wait = Stop.wait


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


def skipped_now() -> datetime:
    """The time, UTC, with all that was skipped."""
    return _skipped.now()


def skipped_epoch() -> float:
    """The same in seconds since the epoch."""
    return _skipped.now().timestamp()


def seconds() -> float:
    """How far the clocks are ahead."""
    return _skipped.seconds


def set_ahead(seconds: float) -> None:
    """Sets the clocks of a new process ahead. It waits as usual, except in `skipped_time`."""
    _skipped.seconds = seconds
    patch.object(SystemClock, "boot", lambda _: _skipped.boot()).start()
    patch.object(SystemClock, "now", lambda _: _skipped.now()).start()


@contextmanager
def skipped_time() -> Iterator[None]:
    """Commands in this process wait neither for the settle time nor between retries."""
    with (
        patch.dict(Transport.__init__.__kwdefaults__ or {}, sleep=_yield),
        patch.dict(SharedState.__init__.__kwdefaults__ or {}, wait=skip),
        patch.dict(Survey.__init__.__kwdefaults__ or {}, sleep=skip),
        patch.dict(App.__init__.__kwdefaults__ or {}, now=skipped_now),
        patch.object(Stop, "wait", _wait),
        patch.object(SystemClock, "boot", lambda _: _skipped.boot()),
        patch.object(SystemClock, "now", lambda _: _skipped.now()),
        patch.object(_skipped, "seconds", _skipped.seconds),
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
        skip(seconds)
        if _skipped.signal_at is not None and _skipped.seconds >= _skipped.signal_at:
            self.set(143)
    return self.exit_code is None


def skip(seconds: float) -> None:
    """Threads that wait at the same time do not wait for each other."""
    end = _skipped.seconds + seconds
    _yield()
    _skipped.seconds = max(_skipped.seconds, end)


def _yield(_: float = 0.0) -> None:
    time.sleep(0.001)  # what is ready to run does


if __name__ == "__main__":  # taskctl, which does not wait
    from reconciler.__main__ import main

    with skipped_time():
        main()
