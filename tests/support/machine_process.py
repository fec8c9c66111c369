"""taskctl as it runs on another machine, with a pace that tests can wait for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconciler.state import shared
from reconciler.state.engines import Pace
from reconciler.state.engines.objects import PACES
from reconciler.system.clock import SystemClock
from tests.support.forked import taskctl

PACE = Pace(heartbeat=0.5, takeover=3.0)


def _quicken() -> None:
    original = shared.SharedState.__init__

    def made(self: Any, engine: Any, *rest: Any, **more: Any) -> None:
        engine.pace = PACE
        original(self, engine, *rest, **more)

    shared.SharedState.__init__ = made  # type: ignore[method-assign]
    shared.BETWEEN_READS = 0.2


def _move_to(machine: str) -> None:
    SystemClock.boot_id = machine  # type: ignore[assignment]


def run_at_once(machine: str, words: Sequence[str]) -> None:
    """`taskctl WORDS`, without the pauses between writes that Google Cloud Storage needs, and its
    emulator does not; on another `machine`, if one is named."""
    if machine:
        _move_to(machine)
    PACES.clear()
    taskctl(words)


def run(machine: str, words: Sequence[str]) -> None:
    """`taskctl WORDS`, in a separate process. `machine` is the boot ID, so nobody on another
    machine sees whether the process still exists."""
    _quicken()
    _move_to(machine)
    taskctl(words)
