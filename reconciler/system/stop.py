"""Whether a run is to stop: set by the command line when a signal arrives, asked by all layers."""

from __future__ import annotations

import threading


class Stop:
    """`exit_code` is None until the run is to stop. Thread-safe."""

    def __init__(self) -> None:
        self._is_set = threading.Event()
        self.exit_code: int | None = None

    def set(self, exit_code: int) -> None:
        self.exit_code = exit_code
        self._is_set.set()

    def wait(self, seconds: float) -> bool:
        """Sleeps until the run is to stop, at most that long; returns whether to continue."""
        if seconds > 0 and self.exit_code is None:
            self._is_set.wait(seconds)
        return self.exit_code is None
