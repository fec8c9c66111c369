"""The lock that excludes concurrent applies on one state file, and the description of a lock's
holder.

The lock of a file is a kernel lock (`flock`) on `STATE.lock`, so it ends with the process that
holds it. The lock file is never removed: otherwise, two processes could lock different files. The
file identifies the holder, but only for messages: a process that has ended does not block others.

- NFS: Linux turns `flock` into a lock at the server, so applies on two machines exclude each other
  too, unless lockd (v3) is down or the mount uses `nolock` or `local_lock`. The lock of a machine
  that fails lasts until the server drops it, after about 90 seconds.
- File systems without locks, such as some FUSE file systems, are rejected.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError, TaskctlError
from reconciler.model.remarks import Arg
from reconciler.model.task import rfc3339
from reconciler.model.typed_json import ShapeError, decode_as, encode_json
from reconciler.model.value import Stored
from reconciler.state.attempt import Author
from reconciler.system import disk

try:
    import fcntl
except ImportError as exc:  # such as on Windows
    raise TaskctlError.of(Code.OS_ERROR, "posix") from exc


class Holder(Stored, frozen=True):
    """A process that took the lock of a state at the time `started` (RFC 3339).

    `purpose` is its command. For a shared state, `run` is the link to its CI run, and `boot_id` and
    `pid_namespace` identify the scope of its process ID ("": unknown).
    """

    pid: int
    host: str
    user: str
    started: str
    purpose: str
    run: str = ""
    boot_id: str = ""
    pid_namespace: str = ""

    @classmethod
    def here(cls, purpose: str, run: str, now: datetime, boot_id: str) -> Holder:
        """The current process as a holder."""
        started, spaces = rfc3339(now), _pid_namespace()
        own = (os.getpid(), host_name(), user_name())
        return cls(*own, started, purpose, run, boot_id, spaces)

    def __str__(self) -> str:
        run = f", {self.run}" if self.run else ""
        return (
            f"process {self.pid} on {self.host} (user {self.user}, {self.purpose}, since"
            f" {self.started}{run})"
        )

    def is_gone(self, boot_id: str) -> bool:
        """Whether the process has certainly ended: on this boot and in this PID namespace, its ID
        would be visible."""
        return (
            self.boot_id == boot_id != ""
            and self.pid_namespace == _pid_namespace() != ""
            and self.host == host_name()
            and not is_alive(self.pid)
        )


class LastApply(Stored, frozen=True):
    """The last declarations that an apply used, kept with the lock. `digest` is the digest of the
    tasks and PATHs of the last apply. `changes` increases whenever the digest changes, and with
    each edit of the state; `command` and `run` identify the last change."""

    digest: str
    changes: int
    command: str
    run: Author | None = None

    def edited(self, command: str, run: Author | None) -> LastApply:
        """The declaration after an edit of the state."""
        return LastApply(self.digest, self.changes + 1, command, run)


class LockFile(Stored, frozen=True):
    """The content of a lock file."""

    holder: Holder | None = None
    declared: LastApply | None = None


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def host_name() -> str:
    return socket.gethostname()


def user_name() -> str:
    try:
        import getpass

        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def is_alive(pid: int) -> bool:
    """Whether a process of this machine may still be running."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


_MAX_CONTENT = 10_000  # bytes
_READS = 25
_BETWEEN_TRIES = 0.05  # seconds
_BETWEEN_READS = 0.02  # seconds; a new holder writes its name within a few reads


