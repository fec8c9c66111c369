"""Terminal colors, or none."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RESET = "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colors text that `safe` has escaped. Unless `on`, text is returned unchanged."""

    on: bool

    def bold(self, text: str) -> str:
        return self._paint("1", text)

    def dim(self, text: str) -> str:
        return self._paint("2", text)

    def red(self, text: str) -> str:
        return self._paint("31", text)

    def green(self, text: str) -> str:
        return self._paint("32", text)

    def yellow(self, text: str) -> str:
        return self._paint("33", text)

    def blue(self, text: str) -> str:
        return self._paint("94", text)

    def magenta(self, text: str) -> str:
        return self._paint("35", text)

    def cyan(self, text: str) -> str:
        return self._paint("36", text)

    def removed(self, text: str) -> str:
        """A word that is only in the old line."""
        return self._paint("1;31;7", text)

    def added(self, text: str) -> str:
        """A word that is only in the new line."""
        return self._paint("1;32;7", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}{_RESET}" if self.on and text else text


def unpainted(text: str) -> str:
    """Text without color codes."""
    return re.sub("\x1b\\[[0-9;]*m", "", text)
