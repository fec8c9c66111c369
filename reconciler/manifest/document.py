"""Builds tasks from the data of a manifest and of its expanded entries: applies defaults, and gives
messages the form of the API.

A finding in a generated task is reported at its entry, with the row that the task comes from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.manifest.comments import IgnoreComments, blocks
from reconciler.manifest.finding import Finding, too_many_errors
from reconciler.manifest.parse.source import Source
from reconciler.manifest.parse.spans import Position
from reconciler.manifest.schema import check
from reconciler.manifest.task_checks import check_name, check_texts
from reconciler.model import limits
from reconciler.model.diagnostics import Path as DataPath
from reconciler.model.fields import NAMES
from reconciler.model.task import DesiredTask, Expectation, Removal, TaskOrigin
from reconciler.model.value import replace

if TYPE_CHECKING:
    from reconciler.manifest.expand.expansion import Expansion


class PromptFile:
    """A prompt file. `text` is None if it cannot be used; `has_braces`: it contains `{{`.

    `findings` are located in the file itself. `users` are the manifests and
    keys of the tasks that use the file.
    """

    def __init__(self, *, has_braces: bool) -> None:
        self.has_braces = has_braces
        self.text: str | None = None
        self.findings: list[Finding] = []
        self.users: set[tuple[str, str]] = set()


def is_entry(task: object) -> bool:
    """Whether a task of a manifest is an entry, which generates tasks."""
    return isinstance(task, dict) and ("forEach" in task or "every" in task)


def has_entries(data: object) -> bool:
    """Whether a document, which may violate the schema, has entries."""
    tasks = data.get("tasks") if isinstance(data, dict) else None
    return isinstance(tasks, dict) and any(map(is_entry, tasks.values()))


class Document:
    """A manifest: its data with its generated tasks, and all that is known about them.

    `file` is its name in messages, `folder` its directory. `keys` are the positions of all tasks'
    keys. `expectations` are by the keys of tasks and entries. `prompts` are the prompts in files by
    task key, None for an unusable file. `org_name` is the manifest's organization for all of its
    tasks. `unusable` are tasks with errors: only their keys are reliable.
    """

    def __init__(self, source: Source, file: str, folder: Path) -> None:
        self.source = source
        self.file = file
        self.folder = folder
        self.is_complete = source.data is not None
        self.data = source.data
        self.keys: Mapping[str, Position] = source.keys.get("tasks", {})
        self.findings = source.findings
        self.ignores: IgnoreComments | None = None
        self.expansions: dict[str, Expansion] = {}
        self.origins: dict[str, TaskOrigin] = {}
        self.expectations: dict[str, Expectation | None] = {}
        self.prompts: dict[str, str | None] = {}
        self.prompt_files: dict[str, PromptFile] = {}
        self.tasks: list[DesiredTask] = []
        self.unusable: list[DesiredTask] = []
        self.removed: Sequence[Removal] = ()
        self.max_creates: int | None = None
        self.org_name: str | None = None

    @property
    def rejected(self) -> set[DataPath]:
        """The paths with errors."""
        return {found.path for found in self.findings if blocks(found)}

    def check(self, data: object, *, generated: bool = False) -> None:
        """Adds the violations of the schema in `data`: the document's data, or its generated tasks.
        After too many violations, the document has no data, because the rest was not checked."""
        reported = {found.path for found in self.findings}
        violations = (f for f in check(data, generated=generated) if f.path not in reported)
        for number, found in enumerate(violations):
            if number == limits.FILE_ERRORS:
                self.findings.append(too_many_errors())
                self.is_complete, self.expansions = False, {}
                self.data = self.source.data = None
                return
            self.findings.append(found)

    def release(self) -> None:
        """Frees the data, once the tasks are built: they still refer to its parts."""
        self.data = self.source.data = None
        for made in self.expansions.values():
            made.tasks, made.values, made.template, made.vocabulary = {}, {}, {}, None

    def declared(self, key: str) -> str:
        """The key of a task in the manifest; for a generated task, the key of its entry."""
        origin = self.origins.get(key)
        return key if origin is None else origin.generated.entry


def at_entries(findings: Iterable[Finding], origins: Mapping[str, TaskOrigin]) -> list[Finding]:
    """The findings, with those in generated tasks moved to their entry: one for each row, or a
    single finding if all tasks of the entry have it."""
    if not origins:
        return list(findings)
    groups: dict[object, list[Finding]] = {}
    sizes = Counter(origin.generated.entry for origin in origins.values())
    for number, finding in enumerate(findings):
        moved = at_entry(finding, origins.get(finding.task or ""))
        if moved is finding:
            groups[number] = [finding]
            continue
        facts = tuple(sorted(moved.facts.items()))
        alike = (moved.code, moved.severity, moved.case, facts, moved.path)
        groups.setdefault(alike, []).append(moved)
    kept: list[Finding] = []
    for group in groups.values():
        if len(group) >= sizes.get(group[0].task or "", 1):
            kept.append(group[0])
        else:
            rows: dict[object, Finding] = {}
            for finding in group:
                rows.setdefault(finding.row, finding)
            kept += rows.values()
    return kept


def at_entry(finding: Finding, origin: TaskOrigin | None) -> Finding:
    """A finding in a generated task, moved to the same path in its entry, with the row."""
    if origin is None:
        return finding
    name = origin.generated.entry
    where = finding.shown_path
    where = ("tasks", name, *where[2:]) if where[:1] == ("tasks",) else where
    path = finding.path if finding.task is None else ("tasks", name, *finding.path[2:])
    moved = replace(finding, path=path, shown=where, key=finding.task)
    if origin.row_line is None or moved.row is not None:
        return moved
    return moved.at_row(origin.row_file, origin.row_line)


_SETTINGS = frozenset(NAMES) - {"message"}


def build(document: Document) -> None:
    """Adds the tasks of a document, after further checks. Tasks with errors are `unusable`, and
    defaults with errors are left out."""
    data, errors = document.data, [finding for finding in document.findings if blocks(finding)]
    if not isinstance(data, dict):
        return
    document.max_creates, document.removed = _max_creates(data), _removed(document, errors)
    document.org_name = _org_name_of({}, data)
    given = data["defaults"] if isinstance(data.get("defaults"), dict) else {}
    invalid = {f.path[1] for f in errors if len(f.path) > 1 and f.path[0] == "defaults"}
    defaults = {n: v for n, v in given.items() if v is not None and n not in invalid}
    document.findings += check_name(("defaults", "name"), defaults.get("name"))
    bad_tasks = {finding.task for finding in errors}
    bad_tasks.update(key for key, prompt in document.prompts.items() if prompt is None)
    tasks = data["tasks"] if isinstance(data.get("tasks"), dict) else {}
    expected = document.expectations
    for key, task in tasks.items():
        own = task if isinstance(task, dict) else {}
        in_texts = list(check_texts(key, own))
        document.findings += in_texts
        usable = own is task and key not in bad_tasks and not any(map(blocks, in_texts))
        settings = own if usable else {}
        org_name = _org_name_of(own, data)
        line, column = document.keys.get(key, (1, 1))
        desired = DesiredTask(
            key=key,
            org_name=org_name,
            inputs=inputs_of(own, defaults, document.prompts.get(key)) if usable else {},
            file=document.file,
            line=line,
            column=column,
            task_id=settings.get("taskID"),
            moved_from=settings.get("movedFrom"),
            org_from_manifest=org_name is not None,
            origin=document.origins.get(key),
            expect=expected.get(document.declared(key)) if expected else None,
            after=tuple(settings.get("after") or ()),
        )
        (document.tasks if usable else document.unusable).append(desired)


def _org_name_of(task: Mapping[str, Any], data: Mapping[str, Any]) -> str | None:
    """The organization that a manifest specifies for a task."""
    org_name = task.get("orgName", data.get("orgName"))
    return org_name if isinstance(org_name, str) else None


def _max_creates(data: Mapping[str, Any]) -> int | None:
    limit = data.get("maxCreates")
    if isinstance(limit, int | float) and not isinstance(limit, bool):
        return int(limit)  # in JSON Schema, 5.0 is an integer, too
    return None


def _removed(document: Document, errors: Sequence[Finding]) -> list[Removal]:
    """The keys and globs of `removed`; none if there are errors in it."""
    listed, org_name = document.data.get("removed"), document.data.get("orgName")
    wrong = any(finding.path[:1] in (("removed",), ("orgName",)) for finding in errors)
    if not isinstance(listed, list) or wrong or not isinstance(org_name, str | None):
        return []
    return [Removal(name, org_name, document.file) for name in listed if isinstance(name, str)]


def inputs_of(
    task: Mapping[str, Any], defaults: Mapping[str, Any], prompt: str | None
) -> dict[str, object]:
    """The inputs of a task; `prompt` is the text of its prompt file, if any."""
    settings = {**defaults, **task} if defaults else task
    inputs = {n: v for n, v in settings.items() if v is not None and n in _SETTINGS}
    if "message" in task:
        inputs["message"] = _message(task["message"], prompt, task.get("entities"))
    if "name" in inputs:
        inputs["name"] = inputs["name"].strip()
    return inputs


def _message(
    given: str | Mapping[str, Any], prompt: str | None, entities: list[Any] | None
) -> dict[str, object]:
    if isinstance(given, str):
        if not entities:
            return {"content": given}
        given = {"content": given}
    message: dict[str, object] = {"content": given["content"] if prompt is None else prompt}
    diff = {"add": entities} if entities else given.get("entity_diff") or {}
    diff = {name: [_entity(entity) for entity in diff[name]] for name in diff if diff[name]}
    if diff:
        message["entity_diff"] = diff
    if given.get("commands"):
        message["commands"] = given["commands"]
    return message


def _entity(given: Mapping[str, Any]) -> dict[str, object]:
    """An entity as the API requires it, with `merged` and the type of the repository."""
    entity = {name: value for name, value in given.items() if value is not None}
    if entity["type"] == "pull_request":
        entity.setdefault("merged", False)
        entity["repo"] = _entity({**entity["repo"], "type": "repository"})
    return entity
