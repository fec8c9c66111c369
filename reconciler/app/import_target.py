"""The manifest that an import writes, and the others beside it, whose keys are taken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from reconciler import disk
from reconciler.app.context import Context
from reconciler.app.files import write_whole
from reconciler.importing.batch import Keys
from reconciler.manifest.cross_file import compare
from reconciler.manifest.discovery import Finder, is_manifest_name, shown_name, unreadable_file
from reconciler.manifest.insertion import Added
from reconciler.manifest.loader import Manifests, load
from reconciler.manifest.parse.source import read_source
from reconciler.manifest.repository import in_git, link_out
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, Severity, has_errors
from reconciler.model.errors import ManifestError, TaskctlError
from reconciler.model.task import DesiredTask, RemoteTask
from reconciler.plan.lookup import moved_ref
from reconciler.state.model import State


class Target:
    """`name` is the file as messages call it, `before` what it holds (None: there is none).

    ManifestError where it or another manifest cannot be used.
    """

    def __init__(self, ctx: Context, file: str) -> None:
        root = ctx.settings.root
        self.name = shown_name(root, file)
        self._ctx = ctx
        self._path = ctx.settings.path(file)
        if (link := link_out(self._path, root)) is not None:
            raise TaskctlError.of(
                Code.OUTSIDE_REPOSITORY, "import", at=Place(self.name), target=link
            )
        if (case := _unusable(self._path)) is not None:
            raise TaskctlError.of(Code.IMPORT_TARGET, case, at=Place(self.name))
        _ = ctx.policy  # read before anything is written: it is checked afterwards
        self.before = content_of(self._path, self.name)
        self.known = self._manifests()

    def hides_prompts(self) -> bool:
        """Whether its defaults say so: then no key may tell of them either."""
        data = read_source(self.before).data if self.before is not None else None
        defaults = data.get("defaults") if isinstance(data, dict) else None
        return isinstance(defaults, dict) and defaults.get("sensitive") is True

    def in_org(self, org_name: str) -> None:
        """Tasks whose manifest names no organization are of this one."""
        self.known = self.known.in_org(org_name)

    def keys(self, state: State) -> Keys:
        """Gives out keys that nothing has yet."""
        recorded = {ref.key for ref in state.records}
        attempted = {attempt.ref.key for attempt in state.attempts.values()}
        return Keys(recorded | attempted | {task.key for task in self.known.tasks})

    def listed(self, task: RemoteTask) -> DesiredTask | None:
        """The manifest's task that names this one already."""
        for desired in self.known.tasks:
            if desired.task_id == task.id and desired.org_name in (None, task.org_name):
                return desired
        return None

    def waiting(self, state: State) -> list[DesiredTask]:
        """The manifests' tasks that a look-alike may be taken for: nothing is known for them."""
        tried = {attempt.ref for attempt in state.attempts.values()} | state.records.keys()
        return [
            task
            for task in self.known.tasks
            if task.adopt and task.task_id is None and not {task.ref, moved_ref(task)} & tried
        ]

    def warnings(self, made: Added) -> Iterator[Diagnostic]:
        """What is worth saying of the new tasks, alone and beside the others."""
        for told in made.diagnostics:
            is_error = told.severity is Severity.ERROR
            yield replace(told, severity=Severity.WARNING) if is_error else told
        new = {task.key for task in made.tasks}
        for task, found in compare([*self.known.tasks, *made.tasks]):
            if task.key in new:
                said = found.in_file(task.file, task.line, task.column)
                yield replace(said, severity=Severity.WARNING)

    def against_policy(self, made: Added) -> Iterator[Diagnostic]:
        """Where a new task breaks the repository's policy: a plan would refuse it, so it is said
        here; of a file that is written."""
        new = {task.key for task in made.tasks}
        for told in self._ctx.load([self.name]).diagnostics:
            if told.severity is Severity.ERROR and told.key in new:
                yield replace(told, severity=Severity.WARNING)

    def write(self, content: bytes) -> None:
        """Whole and durable, or not at all. TaskctlError."""
        if content_of(self._path, self.name) != self.before:
            raise TaskctlError.of(Code.IMPORT_TARGET, "changed", at=Place(self.name))
        try:
            write_whole(self._path, content, private=False)
        except OSError as problem:
            why = problem.strerror or str(problem)
            place = Place(self.name)
            raise TaskctlError.of(Code.CANNOT_WRITE, "import", at=place, why=why) from problem

    def is_usual(self) -> bool:
        """Whether a plan without PATH reads it."""
        return self.name in self._finder().files

    def _finder(self) -> Finder:
        """With the manifests in the usual places, or those of the configuration."""
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
        manifests = load(sorted(finder.files), root=self._ctx.settings.root)
        if has_errors(manifests.diagnostics):
            self._ctx.ui.show_sources(manifests.text_of)
            raise ManifestError(manifests.diagnostics)
        return manifests


def _unusable(path: Path) -> str | None:
    """SkipReason a manifest cannot be written there."""
    if path.exists() and not path.is_file():
        return "noFile"
    if not is_manifest_name(path.name):
        return "suffix"
    return "git" if in_git(Path(os.path.realpath(path))) else None


def content_of(path: Path, name: str) -> bytes | None:
    """What a file holds, None where there is none. ManifestError."""
    try:
        return disk.read_file(path, follow=True)
    except OSError as problem:
        raise ManifestError([unreadable_file(name, problem)]) from problem
