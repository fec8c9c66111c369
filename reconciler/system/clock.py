"""The clock of this machine, and interruptible sleep."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """The operating system's `model.clock.Clock`.

    Python's `time.monotonic` stops while Linux and macOS sleep. CLOCK_BOOTTIME on Linux and
    CLOCK_MONOTONIC on macOS do not.
    """

    @cached_property
    def boot_id(self) -> str:
        try:
            return _BOOT_ID.read_text(encoding="ascii").strip()
        except (OSError, UnicodeError):
            return ""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def boot(self) -> float:
        if sys.platform == "linux":
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        if sys.platform == "darwin":
            return time.clock_gettime(time.CLOCK_MONOTONIC)
        return time.monotonic()


class Stop:
    """`exit_code` is None until the run is to stop. Thread-safe."""

    def __init__(self) -> None:
        self._is_set = threading.Event()
        self.exit_code: int | None = None

    def set(self, exit_code: int) -> None:
        self.exit_code = exit_code
        self._is_set.set()

    def wait(self, seconds: float) -> bool:
        """Sleeps for this time, or until the run is to stop. Returns whether to continue."""
        if seconds > 0 and self.exit_code is None:
            self._is_set.wait(seconds)
        return self.exit_code is None
