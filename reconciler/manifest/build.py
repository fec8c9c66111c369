"""Checked data of one file -> desired tasks: defaults applied, messages in the API's form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from reconciler.interning import shared
from reconciler.manifest.finding import Finding
from reconciler.manifest.parse.spans import Position
from reconciler.manifest.task_checks import TaskChecks
from reconciler.model.entry import TaskOrigin
from reconciler.model.fields import NAMES
from reconciler.model.task import DesiredTask, Removal

_SETTINGS = frozenset(NAMES) - {"message"}
_START: Position = (1, 1)


class Built:
    """What one file declares. Only the keys of `unusable` tasks, which have errors, are right."""

    def __init__(self) -> None:
        self.tasks: list[DesiredTask] = []
        self.unusable: list[DesiredTask] = []
        self.findings: list[Finding] = []
        self.max_creates: int | None = None
        self.removed: list[Removal] = []


def build(
    data: object,
    positions: Mapping[str, Position],
    file: str,
    findings: Iterable[Finding] = (),
    prompts: Mapping[str, str | None] = MappingProxyType({}),
    origins: Mapping[str, TaskOrigin] = MappingProxyType({}),
) -> Built:
    """The tasks of one document. `positions` are those of its task keys.

    Tasks and defaults that `findings` are about are left out; the rest is checked.
    `prompts` are the prompts in files by task key, None for one that cannot be used.
    `origins` are those of generated tasks.
    """
    built = Built()
    if isinstance(data, dict):
        built.removed = _removed(data, file, findings)
    if not isinstance(data, dict) or not isinstance(data.get("tasks"), dict):
        return built
    wrong = [found.path for found in findings]
    bad_tasks = {path[1] for path in wrong if len(path) > 1 and path[0] == "tasks"}
    bad_tasks.update(key for key, prompt in prompts.items() if prompt is None)
    bad_defaults = {path[1] for path in wrong if len(path) > 1 and path[0] == "defaults"}
    defaults = data.get("defaults")
    defaults = defaults if isinstance(defaults, dict) else {}
    all_sensitive = defaults.get("sensitive")
    defaults = {n: v for n, v in defaults.items() if v is not None and n not in bad_defaults}
    org_name = data.get("orgName")
    org_name = org_name if isinstance(org_name, str) else None
    checks = TaskChecks(defaults)
    for key, task in data["tasks"].items():
        position = positions.get(key, _START)
        sensitive = _is_sensitive(task, all_sensitive)
        if not isinstance(task, dict) or not checks.check_texts(key, task) or key in bad_tasks:
            unusable = _unusable(key, task, org_name, file, position)
            unusable = replace(unusable, sensitive=sensitive, origin=origins.get(key))
            built.unusable.append(unusable)
            continue
        origin = origins.get(key)
        desired = _desired(key, task, defaults, org_name, file, position, prompts.get(key), origin)
        if sensitive:
            desired = replace(desired, sensitive=True)
        checks.check_settings(key, task, desired.inputs)
        built.tasks.append(desired)
    built.findings = checks.findings()
    most = data.get("maxCreates")
    if isinstance(most, int | float) and not isinstance(most, bool):
        built.max_creates = int(most)  # 5.0 is a whole number too, JSON Schema says
    return built


def _removed(data: Mapping[str, Any], file: str, findings: Iterable[Finding]) -> list[Removal]:
    """The keys and globs of `removed`; none if one of them is wrong."""
    listed, org_name = data.get("removed"), data.get("orgName")
    wrong = any(found.path[:1] in (("removed",), ("orgName",)) for found in findings)
    if not isinstance(listed, list) or wrong or not isinstance(org_name, str | None):
        return []
    return [Removal(each, org_name, file) for each in listed if isinstance(each, str)]


def _desired(
    key: str,
    task: Mapping[str, Any],
    defaults: Mapping[str, Any],
    org_name: str | None,
    file: str,
    position: Position,
    prompt: str | None,
    origin: TaskOrigin | None,
) -> DesiredTask:
    own_org = task.get("orgName", org_name)
    return DesiredTask(
        key,
        own_org,
        inputs_of(task, defaults, prompt),
        file,
        position[0],
        position[1],
        task.get("taskID"),
        task.get("movedFrom"),
        task.get("adopt", defaults.get("adopt")) is not False,
        own_org is not None,
        origin=origin,
    )


def inputs_of(
    task: Mapping[str, Any], defaults: Mapping[str, Any], prompt: str | None
) -> dict[str, Any]:
    """What a task is made from; `prompt` is the text of its file, if it has one."""
    settings = {**defaults, **task} if defaults else task
    inputs = {n: v for n, v in settings.items() if v is not None and n in _SETTINGS}
    if "message" in task:
        inputs["message"] = _message(task["message"], prompt)
    if "name" in inputs:
        inputs["name"] = inputs["name"].strip()
    return inputs


def _is_sensitive(task: object, by_default: object) -> bool:
    """Anything but a plain `false`, even an invalid value."""
    given = task.get("sensitive", by_default) if isinstance(task, dict) else by_default
    return given is not None and given is not False


def _unusable(key: str, task: object, org_name: str | None, file: str, at: Position) -> DesiredTask:
    own_org = task.get("orgName", org_name) if isinstance(task, dict) else org_name
    own_org = own_org if isinstance(own_org, str) else None
    return DesiredTask(key, own_org, {}, file, *at, org_from_manifest=own_org is not None)


def _message(given: str | Mapping[str, Any], prompt: str | None) -> dict[str, Any]:
    if isinstance(given, str):
        return {"content": given}
    message: dict[str, Any] = {"content": given["content"] if prompt is None else prompt}
    diff = given.get("entity_diff") or {}
    diff = {name: [_entity(entity) for entity in diff[name]] for name in diff if diff[name]}
    if diff:
        message["entity_diff"] = diff
    if given.get("commands"):
        message["commands"] = given["commands"]
    return message


def _entity(given: Mapping[str, Any]) -> dict[str, object]:
    """An entity as the API requires it: there, `merged` and the repository's type are mandatory."""
    entity = {name: value for name, value in given.items() if value is not None}
    if entity["type"] == "pull_request":
        entity.setdefault("merged", False)
        entity["repo"] = _entity({**entity["repo"], "type": "repository"})
    return shared(entity)
