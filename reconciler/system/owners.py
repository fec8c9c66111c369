"""Whether a file above the working directory may be used: another user may have put it there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from reconciler.system import disk
from reconciler.system.git import safe_directories

_GITDIR_BYTES = 16_384


def untrusted(path: Path, folder: Path) -> tuple[Path, str, str] | None:
    """None if `path` belongs to the owner of `folder`, to this user or to root, or if git's
    `safe.directory` lists its directory. Otherwise the path (or what it leads to), its owner, and
    the owner of `folder`. OSError.

    Modes do not count: some CI systems clone with umask 0.
    """
    owner = owner_of(folder)
    if owner is None:
        return None
    trusted = {owner, os.geteuid(), 0}
    for part in _parts(path):
        found = owner_of(part)
        if found is not None and found not in trusted:
            if is_safe(path.parent, safe_directories(os.environ)):
                return None
            return part, _name(found), _name(owner)
    return None


def is_safe(folder: Path, listed: list[str]) -> bool:
    """As git compares a directory with `safe.directory`; an empty value forgets those before it."""
    if "" in listed:
        listed = listed[len(listed) - listed[::-1].index("") :]
    paths = {str(folder), *(f"{up}/*" for up in folder.parents)}
    return "*" in listed or any(path.rstrip("/") in paths for path in listed)


def _parts(path: Path) -> Iterator[Path]:
    """The path, what it links to, and the directory that a `.git` file names."""
    yield path
    if path.is_symlink():
        yield (path := Path(os.path.realpath(path)))
    if path.name == ".git" and path.is_file():
        named = disk.read_start(path, _GITDIR_BYTES).partition(b"gitdir:")[2].strip()
        if named:
            yield (folder := path.parent / os.fsdecode(named))
            yield Path(os.path.realpath(folder))


def owner_of(path: Path) -> int | None:
    """The user ID; None if nothing is there, or where files have no such owner."""
    try:
        return os.lstat(path).st_uid if os.name == "posix" else None
    except FileNotFoundError:
        return None


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
