"""The files that a PATH stands for (contract, section 2), and their names in messages."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error

FOLDER = "tasks"
SUFFIXES = (".yaml", ".yml")
LONE_SUFFIX = ".tasks.yaml"


class Finder:
    """Collects manifest files by their names in messages, each file once."""

    def __init__(self, root: Path) -> None:
        self.files: dict[str, Path] = {}
        self.diagnostics: list[Diagnostic] = []
        self._root = root
        self._files_seen: set[tuple[int, int]] = set()
        self._folders_seen: set[tuple[int, int]] = set()

    def default_locations(self) -> None:
        """`tasks/` and `*.tasks.yaml`; an error if neither has a manifest."""
        if (self._root / FOLDER).is_dir():
            self._folder(self._root / FOLDER, FOLDER)
        for entry in self._entries(self._root, "."):
            if entry.name.endswith(LONE_SUFFIX) and Path(entry.path).is_file():
                self._file(Path(entry.path), entry.name)
        if not self.files and not self.diagnostics:
            self.diagnostics.append(error(Code.NO_MANIFESTS))

    def path(self, given: str) -> None:
        """A PATH argument: a file of any name, or a directory with at least one manifest."""
        place, name = self._root / given, shown_name(self._root, given)
        if not place.is_dir():
            self._file(place, name)
            return
        before = len(self._files_seen)
        already = self._identity(place) in self._folders_seen
        self._folder(place, name)
        if len(self._files_seen) == before and not already and not self.diagnostics:
            self.diagnostics.append(error(Code.NO_MANIFESTS, "directory", directory=name))

    def _file(self, place: Path, name: str) -> None:
        try:
            status = place.stat()
        except OSError as problem:
            self.diagnostics.append(unreadable(name, problem))
            return
        identity = (status.st_dev, status.st_ino)
        if identity not in self._files_seen:
            self._files_seen.add(identity)
            self.files[name] = place

    def _folder(self, place: Path, name: str) -> None:
        """All manifests below a directory; each directory once, whatever links lead to it."""
        identity = self._identity(place)
        if identity in self._folders_seen:
            return
        self._folders_seen.add(identity)
        for entry in self._entries(place, name):
            if entry.name.startswith("."):
                continue
            below = entry.name if name == "." else f"{name}/{entry.name}"
            path = Path(entry.path)  # unlike the entry, it tolerates link loops
            if path.is_dir():
                self._folder(path, below)
            elif entry.name.endswith(SUFFIXES) and (path.is_file() or path.is_symlink()):
                self._file(path, below)

    def _entries(self, place: Path, name: str) -> Sequence[os.DirEntry[str]]:
        try:
            with os.scandir(place) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as problem:
            self.diagnostics.append(unreadable(name, problem))
            return []

    def _identity(self, place: Path) -> tuple[int, int]:
        status = place.stat()
        return status.st_dev, status.st_ino


def shown_name(root: Path, given: str) -> str:
    """As the user would write it: relative to the root where inside it, with slashes."""
    absolute = os.path.normpath(root.absolute() / given)
    folder = os.path.normpath(root.absolute())
    if absolute == folder or absolute.startswith(folder.rstrip(os.sep) + os.sep):
        return Path(os.path.relpath(absolute, folder)).as_posix()
    return Path(os.path.normpath(given)).as_posix()


def unreadable(name: str, problem: OSError) -> Diagnostic:
    """The diagnostic for a PATH or a file that the system does not let us read."""
    return error(Code.UNREADABLE_FILE, at=Place(name), reason=problem.strerror)
