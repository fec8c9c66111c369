"""The terminal: its features (colors, hyperlinks, columns), and writing to stderr."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress

_PROGRAMS = frozenset(
    {"iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby", "rio", "zed", "contour"}
)
_TERMS = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "contour")
_VARIABLES = ("WT_SESSION", "DOMTERM")
_MULTIPLEXERS = ("screen", "tmux")
_MIN_VTE = 5000  # 0.50: the library of GNOME Terminal and many others


def wants_links(env: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether to write hyperlinks: only to a terminal that is known to support them, because others
    would show a text without its address. `FORCE_HYPERLINK` decides for unknown terminals; 0 turns
    hyperlinks off. Independent of colors."""
    term = env.get("TERM", "")
    if not terminal or term == "dumb":
        return False
    if forced := env.get("FORCE_HYPERLINK"):
        return forced.strip() != "0"
    if term.startswith(_MULTIPLEXERS):  # the variables describe the outer terminal
        return False
    version = env.get("VTE_VERSION", "")
    return (
        (version.isdecimal() and int(version) >= _MIN_VTE)
        or env.get("TERM_PROGRAM") in _PROGRAMS
        or term.startswith(_TERMS)
        or any(env.get(name) for name in _VARIABLES)
    )


def wants_color(choice: str, env: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether `--color` enables colors. auto: `NO_COLOR` takes precedence over `FORCE_COLOR`
    (no-color.org, force-color.org), and both over a terminal that is not dumb."""
    if choice != "auto":
        return choice == "always"
    if env.get("NO_COLOR"):
        return False
    return bool(env.get("FORCE_COLOR")) or (terminal and env.get("TERM") != "dumb")


def may_rewrite(form: str, *, quiet: bool) -> bool:
    """Whether rows on stderr may be rewritten."""
    return form == "text" and not quiet and sys.stderr.isatty()


def columns(most: int = 120) -> int:
    """The width of text: `COLUMNS`, else the terminal's, else 80; limited to a readable range. Not
    `shutil.get_terminal_size`, because `shutil` imports compressors."""
    given = os.environ.get("COLUMNS", "")
    found = int(given) if given.isdecimal() else 0
    for stream in (sys.__stdout__, sys.__stderr__):
        if not found and stream:
            with suppress(OSError, ValueError):
                found = os.get_terminal_size(stream.fileno()).columns
    return max(40, min(most, found or 80))


class _Foot:
    """A row below everything else on the terminal, until anything is written. Thread-safe."""

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self._is_shown = False

    def show(self, row: str) -> None:
        """Shows as much of the row, which `safe` has escaped, as fits."""
        from reconciler.render.cells import shorten

        with self.guard:
            _write(f"\r{shorten(row, columns(most=1000) - 1)}\x1b[K")
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
