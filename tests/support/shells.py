"""A shell at a pseudo-terminal: keys in, screen output out."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


class Shell:
    """`type` sends keys, `until` reads until a text appears."""

    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self.screen = ""
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**env, "TERM": "dumb", "PS1": "ready> ", "HISTFILE": ""},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def ended(self) -> int:
        """Reads until the process exits; returns its exit code."""
        while self._more():
            pass
        return self._process.wait()

    def type(self, keys: str) -> None:
        self.screen = ""
        os.write(self._ours, keys.encode())

    def until(self, text: str) -> None:
        """Reads until that is on the screen. AssertionError if the process ends without it."""
        while text not in self.screen:
            assert self._more(), f"{text!r} is not on the screen: {self.screen!r}"

    def _more(self) -> bool:
        read = b""
        with suppress(OSError):  # the terminal is gone with its last writer
            read = os.read(self._ours, 4096)
        self.screen += read.decode("utf-8", "replace")
        return bool(read)


_AT_TERMINAL = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C is a signal
modes = termios.tcgetattr(0)
modes[3] |= termios.NOFLSH  # the kernel would drop what is written right after the signal
termios.tcsetattr(0, termios.TCSANOW, modes)
os.execv(sys.executable, [sys.executable, "-m", "reconciler", *sys.argv[1:]])
"""


def typed(folder: Path, env: Mapping[str, str], *arguments: str) -> Shell:
    """Runs `taskctl ARGUMENTS` at a terminal, without a shell."""
    return Shell([sys.executable, "-c", _AT_TERMINAL, *arguments], folder, env)
