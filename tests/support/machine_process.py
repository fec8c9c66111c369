"""taskctl as it runs on another machine, with a pace that tests can wait for.

`python -m tests.support.machine_process NAME ARGUMENTS`: NAME is the machine's boot ID, so nobody
on another machine sees whether the process still exists.
"""

from __future__ import annotations

import sys
from typing import Any

from reconciler.cli import main
from reconciler.state import shared
from reconciler.state.engines import Pace
from reconciler.system_clock import SystemClock

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


if __name__ == "__main__":
    _quicken()
    _move_to(sys.argv[1])
    sys.argv = ["taskctl", *sys.argv[2:]]
    main.main()
