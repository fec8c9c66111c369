"""The lock that keeps two applies on one state apart, and who holds it.

It is a kernel lock (`flock`, on Windows `LockFileEx`) on `STATE.lock`, so it ends with the process
that holds it. The file stays: if it were removed, one process could lock the old file and another
one a new file. Its content, the holder, is only for messages: that of a dead process blocks nobody.

What applies where:

- A local file system: as above.
- NFS: Linux turns `flock` into a lock at the server, so applies on two machines exclude each other
  too, as long as lockd (v3) or v4 is at work and nobody mounted with `nolock` or `local_lock`. A
  machine that dies keeps its lock until the server gives up on it, about 90 seconds.
- Windows: the same lock, and another process may not be able to read who holds it. A folder cannot
  be synced there, so NTFS alone decides when a rename is durable; mode 0600 means nothing, the
  folder's access rules do.
- A file system without locks (some FUSE ones): refused. A lock that only one side keeps is none.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import disk
from reconciler.disk import PRIVATE
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Arg, Place, error
from reconciler.model.errors import StateError
from reconciler.model.task import rfc3339
from reconciler.state.holder import Holder, host_name, is_alive, user_name

if TYPE_CHECKING:
    from filelock import BaseFileLock

_LONGEST = 10_000  # bytes of a signature
_READS = 25
_BETWEEN_READS = 0.02  # seconds: a new holder needs that long at most to say who it is


class Lock:
    """Held from `take` to `release`."""

    def __init__(self, path: Path, *, shown: str) -> None:
        """`path` is the lock's file, `shown` the state's path as messages name it."""
        self._path, self._shown = path, shown
        self._lock: BaseFileLock | None = None
        self._fd = self._file = -1

    def take(
        self, purpose: str, timeout: timedelta, waiting: Callable[[str], None] | None = None
    ) -> None:
        """Waits up to `timeout`; StateError names the holder when that was not enough.

        `waiting` is called once, with the holder in words, if it does have to wait.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(
            self._path,
            mode=PRIVATE,
            thread_local=False,
            fallback_to_soft=False,
            preserve_lock_file=True,
            on_acquired=lambda fd: self._acquired(fd, purpose),
        )
        try:
            try:
                lock.acquire(blocking=False)
            except Timeout:
                if timeout <= timedelta():
                    raise
                if waiting is not None:
                    waiting(self._holder_in_words())
                lock.acquire(timeout=timeout.total_seconds())
        except Timeout:
            raise self._is_held(timeout) from None
        except OSError as problem:
            raise self._cannot(problem) from problem
        self._lock = lock

    def _acquired(self, fd: int, purpose: str) -> None:
        self._fd = fd
        _sign(fd, purpose)

    def retake(self, purpose: str) -> None:
        """Takes the lock again if its file was removed. StateError if somebody has the new one."""
        if self._lock is not None and disk.is_still(self._path, self._fd):
            return
        self.release()
        try:
            self.take(purpose, timedelta())
        except StateError as problem:
            raise lost(self._path.name, self._shown) from problem

    def check_held(self) -> None:
        """StateError if the lock's file was removed or replaced: others can lock the new one."""
        if self._lock is None or not disk.is_still(self._path, self._fd):
            raise lost(self._path.name, self._shown)

    def take_file(self, path: Path) -> None:
        """Locks a file itself, which has several names, so that it is locked under each of them.

        Until `release`; StateError if another process holds it.
        """
        if os.name == "nt":
            return
        import fcntl

        fd = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            os.close(fd)
            if isinstance(problem, BlockingIOError):
                raise self._is_held(timedelta()) from problem
            raise self._cannot(problem) from problem
        self._file = fd

    def release(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def _is_held(self, timeout: timedelta) -> StateError:
        facts: dict[str, Arg] = {"holder": self._holder_in_words()}
        if timeout:
            facts["seconds"] = round(timeout.total_seconds(), 1)
        at, case = Place(file=self._shown), "waited" if timeout else ""
        return StateError([error(Code.STATE_LOCKED, case, at=at, **facts)])

    def _cannot(self, problem: OSError) -> StateError:
        at, reason = Place(file=self._shown), problem.strerror or str(problem)
        return StateError(
            [error(Code.LOCK_UNAVAILABLE, at=at, reason=reason, lock=str(self._path))]
        )

    def _holder_in_words(self) -> str:
        holder = self._holder()
        return str(holder) if holder else "an unidentified process"

    def _holder(self) -> Holder | None:
        """Read a few times: what a dead one left is there until the new holder has signed."""
        for _ in range(_READS):
            holder = read_holder(self._path)
            if holder is not None and not _is_dead(holder):
                return holder
            time.sleep(_BETWEEN_READS)
        return None


def lost(name: str, shown: str) -> StateError:
    """A file that keeps two applies apart, `name`, is not the one that this run opened."""
    return StateError([error(Code.STATE_LOCK_LOST, at=Place(file=shown), name=name)])


def read_holder(path: Path) -> Holder | None:
    """Who signed the lock last; None where nobody did, or it cannot be read."""
    try:
        found = json.loads(disk.read_file(path, most=_LONGEST) or b"")
        return Holder(
            pid=int(found["pid"]),
            host=str(found["host"]),
            user=str(found["user"]),
            started=str(found["started"]),
            purpose=str(found["purpose"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _sign(fd: int, purpose: str) -> None:
    value = {
        "host": host_name(),
        "pid": os.getpid(),
        "purpose": purpose,
        "started": rfc3339(datetime.now(UTC)),
        "user": user_name(),
    }
    with suppress(OSError):  # a full disk: the lock holds all the same
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, json.dumps(value).encode() + b"\n")


def _is_dead(holder: Holder) -> bool:
    """Whether it ran on this machine and does not any more."""
    return holder.host == host_name() and not is_alive(holder.pid)
