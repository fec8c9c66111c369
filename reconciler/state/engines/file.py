"""A state in a file of this machine: reads bytes, replaces bytes whole or not at all, no more."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from reconciler.state import disk

Version = tuple[int, int, int]
"""Which bytes a file held: inode, size and time of change. A replaced file has another one."""


@dataclass(frozen=True, slots=True)
class LocalStore:
    """`path` is the file itself, never a link to it: a link would be what is replaced.

    Every method raises OSError as it comes, and leaves the file as it was when it does.
    """

    path: Path

    @property
    def backup(self) -> Path:
        return self.path.with_name(self.path.name + ".backup")

    def version(self) -> Version | None:
        """None where there is no file. IsADirectoryError or OSError for what is no file."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(f"{self.path} is a folder")
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{self.path} is no regular file")
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def read(self) -> bytes | None:
        """All of it; None where there is no file."""
        return None if self.version() is None else self.path.read_bytes()

    def replace(self, data: bytes) -> None:
        """`data` instead of what is there, which is kept as `.backup`; durable when it returns."""
        known = self.read()
        spare = _written(self.path, data)
        try:
            if known is not None:
                _written(self.backup, known).replace(self.backup)
            spare.replace(self.path)
        except OSError:
            _give_back(spare)
            raise
        disk.sync_folder(self.path.parent)


def _written(target: Path, data: bytes) -> Path:
    """A file beside `target` that holds `data`, complete on the disk, to take its name."""
    spare = target.with_name(target.name + ".tmp")
    disk.remove(spare)
    fd = disk.create(spare)
    try:
        disk.write_all(fd, data)
        disk.sync(fd)
    except OSError:
        _give_back(spare)
        raise
    finally:
        os.close(fd)
    return spare


def _give_back(spare: Path) -> None:
    """On a full disk what was half written is in the way of everything else."""
    try:
        disk.remove(spare)
    except OSError:
        return
