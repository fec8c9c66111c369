"""Checked data of one file -> desired tasks: defaults applied, messages in the form of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.manifest.document import Document
from reconciler.manifest.finding import Finding
from reconciler.manifest.ignore_comments import blocks
from reconciler.manifest.task_checks import TaskChecks
from reconciler.model.fields import NAMES
from reconciler.model.task import DesiredTask, Removal

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
    checks = TaskChecks(defaults)
    bad_tasks = {finding.task for finding in errors}
    bad_tasks.update(key for key, prompt in document.prompts.items() if prompt is None)
    tasks = data["tasks"] if isinstance(data.get("tasks"), dict) else {}
    expected = document.expectations
    for key, task in tasks.items():
        own = task if isinstance(task, dict) else {}
        usable = own is task and checks.check_texts(key, own) and key not in bad_tasks
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
            adopt=settings.get("adopt", defaults.get("adopt")) is not False,
            org_from_manifest=org_name is not None,
            origin=document.origins.get(key),
            expect=expected.get(document.declared(key)) if expected else None,
            after=tuple(settings.get("after") or ()),
        )
        if usable:
            checks.check_settings(key, own, desired.inputs)
        (document.tasks if usable else document.unusable).append(desired)
    document.findings += checks.findings()


def _org_name_of(task: Mapping[str, Any], data: Mapping[str, Any]) -> str | None:
    """The organization that a manifest names for a task."""
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
    """The inputs of a task; `prompt` is the text of its file, if it has one."""
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
