"""The manifest that an import writes, and the other manifests, whose keys are in use."""

from __future__ import annotations

from pathlib import Path

from reconciler.app.context import Context
from reconciler.app.files import PUBLIC, write_file
from reconciler.importing.batch import Keys
from reconciler.manifest.discovery import Finder, is_manifest_name, shown_name, unreadable_file
from reconciler.manifest.loader import Manifests, load
from reconciler.manifest.repository import in_git, refuse_link_out, resolved
from reconciler.model.codes import Code
from reconciler.model.diagnostics import (
    ManifestError,
    Place,
    TaskctlError,
    has_errors,
)
from reconciler.model.service import RemoteTask
from reconciler.model.task import DesiredTask
from reconciler.state.edit import known_refs
from reconciler.state.model import State
from reconciler.system import disk


class Target:
    """`name` is the file as shown in messages, `before` its content (None: it does not exist),
    `known` the manifests in the default locations and in the file. Raises TaskctlError if the file
    cannot be written, or if a manifest is invalid."""

    def __init__(self, ctx: Context, file: str) -> None:
        root = ctx.settings.root
        self.name = shown_name(root, ctx.settings.names([file])[0])
        self._ctx = ctx
        self._path = root / self.name
        refuse_link_out(root, self.name, "write")  # before it is read
        if (case := _problem_of(self._path)) is not None:
            raise TaskctlError.of(Code.IMPORT_TARGET, case, at=Place(self.name))
        self.before = read_content(self._path, self.name)
        self.known = self._manifests()

    def in_org(self, org_name: str) -> None:
        """Sets this organization for tasks without an organization."""
        self.known = self.known.in_org(org_name)

    def keys(self, state: State) -> Keys:
        """Generates keys that are not in use."""
        known = {ref.key for ref in known_refs(state)}
        return Keys(known | {task.key for task in self.known.tasks})

    def declaration(self, task: RemoteTask) -> DesiredTask | None:
        """The declared task with this task's ID."""
        for desired in self.known.tasks:
            if desired.task_id == task.id and desired.org_name in (None, task.org_name):
                return desired
        return None

    def write(self, content: bytes) -> None:
        """Writes the file atomically and durably. Raises TaskctlError, also if it has changed."""
        if read_content(self._path, self.name) != self.before:
            raise TaskctlError.of(Code.IMPORT_TARGET, "changed", at=Place(self.name))
        write_file(self._ctx.settings.root, self.name, content, "import", mode=PUBLIC)

    def is_default(self) -> bool:
        """Whether a plan without PATH reads the file."""
        return self.name in self._finder().files

    def _finder(self) -> Finder:
        """Finds the manifests in the default locations, or in those of the configuration."""
        settings = self._ctx.settings
        finder = Finder(settings.root)
        finder.find(settings.paths)
        return finder

    def _manifests(self) -> Manifests:
        finder = self._finder()
        if self.before is not None:
            finder.find((self.name,))
        if not finder.files:
            return Manifests((), (), ())
        now, root = self._ctx.clock.now, self._ctx.settings.root
        manifests = load(sorted(finder.files), root=root, now=now)
        if has_errors(manifests.diagnostics):
            raise ManifestError(manifests.diagnostics)
        return manifests


def _problem_of(path: Path) -> str | None:
    """The case of the diagnostic if a manifest cannot be written there."""
    if path.exists() and not path.is_file():
        return "noFile"
    if not is_manifest_name(path.name):
        return "suffix"
    return "git" if in_git(resolved(path)) else None


def read_content(path: Path, name: str) -> bytes | None:
    """The content of a file, None if it does not exist. Raises ManifestError."""
    try:
        return disk.read_file(path, follow=True)
    except OSError as problem:
        raise ManifestError([unreadable_file(name, problem)]) from problem
