"""Writes to stderr."""

from __future__ import annotations

import sys
from contextlib import suppress


def write_stderr(text: str) -> None:
    """Errors are ignored: a closed stderr must not stop a run."""
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
