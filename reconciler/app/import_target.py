"""The manifest that an import writes, and the others beside it, whose keys are taken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from reconciler.app.manifests import load_manifests, policy_of
from reconciler.cli.console.output import Output
from reconciler.importing.keys import Keys
from reconciler.manifest.cross_file import compare
from reconciler.manifest.discovery import SUFFIXES, Finder, shown_name, unreadable
from reconciler.manifest.insertion import Added
from reconciler.manifest.loader import Manifests, load
from reconciler.manifest.parse.source import read_source
from reconciler.manifest.repository import in_git, repository_root
from reconciler.model.diagnostics import Diagnostic, Severity, has_errors, warning
from reconciler.model.errors import ManifestError, TaskctlError
from reconciler.model.task import DesiredTask, RemoteTask
from reconciler.plan.lookup import moved_ref
from reconciler.state.model import State


class Target:
    """`name` is the file as messages call it, `before` what it holds (None: there is none).

    ManifestError where it or another manifest cannot be used.
    """

    def __init__(self, out: Output, file: str) -> None:
        self.name = shown_name(out.common.root, file)
        self._out = out
        self._path = out.common.path(file)
        if (why := _no_place(self._path, out.common.root)) is not None:
            raise TaskctlError.of(
                f"manifest: {why}",
                "Name another file, or have it printed:\n    taskctl import ... --dry-run",
                file=self.name,
            )
        policy_of(out)  # before anything is written: it has a say afterwards
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
        yield from made.diagnostics
        new = {task.key for task in made.tasks}
        for task, found in compare([*self.known.tasks, *made.tasks]):
            if task.key in new:
                said = found.in_file(task.file, task.line, task.column)
                yield replace(said, severity=Severity.WARNING)

    def against_policy(self, made: Added) -> Iterator[Diagnostic]:
        """Where a new task breaks the repository's policy: a plan would refuse it, so it is said
        here; of a file that is written."""
        new = {task.key for task in made.tasks}
        for told in load_manifests([self.name], self._out).diagnostics:
            if told.severity is Severity.ERROR and told.key in new:
                yield replace(told, severity=Severity.WARNING)

    def write(self, content: bytes) -> None:
        """Whole and durable, or not at all. TaskctlError."""
        from reconciler.app.report_files import write_whole

        if content_of(self._path, self.name) != self.before:
            raise TaskctlError.of(
                "it was changed while this import ran; it was left as it is, nothing was recorded",
                "Run the same import again.",
                file=self.name,
            )
        try:
            write_whole(self._path, content, durable=True)
        except OSError as problem:
            raise TaskctlError.of(
                f"manifest: cannot be written: {problem.strerror or problem}",
                "It is as it was, and nothing was recorded. Choose another place:\n"
                "    --write tasks/imported.yaml",
                file=self.name,
            ) from problem

    def is_usual(self) -> bool:
        """Whether a plan without PATH reads it."""
        return self.name in self._finder().files

    def _finder(self) -> Finder:
        """With the manifests in the usual places, or those of the configuration."""
        finder, configured = Finder(self._out.common.root), self._out.common.config.paths
        for path in configured:
            finder.path(path)
        if not configured:
            finder.default_locations()
        return finder

    def _manifests(self) -> Manifests:
        finder = self._finder()
        if self.before is not None:
            finder.path(self.name)
        if not finder.files:
            return Manifests((), (), ())
        manifests = load(sorted(finder.files), root=self._out.common.root)
        if has_errors(manifests.diagnostics):
            self._out.source = manifests.text_of
            raise ManifestError(manifests.diagnostics)
        return manifests


def _no_place(path: Path, root: Path) -> str | None:
    """Why a manifest cannot be written there. What the repository holds may be somebody else's: a
    link of it is not followed out of it."""
    base = Path(os.path.realpath(root))
    top = repository_root(root) or base
    plain, real = Path(os.path.normpath(base / path)), Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        return "it is no file that can be written whole"
    if not path.name.endswith(SUFFIXES):
        return f"its name must end with {' or '.join(SUFFIXES)}"
    if plain.is_relative_to(top) and not real.is_relative_to(top):
        return f"a link leads out of the repository, to {real}"
    return "it is in .git" if in_git(real) else None


def content_of(path: Path, name: str) -> bytes | None:
    """What a file holds, None where there is none. ManifestError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise ManifestError([unreadable(name, problem)]) from problem


def about(task: DesiredTask, summary: str, detail: str = "") -> Diagnostic:
    """A warning at the key of a task."""
    return warning(
        summary, detail, file=task.file, line=task.line, column=task.column, key=task.key
    )
