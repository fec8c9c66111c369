"""The clocks of this machine."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """`model.clock.Clock` by the operating system.

    Python's `time.monotonic` stops while Linux and macOS sleep, so they are asked for the clock
    that does not: CLOCK_BOOTTIME on Linux, CLOCK_MONOTONIC on macOS.
    """

    def __init__(self) -> None:
        self.boot_id = _boot_id()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def boot(self) -> float:
        if sys.platform == "linux":
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        if sys.platform == "darwin":
            return time.clock_gettime(time.CLOCK_MONOTONIC)
        return time.monotonic()


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return ""
