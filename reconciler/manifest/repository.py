"""The repository of a directory: nothing outside it is read for a file in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def repository_root(folder: Path) -> Path | None:
    """The nearest directory at or above `folder` with `.git` (a file in a linked work tree), links
    resolved; None outside of repositories."""
    real = resolved(folder)
    return next((top for top in (real, *real.parents) if os.path.lexists(top / ".git")), None)


def resolved(path: Path) -> Path:
    """All links resolved, existing or not; `Path.resolve` raises for link loops."""
    return Path(os.path.realpath(path))


def in_git(path: Path) -> bool:
    """Whether a path leads into `.git`, under any name that a file system takes for it."""
    return any(part.rstrip(". ").lower() in (".git", "git~1") for part in path.parts)


def read_regular(path: Path, limit: int) -> bytes:
    """The content of a regular file, at most `limit` + 1 bytes of it. Raises OSError; for a pipe or
    a device at once, without waiting for it."""
    # Non-blocking: opening a pipe without a writer would block before it can be checked.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file")
        return file.read(limit + 1)


def link_out(path: Path, root: Path) -> str | None:
    """Where a path that is written inside the repository really leads, if that is outside of it.

    The repository may belong to somebody else: a link in it must not choose what is overwritten.
    """
    base = Path(os.path.realpath(root))
    top = repository_root(root) or base
    plain, real = Path(os.path.normpath(base / path)), Path(os.path.realpath(path))
    return str(real) if plain.is_relative_to(top) and not real.is_relative_to(top) else None
