"""The manifest entry for an existing task.

Anything that a manifest cannot contain is omitted and reported. A task with a `taskID` needs no
message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.manifest.finding import Finding
from reconciler.messages import wording
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Path, Place, warning
from reconciler.model.fields import DEFAULTS, IMPORTED
from reconciler.model.task import Identity, RemoteTask
from reconciler.model.wire import REDACTED, first_message, first_user_message

UNNAMED = "New task"
FIRST_EVENTS = 50
"""Events read of each task: they include the agent's own name for it, if any."""

Members = dict[str, object]
Faults = Callable[[Members], list[Finding]]
"""Checks the members of a task; paths are those of a manifest: `("tasks", KEY, ...)`."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The first events of a task: its first message, and the names given by the agent."""

    message: Mapping[str, Any] | None
    names: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The text to derive a key from."""
        text = "" if self.message is None else str(self.message["content"])
        return "" if REDACTED in text else text

    @property
    def work(self) -> str | None:
        """The digest of the manifest task that does the same work; None without a message."""
        if self.message is None:
            return None
        found = first_message([{"type": "userInput", "eventBody": self.message}])
        return found.work if found is not None else None


@dataclass(slots=True)
class Declaration:
    """What to write for a task; what was omitted, as warnings with paths relative to the task."""

    task: RemoteTask
    opening: Opening
    members: Members
    left_out: list[Diagnostic] = field(default_factory=list)


def opening_of(events: Iterable[object]) -> Opening:
    """Reads only as many events as necessary."""
    read: list[object] = []
    for event in events:
        read.append(event)
        if len(read) >= FIRST_EVENTS and first_user_message(read) is not None:
            break
    bodies = (event.get("eventBody") for event in read if isinstance(event, Mapping))
    names = (
        body.get("name")
        for body in bodies
        if isinstance(body, Mapping) and body.get("type") == "set_task_name"
    )
    return Opening(first_user_message(read), frozenset(n for n in names if isinstance(n, str)))


def declared(
    task: RemoteTask, opening: Opening, more: Mapping[str, Any] | None = None
) -> Declaration:
    """What a manifest contains for a task; `more` fills in what the service does not show. A name
    is written only if a person chose it."""
    found = Declaration(task, opening, {"taskID": task.id})
    name = task.name.strip()
    if REDACTED in name:
        found.left_out.append(_omission("name", "redacted"))
    elif name and name != UNNAMED and task.name not in opening.names:
        found.members["name"] = name
    message = _message(opening, found.left_out)
    if message is None and more is not None:
        message = more.get("message")
    if message is not None:
        found.members["message"] = message
    for setting in IMPORTED:
        value = task.raw.get(setting)
        if value is None:
            value = (more or {}).get(setting)
        if value is not None and value != DEFAULTS.get(setting):
            found.members[setting] = value
    return found


def fit(found: Declaration, faults: Faults) -> None:
    """Removes what a manifest would reject."""
    while rejected := [p for p in faults(found.members) if len(p.path) > 2]:
        _take_out(found, rejected[0])


def _take_out(found: Declaration, fault: Finding) -> None:
    path: Path = fault.path[2:]
    holder: Any = found.members
    deep = fault.on_key and len(path) > 1
    for step in path[:-1] if deep else ():
        holder = holder[step]
    last = path[-1] if deep else path[0]
    if not isinstance(holder, dict) or last not in holder:
        holder, last = found.members, path[0]
    del holder[last]
    place = Place(path=path if deep else path[:1])
    why = wording(fault.diagnostic).summary
    found.left_out.append(warning(Code.IMPORT_LEFT_OUT, "rejected", at=place, why=why))


def _omission(name: str, case: str) -> Diagnostic:
    return warning(Code.IMPORT_LEFT_OUT, case, at=Place(path=(name,)))


def _message(opening: Opening, left_out: list[Diagnostic]) -> Any:
    """Plain text if the message contains nothing else."""
    given = opening.message
    if given is None:
        left_out.append(_omission("message", "noMessage"))
        return None
    if REDACTED in given["content"]:
        left_out.append(_omission("message", "redacted"))
        return None
    message = {"content": given["content"]}
    for name in ("entity_diff", "commands"):
        value = _full(given.get(name))
        if value:
            message[name] = value
    return message if len(message) > 1 else message["content"]


def _full(value: Any) -> object:
    """Without empty values, which the service adds for what was not set."""
    if isinstance(value, Mapping):
        inner = {name: _full(part) for name, part in value.items()}
        return {name: part for name, part in inner.items() if part not in (None, [], {})}
    return [_full(part) for part in value] if isinstance(value, list) else value


def owner(task: RemoteTask, identity: Identity) -> Identity:
    """The owner of a task. Of other users, the service shows only the login; they get an identity
    that matches nobody, so that absence proves nothing (docs/exactly-once.md)."""
    login = task.creator_login
    if login is None or not identity.login or login == identity.login:
        return identity
    return Identity(id=f"login:{login}", login=login)
