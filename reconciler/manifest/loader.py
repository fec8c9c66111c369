"""From PATH arguments to desired tasks: find, read, check, build; reports all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import memory
from reconciler.manifest.build import Built, build
from reconciler.manifest.cross_file import compare
from reconciler.manifest.discovery import Finder, unreadable_file
from reconciler.manifest.document import Document, at_entries, at_entry, has_entries
from reconciler.manifest.files import NamedFiles, PromptFile
from reconciler.manifest.finding import Finding, first_alike, located
from reconciler.manifest.parse.ambiguity import cut_off_prompts
from reconciler.manifest.parse.source import MAX_BYTES, Source, read_source
from reconciler.manifest.redaction import mask_secrets, mask_tasks, sensitive_keys, without_name
from reconciler.manifest.repository import read_regular
from reconciler.manifest.schema import check
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, in_order, more
from reconciler.model.task import DesiredTask, Removal

if TYPE_CHECKING:
    from reconciler.manifest.expand.periods import Recurrence
    from reconciler.manifest.generated import Entries
    from reconciler.manifest.ignores import Ignores
    from reconciler.manifest.policy import Policy


@dataclass(frozen=True, slots=True)
class Manifests:
    """The declarations of all files, in the order of the files' names.

    With errors among `diagnostics`, the tasks must not be used: some may be missing.
    `max_creates` is the minimum of all files. `due` has the names of the periods that may be
    created now, by the file and key of each recurring entry, and `recurrences` those entries'
    recurrences. `texts` has the content of each file with diagnostics (manifests and prompt files),
    with credentials and sensitive tasks redacted.
    """

    tasks: tuple[DesiredTask, ...]
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[str, ...]
    max_creates: int | None = None
    due: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    recurrences: tuple[Recurrence, ...] = ()
    texts: dict[str, bytes] = field(default_factory=dict, repr=False)
    removed: tuple[Removal, ...] = ()
    ignores: Mapping[str, Ignores] = field(default_factory=dict, repr=False)

    def text_of(self, file: str) -> str | None:
        """The text of a file, for excerpts; None for files without diagnostics."""
        body = self.texts.get(file)
        return None if body is None else body.decode("utf-8", "replace")

    def in_org(self, org_name: str) -> Manifests:
        """The manifests with `org_name` for all tasks without an organization of their own.

        Adds diagnostics for conflicts with tasks whose manifest names that organization.
        """
        tasks = tuple(
            task if task.org_name is not None else replace(task, org_name=org_name)
            for task in self.tasks
        )
        removed = tuple(
            removal if removal.org_name is not None else removal._replace(org_name=org_name)
            for removal in self.removed
        )
        changed = {task.org_from_manifest for task in tasks if task.org_name == org_name}
        found = self.diagnostics
        if len(changed) > 1 or removed != self.removed:
            known = {_identity(d) for d in found}
            counted = {(d.file, d.args["code"]) for d in found if d.code is Code.MORE_PROBLEMS}
            new = [
                moved.in_file(task.file, task.line, task.column)
                for task, f in compare(tasks, (), removed)
                if not _is_ignored(moved := at_entry(f, task.origin), self.ignores.get(task.file))
            ]
            new = [d for d in new if _identity(d) not in known and (d.file, d.code) not in counted]
            found = tuple(in_order([*found, *new]))
        return replace(self, tasks=tasks, diagnostics=found, removed=removed)


def _machine_time() -> datetime:
    return datetime.now(UTC)


def load(
    paths: Sequence[str],
    *,
    root: Path,
    policy: Policy | None = None,
    now: Callable[[], datetime] = _machine_time,
    all_problems: bool = True,
) -> Manifests:
    """Reads the manifests at `paths` (relative to `root`; by default, at the standard locations)
    and checks their tasks, also against `policy`. Calls `now` if an entry recurs. Without
    `all_problems`, only the first MOST_ALIKE problems with the same code in a file are reported,
    and the others are counted.

    Never raises for the content of a manifest: every problem of every file is a diagnostic.
    Raises ManifestError for a policy that cannot be used.
    """
    finder = Finder(root)
    finder.find(paths)
    with memory.collection_paused():
        loading = _Loading(finder.diagnostics, root, policy, now, all_problems=all_problems)
        return loading.run(finder.files)


class _Loading:
    def __init__(
        self,
        diagnostics: list[Diagnostic],
        root: Path,
        policy: Policy | None,
        now: Callable[[], datetime],
        *,
        all_problems: bool,
    ) -> None:
        self._policy = policy
        self._all_problems = all_problems
        self._diagnostics = diagnostics
        self._files, self._now = NamedFiles(root), now
        self._entries: Entries | None = None
        self._documents: dict[str, Document] = {}
        self._sources: dict[str, Source] = {}
        self._incomplete: set[str] = set()
        self._ignores: dict[str, Ignores] = {}
        self._findings: dict[str, list[Finding]] = {}
        self._builds: list[Built] = []

    def run(self, files: Mapping[str, Path]) -> Manifests:
        for name in sorted(files):
            try:
                content = read_regular(files[name], MAX_BYTES)
            except OSError as problem:
                self._diagnostics.append(unreadable_file(name, problem))
            else:
                self._read(name, files[name].parent, content)
        tasks = [task for built in self._builds for task in built.tasks]
        unusable = [task for built in self._builds for task in built.unusable]
        removed = [removal for built in self._builds for removal in built.removed]
        for task, found in compare(tasks, unusable, removed):
            self._findings[task.file].append(found)
        texts = self._report(sensitive_keys([*tasks, *unusable]))
        limits = [built.max_creates for built in self._builds if built.max_creates is not None]
        recurring = {
            (name, entry): (made.recurrence, made.due)
            for name, document in self._documents.items()
            for entry, made in document.expansions.items()
            if made.recurrence is not None
        }
        return Manifests(
            tasks=tuple(tasks),
            diagnostics=tuple(in_order(self._diagnostics)),
            files=tuple(sorted(files)),
            max_creates=min(limits, default=None),
            due={ref: frozenset(p.name for p in due) for ref, (_, due) in recurring.items()},
            recurrences=tuple(recurrence for recurrence, _ in recurring.values()),
            texts=texts,
            removed=tuple(removed),
            ignores=self._ignores,
        )

    def _read(self, name: str, folder: Path, content: bytes) -> None:
        source = self._sources[name] = read_source(content)
        findings = source.findings
        if source.data is not None:
            reported = {found.path for found in findings}
            findings += [found for found in check(source.data) if found.path not in reported]
            if b"#" in source.body:
                findings += cut_off_prompts(source)
        else:
            self._incomplete.add(name)
        if b"taskctl:" in source.body:
            from reconciler.manifest.ignores import read_ignores

            self._ignores[name] = read_ignores(source)
        made = self._document(source, name, folder, findings)
        findings += made.findings
        prompts = self._files.prompts_of(made, name, folder, _rejected(findings))
        findings += prompts.findings
        if made.expansions or any(file.has_braces for file in prompts.files.values()):
            from reconciler.manifest.generated import use_prompts

            findings += use_prompts(made, prompts)
        errors = [found for found in findings if found.blocks]
        built = build(made.data, made.keys, name, errors, prompts.texts, made.origins)
        self._findings[name] = [*findings, *built.findings]
        if self._policy is not None:
            self._findings[name] += self._policy.findings(built.tasks, made.data)
        source.data = None  # the tasks still refer to its parts
        made.release()
        self._documents[name] = made
        self._builds.append(built)

    def _document(
        self, source: Source, name: str, folder: Path, findings: Sequence[Finding]
    ) -> Document:
        """The data of a manifest, with the tasks that its entries generate."""
        if not has_entries(source.data) and b"{{" not in source.body:
            return Document(source.data, source.keys.get("tasks", {}))
        from reconciler.manifest.generated import Entries, literal_templates

        if self._entries is None:
            self._entries = Entries(self._files, self._now)
        made = self._entries.expand(source, name, folder, _rejected(findings))
        made.findings += literal_templates(made.data, made.origins)
        return made

    def _report(self, sensitive: Mapping[str, set[str]]) -> dict[str, bytes]:
        """Makes diagnostics of the findings of every file; returns the redacted texts of these."""
        texts = {}
        in_prompts = {name: self._not_ignored(file) for name, file in self._files.prompts.items()}
        for name, source in self._sources.items():
            keys, ignores = sensitive.get(name, set()), self._ignores.get(name)
            found_here = at_entries(self._findings[name], self._documents[name].origins)
            findings = [without_name(f, keys) for f in found_here if not _is_ignored(f, ignores)]
            findings += ignores.unused(found_here) if ignores is not None else ()
            if findings:
                self._locate(name, source, findings)
                body = mask_secrets(source.body, found_here)
                whole = name not in self._incomplete
                texts[name] = mask_tasks(body, source, keys, whole=whole)
        for name, file in self._files.prompts.items():
            findings = in_prompts[name]
            self._diagnostics += located(findings, file=name)
            if any(key in sensitive.get(manifest, ()) for manifest, key in file.users):
                texts.pop(name, None)
            elif findings:
                texts[name] = mask_secrets(texts.get(name, file.body), file.findings)
        return texts

    def _not_ignored(self, file: PromptFile) -> list[Finding]:
        """The findings of a prompt file that at least one of its tasks does not ignore."""
        kept = []
        for found in file.findings:
            ignored = [  # each comment counts as used
                _is_ignored(found.at_path(("tasks", key, "message")), self._ignores.get(manifest))
                for manifest, key in file.users
            ]
            if not all(ignored):
                kept.append(found)
        return kept

    def _locate(self, name: str, source: Source, findings: list[Finding]) -> None:
        if not self._all_problems:
            findings, counts = first_alike(findings, source.keys.get("tasks", {}))
            self._diagnostics += [more(name, *counted) for counted in counts]
        self._diagnostics += source.diagnostics(findings, name)


def _is_ignored(found: Finding, ignores: Ignores | None) -> bool:
    return ignores is not None and ignores.take(found)


def _rejected(findings: Sequence[Finding]) -> set[tuple[str | int, ...]]:
    return {found.path for found in findings if found.blocks}


def _identity(diagnostic: Diagnostic) -> tuple[object, ...]:
    """A diagnostic without its location."""
    return diagnostic.file, diagnostic.at.path, diagnostic.code, diagnostic.case
