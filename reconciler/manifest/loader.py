"""From what the user named to desired tasks: find, read, check, build; all problems at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import garbage
from reconciler.manifest.build import Built, build
from reconciler.manifest.cross_file import compare
from reconciler.manifest.discovery import Finder, unreadable
from reconciler.manifest.parse.source import MAX_BYTES, Source, read_source
from reconciler.manifest.problem import Problem, placed
from reconciler.manifest.prompts import PromptFiles, hidden
from reconciler.manifest.schema import check
from reconciler.manifest.sensitive import concealed, unnamed
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, in_order
from reconciler.model.task import DesiredTask

if TYPE_CHECKING:
    from reconciler.manifest.policy import Policy


@dataclass(frozen=True, slots=True)
class Manifests:
    """What all files ask for, in the order of the files' names.

    With errors among `diagnostics` the tasks are not to be used: some may be missing.
    `max_creates` is the smallest of all files. `texts` are those of files with
    diagnostics, prompts' files too, without what looks like a credential or is sensitive.
    """

    tasks: tuple[DesiredTask, ...]
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[str, ...]
    max_creates: int | None = None
    texts: dict[str, bytes] = field(default_factory=dict, repr=False)

    def text_of(self, file: str) -> str | None:
        """A file's text, to show a line of it; only of files that a diagnostic is about."""
        body = self.texts.get(file)
        return None if body is None else body.decode("utf-8", "replace")

    def in_org(self, org_name: str) -> Manifests:
        """With `org_name` for the tasks whose manifest names none.

        Where a manifest names it for another task, the two may clash now: further diagnostics.
        """
        tasks = tuple(
            task if task.org_name is not None else replace(task, org_name=org_name)
            for task in self.tasks
        )
        changed = {task.org_from_manifest for task in tasks if task.org_name == org_name}
        found = self.diagnostics
        if len(changed) > 1:
            known = {(d.file, d.summary) for d in found}
            new = [_at_its_key(task, problem) for task, problem in compare(tasks)]
            found = tuple(in_order([*found, *(d for d in new if (d.file, d.summary) not in known)]))
        return replace(self, tasks=tasks, diagnostics=found)


def load(paths: Sequence[str], *, root: Path, policy: Policy | None = None) -> Manifests:
    """Reads the manifests that `paths` (relative to `root`) name; none: those in the usual places.
    Each task must satisfy `policy`, too.

    Never raises for what a user wrote there: every problem of every file is a diagnostic.
    ManifestError for a policy that cannot be used.
    """
    finder = Finder(root)
    for path in paths:
        finder.path(path)
    if not paths:
        finder.usual_places()
    with garbage.paused():
        return _Loading(finder.diagnostics, root, policy).run(finder.files)


class _Loading:
    def __init__(
        self, diagnostics: list[Diagnostic], root: Path, policy: Policy | None = None
    ) -> None:
        self._policy = policy
        self._diagnostics = diagnostics
        self._prompts = PromptFiles(root)
        self._sources: dict[str, Source] = {}
        self._cut_short: set[str] = set()
        self._problems: dict[str, list[Problem]] = {}
        self._builds: list[Built] = []

    def run(self, files: Mapping[str, Path]) -> Manifests:
        for name in sorted(files):
            content = self._content(files[name], name)
            if content is not None:
                self._read(name, files[name], content)
        tasks = [task for built in self._builds for task in built.tasks]
        unusable = [task for built in self._builds for task in built.unusable]
        for task, problem in compare(tasks, unusable):
            self._problems[task.file].append(problem)
        sensitive = _sensitive([*tasks, *unusable])
        texts = self._tell(sensitive)
        limits = [built.max_creates for built in self._builds if built.max_creates is not None]
        return Manifests(
            tasks=tuple(tasks),
            diagnostics=tuple(in_order(self._diagnostics)),
            files=tuple(sorted(files)),
            max_creates=min(limits, default=None),
            texts=texts,
        )

    def _tell(self, sensitive: Mapping[str, set[str]]) -> dict[str, bytes]:
        """Gives the problems of every file their places; the texts to show these with."""
        texts = {}
        for name, source in self._sources.items():
            keys = sensitive.get(name, set())
            problems = [unnamed(problem, keys) for problem in self._problems[name]]
            if problems:
                self._diagnostics += placed(
                    problems, file=name, text=source.text, events=source.events
                )
                body = _masked(source.body, problems)
                whole = name not in self._cut_short
                texts[name] = concealed(body, source, keys, whole=whole)
        for name, file in self._prompts.files.items():
            self._diagnostics += placed(
                file.problems, file=name, text="", events=lambda: lambda: None
            )
            if hidden(file, sensitive):
                texts.pop(name, None)
            elif file.problems:
                texts[name] = _masked(texts.get(name, file.body), file.problems)
        return texts

    def _read(self, name: str, place: Path, content: bytes) -> None:
        source = self._sources[name] = read_source(content)
        problems = source.problems
        if source.data is not None:
            refused = {problem.path for problem in problems}
            problems += [found for found in check(source.data) if found.path not in refused]
        else:
            self._cut_short.add(name)
        refused = {problem.path for problem in problems}
        prompts = self._prompts.of(source.data, name, place.parent, refused)
        problems += prompts.problems
        built = build(source.data, source.keys.get("tasks", {}), name, problems, prompts.texts)
        self._problems[name] = [*problems, *built.problems]
        if self._policy is not None:
            self._problems[name] += self._policy.problems(built.tasks, source.data)
        source.data = None  # its parts live on in the tasks
        self._builds.append(built)

    def _content(self, place: Path, name: str) -> bytes | None:
        try:
            with place.open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError as problem:
            self._diagnostics.append(unreadable(name, problem))
            return None


def _sensitive(tasks: Sequence[DesiredTask]) -> dict[str, set[str]]:
    """By file, the keys of the tasks whose prompts nothing may show."""
    keys: dict[str, set[str]] = {}
    for task in tasks:
        if task.sensitive:
            keys.setdefault(task.file, set()).add(task.key)
    return keys


def _masked(body: bytes, problems: Sequence[Problem]) -> bytes:
    """A text whose lines may be shown: what looks like a credential is made unreadable."""
    for problem in problems:
        if problem.secret is not None:
            body = body.replace(problem.secret.encode(), b"*" * len(problem.secret))
    return body


def _at_its_key(task: DesiredTask, problem: Problem) -> Diagnostic:
    return Diagnostic(
        Code.UNCLASSIFIED,
        problem.severity,
        args={"summary": f"{problem.where}: {problem.what}", "detail": problem.detail},
        at=Place(task.file, task.line, task.column, task.key),
    )
