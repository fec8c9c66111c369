"""A state in a local file: reads bytes, replaces bytes whole or not at all, nothing more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from reconciler import disk

FileVersion = tuple[int, int, int]
"""Which bytes a file held: inode, size and time of change. A replaced file has another one."""


@dataclass(frozen=True, slots=True)
class LocalStore:
    """`path` is the file itself, never a link to it: a link would be what is replaced.

    Every method raises OSError, and leaves the file as it was when it does.
    """

    path: Path

    @property
    def backup(self) -> Path:
        return self.path.with_name(self.path.name + ".backup")

    def version(self) -> FileVersion | None:
        """None if there is no file."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return None
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def links(self) -> int:
        """How many names the file has; 0 if there is none."""
        try:
            return os.lstat(self.path).st_nlink
        except FileNotFoundError:
            return 0

    def read(self) -> bytes | None:
        """All of it; None if there is no file."""
        return disk.read_file(self.path)

    def replace(self, data: bytes) -> None:
        """`data` instead of the content, which is kept as `.backup`; durable when it returns."""
        known = self.read()
        if known is not None:
            disk.replace_file(self.backup, known, mode=disk.PRIVATE, spare=_spare(self.backup))
        disk.replace_file(self.path, data, mode=disk.PRIVATE, spare=_spare(self.path))


def _spare(path: Path) -> Path:
    return path.with_name(path.name + ".tmp")
