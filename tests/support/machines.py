"""Several machines that use one shared state, simulated in this process.

Each has its own engine, boot ID, and a pace that is fast enough for tests.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from reconciler.state.engines import Engine, Pace
from reconciler.state.location import Claim
from reconciler.state.session import Session
from reconciler.state.shared import SharedState
from reconciler.system.clock import SystemClock
from tests.support.state_engines import Served
from tests.support.state_samples import BACKEND, empty

PACE = Pace(heartbeat=0.3, takeover=1.5)
WITHOUT_HEARTBEAT = Pace(heartbeat=100, takeover=400)
MAX_WAIT = 0.3


@dataclass(frozen=True)
class Machine:
    """`place` is the state as this machine sees it."""

    engine: Engine
    place: SharedState

    def open(self, seconds: float = 60) -> Session:
        wait = timedelta(seconds=seconds)
        return Session.open(self.place, Claim(BACKEND, "apply", wait))


NEW = empty()


class Machines:
    """The machines that use one state of a server. `port` is that of a proxy."""

    def __init__(self, served: Served, state: str, stack: ExitStack) -> None:
        self._served, self._state, self._stack, self._count = served, state, stack, 0

    def new(self, port: int | None = None, pace: Pace = PACE) -> Machine:
        engine = self._served.runner(self._state, port).engine()
        self._stack.callback(engine.close)
        engine.pace = pace  # type: ignore[misc]
        clock = SystemClock()
        self._count += 1
        clock.boot_id = f"machine {self._count}"

        def wait(seconds: float) -> None:
            time.sleep(min(seconds, MAX_WAIT))

        return Machine(engine, SharedState(engine, clock, wait=wait))


@contextmanager
def open_machines(served: Served, state: str) -> Iterator[Machines]:
    """The machines of a new state, which is created first."""
    with ExitStack() as stack:
        made = Machines(served, state, stack)
        assert made.new().place.create(NEW)
        yield made
