"""The manifest entry for an existing task. Members that a manifest cannot contain are omitted and
reported.

A task with a `taskID` needs no message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.importing.pulumi import Resource
from reconciler.manifest.finding import Finding
from reconciler.manifest.insertion import NewTask, task_faults
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Path, Place, warning
from reconciler.model.fields import DEFAULTS, IMPORTED
from reconciler.model.reference import Reference, split_prompt
from reconciler.model.service import RemoteTask
from reconciler.model.value import Value
from reconciler.model.wire import first_user_message
from reconciler.model.work import REDACTED, comparable_text

UNNAMED = "New task"
FIRST_EVENTS = 50
"""The number of first events to read for each task: the agent names the task in one of them."""


class Opening(Value, frozen=True):
    """The first events of a task: its first message, without its reference, and the names given by
    the agent."""

    message: Mapping[str, Any] | None
    names: frozenset[str] = frozenset()
    reference: Reference | None = None

    @property
    def text(self) -> str:
        """The text to derive a key from; empty if the prompt is unknown or redacted."""
        text = "" if self.message is None else str(self.message["content"])
        return "" if REDACTED in text else text


@dataclass(slots=True)
class Declaration:
    """The members of the entry, and a warning for each omission (paths are relative to the
    entry)."""

    members: dict[str, object]
    omissions: list[Diagnostic] = field(default_factory=list)


def read_opening(events: Iterable[object]) -> Opening:
    """Reads only as many events as necessary."""
    message: Mapping[str, Any] | None = None
    reference: Reference | None = None
    names: set[str] = set()
    for count, event in enumerate(events, start=1):
        if message is None and (first := first_user_message([event])) is not None:
            prompt, reference = split_prompt(first["content"])
            message = {**first, "content": prompt}
        body = event.get("eventBody") if isinstance(event, Mapping) else None
        match body:
            case {"type": "set_task_name", "name": str(name)} if count <= FIRST_EVENTS:
                names.add(name)
        if count >= FIRST_EVENTS and message is not None:
            break
    return Opening(message, frozenset(names), reference)


def declare(
    task: RemoteTask, opening: Opening, more: Mapping[str, Any] | None = None
) -> Declaration:
    """The entry for a task; `more` are members that the service does not return. A name is included
    only if a person chose it. `remove_rejected` removes members that a manifest cannot contain."""
    more = more or {}
    declaration = Declaration({"taskID": task.id})
    members, omissions = declaration.members, declaration.omissions
    name = task.name.strip()
    if REDACTED in name:
        omissions.append(_omission("name", "redacted"))
    elif name and name != UNNAMED and task.name not in opening.names:
        members["name"] = name
    message = _message(opening, omissions)
    if message is None:
        message = more.get("message")
    if message is not None:
        members["message"] = message
    for setting in IMPORTED:
        value = task.raw.get(setting)
        if value is None:
            value = more.get(setting)
        if value is not None and value != DEFAULTS.get(setting):
            members[setting] = value
    return declaration


def remove_rejected(declarations: Sequence[Declaration]) -> None:
    """Removes members that a manifest would reject. All are checked together and, only if that
    fails, each half by itself."""
    tasks = [NewTask(f"task-{n}", None, each.members) for n, each in enumerate(declarations)]
    while faults := task_faults(*tasks):
        if len(declarations) > 1:
            half = len(declarations) // 2
            remove_rejected(declarations[:half])
            remove_rejected(declarations[half:])
            return
        rejected = [fault for fault in faults if len(fault.path) > 2]
        if not rejected:
            return
        _remove(declarations[0], rejected[0])


def has_other_prompt(resource: Resource, opening: Opening) -> bool:
    """Whether the prompt of a Pulumi resource is known to differ from that of its task."""
    text = prompt_of(resource)
    return bool(text and opening.text) and text != comparable_text(opening.text)


def prompt_of(resource: Resource) -> str:
    """The prompt of a Pulumi resource for comparison; empty if it is unknown."""
    declared = resource.members.get("message")
    text = declared.get("content") if isinstance(declared, Mapping) else declared
    return comparable_text(text) if isinstance(text, str) else ""


def _remove(declaration: Declaration, fault: Finding) -> None:
    """Removes the cause of an error: the member itself if it is unknown, or else the setting that
    contains it."""
    path: Path = fault.path[2:]
    holder: Any = declaration.members
    deep = fault.on_key and len(path) > 1
    for step in path[:-1] if deep else ():
        holder = holder[step]
    last = path[-1] if deep else path[0]
    if not isinstance(holder, dict) or last not in holder:
        holder, last = declaration.members, path[0]
    del holder[last]
    place = Place(path=path if deep else path[:1])
    why = fault.in_file("", 1, 1).cause
    declaration.omissions.append(warning(Code.IMPORT_LEFT_OUT, "rejected", at=place, why=why))


def _omission(name: str, case: str) -> Diagnostic:
    return warning(Code.IMPORT_LEFT_OUT, case, at=Place(path=(name,)))


def _message(opening: Opening, omissions: list[Diagnostic]) -> Any:
    """The message for the entry: plain text if it has nothing else, None if it is unknown."""
    given = opening.message
    if given is None or REDACTED in given["content"]:
        omissions.append(_omission("message", "noMessage" if given is None else "redacted"))
        return None
    message = {"content": given["content"]}
    for name in ("entity_diff", "commands"):
        if value := _without_empty(given.get(name)):
            message[name] = value
    return message if len(message) > 1 else message["content"]


def _without_empty(value: Any) -> object:
    """The value without empty members, which the service adds for those that were not set."""
    if isinstance(value, Mapping):
        inner = {name: _without_empty(part) for name, part in value.items()}
        return {name: part for name, part in inner.items() if part not in (None, [], {})}
    return [_without_empty(part) for part in value] if isinstance(value, list) else value
