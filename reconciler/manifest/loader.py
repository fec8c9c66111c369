"""From PATH arguments to desired tasks: find, read, check, build; reports all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from reconciler.manifest.comments import (
    IgnoreComments,
    cut_off_prompts,
    read_ignore_comments,
)
from reconciler.manifest.cross_file import compare
from reconciler.manifest.discovery import Finder, unreadable_file
from reconciler.manifest.document import (
    Document,
    PromptFile,
    at_entries,
    at_entry,
    build,
    has_entries,
)
from reconciler.manifest.files import NamedFiles
from reconciler.manifest.finding import Finding, located
from reconciler.manifest.parse.source import read_source
from reconciler.manifest.tracked_files import TrackedFiles
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error, in_order
from reconciler.model.task import DesiredTask, Due, Recurring, Removal, TaskRef
from reconciler.model.value import Value, replace
from reconciler.system import disk, memory

if TYPE_CHECKING:
    from reconciler.manifest.declared_entry import DeclaredEntry
    from reconciler.manifest.expand.periods import Recurrence
    from reconciler.manifest.expectations import Schemas
    from reconciler.manifest.generated import Entries
    from reconciler.manifest.policy import Policy


class Manifests(Value, frozen=True):
    """The declarations of all files, in the order of the files' names.

    With errors among `diagnostics`, the tasks must not be used: some may be missing. `max_creates`
    is the minimum of all files. For recurring entries: `due` are the names of the periods that may
    be created now, and `recurrences` the recurrences, by file and key.
    """

    tasks: tuple[DesiredTask, ...]
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[str, ...]
    max_creates: int | None = None
    due: Due = MappingProxyType({})
    recurrences: Mapping[tuple[str, str], Recurrence] = MappingProxyType({})
    removed: tuple[Removal, ...] = ()
    entries: tuple[DeclaredEntry, ...] = ()
    ignores: Mapping[str, IgnoreComments] = MappingProxyType({})

    def in_org(self, org_name: str) -> Manifests:
        """The manifests with `org_name` for all tasks without an organization.

        Adds diagnostics for conflicts with tasks whose manifest specifies that organization.
        """
        tasks = tuple(
            task if task.org_name is not None else replace(task, org_name=org_name)
            for task in self.tasks
        )
        removed = tuple(
            removal if removal.org_name is not None else replace(removal, org_name=org_name)
            for removal in self.removed
        )
        entries = tuple(entry.in_org(org_name) for entry in self.entries)
        changed = {task.org_from_manifest for task in tasks if task.org_name == org_name}
        changed |= {
            before.org_name is not None
            for before, after in zip(self.removed, removed, strict=True)
            if after.org_name == org_name
        }
        diagnostics = self.diagnostics
        is_mixed = len(self.organizations) > 1 and any(task.after for task in tasks)
        if len(changed) > 1 or is_mixed:
            reported = {_identity(d) for d in diagnostics}
            new = [
                moved.in_file(task.file, task.line, task.column)
                for task, f in compare(tasks, (), removed, entries)
                if not _is_ignored(moved := at_entry(f, task.origin), self.ignores.get(task.file))
            ]
            new = [diagnostic for diagnostic in new if _identity(diagnostic) not in reported]
            diagnostics = tuple(in_order([*diagnostics, *new]))
        return replace(self, tasks=tasks, diagnostics=diagnostics, removed=removed, entries=entries)

    @property
    def organizations(self) -> Collection[str | None]:
        """The organizations of tasks, of the tasks that they wait for, and of removed keys; None
        for the default organization."""
        named = {task.org_name for task in self.tasks}
        if any(task.after for task in self.tasks):
            named |= {org for entry in self.entries for org in entry.rows}
        return named | {removal.org_name for removal in self.removed}

    @property
    def recurring(self) -> dict[TaskRef, Recurring]:
        """The entries that recur, by organization and key."""
        return {ref: found for entry in self.entries for ref, found in entry.recurring().items()}


def _machine_time() -> datetime:
    return datetime.now(UTC)


def load(
    paths: Sequence[str],
    *,
    root: Path,
    also: Sequence[str] | None = None,
    policy: Policy | None = None,
    now: Callable[[], datetime] = _machine_time,
    tracked: TrackedFiles | None = None,
) -> Manifests:
    """Reads the manifests at `paths` (relative to `root`; by default, at the standard locations)
    and checks their tasks, also against `policy`. `also` (if not None): further paths, which
    need not exist; the standard locations if it is empty. Calls `now` if an entry recurs. `tracked`
    are the tracked files of the run.

    Never raises for the content of a manifest: every problem of every file is a diagnostic. Raises
    ManifestError for a policy that cannot be used.
    """
    finder = Finder(root)
    finder.find(paths)
    if also is not None:
        finder.find_others(also)
    with memory.collection_paused():
        named = NamedFiles(root, tracked or TrackedFiles())
        loading = _Loading(finder.diagnostics, named, policy, now)
        return loading.run(finder.files)


class _Loading:
    def __init__(
        self,
        diagnostics: list[Diagnostic],
        named: NamedFiles,
        policy: Policy | None,
        now: Callable[[], datetime],
    ) -> None:
        self._policy = policy
        self._diagnostics = diagnostics
        self._named, self._now = named, now
        self._documents: dict[str, Document] = {}
        self._bytes = 0

    def run(self, files: Mapping[str, Path]) -> Manifests:
        for name in sorted(files):
            try:
                content = disk.read_resolved(files[name], limits.MANIFEST_BYTES)
                self._bytes += len(content)
                if self._bytes > limits.MANIFESTS_BYTES:
                    limit, at = limits.MANIFESTS_BYTES >> 20, Place(name)
                    self._diagnostics.append(error(Code.FILE_TOO_LARGE, "run", at=at, limit=limit))
                    break
            except OSError as problem:
                self._diagnostics.append(unreadable_file(name, problem))
            else:
                self._read(name, files[name].parent, content)
        documents = self._documents.values()
        tasks = [task for document in documents for task in document.tasks]
        unusable = [task for document in documents for task in document.unusable]
        removed = [removal for document in documents for removal in document.removed]
        entries = self._declared_entries()
        too_many = list(_too_many(tasks))
        self._diagnostics += too_many
        # Comparing too many tasks or globs would take too long.
        if self._check_stars() and not too_many:
            for task, finding in compare(tasks, unusable, removed, entries):
                self._documents[task.file].findings.append(finding)
        self._report()
        most = [d.max_creates for d in documents if d.max_creates is not None]
        expansions = {(d.file, entry): e for d in documents for entry, e in d.expansions.items()}
        recurrences = {ref: e.recurrence for ref, e in expansions.items() if e.recurrence}
        return Manifests(
            tasks=tuple(tasks),
            diagnostics=tuple(in_order(self._diagnostics)),
            files=tuple(sorted(files)),
            max_creates=min(most, default=None),
            due={ref: due.name if (due := expansions[ref].due) else "" for ref in recurrences},
            recurrences=recurrences,
            removed=tuple(removed),
            entries=entries,
            ignores={d.file: d.ignores for d in documents if d.ignores is not None},
        )

    def _read(self, name: str, folder: Path, content: bytes) -> None:
        source = read_source(content)
        document = self._documents[name] = Document(source, name, folder)
        findings = document.findings
        if document.is_complete:
            document.check(source.data)
            if b"#" in source.body:
                findings += cut_off_prompts(source)
        expects = b"expect" in source.body and isinstance(source.data, dict)
        if expects:
            from reconciler.manifest.expectations import check_prompts, read_expectations

            read_expectations(document, self._named, self._schemas)
        if b"taskctl:" in source.body:
            document.ignores = read_ignore_comments(source)
        if has_entries(source.data) or b"{{" in source.body:
            self._entries.expand(document)
        self._named.read_prompts(document)
        files = document.prompt_files.values()
        if document.expansions or any(file.has_braces for file in files):
            from reconciler.manifest.generated import use_prompts

            use_prompts(document, self._entries.room)
        build(document)
        if expects:
            findings += check_prompts(document)
        if self._policy is not None:
            findings += self._policy.findings(document.tasks, document.data, len(content))
        document.release()

    def _declared_entries(self) -> tuple[DeclaredEntry, ...]:
        if not any(document.expansions for document in self._documents.values()):
            return ()
        from reconciler.manifest.declared_entry import entries_of

        return entries_of(self._documents.values())

    @cached_property
    def _schemas(self) -> Schemas:
        from reconciler.manifest.expectations import Schemas

        return Schemas(self._policy.timer if self._policy is not None else None)

    @cached_property
    def _entries(self) -> Entries:
        from reconciler.manifest.generated import Entries

        return Entries(self._named, self._now)

    def _report(self) -> None:
        """Makes diagnostics of the findings of every file."""
        in_prompts = {name: self._not_ignored(file) for name, file in self._named.prompts.items()}
        for document in self._documents.values():
            ignores = document.ignores
            found_here = at_entries(document.findings, document.origins)
            findings = [f for f in found_here if not _is_ignored(f, ignores)]
            findings += ignores.unused(found_here) if ignores is not None else ()
            file, source = document.file, document.source
            self._diagnostics += source.diagnostics(findings, file, excerpts=True)
        for name, findings in in_prompts.items():
            self._diagnostics += located(findings, file=name)

    def _check_stars(self) -> bool:
        """Whether the globs of `removed` have at most GLOB_STARS `*` together. Adds an error for
        the first glob beyond the limit."""
        count = 0
        for document in self._documents.values():
            for number, removal in enumerate(document.removed):
                count += removal.stars
                if count > limits.GLOB_STARS:
                    path, facts = ("removed", number), {"limit": limits.GLOB_STARS}
                    found = Finding(Code.TOO_MANY_TASKS, path, "stars", facts)
                    document.findings.append(found)
                    return False
        return True

    def _not_ignored(self, file: PromptFile) -> list[Finding]:
        """The findings of a prompt file that at least one of its tasks does not ignore."""
        kept = []
        for finding in file.findings:
            moved = [
                (finding.at_path(("tasks", key, "message")), self._documents[manifest].ignores)
                for manifest, key in file.users
            ]
            ignored = [_is_ignored(*pair) for pair in moved]  # marks each comment as used
            if not all(ignored):
                kept.append(finding)
        return kept


def _too_many(tasks: Sequence[DesiredTask]) -> Iterator[Diagnostic]:
    """Errors for a run with too many tasks or organizations."""
    organizations = {task.org_name: task for task in tasks}
    counted = (
        ("all", tasks, limits.TASKS),
        ("organizations", tuple(organizations.values()), limits.ORGANIZATIONS),
    )
    for case, found, most in counted:
        if len(found) > most:
            at = Place(found[most].file)
            yield error(Code.TOO_MANY_TASKS, case, at=at, count=len(found), limit=most)


def _is_ignored(found: Finding, ignores: IgnoreComments | None) -> bool:
    return ignores is not None and ignores.take(found)


def _identity(diagnostic: Diagnostic) -> tuple[object, ...]:
    """A diagnostic without its location."""
    return diagnostic.file, diagnostic.at.path, diagnostic.code, diagnostic.case
