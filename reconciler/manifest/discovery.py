"""Finds the manifests of PATH arguments, and their names in messages.

The repository is untrusted, so links in it are not followed: a link to `/` would make taskctl read
the entire file system, and show lines of its files in messages.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from reconciler.manifest.links import Resolver
from reconciler.manifest.repository import (
    CONFIG,
    in_git,
    refuse_untrusted,
    repositories_around,
    repository_root,
    resolved,
)
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, TaskctlError, error
from reconciler.model.glob import is_glob, other_sign
from reconciler.model.similarity import SimilaritySearches

FOLDER = "tasks"
SUFFIXES = (".yaml", ".yml")
DATA_SUFFIXES = (".data.yaml", ".data.yml")
"""Data files of entries, next to manifests."""

LONE_SUFFIX = ".tasks.yaml"


class Finder:
    """Collects each manifest file once: `files` are the paths, without links, by the names in
    messages."""

    def __init__(self, root: Path) -> None:
        self.files: dict[str, Path] = {}
        self.diagnostics: list[Diagnostic] = []
        self._root = root
        self._real_root = resolved(root)
        self._top = repository_root(root) or self._real_root
        self._data: list[str] = []
        self._searches = SimilaritySearches()
        self._files_seen: set[tuple[int, int]] = set()
        self._folders_seen: set[tuple[int, int]] = set()

    def find(self, paths: Sequence[str]) -> None:
        """Finds the manifests at `paths`, or at the default locations if there are none."""
        for path in paths:
            self._add_path(path)
        if not paths:
            self._default_locations()
        elif self._data and not self.files and not self.diagnostics:
            self.diagnostics.append(error(Code.NO_MANIFESTS, "data", at=Place(self._data[0])))

    def find_others(self, paths: Sequence[str]) -> None:
        """Finds manifests like `find`, at further `paths`; nothing needs to exist there."""
        for path in paths:
            if (self._root / path).exists():
                self._given(self._root / path, shown_name(self._root, path))
        if not paths:
            self._standard_locations()

    def _default_locations(self) -> None:
        """Adds the manifests at the default locations; an error if there are none."""
        self._standard_locations()
        if not self.files and not self.diagnostics:
            self.diagnostics.append(self._no_manifests())

    def _no_manifests(self) -> Diagnostic:
        if self._real_root.name == FOLDER:
            return error(Code.NO_MANIFESTS, "inside")
        repository = repository_root(self._real_root)
        for above in self._real_root.parents if self._real_root != repository else ():
            if _is_project(above, self._real_root, in_repository=repository is not None):
                return error(Code.NO_MANIFESTS, "above", folder=normalized(os.path.relpath(above)))
            if above == repository:
                break
        return error(Code.NO_MANIFESTS)

    def _standard_locations(self) -> None:
        """Adds the manifests in `tasks/`, and `*.tasks.yaml`."""
        if _is_folder(self._root / FOLDER):
            self._given(self._root / FOLDER, FOLDER)
        for entry in self._entries(self._root, "."):
            if entry.name.endswith(LONE_SUFFIX) and entry.is_file():
                self._given(Path(entry.path), entry.name)

    def _add_path(self, given: str) -> None:
        """Adds the manifests of a PATH argument: a file, or a directory with at least one manifest.
        Data files are ignored, because `*.yaml` in a shell also matches them."""
        place, name = self._root / given, shown_name(self._root, given)
        if name.endswith(DATA_SUFFIXES) and place.is_file():
            self._data.append(name)
            return
        before, problems = len(self._files_seen), len(self.diagnostics)
        is_folder = _is_folder(place)
        already = is_folder and _identity(place.stat()) in self._folders_seen
        self._given(place, name)
        new = len(self._files_seen) > before or len(self.diagnostics) > problems
        if is_folder and not new and not already and not self.diagnostics:
            self.diagnostics.append(error(Code.NO_MANIFESTS, "directory", directory=name))

    def _given(self, place: Path, name: str) -> None:
        """Adds a file or directory that the user named. It may be reached through links that lead
        out of the repository, but no link inside the repository may lead out of it."""
        real = resolved(place)
        plain = Path(os.path.normpath(self._real_root / name))
        top = self._top
        tops = [top] if plain.is_relative_to(top) else repositories_around(plain)
        if any(real != resolved(each) / plain.relative_to(each) for each in tops):
            self.diagnostics.append(error(Code.OUTSIDE_REPOSITORY, "link", at=Place(name)))
            return
        if not plain.is_relative_to(top):
            folder = real if _is_folder(real) else real.parent
            top = repository_root(folder) or folder
        if in_git(real.relative_to(top)):
            self.diagnostics.append(error(Code.OUTSIDE_REPOSITORY, "manifest-git", at=Place(name)))
        elif _is_folder(real):
            self._folder(real, name)
        else:
            self._file(real, name)

    def _file(self, place: Path, name: str) -> None:
        try:
            identity = _identity(place.stat())
        except FileNotFoundError as problem:
            if is_glob(name) or other_sign(name) is not None:
                self.diagnostics.append(error(Code.UNREADABLE_FILE, "wildcard", at=Place(name)))
                return
            near = _similar_path(place, name, self._searches)
            self.diagnostics.append(near or unreadable_file(name, problem))
            return
        except (OSError, ValueError) as problem:
            self.diagnostics.append(unreadable_file(name, problem))
            return
        if identity not in self._files_seen:
            self._files_seen.add(identity)
            self.files[name] = place

    def _folder(self, place: Path, name: str, depth: int = 0) -> None:
        """All manifests below a directory, each directory once."""
        identity = _identity(place.stat())
        if identity in self._folders_seen:
            return
        self._folders_seen.add(identity)
        if depth > limits.FOLDER_DEPTH:
            self.diagnostics.append(
                error(Code.UNREADABLE_FILE, "deep", at=Place(name), most=limits.FOLDER_DEPTH)
            )
            return
        for entry in self._entries(place, name):
            if entry.name.startswith("."):
                continue
            below = entry.name if name == "." else f"{name}/{entry.name}"
            path = Path(entry.path)
            is_folder = _is_folder(path)
            if not is_folder and not is_manifest_name(entry.name):
                continue
            if entry.is_symlink():
                self.diagnostics.append(error(Code.OUTSIDE_REPOSITORY, "link", at=Place(below)))
            elif is_folder:
                self._folder(path, below, depth + 1)
            else:
                self._file(path, below)

    def _entries(self, place: Path, name: str) -> Sequence[os.DirEntry[str]]:
        try:
            with os.scandir(place) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as problem:
            self.diagnostics.append(unreadable_file(name, problem))
            return []


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def is_manifest_name(name: str) -> bool:
    """Whether a file with that name in a given directory is read as a manifest."""
    return name.endswith(SUFFIXES) and not name.endswith(DATA_SUFFIXES)


def _is_project(above: Path, folder: Path, *, in_repository: bool) -> bool:
    """Whether taskctl is used in the directory `above`: in a repository, its `tasks/` has a
    manifest; elsewhere, it has a configuration file, which does not apply to `folder`."""
    try:
        if in_repository:
            with os.scandir(above / FOLDER) as entries:
                return any(is_manifest_name(entry.name) for entry in entries)
        refuse_untrusted(above / CONFIG, folder)
        return (above / CONFIG).is_file()
    except (OSError, TaskctlError):
        return False


def _is_folder(path: Path) -> bool:
    """Whether a path is a directory; False if that is unknown, as for a link loop."""
    try:
        return path.is_dir()
    except OSError:
        return False


def shown_name(root: Path, given: str) -> str:
    """The name of a path in messages: with slashes, and relative to `root` if it is inside."""
    absolute = os.path.normpath(root.absolute() / given)
    folder = os.path.normpath(root.absolute())
    if absolute == folder or absolute.startswith(folder.rstrip(os.sep) + os.sep):
        return normalized(os.path.relpath(absolute, folder))
    return normalized(given)


def normalized(path: str) -> str:
    """A path in the form of manifest names: `/`-separated, without `./` or a trailing `/`."""
    return os.path.normpath(path).replace(os.sep, "/")


def real_names(root: Path, names: Iterable[str]) -> dict[str, str]:
    """The real name of each PATH and manifest file, relative to `root`: without links, so that no
    file counts twice. Omits names with too many links."""
    home, resolver = resolved(root), Resolver()
    found = {}
    for name in set(names):
        real = resolver.resolve(home, name)
        if not real.is_cut_off:
            found[name] = normalized(os.path.relpath(real.path, home))
    return found


def _similar_path(place: Path, name: str, searches: SimilaritySearches) -> Diagnostic | None:
    """The diagnostic for a PATH that does not exist, with a manifest or directory of a similar
    name; None unless exactly one is similar."""
    from reconciler.manifest.schema_findings import similar

    try:
        with os.scandir(place.parent) as entries:
            known = [e.name for e in entries if e.is_dir() or is_manifest_name(e.name)]
    except OSError:
        return None
    known = [each for each in known if not each.startswith(".")]
    near = similar(place.name, known) if searches.may_compare(place.name, known) else None
    if near is None:
        return None
    return error(
        Code.UNREADABLE_FILE, "similar", at=Place(name), near=normalized(f"{name}/../{near}")
    )


def unreadable_file(name: str, problem: OSError | ValueError) -> Diagnostic:
    """The diagnostic for a PATH or a file that cannot be read."""
    reason = problem.strerror if isinstance(problem, OSError) else "invalid name"
    return error(Code.UNREADABLE_FILE, at=Place(name), reason=reason or str(problem))
