"""Resolves the links in paths that a manifest names, up to a limit, which `os.path.realpath` does
not have: thousands of paths through the same links would take minutes."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from reconciler.model import limits


class ResolvedPath(NamedTuple):
    """A path without links, existing or not. `left`: how many more parts the targets of its links
    may have; if negative, `path` is the directory of the first link that was not followed."""

    path: str
    left: int = limits.LINK_PARTS

    @property
    def has_links(self) -> bool:
        return self.left < limits.LINK_PARTS

    @property
    def is_cut_off(self) -> bool:
        return self.left < 0


class Resolver:
    """Resolves each directory only once, for all of its files. A directory that becomes a link
    after that is an error when the file is opened."""

    def __init__(self) -> None:
        self._folders: dict[tuple[Path, tuple[str, ...]], ResolvedPath] = {}

    def resolve(self, home: Path, given: str) -> ResolvedPath:
        """The path `given`, relative to the directory `home`, which has no links."""
        *parents, name = Path(given).parts or (os.curdir,)
        key = home, tuple(parents)
        folder = self._folders.get(key)
        if folder is None:
            folder = self._folders[key] = _followed(ResolvedPath(str(home)), parents)
        return folder if folder.is_cut_off else _followed(folder, [name])


def _followed(start: ResolvedPath, parts: Sequence[str]) -> ResolvedPath:
    real, left = start
    rest = list(reversed(parts))
    while rest:
        part = rest.pop()
        if part == os.pardir:
            real = os.path.dirname(real)  # noqa: PTH120 - a `Path` takes longer than the calls
            continue
        inner = os.path.join(real, part)  # noqa: PTH118
        target = _target(inner)
        if target is None:
            real = inner
            continue
        left -= target.count(os.sep) + 1
        if left < 0:
            break
        rest += reversed(Path(target).parts)
    return ResolvedPath(real, left)


def _target(path: str) -> str | None:
    """The target of a link; None for anything else, existing or not."""
    try:
        is_link = stat.S_ISLNK(os.lstat(path).st_mode)
        return os.readlink(path) if is_link else None  # noqa: PTH115
    except OSError:
        return None
