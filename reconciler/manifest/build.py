"""Checked data of one file -> desired tasks: defaults applied, messages in the API's form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from reconciler.interning import shared
from reconciler.manifest.parse.construct import Place
from reconciler.manifest.problem import Problem
from reconciler.manifest.task_checks import Inspection
from reconciler.model.task import DesiredTask

_NOT_INPUTS = frozenset({"orgName", "taskID", "movedFrom", "adopt", "sensitive", "message"})
_NOWHERE: Place = (1, 1)


@dataclass(slots=True)
class Built:
    """What one file asks for. Of `unusable` tasks, which have errors, only the keys are right."""

    tasks: list[DesiredTask] = field(default_factory=list)
    unusable: list[DesiredTask] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    max_creates: int | None = None


def build(
    data: Any,
    places: Mapping[str, Place],
    file: str,
    problems: Iterable[Problem] = (),
    prompts: Mapping[str, str | None] = MappingProxyType({}),
) -> Built:
    """The tasks of one document. `places` are those of its task keys.

    `problems` are what is known to be wrong: what they concern is left out, the rest is looked at.
    `prompts` are those that lie in files, by task key; None: one that cannot be used.
    """
    built = Built()
    if not isinstance(data, dict) or not isinstance(data.get("tasks"), dict):
        return built
    wrong = [problem.path for problem in problems]
    bad_tasks = {path[1] for path in wrong if len(path) > 1 and path[0] == "tasks"}
    bad_tasks.update(key for key, prompt in prompts.items() if prompt is None)
    bad_defaults = {path[1] for path in wrong if len(path) > 1 and path[0] == "defaults"}
    defaults = data.get("defaults")
    defaults = defaults if isinstance(defaults, dict) else {}
    all_sensitive = defaults.get("sensitive")
    defaults = {n: v for n, v in defaults.items() if v is not None and n not in bad_defaults}
    org_name = data.get("orgName")
    org_name = org_name if isinstance(org_name, str) else None
    inspection = Inspection(defaults)
    for key, task in data["tasks"].items():
        place = places.get(key, _NOWHERE)
        sensitive = _is_sensitive(task, all_sensitive)
        if not isinstance(task, dict) or not inspection.texts(key, task) or key in bad_tasks:
            unusable = _unusable(key, task, org_name, file, place)
            built.unusable.append(replace(unusable, sensitive=sensitive))
            continue
        desired = _desired(key, task, defaults, org_name, file, place, prompts.get(key))
        if sensitive:
            desired = replace(desired, sensitive=True)
        inspection.settings(key, task, desired.inputs)
        built.tasks.append(desired)
    built.problems = inspection.problems()
    most = data.get("maxCreates")
    if isinstance(most, int | float) and not isinstance(most, bool):
        built.max_creates = int(most)  # 5.0 is a whole number too, JSON Schema says
    return built


def _desired(
    key: str,
    task: Mapping[str, Any],
    defaults: Mapping[str, Any],
    org_name: str | None,
    file: str,
    place: Place,
    prompt: str | None,
) -> DesiredTask:
    settings = {**defaults, **task} if defaults else task
    inputs = {n: v for n, v in settings.items() if v is not None and n not in _NOT_INPUTS}
    if "message" in task:
        inputs["message"] = _message(task["message"], prompt)
    if "name" in inputs:
        inputs["name"] = inputs["name"].strip()
    own_org = task.get("orgName", org_name)
    return DesiredTask(
        key,
        own_org,
        inputs,
        file,
        place[0],
        place[1],
        task.get("taskID"),
        task.get("movedFrom"),
        settings.get("adopt") is not False,
        own_org is not None,
    )


def _is_sensitive(task: Any, by_default: Any) -> bool:
    """What is no plain `false` is one, an error in its value too."""
    given = task.get("sensitive", by_default) if isinstance(task, dict) else by_default
    return given is not None and given is not False


def _unusable(key: str, task: Any, org_name: str | None, file: str, place: Place) -> DesiredTask:
    own_org = task.get("orgName", org_name) if isinstance(task, dict) else org_name
    own_org = own_org if isinstance(own_org, str) else None
    return DesiredTask(key, own_org, {}, file, *place, org_from_manifest=own_org is not None)


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


def _entity(given: Mapping[str, Any]) -> dict[str, Any]:
    """An entity as the API wants it: there `merged` and the repository's type are not optional."""
    entity = {name: value for name, value in given.items() if value is not None}
    if entity["type"] == "pull_request":
        entity.setdefault("merged", False)
        entity["repo"] = _entity({**entity["repo"], "type": "repository"})
    return shared(entity)
