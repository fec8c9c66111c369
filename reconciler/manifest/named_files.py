"""Files that a manifest names: prompts and data.

A manifest must not make taskctl read any other file of the machine into a prompt: such a file is in
the manifest's repository, symbolic links resolved, and not in `.git`, where a checkout keeps
tokens.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import NamedTuple

from reconciler.manifest.discovery import shown_name
from reconciler.manifest.finding import Finding, finding
from reconciler.manifest.repository import in_git, read_regular, repository_root, resolved
from reconciler.model.codes import Code

MAX_BYTES = 1024 * 1024


class NamedFile(NamedTuple):
    """`name` is its name as a user would write it; `content` is at most MAX_BYTES + 1 long."""

    name: str
    content: bytes


class NamedFiles:
    """Reads each file once, however often it is named. `root` is the working directory."""

    def __init__(self, root: FilePath) -> None:
        self._root = root
        self._files: dict[FilePath, NamedFile] = {}
        self._homes: dict[FilePath, _Home] = {}

    def read(self, manifest: str, folder: FilePath, given: str) -> NamedFile | Finding:
        """The file that a manifest names `given`, or why it cannot be read. `manifest` is the
        manifest's name and `folder` its directory."""
        home = self._homes.get(folder)
        if home is None:
            home = self._homes[folder] = _home(folder, self._root)
        try:
            real = resolved(home.folder / given)
            outside = _outside(real, home)
            if outside is not None:
                return finding(Code.OUTSIDE_REPOSITORY, (), outside)
            if real not in self._files:
                name = self._shown(manifest, given, real)
                self._files[real] = NamedFile(name, read_regular(real, MAX_BYTES))
        except OSError as problem:
            reason = problem.strerror or str(problem)
            return finding(Code.UNREADABLE_FILE, (), "prompt", {"file": given, "reason": reason})
        except ValueError:  # the system's encoding cannot represent it
            return finding(Code.UNREADABLE_FILE, (), "name", {"file": given})
        return self._files[real]

    def _shown(self, manifest: str, given: str, real: FilePath) -> str:
        """Its name as a user would write it; its real path where a link leads elsewhere."""
        name = shown_name(self._root, str(FilePath(manifest).parent / given))
        if resolved(self._root / name) == real:
            return name
        return shown_name(resolved(self._root), str(real))


class _Home(NamedTuple):
    """The directory of a manifest and the one its files must be in, links resolved."""

    folder: FilePath
    top: FilePath
    is_repository: bool


def _home(folder: FilePath, working: FilePath) -> _Home:
    """The repository of the directory, or else the working directory."""
    real, top = resolved(folder), repository_root(folder)
    return _Home(real, top or resolved(working), is_repository=top is not None)


def _outside(real: FilePath, home: _Home) -> str | None:
    """Why the file must not be read, whether or not it exists: a case of OUTSIDE_REPOSITORY."""
    if not real.is_relative_to(home.top):
        return "prompt" if home.is_repository else "prompt-directory"
    if in_git(real.relative_to(home.top)):
        return "prompt-git"
    return None
