"""A shell at a terminal of its own, as a person has it: keys in, what is on the screen out."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

DEADLINE = 60.0


class Shell:
    """`type` writes keys, `until` reads on until a text is there."""

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
        self._process.wait(10)
        os.close(self._ours)

    def type(self, keys: str) -> None:
        self.screen = ""
        os.write(self._ours, keys.encode())

    def until(self, text: str) -> None:
        """AssertionError with what is there instead, after a minute."""
        end = time.monotonic() + DEADLINE
        while text not in self.screen:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} is not on the screen: {self.screen!r}"
            if select.select([self._ours], [], [], left)[0]:
                self.screen += os.read(self._ours, 4096).decode("utf-8", "replace")
