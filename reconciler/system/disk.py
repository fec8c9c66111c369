"""Durable file operations: every file is written here, and replaced atomically.

Functions of `os` are looked up at each call, because the tests of crashes and power loss replace
them to stop before and after each one, and to record the order of syncs.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

PRIVATE = 0o600
"""The default mode: states, plans, caches and reports contain prompts."""

MAX_BYTES = 1 << 31
"""The maximum number of bytes read from one file."""

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = getattr(os, "O_BINARY", 0) | _NO_LINK
_FOLDER = getattr(os, "O_PATH", 0) | getattr(os, "O_DIRECTORY", 0) | _NO_LINK
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a pipe would wait for a writer
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)


class NotRegularError(OSError):
    """A directory, device, pipe or socket instead of a file."""


class FileTooLargeError(OSError):
    """A file that exceeds the limit for its kind."""


def replace_file(
    path: Path, data: bytes, *, mode: int | None = None, temporary: Path | None = None
) -> None:
    """Replaces a file atomically and durably. If it raises OSError, the file has its old content,
    or all of the new content, which may not be durable yet.

    A symbolic link at `path` is replaced itself, never followed. The default `mode` is the existing
    file's, or 0600. The directory must exist. `temporary` is a file in the same directory, which is
    overwritten first: specify it only if no two callers can write at the same time (default: a
    random name).
    """
    if mode is None:
        mode = _mode_of(path)
    if temporary is None:
        temporary = path.with_name(f".{path.name[:100]}.{os.urandom(4).hex()}.tmp")
    else:
        remove(temporary)
    try:
        fd = create(temporary, mode)
        try:
            write_all(fd, data)
            if mode != PRIVATE:
                os.chmod(temporary, mode)  # regardless of the umask  # noqa: PTH101
            sync(fd)
        finally:
            os.close(fd)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):  # a partial file takes up space on a full disk
            remove(temporary)
        raise
    sync_folder(path.parent)


def read_file(path: Path, *, most: int = MAX_BYTES, follow: bool = False) -> bytes | None:
    """The content of a regular file; None only if it does not exist. Never blocks on a pipe or
    device.

    Raises OSError for anything else: NotRegularError, FileTooLargeError, or a link without
    `follow`.
    """
    try:
        fd = _open_regular(path, follow=follow)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        if os.fstat(fd).st_size > most:
            raise FileTooLargeError(errno.EFBIG, f"larger than {most} bytes", str(path))
        return file.read(most + 1)


def read_start(path: Path, limit: int) -> bytes:
    """The first `limit` + 1 bytes of a regular file; links are followed. Never blocks on a pipe or
    device. Raises OSError, for example if the file does not exist."""
    with os.fdopen(_open_regular(path, follow=True), "rb") as file:
        return file.read(limit + 1)


def read_resolved(path: Path, limit: int) -> bytes:
    """The first `limit` + 1 bytes of a regular file, whose path was resolved and checked. Raises
    OSError, for example if a part of the path has become a link since then."""
    if not hasattr(os, "O_PATH"):
        fd = _open_regular(path, follow=False, more=getattr(os, "O_NOFOLLOW_ANY", 0))
    else:
        folder = os.open(path.anchor, _FOLDER)
        try:
            for part in path.parts[1:-1]:
                inner = os.open(part, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            fd = _open_regular(Path(path.name), follow=False, folder=folder)
        finally:
            os.close(folder)
    with os.fdopen(fd, "rb") as file:
        return file.read(limit + 1)


def _open_regular(path: Path, *, follow: bool, more: int = 0, folder: int | None = None) -> int:
    flags = (_FLAGS & ~_NO_LINK if follow else _FLAGS) | more
    fd = os.open(path, os.O_RDONLY | _NO_WAIT | flags, dir_fd=folder)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise NotRegularError(errno.EINVAL, "not a regular file", str(path))


def create(path: Path, mode: int = PRIVATE) -> int:
    """Opens a new file for appending. Raises FileExistsError if it exists."""
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | _FLAGS, mode)


def open_to_append(path: Path) -> int:
    """Opens a file for appending; a new file gets mode 0600. Raises OSError if it is not a regular
    file."""
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | _NO_WAIT | _FLAGS, PRIVATE)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise NotRegularError(errno.EINVAL, "not a regular file", str(path))
    return fd


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Writes all of `data`. If it raises OSError, a part may have been written."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def sync(fd: int) -> None:
    """Syncs a file to the medium. On macOS, `fsync` stops at the drive's cache."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    os.fsync(fd)


def sync_folder(folder: Path) -> None:
    """Makes the creation, renaming and removal of files in `folder` durable.

    Windows has no such call, and some network file systems reject it: there, the file system
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
    """Creates a directory and its parents durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Removes a file, if it exists. Durable with the next sync of its directory."""
    path.unlink(missing_ok=True)


FileId = tuple[int, int]
"""The device and the inode of a file: no other file has them while it is open."""


def file_id(fd: int) -> FileId:
    """The identity of an open file. Raises OSError."""
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def is_still(path: Path, opened: FileId) -> bool:
    """Whether `path` is still this open file, and not a link to it."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == opened


def _mode_of(path: Path) -> int:
    try:
        found = os.lstat(path)
    except OSError:
        return PRIVATE
    return stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else PRIVATE
