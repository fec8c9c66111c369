"""Which files of a clone git ignores: an untracked file such as `.env` or a build's output.

A manifest must not make such a file a prompt, which is shown in pull requests and sent: it is on
the machine, but not in the repository.
"""

from __future__ import annotations

import os
from pathlib import Path
from subprocess import Popen
from typing import IO

from reconciler.system.git import start_git

_COMMAND = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "safe.directory=*"),  # nothing that the repository configures is run, see below
    *("check-ignore", "-z", "--stdin", "--verbose", "--non-matching"),
)
_NO_FETCH = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
"""For a `.gitignore` that is missing in a partial clone, git would contact the remote, with the
programs that the repository configures for that. Before git 2.44, only the second one stops it."""

_FIELDS = 4  # the file with the pattern, its line, the pattern (all empty: not ignored), the path


class IgnoredFiles:
    """Asks one process of git for each repository, started with the first question. Call `close`.
    Without git, no file is ignored."""

    def __init__(self) -> None:
        self._processes: dict[Path, Popen[bytes] | None] = {}

    def is_ignored(self, top: Path, path: Path) -> bool:
        """Whether git ignores `path` (without links) and does not track it, in the repository
        `top`. OSError if git does not say."""
        if top not in self._processes:
            self._processes[top] = _start(top)
        process = self._processes[top]
        if process is None or process.stdin is None or process.stdout is None:
            return False
        process.stdin.write(os.fsencode(path.relative_to(top)) + b"\0")
        process.stdin.flush()
        file, _, pattern, _ = [_field(process.stdout) for _ in range(_FIELDS)]
        return bool(file) and not pattern.startswith(b"!")

    def close(self) -> None:
        for process in self._processes.values():
            if process is not None:
                process.communicate()
        self._processes.clear()


def _start(top: Path) -> Popen[bytes] | None:
    """None if it is not a clone, or if there is no git."""
    if not (top / ".git").is_file() and not (top / ".git/HEAD").exists():
        return None
    try:
        return start_git(top, *_COMMAND, env=os.environ, own=_NO_FETCH)
    except FileNotFoundError:
        return None


def _field(output: IO[bytes]) -> bytes:
    """The bytes before the next NUL. OSError at the end of the output."""
    found = bytearray()
    while (byte := output.read(1)) != b"\0":
        if not byte:
            raise OSError(0, "git check-ignore failed")
        found += byte
    return bytes(found)
