"""Checks of one file's tasks that a schema cannot express: blank texts, credentials, warnings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from reconciler.manifest.comments import blocks
from reconciler.manifest.finding import Facts, Finding, warning_finding
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
    """Findings for a prompt that is blank, or contains a placeholder or a credential."""
    if not isinstance(text, str):
        return
    if text.isspace():
        yield Finding(Code.BLANK_PROMPT, path)
    for kind, found in credentials(text):
        yield Finding(Code.CREDENTIAL, path, "", {"kind": kind}, secret=found)
    if "${" in text or "TODO" in text:
        for placeholder in dict.fromkeys(re.findall(_PLACEHOLDER, text)):
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
    if isinstance(name, str) and name and not name.strip():  # the schema rejects an empty one
        yield Finding(Code.EMPTY_VALUE, path, "blank")


def _listed(keys: list[str]) -> tuple[str, ...]:
    named = tuple(f"`{key}`" for key in keys[:_NAMED_IN_A_WARNING])
    more = len(keys) - len(named)
    return (*named, f"{more} more") if more else named


# Credentials in prompts, which the service stores, a model reads, and a whole organization may see.
# High confidence only: users learn to ignore false positives.

# A required character, and for each kind: a required text, the pattern, and its description. Most
# prompts contain none of these texts, and ten searches for short texts are faster than one regular
# expression. Patterns are compiled when first needed, which is rare.
_FORMS = (
    (
        "_",
        (
            ("gh", r"\bgh[pousr]_[0-9A-Za-z]{36,}", "a GitHub token"),
            ("github_pat_", r"\bgithub_pat_[0-9A-Za-z_]{40,}", "a GitHub token"),
            ("sk_live_", r"\bsk_live_[0-9A-Za-z]{20,}", "a Stripe key"),
            ("npm_", r"\bnpm_[0-9A-Za-z]{36}\b", "an npm token"),
        ),
    ),
    (
        "-",
        (
            ("glpat-", r"\bglpat-[0-9A-Za-z_-]{20,}", "a GitLab token"),
            ("xox", r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}", "a Slack token"),
            ("xapp-", r"\bxapp-[0-9A-Za-z-]{10,}", "a Slack token"),
            ("pul-", r"\bpul-[0-9a-f]{40}\b", "a Pulumi access token"),
            ("sk-ant-", r"\bsk-ant-[0-9A-Za-z_-]{20,}", "an Anthropic key"),
            ("PRIVATE KEY", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-", "a private key"),
        ),
    ),
    (
        "/",
        (
            ("://", r"://[^\s/:@]+:(?P<value>[^\s/@<>${}*]{6,})@", "a password in a URL"),
            ("slack.com/", r"hooks\.slack\.com/services/T\w+/B\w+/\w{16,}", "a Slack web hook"),
        ),
    ),
    (
        "IA",
        (
            ("AKIA", r"\bAKIA[0-9A-Z]{16}\b", "an AWS access key"),
            ("ASIA", r"\bASIA[0-9A-Z]{16}\b", "an AWS access key"),
        ),
    ),
    ("AIza", (("AIza", r"\bAIza[0-9A-Za-z_-]{35}", "a Google API key"),)),
    (
        "eyJ",
        (("eyJ", r"(?<![\w-])eyJ[\w-]{10,}+\.eyJ[\w-]{10,}+\.[\w-]{10,}", "a signed token (JWT)"),),
    ),
)
_ASSIGNED = r"""(?ix)
    (?:(?P<password>passw(?:d|ord))
      |secret|token|api[_-]?key|secret[_-]?(?:access[_-]?)?key|access[_-]?key)
    ["']?\s{0,2}[:=]\s{0,2}["']?
    (?P<value>[0-9A-Za-z+/!@#%^&_.~=-]{8,})
    """
_SHORTEST_SECRET = 16
# Values that are obviously placeholders. Not checked for patterns with a prefix of their own.
_DUMMY = "(?i)example|changeme|redacted|placeholder|x{6}|0{8}|12345678"


def credentials(text: str) -> Iterator[tuple[str, str]]:
    """The kind of each credential ("a GitHub token") and its text, which must not be shown."""
    possible = [
        (form, kind)
        for mark, forms in _FORMS
        if mark in text
        for needle, form, kind in forms
        if needle in text
    ]
    for form, kind in possible:
        for match in re.finditer(form, text):
            value = match.groupdict().get("value")
            if value is None or not re.search(_DUMMY, value):
                yield kind, value or match[0]
    if ":" in text or "=" in text:
        lower = text.lower()
        if "passw" in lower or "secret" in lower or "token" in lower or "key" in lower:
            yield from _assigned(text)


def _assigned(text: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(_ASSIGNED, text):
        value, is_password = match["value"], match["password"] is not None
        letters = any(c.isalpha() for c in value)
        digits = any(c.isdigit() for c in value)
        long_enough = is_password or len(value) >= _SHORTEST_SECRET
        if letters and digits and long_enough and not re.search(_DUMMY, value):
            yield ("a password" if is_password else "a secret"), value
