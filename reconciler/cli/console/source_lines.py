"""The source lines that diagnostics show on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.app.ui import Source


class SourceLines:
    """The lines of one file at a time, because diagnostics are sorted."""

    def __init__(self, source: Source = lambda _file: None) -> None:
        self._source = source
        self._file = ""
        self._lines: list[str] = []

    def line(self, file: str, number: int) -> str | None:
        """A line, from 1; None if it must not be shown, or elsewhere than on a terminal."""
        if not sys.stderr.isatty():
            return None
        if file != self._file:
            text = self._source(file)
            self._file, self._lines = file, text.split("\n") if text else []
        return self._lines[number - 1] if 0 < number <= len(self._lines) else None
