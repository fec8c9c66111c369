"""Which files of a clone git ignores: an untracked file such as `.env` or a build's output.

A manifest must not make such a file a prompt, which is shown in pull requests and sent: it is on
the machine, but not in the repository.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from pathlib import Path
from threading import Timer
from typing import IO, TYPE_CHECKING

from reconciler.model import limits
from reconciler.system import disk

if TYPE_CHECKING:
    from subprocess import Popen

_COMMAND = (
    *("-c", "core.fsmonitor=false", "-c", "core.bare=false"),
    *("check-ignore", "-z", "--stdin", "--verbose", "--non-matching"),
)
_FIELDS = 4  # the file with the pattern, its line, the pattern (all empty: not ignored), the path
_SHA256 = re.compile(rb"^[ \t]*+objectformat[ \t]*+=[ \t]*+\"?sha256", re.MULTILINE | re.IGNORECASE)


class IgnoredFiles:
    """Asks processes of git for each repository, started with the first question. Call `close`.
    Without git, no file is ignored.

    Git uses an empty repository of ours, with the index and `info/exclude` of the clone: the
    clone's configuration can name programs, other files, or a pipe that never ends.
    """

    def __init__(self) -> None:
        self._open = ExitStack()
        self._processes: dict[Path, list[Popen[bytes]]] = {}

    def is_ignored(self, top: Path, path: Path) -> bool:
        """Whether git ignores `path` (without links) and does not track it, in the repository
        `top`. OSError if git does not say."""
        if top not in self._processes:
            self._processes[top] = self._start(top)
        name = os.fsencode(path.relative_to(top)) + b"\0"
        answers = [_answer(process, name) for process in self._processes[top]]
        return any(answers)

    def close(self) -> None:
        for process in (each for processes in self._processes.values() for each in processes):
            process.communicate()
        self._processes.clear()
        self._open.close()

    def _start(self, top: Path) -> list[Popen[bytes]]:
        """Two processes, for both values of `core.ignoreCase`: a file is ignored if it is with
        either. None of them if it is not a clone, or if there is no git."""
        if not (top / ".git").is_file() and not (top / ".git/HEAD").exists():
            return []
        import tempfile  # few manifests name files, and these imports take 5 ms

        from reconciler.system.git import start_git

        ours = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="taskctl-git-")))
        own = _repository(ours, top)
        cases = [("-c", f"core.ignoreCase={value}") for value in ("false", "true")]
        try:
            return [start_git(top, *case, *_COMMAND, env=os.environ, own=own) for case in cases]
        except FileNotFoundError:
            return []


def _repository(ours: Path, top: Path) -> dict[str, str]:
    """Fills an empty directory, and returns the variables with which git takes it, and the index
    and the objects of a clone, for the repository of `top`. OSError."""
    own = git_directory(top / ".git")
    if os.path.lexists(own / "index"):
        disk.read_start(own / "index", 0)  # which does not wait for a pipe, as git would
    common = own
    if (named := _text(own / "commondir")) is not None:  # a linked work tree
        common = own / os.fsdecode(named.strip())
    (ours / "refs").mkdir()
    (ours / "info").mkdir()
    (ours / "HEAD").write_bytes(b"ref: refs/heads/main\n")
    (ours / "info/exclude").write_bytes(_text(common / "info/exclude") or b"")
    if _SHA256.search(_text(common / "config") or b""):
        version = "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectFormat = sha256\n"
        (ours / "config").write_text(version)
    for part in own.glob("sharedindex.*"):
        (ours / part.name).symlink_to(part.absolute())
    return {
        "GIT_DIR": str(ours),
        "GIT_WORK_TREE": str(top),
        "GIT_INDEX_FILE": str(own.absolute() / "index"),
        "GIT_OBJECT_DIRECTORY": str(common.absolute() / "objects"),
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
    }


def git_directory(path: Path) -> Path:
    """`.git`, or the directory that it names as a file. OSError."""
    if path.is_dir():
        return path
    named = (_text(path) or b"").partition(b"gitdir:")[2].strip()
    return path.parent / os.fsdecode(named)


def _text(path: Path) -> bytes | None:
    """A small file; None if there is none. OSError if it is too large, or a pipe."""
    return disk.read_file(path, most=limits.CONFIG_BYTES, follow=True)


def _answer(process: Popen[bytes], name: bytes) -> bool:
    """Whether git answers that a file is ignored. OSError if there is no answer in time."""
    timer = Timer(limits.GIT_ANSWER_SECONDS, process.kill)
    timer.start()
    try:
        if process.stdin is None or process.stdout is None:
            return False
        process.stdin.write(name)
        process.stdin.flush()
        file, _, pattern, _ = [_field(process.stdout) for _ in range(_FIELDS)]
    finally:
        timer.cancel()
    return bool(file) and not pattern.startswith(b"!")


def _field(output: IO[bytes]) -> bytes:
    """The bytes before the next NUL. OSError at the end of the output."""
    found = bytearray()
    while (byte := output.read(1)) != b"\0":
        if not byte:
            raise OSError(0, "git check-ignore failed")
        found += byte
    return bytes(found)
