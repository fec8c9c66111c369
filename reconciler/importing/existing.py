"""A task as the service shows it -> what a manifest says to have just that one.

What cannot be said in a manifest is left out, and named: a task known by its `taskID` needs no
message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.manifest.finding import Finding
from reconciler.messages import wording
from reconciler.model.diagnostics import Path
from reconciler.model.fields import DEFAULTS, IMPORTED
from reconciler.model.paths import shown
from reconciler.model.task import Identity, RemoteTask
from reconciler.model.wire import REDACTED, first_message, first_user_message

UNNAMED = "New task"
FIRST_EVENTS = 50
"""So many are read of each task: in them the agent names it, if it does."""

_REDACTED = "[REDACTED]"  # by the service
Members = dict[str, Any]
Faults = Callable[[Members], list[Finding]]
"""What is wrong with the members of a task; paths as in a manifest: `("tasks", KEY, ...)`."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The events that a task began with: its first message, and what the agent called it.

    `holds_token`: the message repeats the access token, which goes into no file.
    """

    message: Mapping[str, Any] | None
    names: frozenset[str] = frozenset()
    holds_token: bool = False

    @property
    def text(self) -> str:
        """What a key may be made of."""
        if self.message is None or self.holds_token:
            return ""
        return str(self.message["content"])

    @property
    def work(self) -> str | None:
        """The digest that a manifest's task has that does the same; None without a message."""
        if self.message is None:
            return None
        found = first_message([{"type": "userInput", "eventBody": self.message}])
        return found.work if found is not None else None


@dataclass(slots=True)
class Existing:
    """What to write for a task, and what could not be: one line each, without the task's texts."""

    task: RemoteTask
    opening: Opening
    members: Members
    left_out: list[str] = field(default_factory=list)


def opening_of(events: Iterable[object]) -> Opening:
    """From the first events of a task; no more are asked for than are needed."""
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


def existing(task: RemoteTask, opening: Opening, more: Mapping[str, Any] | None = None) -> Existing:
    """What a manifest says of a task. `more` is known from elsewhere: it fills what is not shown.

    The task's own name is left to the agent that gave it; one that a person chose is written.
    """
    found = Existing(task, opening, {"taskID": task.id})
    name = task.name.strip()
    if REDACTED in name:
        found.left_out.append("name: it holds the access token that is in use here")
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


def fit(found: Existing, faults: Faults) -> None:
    """Takes out what a manifest refuses, until nothing is left that it does."""
    while rejected := [p for p in faults(found.members) if len(p.path) > 2]:
        _take_out(found, rejected[0])


def _take_out(found: Existing, fault: Finding) -> None:
    path: Path = fault.path[2:]
    holder: Any = found.members
    deep = fault.on_key and len(path) > 1
    for step in path[:-1] if deep else ():
        holder = holder[step]
    last = path[-1] if deep else path[0]
    if not isinstance(holder, dict) or last not in holder:
        holder, last = found.members, path[0]
    del holder[last]
    found.left_out.append(
        f"{shown(path if deep else path[:1])}: {wording(fault.diagnostic).summary}"
    )


def _message(opening: Opening, left_out: list[str]) -> Any:
    """Text alone where there is no more to it, as one would write it."""
    given = opening.message
    if given is None:
        left_out.append("message: the service shows none")
        return None
    if opening.holds_token:
        left_out.append("message: it holds the access token that is in use here")
        return None
    if _REDACTED in given["content"]:
        left_out.append(f"message: the service replaced a part of it by {_REDACTED}")
        return None
    message = {"content": given["content"]}
    for name in ("entity_diff", "commands"):
        value = _full(given.get(name))
        if value:
            message[name] = value
    return message if len(message) > 1 else message["content"]


def _full(value: Any) -> Any:
    """Without what is empty or null: the service spells out what was not said."""
    if isinstance(value, Mapping):
        inner = {name: _full(part) for name, part in value.items()}
        return {name: part for name, part in inner.items() if part not in (None, [], {})}
    return [_full(part) for part in value] if isinstance(value, list) else value


def owner(task: RemoteTask, identity: Identity) -> Identity:
    """Whose a task is: for another user's, of whom the service tells the login alone, an identity
    that is nobody's, so that its absence never proves anything (docs/exactly-once.md)."""
    login = task.creator_login
    if login is None or not identity.login or login == identity.login:
        return identity
    return Identity(id=f"login:{login}", login=login)
