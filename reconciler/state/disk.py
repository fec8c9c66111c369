"""The few ways in which the state's files are written: each durable when it returns.

Only functions of `os` are used, and looked up in it at each call: the tests of crashes and of power
loss replace them to die before and after each, and to record what was synced when.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

PRIVATE = 0o600
"""The mode of every file: a state holds prompts."""

_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)


def create(path: Path) -> int:
    """A new file to append to, empty and private; FileExistsError where there is one."""
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | _FLAGS, PRIVATE)


def open_to_append(path: Path) -> int:
    """The file, made private and empty where there is none."""
    return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | _FLAGS, PRIVATE)


def write_all(fd: int, data: bytes) -> None:
    """All of `data`, or an OSError after some of it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def sync(fd: int) -> None:
    """Down to the medium. On macOS `fsync` stops at the drive's cache; its own call does not."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    os.fsync(fd)


def sync_folder(folder: Path) -> None:
    """Makes names durable: files made, renamed or removed in `folder`.

    Windows has no such call, and some network file systems refuse it: there the file system alone
    decides when a rename is durable.
    """
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as problem:
        if problem.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """`folder` and those above it, durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def remove(path: Path) -> None:
    """No file there any more; none there is well. Durable with the folder's next sync."""
    path.unlink(missing_ok=True)


def is_still(path: Path, fd: int) -> bool:
    """Whether `path` names the very file that is open as `fd`, with no link in between."""
    try:
        there, ours = os.lstat(path), os.fstat(fd)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
