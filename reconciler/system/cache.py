"""The user's cache directory. Everything in it can be deleted at any time.

It is never inside the repository: otherwise, anyone who can commit a file could mislead taskctl
about existing tasks.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from reconciler.model import limits
from reconciler.model.value import Value
from reconciler.system import disk


class UserCache(Value, frozen=True):
    """Files that only this user can read and write. `folder` is None if there is no usable
    directory. Then `read` finds no files, and `write` does nothing."""

    folder: Path | None = None

    def read(self, name: str, most: int = limits.CACHED_FILE_BYTES) -> bytes | None:
        """The content of a file; None if the file does not exist, has more than `most` bytes, or if
        another user could have written it. Links are not followed."""
        if self.folder is None or not _is_private(self.folder, stat.S_IFDIR):
            return None
        path = self.folder / name
        if not _is_private(path, stat.S_IFREG):
            return None
        try:
            return disk.read_file(path, most=most)
        except OSError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Creates or replaces a file if that is possible."""
        if self.folder is None or len(data) > limits.CACHED_FILE_BYTES:
            return
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if _is_private(self.folder, stat.S_IFDIR):
                disk.replace_file(self.folder / name, data, mode=disk.PRIVATE)


def user_cache(env: Mapping[str, str], repository: Path | None) -> UserCache:
    """The cache in the directory `taskctl` of `$TASKCTL_CACHE_DIR`, else `$XDG_CACHE_HOME`, else
    `~/.cache`.

    A directory is not usable if its path is relative, if it is inside the `repository` (with links
    resolved), if it exists and is not private, or if it does not exist and cannot be created.
    """
    folder = _base(env) / "taskctl"
    if not folder.is_absolute():
        return UserCache()
    if repository is not None and Path(os.path.realpath(folder)).is_relative_to(repository):
        return UserCache()
    if os.path.lexists(folder):
        return UserCache(folder) if _is_private(folder, stat.S_IFDIR) else UserCache()
    above = next(parent for parent in folder.parents if os.path.lexists(parent))
    is_usable = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
    return UserCache(folder) if is_usable else UserCache()


def _base(env: Mapping[str, str]) -> Path:
    """The directory for caches. If this user has no home directory, the path is relative, and
    therefore not usable."""
    if chosen := env.get("TASKCTL_CACHE_DIR"):
        return Path(chosen)
    base = Path(env.get("XDG_CACHE_HOME", ""))
    if base.is_absolute():  # the XDG specification requires it
        return base
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return Path()


def _is_private(path: Path, kind: int) -> bool:
    """Whether a file, which is not a link, has this `kind` (of `stat`), belongs to this user and
    grants no access to others. On Windows, the permissions of its directory control access."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    if stat.S_IFMT(found.st_mode) != kind:
        return False
    return sys.platform == "win32" or (
        found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    )
