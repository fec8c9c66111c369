"""Checks of one file's tasks that a schema cannot express: blank texts, credentials, warnings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from reconciler.manifest.comments import blocks
from reconciler.manifest.credentials import credentials
from reconciler.manifest.finding import Facts, Finding, warning_finding
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path, Severity
from reconciler.model.remarks import Arg
from reconciler.model.task import Inputs

_NAMED_IN_A_WARNING = 3
_PLACEHOLDER = r"\$\{[A-Za-z_]\w*\}|\bTODO\b"  # compiled if needed


class TaskChecks:
    """Checks the tasks of one file with these `defaults` (without nulls).

    A setting from `defaults` is reported once, there, with the keys of its tasks.
    """

    def __init__(self, defaults: Mapping[str, object]) -> None:
        self._found: list[Finding] = list(_name(("defaults", "name"), defaults.get("name")))
        self._inherited: dict[tuple[Code, str, Arg], list[str]] = {}

    def check_texts(self, key: str, given: Mapping[str, object]) -> bool:
        """Checks the texts of a task, which may violate the schema; False if one is invalid."""
        before = len(self._found)
        root: Path = ("tasks", key)
        message = given.get("message")
        if isinstance(message, dict):
            self._found.extend(_message_object((*root, "message"), message))
        elif isinstance(message, str):
            self._found.extend(check_prompt((*root, "message"), message))
        if "entities" in given:
            self._found.extend(_entities(root, given))
        if "name" in given:
            self._found.extend(_name((*root, "name"), given["name"]))
        if given.get("movedFrom") == key:
            self._found.append(Finding(Code.INVALID_MOVE, (*root, "movedFrom"), "self"))
        return not any(blocks(found) for found in self._found[before:])

    def check_settings(self, key: str, given: Mapping[str, object], inputs: Inputs) -> None:
        """Checks the settings of a task without errors, as `given` and with defaults."""
        advice = []
        if inputs.get("toolExecutionMode") in ("cli", "worker"):
            advice.append((Code.NO_EXECUTOR, "toolExecutionMode"))
        if inputs.get("approvalMode") in ("manual", "balanced") and not inputs.get("isShared"):
            advice.append((Code.NO_APPROVER, "approvalMode"))
        for code, name in advice:
            if name in given:
                self._found.append(_note(code, ("tasks", key, name), "", {"mode": inputs[name]}))
            else:
                self._inherited.setdefault((code, name, inputs[name]), []).append(key)

    def findings(self) -> list[Finding]:
        """All findings so far."""
        inherited = (
            _note(code, ("defaults", name), "defaults", {"mode": mode, "tasks": _listed(keys)})
            for (code, name, mode), keys in self._inherited.items()
        )
        return [*self._found, *inherited]


def _note(code: Code, path: Path, case: str, facts: Facts) -> Finding:
    return Finding(code, path, case, facts, severity=Severity.NOTE)


def _message_object(path: Path, message: Mapping[str, object]) -> Iterator[Finding]:
    yield from check_prompt((*path, "content"), message.get("content"))
    commands = message.get("commands")
    for name, command in commands.items() if isinstance(commands, dict) else ():
        if isinstance(command, dict):
            yield from check_prompt((*path, "commands", name, "prompt"), command.get("prompt"))
    diff = message.get("entity_diff")
    for part, entities in diff.items() if isinstance(diff, dict) else ():
        for index, entity in enumerate(entities if isinstance(entities, list) else ()):
            yield from _blank_texts((*path, "entity_diff", part, index), entity)


def check_prompt(path: Path, text: object) -> Iterator[Finding]:
    """Findings for a prompt that is blank, or the first placeholders and credentials in it."""
    if not isinstance(text, str):
        return
    if text.isspace():
        yield Finding(Code.BLANK_PROMPT, path)
    for kind, found in islice(credentials(text), limits.TASK_FINDINGS):
        yield Finding(Code.CREDENTIAL, path, "", {"kind": kind}, secret=found)
    if "${" in text or "TODO" in text:
        different = dict.fromkeys(re.findall(_PLACEHOLDER, text))
        for placeholder in islice(different, limits.TASK_FINDINGS):
            yield warning_finding(Code.PLACEHOLDER, path, "", {"text": placeholder})


def _entities(path: Path, given: Mapping[str, object]) -> Iterator[Finding]:
    """Findings for `entities`, which is a part of the message."""
    entities, message = given.get("entities"), given.get("message")
    if not isinstance(entities, list):
        return
    for index, entity in enumerate(entities):
        yield from _blank_texts((*path, "entities", index), entity)
    if "message" not in given and "taskID" in given:  # else the schema requires it
        yield Finding(
            Code.MISSING_PROPERTY, path, "entities", on_key=True, shown=(*path, "message")
        )
    elif isinstance(message, dict) and message.get("entity_diff"):
        yield Finding(Code.CONFLICTING_PROPERTIES, (*path, "entities"), "entities", on_key=True)


def _blank_texts(path: Path, entity: object) -> Iterator[Finding]:
    for name, value in entity.items() if isinstance(entity, dict) else ():
        if isinstance(value, str) and value.isspace():
            yield Finding(Code.EMPTY_VALUE, (*path, name), "entity")
        elif isinstance(value, dict):
            yield from _blank_texts((*path, name), value)


def _name(path: Path, name: object) -> Iterator[Finding]:
    if isinstance(name, str) and name and not name.strip():  # the schema rejects an empty name
        yield Finding(Code.EMPTY_VALUE, path, "blank")


def _listed(keys: list[str]) -> tuple[str, ...]:
    named = tuple(f"`{key}`" for key in keys[:_NAMED_IN_A_WARNING])
    more = len(keys) - len(named)
    return (*named, f"{more} more") if more else named
