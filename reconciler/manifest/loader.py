"""From PATH arguments to desired tasks: find, read, check, build; all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler import garbage
from reconciler.manifest.build import Built, build
from reconciler.manifest.cross_file import compare
from reconciler.manifest.discovery import Finder, unreadable_file
from reconciler.manifest.document import Document, has_entries, of_entries, of_entry
from reconciler.manifest.finding import Finding, first_alike, located
from reconciler.manifest.named_files import NamedFiles
from reconciler.manifest.parse.ambiguity import cut_off_prompts
from reconciler.manifest.parse.source import MAX_BYTES, Source, read_source
from reconciler.manifest.prompts import PromptFile, PromptFiles, hidden
from reconciler.manifest.repository import read_regular
from reconciler.manifest.schema import check
from reconciler.manifest.sensitive import redacted, without_name
from reconciler.model.codes import Code
from reconciler.model.diagnostics import MOST_ALIKE, Diagnostic, in_order, more
from reconciler.model.task import DesiredTask, Removal

if TYPE_CHECKING:
    from reconciler.manifest.expand.periods import Recurrence
    from reconciler.manifest.generated import Entries
    from reconciler.manifest.ignores import Ignores
    from reconciler.manifest.policy import Policy


@dataclass(frozen=True, slots=True)
class Manifests:
    """What all files declare, in the order of the files' names.

    With errors among `diagnostics`, the tasks must not be used: some may be missing.
    `max_creates` is the smallest of all files. `due` names the periods that may be created now, by
    the file and the key of each entry that recurs; `recurrences` are theirs. `texts` has the text
    of each file with diagnostics (manifests and prompt files), with credentials and sensitive tasks
    redacted.
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
        """A file's text, to show a line of it; None for files without diagnostics."""
        body = self.texts.get(file)
        return None if body is None else body.decode("utf-8", "replace")

    def in_org(self, org_name: str) -> Manifests:
        """With `org_name` for the tasks whose manifest names none.

        If a manifest names it for another task, the two may conflict: further diagnostics.
        """
        tasks = tuple(
            task if task.org_name is not None else replace(task, org_name=org_name)
            for task in self.tasks
        )
        removed = tuple(
            removal if removal.org_name is not None else replace(removal, org_name=org_name)
            for removal in self.removed
        )
        changed = {task.org_from_manifest for task in tasks if task.org_name == org_name}
        found = self.diagnostics
        if len(changed) > 1 or removed != self.removed:
            known = {_identity(d) for d in found}
            counted = {(d.file, d.args["code"]) for d in found if d.code is Code.MORE_PROBLEMS}
            new = [
                told.in_file(task.file, task.line, task.column)
                for task, f in compare(tasks, (), removed)
                if not _is_ignored(told := of_entry(f, task.origin), self.ignores.get(task.file))
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
    """Reads the manifests at `paths` (relative to `root`), or at the default locations if there
    are none. Each task must satisfy `policy`, too. `now` is called if an entry recurs. Without
    `all_problems`, those with one code in a file after the first MOST_ALIKE are only counted.

    Never raises for the content of a manifest: every problem of every file is a diagnostic.
    Raises ManifestError for a policy that cannot be used.
    """
    finder = Finder(root)
    finder.find(paths)
    with garbage.paused():
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
        self._named, self._now = NamedFiles(root), now
        self._prompts = PromptFiles(self._named)
        self._entries: Entries | None = None
        self._documents: dict[str, Document] = {}
        self._sources: dict[str, Source] = {}
        self._incomplete: set[str] = set()
        self._ignores: dict[str, Ignores] = {}
        self._findings: dict[str, list[Finding]] = {}
        self._builds: list[Built] = []

    def run(self, files: Mapping[str, Path]) -> Manifests:
        for name in sorted(files):
            content = self._content(files[name], name)
            if content is not None:
                self._read(name, files[name], content)
        tasks = [task for built in self._builds for task in built.tasks]
        unusable = [task for built in self._builds for task in built.unusable]
        removed = [removal for built in self._builds for removal in built.removed]
        for task, found in compare(tasks, unusable, removed):
            self._findings[task.file].append(found)
        sensitive = _sensitive([*tasks, *unusable])
        texts = self._locate(sensitive)
        limits = [built.max_creates for built in self._builds if built.max_creates is not None]
        return Manifests(
            tasks=tuple(tasks),
            diagnostics=tuple(in_order(self._diagnostics)),
            files=tuple(sorted(files)),
            max_creates=min(limits, default=None),
            due={
                (name, entry): due
                for name, made in self._documents.items()
                for entry, due in made.due.items()
            },
            recurrences=tuple(r for made in self._documents.values() for r in made.recurrences),
            texts=texts,
            removed=tuple(removed),
            ignores=self._ignores,
        )

    def _locate(self, sensitive: Mapping[str, set[str]]) -> dict[str, bytes]:
        """Locates the findings of every file; returns the texts to show them with."""
        texts = {}
        told = {name: self._not_ignored(file) for name, file in self._prompts.files.items()}
        for name, source in self._sources.items():
            keys, ignores = sensitive.get(name, set()), self._ignores.get(name)
            found_here = of_entries(self._findings[name], self._documents[name].origins)
            findings = [without_name(f, keys) for f in found_here if not _is_ignored(f, ignores)]
            findings += ignores.unused(found_here) if ignores is not None else ()
            if findings:
                self._diagnostics += self._located(name, source, findings)
                body = _masked(source.body, found_here)
                whole = name not in self._incomplete
                texts[name] = redacted(body, source, keys, whole=whole)
        for name, file in self._prompts.files.items():
            self._diagnostics += located(
                told[name], file=name, text="", events=lambda: lambda: None
            )
            if hidden(file, sensitive):
                texts.pop(name, None)
            elif told[name]:
                texts[name] = _masked(texts.get(name, file.body), file.findings)
        return texts

    def _not_ignored(self, file: PromptFile) -> list[Finding]:
        """What is told of a prompt file: what not all of its tasks ignore."""
        told = []
        for found in file.findings:
            ignored = [  # each comment counts as used
                _is_ignored(found.at_path(("tasks", key, "message")), self._ignores.get(manifest))
                for manifest, key in file.users
            ]
            if not all(ignored):
                told.append(found)
        return told

    def _located(self, name: str, source: Source, findings: list[Finding]) -> Iterator[Diagnostic]:
        if not self._all_problems:
            findings, counts = first_alike(findings, source.keys.get("tasks", {}))
            yield from (more(name, *counted) for counted in counts)
        yield from located(findings, file=name, text=source.text, events=source.events)

    def _read(self, name: str, place: Path, content: bytes) -> None:
        source = self._sources[name] = read_source(content)
        findings = source.findings
        if source.data is not None:
            rejected = {found.path for found in findings}
            findings += [found for found in check(source.data) if found.path not in rejected]
            if b"#" in source.body:
                findings += cut_off_prompts(source)
        else:
            self._incomplete.add(name)
        if b"taskctl:" in source.body:
            from reconciler.manifest.ignores import read_ignores

            self._ignores[name] = read_ignores(source)
        made = self._document(source, name, place, findings)
        findings += made.findings
        prompts = self._prompts.of(
            made.data, name, place.parent, _rejected(findings), made.declared
        )
        findings += prompts.findings
        if b"{{" in b"".join(file.body for file in prompts.files.values()):
            from reconciler.manifest.generated import literal_files

            literal_files(prompts, made)
        if made.expansions:
            from reconciler.manifest.generated import fill_prompts, keep_templates

            findings += fill_prompts(prompts, made)
            keep_templates(made, prompts)
        errors = [found for found in findings if found.blocks]
        built = build(made.data, made.keys, name, errors, prompts.texts, made.origins)
        self._findings[name] = [*findings, *built.findings]
        if self._policy is not None:
            self._findings[name] += self._policy.findings(built.tasks, made.data)
        source.data = None  # its parts live on in the tasks
        made.release()
        self._documents[name] = made
        self._builds.append(built)

    def _document(
        self, source: Source, name: str, place: Path, findings: Sequence[Finding]
    ) -> Document:
        """The data of a manifest with what its entries generate."""
        if not has_entries(source.data) and b"{{" not in source.body:
            return Document(source.data, source.keys.get("tasks", {}))
        from reconciler.manifest.generated import Entries, literal_templates

        if self._entries is None:
            self._entries = Entries(self._named, self._now)
        made = self._entries.expand(source, name, place.parent, _rejected(findings))
        made.findings += literal_templates(made.data, made.origins)
        return made

    def _content(self, place: Path, name: str) -> bytes | None:
        try:
            return read_regular(place, MAX_BYTES)
        except OSError as problem:
            self._diagnostics.append(unreadable_file(name, problem))
            return None


def _is_ignored(found: Finding, ignores: Ignores | None) -> bool:
    return ignores is not None and ignores.take(found)


def _rejected(findings: Sequence[Finding]) -> set[tuple[str | int, ...]]:
    return {found.path for found in findings if found.blocks}


def _sensitive(tasks: Sequence[DesiredTask]) -> dict[str, set[str]]:
    """By file, the keys of the tasks whose prompts must not be shown."""
    keys: dict[str, set[str]] = {}
    for task in tasks:
        if task.sensitive:
            keys.setdefault(task.file, set()).add(task.declared_key)
    return keys


def _masked(body: bytes, findings: Sequence[Finding]) -> bytes:
    """A text whose lines may be shown: what looks like a credential is replaced by stars."""
    secrets = {found.secret.encode() for found in findings if found.secret is not None}
    if len(secrets) > MOST_ALIKE:  # each is looked for in the whole text
        return b""
    for secret in secrets:
        body = body.replace(secret, b"*" * len(secret))
    return body


def _identity(diagnostic: Diagnostic) -> tuple[object, ...]:
    """What tells a diagnostic from others of its file, wherever it is located."""
    return diagnostic.file, diagnostic.at.path, diagnostic.code, diagnostic.case
