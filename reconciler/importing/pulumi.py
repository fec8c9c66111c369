"""Agent tasks in a Pulumi YAML program or in the output of `pulumi stack export`.

An error means that the resource cannot be imported as the same task. A warning is about something
that only matters to Pulumi. No part of an agent task is dropped silently; other resources are
ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.manifest.finding import Finding, located, warning_finding
from reconciler.manifest.insertion import NewTask, task_faults
from reconciler.manifest.parse.source import read_source
from reconciler.manifest.parse.spans import locate
from reconciler.model.canonical import map_texts
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Path
from reconciler.model.fields import SENT
from reconciler.model.remarks import Arg
from reconciler.model.value import Value, replace

TYPE = "pulumiservice:api/agents:Task"

# Pulumi's signatures of special values (sdk/go/common/resource): a member with the first name marks
# an object as special, the second is its value for a secret, the third stands for an unknown
# value.
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_EXPRESSION = re.compile(r"(?<!\$)\$\{")


class Resource(Value, frozen=True):
    """A resource that can be imported. `name` is its logical name; `members` are those of the
    manifest entry, with `message` unless there is a `task_id`."""

    name: str
    org_name: str | None
    members: Mapping[str, object]
    task_id: str | None
    line: int = 0
    column: int = 0


@dataclass(slots=True)
class Program:
    """The contents of a file. `failed` are the names of resources that cannot be imported."""

    resources: list[Resource] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def read_program(content: bytes, file: str) -> Program:
    """Detects the kind of file by its content; problems are in `diagnostics`."""
    source = read_source(content)
    reader = _Reader(source.findings)
    if not source.findings and source.data is not None:
        reader.read(source.data)
    spans = locate(source.events(), list(reader.resources))
    return Program(
        [
            replace(resource, line=spans[path].key_line, column=spans[path].key_column)
            for path, resource in reader.resources.items()
        ],
        reader.failed,
        located(reader.findings, file=file, text=source.text, events=source.events),
    )


class _Reader:
    def __init__(self, findings: list[Finding]) -> None:
        self.resources: dict[Path, Resource] = {}
        self.failed: list[str] = []
        self.findings = findings
        self._names_by_id: dict[str, str] = {}

    def read(self, data: object) -> None:
        if isinstance(data, dict) and isinstance(data.get("deployment"), dict):
            self._stack(data["deployment"])
        elif isinstance(data, dict) and isinstance(data.get("resources"), dict):
            self._program(data)
        else:
            self._error((), Code.IMPORT_SOURCE, "kind")

    # A program

    def _program(self, data: Mapping[str, Any]) -> None:
        for name, resource in data["resources"].items():
            if isinstance(resource, dict) and resource.get("type") == TYPE:
                self._program_resource(name, resource)

    def _program_resource(self, name: str, resource: Mapping[str, Any]) -> None:
        path: Path = ("resources", name)
        if "get" in resource:
            self._error((*path, "get"), Code.IMPORT_SOURCE, "get", on_key=True)
            self.failed.append(name)
            return
        for member in resource:
            given = resource[member]
            if isinstance(given, dict):
                given = {name: value for name, value in given.items() if name != "import"}
            if member not in ("type", "name", "properties") and given:
                names = tuple(map(str, given)) if isinstance(given, dict) else (str(member),)
                self._warn((*path, member), "option", names=names)
        explicit = resource.get("name")
        properties = resource.get("properties") or {}
        if isinstance(explicit, str) and not _EXPRESSION.search(explicit):
            name = explicit
        if isinstance(properties, dict):
            self._take(name, properties, (*path, "properties"), path, _imported_id(resource))
        else:
            self._error((*path, "properties"), Code.IMPORT_SOURCE, "mapping")
            self.failed.append(name)

    # An exported stack

    def _stack(self, deployment: Mapping[str, Any]) -> None:
        seen = set()
        for index, resource in enumerate(_list(deployment.get("resources"))):
            if not isinstance(resource, dict) or resource.get("type") != TYPE:
                continue
            path: Path = ("deployment", "resources", index)
            name = _logical_name(resource)
            if resource.get("delete") is True:
                self._warn(path, "deleted", name=name)
                continue
            seen.add(str(resource.get("urn")))
            self._stack_resource(name, resource, path)
        for index, operation in enumerate(_list(deployment.get("pending_operations"))):
            resource = operation.get("resource") if isinstance(operation, dict) else None
            if isinstance(resource, dict) and resource.get("type") == TYPE:
                path = ("deployment", "pending_operations", index, "resource")
                name = _logical_name(resource)
                self._warn(path, "pending", name=name, operation=str(operation.get("type")))
                if str(resource.get("urn")) not in seen:
                    self._stack_resource(name, resource, path)

    def _stack_resource(self, name: str, resource: Mapping[str, Any], path: Path) -> None:
        inputs, outputs = resource.get("inputs"), resource.get("outputs")
        inputs = inputs if isinstance(inputs, dict) else {}
        outputs = outputs if isinstance(outputs, dict) else {}
        ids = (outputs.get("taskID"), outputs.get("taskId"), inputs.get("taskID"))
        last = str(resource.get("id") or "").rpartition("/")[2]
        task_id = next((i for i in (*ids, last) if isinstance(i, str) and i), None)
        given = {name: value for name, value in inputs.items() if not name.startswith("__")}
        self._take(name, given, (*path, "inputs"), path, task_id)

    # Resources of programs and stacks

    def _take(
        self, name: str, given: Mapping[str, Any], path: Path, key: Path, task_id: str | None
    ) -> None:
        before = len(self.findings)
        members: dict[str, Any] = {}
        org_name: str | None = None
        for member, raw in given.items():
            where = (*path, member)
            if raw is None or not self._is_plain(raw, where, known=task_id is not None):
                continue
            value = map_texts(_unescaped, raw) if _is_program(path) else raw
            if member in ("orgName", "taskID") and not (isinstance(value, str) and value):
                self._error(where, Code.IMPORT_SOURCE, "text")
            elif member == "orgName":
                org_name = value
            elif member == "taskID":
                task_id = task_id or value
            elif member not in SENT:
                self._error(where, Code.IMPORT_SOURCE, "input", on_key=True)
            else:
                members[member] = self._message(value, where) if member == "message" else value
        self._check(members, org_name, task_id, path, before)
        if any(p.is_error for p in self.findings[before:]):
            self.failed.append(name)
            return
        first = self._names_by_id.setdefault(task_id, name) if task_id is not None else name
        if first != name:
            self._warn(key, "same-id", name=name, other=first)
            return
        self.resources[key] = Resource(name, org_name, members, task_id)

    def _check(
        self,
        members: Mapping[str, Any],
        org_name: str | None,
        task_id: str | None,
        path: Path,
        before: int,
    ) -> None:
        """Adds the errors that a manifest with this task would have. Errors about the whole task
        are omitted if there is an error since `before`, which may be their cause."""
        has_errors = any(p.is_error for p in self.findings[before:])
        own_id = {"taskID": task_id} if task_id is not None else {}
        for finding in task_faults(NewTask("task", org_name, {**members, **own_id})):
            if len(finding.path) > 2 or not has_errors:
                self.findings.append(finding.at_path((*path, *finding.shown_path[2:])))

    def _message(self, value: object, path: Path) -> object:
        if not isinstance(value, dict):
            return value
        message = {n: v for n, v in value.items() if v is not None and n != "type"}
        if "entityDiff" in message:
            message["entity_diff"] = message.pop("entityDiff")
        if message.pop("timestamp", None) is not None:
            self._warn((*path, "timestamp"), "timestamp")
        return message["content"] if message.keys() == {"content"} else message

    def _is_plain(self, value: object, path: Path, *, known: bool) -> bool:
        """Whether a value is literal; every part that is not is reported. A secret of a
        task with a known ID is only a warning, because the service has the value."""
        problems = list(_not_plain(value, path))
        for where, case, name in problems:
            if known and case in ("secret", "value"):
                self._warn(where, "secret")
            else:
                on_key = _is_function(where[-1])
                self._error(where, Code.IMPORT_NOT_PLAIN, case, on_key=on_key, name=name)
        return not problems

    def _error(
        self, path: Path, code: Code, case: str, *, on_key: bool = False, **facts: Arg
    ) -> None:
        self.findings.append(Finding(code, path, case, facts, on_key=on_key))

    def _warn(self, path: Path, case: str, **facts: Arg) -> None:
        self.findings.append(warning_finding(Code.IMPORT_IGNORED, path, case, facts, on_key=True))


def _not_plain(value: object, path: Path) -> Iterator[tuple[Path, str, str]]:
    """The path of each part that is not literal, a diagnostic case and the function's name."""
    if isinstance(value, str):
        if value == _UNKNOWN:
            yield path, "unknown", ""
        elif _EXPRESSION.search(value) and _is_program(path):
            yield path, "expression", ""
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _not_plain(inner, (*path, index))
    elif isinstance(value, dict):
        if _SIGNATURE in value:
            yield path, "secret" if value[_SIGNATURE] == _SECRET else "value", ""
            return
        for name, inner in value.items():
            if _is_function(name):
                yield (*path, name), "function", str(name)
            else:
                yield from _not_plain(inner, (*path, name))


def _is_function(name: str | int) -> bool:
    return isinstance(name, str) and name.lower().startswith("fn::")


def _is_program(path: Path) -> bool:
    return path[0] == "resources"


def _unescaped(text: str) -> str:
    """Unescapes a text of a program, in which `$${` stands for `${`."""
    return text.replace("$${", "${")


def _imported_id(resource: Mapping[str, Any]) -> str | None:
    """The task ID in the resource option `import`."""
    options = resource.get("options")
    value = options.get("import") if isinstance(options, dict) else None
    task_id = value.rpartition("/")[2] if isinstance(value, str) else ""
    return task_id if task_id and not _EXPRESSION.search(task_id) else None


def _logical_name(resource: Mapping[str, object]) -> str:
    return str(resource.get("urn") or "task").rpartition("::")[2] or "task"


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
