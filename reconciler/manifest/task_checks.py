"""Checks of texts that a schema cannot express: blank texts, credentials, placeholders, hidden
characters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from reconciler.manifest.credentials import credentials
from reconciler.manifest.finding import Finding, warning_finding
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path
from reconciler.model.reference import PREFIX, reserved_line

_PLACEHOLDER = r"\$\{[A-Za-z_]\w*\}|\bTODO\b"  # compiled if needed
# Bidirectional embeddings, overrides and isolates, and tag characters. Direction marks
# and joiners are allowed: languages and emoji need them, and they hide nothing.
_HIDDEN = r"[\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"


def check_texts(key: str, given: Mapping[str, object]) -> Iterator[Finding]:
    """Checks the texts of a task, which may violate the schema."""
    root: Path = ("tasks", key)
    message = given.get("message")
    if isinstance(message, dict):
        yield from _message_object((*root, "message"), message)
    elif isinstance(message, str):
        yield from check_prompt((*root, "message"), message)
    if "entities" in given:
        yield from _entities(root, given)
    if "name" in given:
        yield from check_name((*root, "name"), given["name"])
    if given.get("movedFrom") == key:
        yield Finding(Code.INVALID_MOVE, (*root, "movedFrom"), "self")


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
    """Findings for a prompt that is blank or has a reserved line, and for the first placeholders,
    credentials and hidden characters in it."""
    if not isinstance(text, str):
        return
    if text.isspace():
        yield Finding(Code.BLANK_PROMPT, path)
    for kind, found in islice(credentials(text), limits.TASK_FINDINGS):
        yield Finding(Code.CREDENTIAL, path, "", {"kind": kind}, secret=found)
    if PREFIX in text and (line := reserved_line(text)) is not None:
        reserved = text.split("\n")[line].strip()
        yield Finding(Code.RESERVED_LINE, path, "", {"line": line + 1, "text": reserved})
    if "${" in text or "TODO" in text:
        different = dict.fromkeys(re.findall(_PLACEHOLDER, text))
        for placeholder in islice(different, limits.TASK_FINDINGS):
            yield warning_finding(Code.PLACEHOLDER, path, "", {"text": placeholder})
    yield from _hidden_characters(path, text)


def _hidden_characters(path: Path, text: str) -> Iterator[Finding]:
    """A warning at the first hidden character of a text."""
    if not text.isascii() and (found := re.search(_HIDDEN, text)) is not None:
        facts = {"character": f"U+{ord(found[0]):04X}", "text": found[0]}
        yield warning_finding(Code.HIDDEN_CHARACTER, path, "", facts)


def _entities(path: Path, given: Mapping[str, object]) -> Iterator[Finding]:
    """Findings for `entities`, which is a part of the message."""
    entities, message = given.get("entities"), given.get("message")
    if not isinstance(entities, list):
        return
    for index, entity in enumerate(entities):
        yield from _blank_texts((*path, "entities", index), entity)
    if "message" not in given and "taskID" in given:  # otherwise, the schema requires `message`
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


def check_name(path: Path, name: object) -> Iterator[Finding]:
    if isinstance(name, str) and name and not name.strip():  # the schema rejects an empty name
        yield Finding(Code.EMPTY_VALUE, path, "blank")
    if isinstance(name, str):
        yield from _hidden_characters(path, name)
