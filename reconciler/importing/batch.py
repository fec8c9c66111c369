"""The output of an import: new manifest entries with unique keys, and records. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.importing.declaration import (
    UNNAMED,
    Declaration,
    Opening,
    declare,
    remove_rejected,
)
from reconciler.importing.pulumi import Resource
from reconciler.importing.report import ImportedTask, ImportResult, SkipReason
from reconciler.manifest.credentials import credentials
from reconciler.manifest.insertion import NewTask
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error, warning
from reconciler.model.service import Identity, RemoteTask
from reconciler.model.shell import MAX_KEY
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.value import Value, replace
from reconciler.state.attempt import kept_outputs
from reconciler.state.model import Record

_MAX_SLUG = 50
_SEPARATOR = re.compile(r"[^a-z0-9._]+")
_MARKS = re.compile(r"[._-]+")


def slug(text: str, longest: int = MAX_KEY) -> str:
    """A text as a key (`[a-z0-9][a-z0-9._-]*`), cut between words if possible; may be empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    dashed = _SEPARATOR.sub("-", plain)
    made = _MARKS.sub(lambda found: "-" if "-" in found[0] else found[0], dashed).strip("._-")
    if len(made) > longest:
        whole, dash, _ = made[: longest + 1].rpartition("-")
        made = (whole if dash else made[:longest]).rstrip("._-")
    return made


class Keys:
    """Generates unique keys, none of which is in `taken`."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def of(self, *texts: str) -> str:
        """A key derived from the first usable text, or else `task`."""
        slugs = (slug(text, _MAX_SLUG) for text in texts)
        return self.free(next(filter(None, slugs), "task"))

    def free(self, desired: str) -> str:
        """The key, with a number appended if it is taken."""
        key, number = desired, self._numbers.get(desired, 1)
        while key in self._taken:
            number += 1
            suffix = f"-{number}"
            key = desired[: MAX_KEY - len(suffix)] + suffix
        self._numbers[desired] = number
        self._taken.add(key)
        return key


class Candidate(Value, frozen=True):
    """A task to import, and its Pulumi resource, if any."""

    task: RemoteTask
    resource: Resource | None = None


@dataclass(slots=True)
class Batch:
    """The result of an import before it is written.

    `new` are the entries to write, `listed` the tasks whose entries exist without a record, `tasks`
    the rows of the report.
    """

    keys: Keys
    new: list[NewTask] = field(default_factory=list)
    listed: list[tuple[DesiredTask, RemoteTask]] = field(default_factory=list)
    tasks: list[ImportedTask] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _remote: dict[str, RemoteTask] = field(default_factory=dict)
    _omissions: dict[str, list[Diagnostic]] = field(default_factory=dict)

    def add(self, read: Sequence[tuple[Candidate, Opening]]) -> None:
        """Adds existing tasks under new keys."""
        declarations = [
            declare(each.task, opening, each.resource.members if each.resource else None)
            for each, opening in read
        ]
        remove_rejected(declarations)
        for (candidate, opening), declaration in zip(read, declarations, strict=True):
            self._add(candidate, opening, declaration)

    def _add(self, candidate: Candidate, opening: Opening, declaration: Declaration) -> None:
        task, resource = candidate.task, candidate.resource
        if "taskID" not in declaration.members:
            self.diagnostics.append(error(Code.IMPORT_ID, task_id=task.id))
            self.tasks.append(ImportedTask("", task.org_name, ImportResult.FAILED, task.id))
            return
        if resource is not None:
            key = self.keys.free(slug(resource.name) or "task")
        else:
            name = task.name if task.name != UNNAMED else ""
            texts = map(_without_credentials, (name, opening.text))
            key = self.keys.of(*texts, f"task-{task.id}")
        self.new.append(NewTask(key, task.org_name, declaration.members))
        self._remote[key] = task
        self._omissions[key] = declaration.omissions

    def add_unknown(self, resources: Iterable[Resource], taken: Mapping[str, str | None]) -> None:
        """Adds resources whose tasks are unknown: they are written, but not recorded. `taken` are
        the keys in use, with their files."""
        unknown = []
        for resource in resources:
            desired, org_name = slug(resource.name) or "task", resource.org_name
            if desired in taken:
                self.skip(desired, org_name, SkipReason.KEY_IN_USE, file=taken[desired])
                continue
            key = self.keys.free(desired)
            self.new.append(NewTask(key, org_name, resource.members))
            unknown.append(key)
        if unknown:
            self.diagnostics.append(warning(Code.IMPORT_MAY_EXIST, keys=tuple(unknown)))

    def skip(
        self,
        key: str,
        org_name: str | None,
        why: SkipReason,
        task_id: str | None = None,
        file: str | None = None,
    ) -> None:
        result = ImportResult.SKIPPED
        self.tasks.append(ImportedTask(key, org_name, result, task_id, file, why=why))

    def add_listed(self, desired: DesiredTask, task: RemoteTask) -> None:
        """Adds a task that is in a manifest but not recorded."""
        self.listed.append((desired, task))
        result = ImportResult.IMPORTED
        self.tasks.append(
            ImportedTask(desired.key, task.org_name, result, task.id, desired.file, desired.line)
        )

    def add_written(self, tasks: Iterable[DesiredTask]) -> None:
        """Adds the entries of `new`, as read back from the manifest."""
        for desired in tasks:
            task = self._remote.get(desired.key)
            if task is not None:
                self.add_listed(desired, task)
            else:
                key, org_name, result = desired.key, desired.org_name, ImportResult.WRITTEN
                self.tasks.append(
                    ImportedTask(key, org_name, result, None, desired.file, desired.line)
                )
            for omission in self._omissions.get(desired.key, ()):
                path = ("tasks", desired.key, *omission.at.path)
                place = Place(desired.file, desired.line, desired.column, desired.key, path)
                self.diagnostics.append(replace(omission, at=place))

    def records(self, identity: Identity, now: datetime) -> Iterator[Record]:
        """The records of all known tasks that are not recorded yet."""
        for desired, task in self.listed:
            record = Record.of(desired, task.id, task.owner(identity), now)
            ref = TaskRef(task.org_name, desired.key)
            yield replace(record, ref=ref, outputs=kept_outputs(task.raw))


def _without_credentials(text: str) -> str:
    """The text without credentials, for a key: keys are shown even if prompts are not."""
    for _, secret in credentials(text):
        text = text.replace(secret, " ")
    return text
