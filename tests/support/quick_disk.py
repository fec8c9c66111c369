"""A disk that does not wait for itself."""

from __future__ import annotations

import os


def fsync(fd: int) -> None:
    """An fsync takes milliseconds, and matters only if the machine fails, which
    tests/crash/test_state_power_loss.py covers. A bad descriptor is still an error."""
    os.fstat(fd)
