"""What an import writes: new tasks of a manifest, and records. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.importing.declaration import UNNAMED, Declaration, Opening, declared, fit, owner
from reconciler.importing.keys import Keys, slug
from reconciler.importing.pulumi import Resource
from reconciler.importing.report import ImportResult, Taken, Why
from reconciler.manifest.credentials import credentials
from reconciler.manifest.insertion import NewTask, task_faults
from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error, warning
from reconciler.model.task import DesiredTask, Identity, RemoteTask, TaskRef
from reconciler.plan.lookup import is_own, settings_agree
from reconciler.state.attempt import kept_outputs
from reconciler.state.model import Record


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task to import, and what is known about it besides what the service shows."""

    task: RemoteTask
    resource: Resource | None = None


@dataclass(slots=True)
class Batch:
    """The result of an import before it is written. `hides`: prompts must not appear anywhere, not
    even in a key. `new` are the tasks to write, `listed` those that manifests contain without a
    record."""

    keys: Keys
    hides: bool = False
    new: list[NewTask] = field(default_factory=list)
    listed: list[tuple[DesiredTask, RemoteTask]] = field(default_factory=list)
    told: list[Taken] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _remote: dict[str, RemoteTask] = field(default_factory=dict)
    _left_out: dict[str, list[Diagnostic]] = field(default_factory=dict)

    def take(self, candidate: Candidate, opening: Opening) -> None:
        """Adds an existing task."""
        task, resource = candidate.task, candidate.resource
        found = declared(task, opening, resource.members if resource is not None else None)
        fit(found, lambda members: task_faults(NewTask("task", None, members)))
        if "taskID" not in found.members:
            self.diagnostics.append(error(Code.IMPORT_ID, task_id=task.id))
            self.told.append(Taken("", task.org_name, ImportResult.FAILED, task.id))
            return
        key = self._key(found, resource)
        self.new.append(NewTask(key, task.org_name, found.members))
        self._remote[key] = task
        self._left_out[key] = found.left_out

    def take_unknown(self, resources: Iterable[Resource], taken: Mapping[str, str | None]) -> None:
        """Adds resources whose tasks are unknown: they are written, but not recorded. `taken` are
        the keys in use, with their files."""
        unknown = []
        for resource in resources:
            desired = slug(resource.name) or "task"
            if desired in taken:
                org, file = resource.org_name, taken[desired]
                why = Why.KEY_IN_USE
                self.told.append(Taken(desired, org, ImportResult.SKIPPED, file=file, why=why))
                continue
            key = self.keys.free(desired)
            self.new.append(NewTask(key, resource.org_name, resource.members))
            unknown.append(key)
        if unknown:
            self.diagnostics.append(_may_exist(unknown))

    def skip(self, task: RemoteTask, key: str, why: Why, file: str | None = None) -> None:
        self.told.append(Taken(key, task.org_name, ImportResult.SKIPPED, task.id, file, why=why))

    def take_listed(self, desired: DesiredTask, task: RemoteTask) -> None:
        """Adds a task that a manifest names but that is not recorded."""
        self.listed.append((desired, task))
        self.told.append(_imported(desired, task))

    def written(self, tasks: Iterable[DesiredTask]) -> None:
        """Takes `new` as read back from the manifest."""
        for desired in tasks:
            task = self._remote.get(desired.key)
            if task is not None:
                self.listed.append((desired, task))
                self.told.append(_imported(desired, task))
            else:
                ref, result = desired.ref, ImportResult.WRITTEN
                self.told.append(
                    Taken(ref.key, desired.org_name, result, None, desired.file, desired.line)
                )
            self.diagnostics += self._not_written(desired)

    def records(self, identity: Identity, now: datetime) -> Iterator[Record]:
        """The records of all known tasks that have none."""
        for desired, task in self.listed:
            yield Record(
                ref=TaskRef(task.org_name, desired.key),
                task_id=task.id,
                file=desired.file,
                inputs=desired.inputs,
                digest=digest(desired.inputs),
                identity=owner(task, identity),
                created_at=now,
                outputs=kept_outputs(task.raw),
                sensitive=desired.sensitive,
            )

    def _not_written(self, task: DesiredTask) -> Iterator[Diagnostic]:
        for told in self._left_out.get(task.key, ()):
            path = ("tasks", task.key, *told.at.path)
            yield replace(told, at=Place(task.file, task.line, task.column, task.key, path))

    def _key(self, found: Declaration, resource: Resource | None) -> str:
        if resource is not None:
            return self.keys.free(slug(resource.name) or "task")
        named = found.task.name if found.task.name != UNNAMED else ""
        texts = [_without_credentials(text) for text in (named, found.opening.text)]
        return self.keys.of(*(texts if not self.hides else ()), f"task-{found.task.id}")


def claims(
    read: Sequence[tuple[RemoteTask, Opening]], waiting: Iterable[DesiredTask], identity: Identity
) -> dict[str, DesiredTask]:
    """The tasks, by ID, that a plan would adopt for one of `waiting`.

    If they were imported under another key, their work would be done twice. As in a plan, each key
    adopts the newest one (`read` is in order of age).
    """
    by_work: dict[tuple[str | None, str | None], list[DesiredTask]] = {}
    for desired in waiting:
        by_work.setdefault((desired.org_name, desired.work), []).append(desired)
    found = {}
    for task, opening in reversed(read):
        alike = by_work.get((task.org_name, opening.work), []) if opening.work else []
        for desired in alike if is_own(task, identity) else ():
            if settings_agree(desired.inputs, task):
                alike.remove(desired)
                found[task.id] = desired
                break
    return found


def _imported(desired: DesiredTask, task: RemoteTask) -> Taken:
    result = ImportResult.IMPORTED
    return Taken(desired.key, task.org_name, result, task.id, desired.file, desired.line)


def _without_credentials(text: str) -> str:
    """Keys are shown even where prompts are not."""
    for _, secret in credentials(text):
        text = text.replace(secret, " ")
    return text


def _may_exist(keys: list[str]) -> Diagnostic:
    return warning(Code.IMPORT_MAY_EXIST, keys=tuple(keys))
