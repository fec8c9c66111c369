"""Writes to stderr."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress


class _Foot:
    """A row below everything else on the terminal, until anything is written. The cursor stays in
    it, so that it takes no line of what others rewrite. Thread-safe."""

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self._is_shown = False

    def show(self, row: str) -> None:
        with self.guard:
            _write(f"\r{row}\x1b[K")
            self._is_shown = True

    def remove(self) -> None:
        with self.guard:
            if self._is_shown:
                self._is_shown = False
                _write("\r\x1b[K")


FOOT = _Foot()
"""A process has one terminal."""


def write_stderr(text: str) -> None:
    """Errors are ignored: a closed stderr must not stop a run."""
    with FOOT.guard:
        FOOT.remove()
        _write(text)


def _write(text: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
