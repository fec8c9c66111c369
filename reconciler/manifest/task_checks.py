"""What a schema cannot say about the tasks of one file: blank texts, and things worth a warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.manifest.credentials import credentials
from reconciler.manifest.problem import Problem
from reconciler.model.diagnostics import Path, Severity
from reconciler.model.task import Inputs

_LONGEST_NAME = 255
_NAMED_IN_A_WARNING = 3

_PROMPTS_ARE_SEEN = (
    "A prompt is stored at the service and read by a model; with isShared, by the organization.\n"
    "Name where the credential is kept instead, and revoke this one if it is real."
)
_NO_EXECUTOR = "no `{}` is attached to a task made by API, so its tools would wait for one"
_NO_APPROVER = "`{}` without `isShared: true`: nobody but the token's user can approve"


class Inspection:
    """Goes through the tasks of one file, whose `defaults` (without nulls) they share.

    A setting that comes from `defaults` is warned of once, there, naming the tasks.
    """

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self._found: list[Problem] = list(_name(("defaults", "name"), defaults.get("name")))
        self._inherited: dict[tuple[str, str], list[str]] = {}

    def texts(self, key: str, given: Mapping[str, Any]) -> bool:
        """Looks at the texts of a task, which may break the schema; False where one is wrong."""
        before = len(self._found)
        root: Path = ("tasks", key)
        message = given.get("message")
        if isinstance(message, dict):
            self._found.extend(_message_object((*root, "message"), message))
        elif isinstance(message, str):
            self._found.extend(prompt_problems((*root, "message"), message))
        if "name" in given:
            self._found.extend(_name((*root, "name"), given["name"]))
        if given.get("movedFrom") == key:
            what = "names the task itself; name the key it had before"
            self._found.append(Problem((*root, "movedFrom"), what))
        return all(problem.severity is Severity.WARNING for problem in self._found[before:])

    def settings(self, key: str, given: Mapping[str, Any], inputs: Inputs) -> None:
        """Looks at the settings of a task without errors, as `given` and with defaults."""
        if inputs.get("toolExecutionMode") in ("cli", "worker"):
            self._warn(key, given, "toolExecutionMode", _NO_EXECUTOR, inputs)
        if inputs.get("approvalMode") in ("manual", "balanced") and not inputs.get("isShared"):
            self._warn(key, given, "approvalMode", _NO_APPROVER, inputs)

    def problems(self) -> list[Problem]:
        shared = (
            _warning(("defaults", name), f"{what} (in {_listed(keys)})")
            for (name, what), keys in self._inherited.items()
        )
        return [*self._found, *shared]

    def _warn(
        self, key: str, given: Mapping[str, Any], name: str, what: str, inputs: Inputs
    ) -> None:
        worded = what.format(inputs[name])
        if name in given:
            self._found.append(_warning(("tasks", key, name), worded))
        else:
            self._inherited.setdefault((name, worded), []).append(key)


def _message_object(path: Path, message: Mapping[str, Any]) -> Iterator[Problem]:
    yield from prompt_problems((*path, "content"), message.get("content"))
    commands = message.get("commands")
    for name, command in commands.items() if isinstance(commands, dict) else ():
        if isinstance(command, dict):
            text = command.get("prompt")
            yield from prompt_problems((*path, "commands", name, "prompt"), text)
    diff = message.get("entity_diff")
    for part, entities in diff.items() if isinstance(diff, dict) else ():
        for index, entity in enumerate(entities if isinstance(entities, list) else ()):
            yield from _blank_texts((*path, "entity_diff", part, index), entity)


def prompt_problems(path: Path, text: object) -> Iterator[Problem]:
    """A prompt that is blank, or holds what looks like a credential."""
    if not isinstance(text, str):
        return
    if text.isspace():
        yield Problem(path, "is blank: what is the agent to do?")
    for what, found in credentials(text):
        worded = f"holds what looks like {what}; whoever sees the task can read it"
        yield Problem(path, worded, _PROMPTS_ARE_SEEN, Severity.WARNING, secret=found)


def _blank_texts(path: Path, entity: object) -> Iterator[Problem]:
    for name, value in entity.items() if isinstance(entity, dict) else ():
        if isinstance(value, str) and value.isspace():
            yield Problem((*path, name), "is blank; the service refuses such an entity")
        elif isinstance(value, dict):
            yield from _blank_texts((*path, name), value)


def _name(path: Path, name: object) -> Iterator[Problem]:
    if isinstance(name, str) and name:  # an empty one the schema refuses
        length = len(name.strip())
        if not length:
            yield Problem(path, "is blank")
        elif length > _LONGEST_NAME:
            yield Problem(path, f"has {length} characters; at most {_LONGEST_NAME} are allowed")


def _warning(path: Path, what: str) -> Problem:
    return Problem(path, what, severity=Severity.WARNING)


def _listed(keys: list[str]) -> str:
    named = [f"`{key}`" for key in keys[:_NAMED_IN_A_WARNING]]
    more = len(keys) - len(named)
    if more:
        named.append(f"{more} more")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