class Lock:
    """The lock of one state file, held from `take` to `release`."""

    def __init__(self, path: Path, *, display_name: str) -> None:
        """`path` is the lock file; `display_name` is the state's path in messages."""
        self._path, self._display_name = path, display_name
        self._lock = self._file = -1
        self.content = LockFile()
        self._opened: disk.FileId = (-1, -1)

    def take(self, timeout: timedelta, waiting: Callable[[str], None]) -> None:
        """Waits up to `timeout`. If the state is still locked, raises StateError, which identifies
        the holder.

        `waiting` is called once before the wait, with a description of the holder. Until `write`,
        `content` describes the previous holder.
        """
        end, is_first = time.monotonic() + timeout.total_seconds(), True
        try:
            while not self._take():
                if time.monotonic() >= end:
                    raise self._locked_by_other(timeout)
                if is_first:
                    waiting(self._holder_in_words())
                is_first = False
                time.sleep(_BETWEEN_TRIES)
        except OSError as problem:
            raise self._cannot(problem) from problem
        self.content = read_lock(self._path)

    def write(self, purpose: str, declared: LastApply | None) -> None:
        """Writes the holder of the lock."""
        holder = Holder.here(purpose, "", datetime.now(UTC), "")
        self.content = LockFile(holder, declared)
        with suppress(OSError):  # if the disk is full, this process still holds the lock
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, encode_json(self.content) + b"\n", 0)

    def _take(self) -> bool:
        """Whether this process has the lock now. Raises OSError."""
        while True:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, disk.PRIVATE)
            try:
                if not _lock(fd):
                    return False
                opened = disk.file_id(fd)
                if disk.is_still(self._path, opened):
                    self._lock, fd, self._opened = fd, -1, opened
                    return True
                # The file was removed after it was opened.
            finally:
                if fd >= 0:
                    os.close(fd)

    def check_lock(self) -> None:
        """Raises StateError if the lock file was removed or replaced: another process could lock
        the new file."""
        if self._lock < 0 or not disk.is_still(self._path, self._opened):
            raise lost(self._path.name, self._display_name)

    def take_file(self, path: Path) -> None:
        """Locks the state file itself as well, because each of its hard links has its own lock
        file. Raises StateError if another process holds it."""
        fd = os.open(path, os.O_RDONLY)
        try:
            is_locked = _lock(fd)
        except OSError as problem:
            os.close(fd)
            raise self._cannot(problem) from problem
        if not is_locked:
            os.close(fd)
            raise self._locked_by_other(timedelta())
        self._file = fd

    def release(self) -> None:
        opened, self._file, self._lock = (self._file, self._lock), -1, -1
        for fd in opened:
            if fd >= 0:
                os.close(fd)

    def _locked_by_other(self, timeout: timedelta) -> StateError:
        facts: dict[str, Arg] = {"holder": self._holder_in_words()}
        if timeout:
            facts["seconds"] = round(timeout.total_seconds(), 1)
        case = "waited" if timeout else ""
        return StateError.about(self._display_name, Code.STATE_LOCKED, case, **facts)

    def _cannot(self, problem: OSError) -> StateError:
        reason, code = problem.strerror or str(problem), Code.LOCK_UNAVAILABLE
        return StateError.about(self._display_name, code, reason=reason, lock=str(self._path))

    def _holder_in_words(self) -> str:
        """A description of the holder. The file is read several times, because a new holder writes
        its name only after it has the lock."""
        for _ in range(_READS):
            holder = read_lock(self._path).holder
            if holder is not None and not (holder.host == host_name() and not is_alive(holder.pid)):
                return str(holder)
            time.sleep(_BETWEEN_READS)
        return "an unidentified process"


def _lock(fd: int) -> bool:
    """Locks an open file until it is closed; False if another process has locked it. Raises
    OSError."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lost(name: str, display_name: str) -> StateError:
    """The error if another process has removed, replaced or written to `name`, a file that excludes
    concurrent applies."""
    return StateError.about(display_name, Code.STATE_LOCK_LOST, name=name)


def read_lock(path: Path) -> LockFile:
    """The content of a lock file; empty if it is unknown."""
    try:
        return decode_as(LockFile, disk.read_file(path, most=_MAX_CONTENT) or b"")
    except (OSError, ShapeError):
        return LockFile()
