"""Violations of the manifest schema as findings: a code for each cause, and suggestions."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from reconciler.manifest.credentials import masked
from reconciler.manifest.finding import Finding
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path, Violation
from reconciler.model.paths import quoted
from reconciler.model.remarks import Arg

_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
_YAML_1_1_BOOLEANS = {"on": "true", "yes": "true", "off": "false", "no": "false"}
_MESSAGE_PATH = ("tasks", "KEY", "message")
_TASK = 2
_MISSING = ("version", "tasks", "message", "content")
_OUTPUTS = ("output", "outputs")
_ONE_TASK_ONLY = ("message", "taskID", "movedFrom", "after")


def findings(violation: Violation, schema: Mapping[str, object]) -> Iterator[Finding]:
    """The findings for a violation of `schema`, the manifest schema."""
    path, value = violation.path, violation.value
    if "propertyNames" in violation.steps:
        code, case, facts = _invalid(violation)
        yield Finding(code, (*path, str(value)), case, facts, on_key=True)
    elif violation.rule == "required":
        for name in violation.expected:
            if name not in value:
                case = name if name in _MISSING else ""
                missing = (*path, name)
                yield Finding(Code.MISSING_PROPERTY, path, case, on_key=True, shown=missing)
    elif violation.rule == "additionalProperties":
        names = list(violation.schema.get("properties", {}))
        for name in value:
            if name not in names:
                if not path and isinstance(value[name], dict) and "message" in value[name]:
                    facts = {"near": "tasks"}
                    yield Finding(Code.UNKNOWN_PROPERTY, (name,), "declared", facts, on_key=True)
                    continue
                code, case, facts = _unknown(name, path, names, schema)
                yield Finding(code, (*path, name), case, facts, on_key=True)
    elif violation.rule == "anyOf":  # used once, for a message with both content and contentFile
        yield Finding(Code.CONFLICTING_PROPERTIES, (*path, "contentFile"), on_key=True)
    else:
        code, case, facts = _invalid(violation)
        yield Finding(code, path, case, facts)


def without_consequences(found: Sequence[Finding]) -> Iterator[Finding]:
    """The findings, except for a missing property that another finding reports as misspelled."""
    misspelled = {
        (*f.path[:-1], str(f.facts["near"])) for f in found if "near" in f.facts and f.on_key
    }
    return (
        f for f in found if f.code is not Code.MISSING_PROPERTY or f.shown_path not in misspelled
    )


_Facts = tuple[Code, str, dict[str, Arg]]


def _unknown(name: str, path: Path, known: list[str], schema: Mapping[str, Any]) -> _Facts:
    group = path[0] if len(path) == 1 else path[-1] if len(path) == len(_MESSAGE_PATH) else ""
    if group == "defaults" and name in _ONE_TASK_ONLY:
        return Code.UNKNOWN_PROPERTY, "no-default", {}
    if group == "message" and name == "timestamp":
        return Code.UNKNOWN_PROPERTY, "timestamp", {}
    if _folded(name) in _OUTPUTS:
        return Code.UNKNOWN_PROPERTY, "results", {}
    if not path and name in schema["definitions"]["task"]["properties"]:
        return Code.UNKNOWN_PROPERTY, "task", {}
    if path and name in schema["properties"]:
        return Code.UNKNOWN_PROPERTY, "top", {}
    if len(path) == _TASK and path[0] == "tasks" and "every" not in known:
        entry = schema["definitions"]["entry"]["properties"]
        if name in entry:
            return Code.UNKNOWN_PROPERTY, "entry", {}
        near = meant_property(name, entry)
    else:
        near = meant_property(name, known)
    if near is not None:
        return Code.UNKNOWN_PROPERTY, "similar", {"near": near}
    return Code.UNKNOWN_PROPERTY, "", {"known": tuple(known)}


def _invalid(violation: Violation) -> _Facts:
    value, expected = violation.value, violation.expected
    fact: dict[str, Arg] = {"value": shown_value(value)}
    match violation.rule:
        case "type":
            types = [expected] if isinstance(expected, str) else list(expected)
            if isinstance(value, str) and violation.schema.get("required") == ["id"]:
                return Code.WRONG_TYPE, "id", {"kinds": (_KINDS["object"],), **fact}
            return _wrong_type(violation.path, value, types)
        case "enum":
            return _not_among(value, [str(choice) for choice in expected if choice is not None])
        case "const":
            return Code.INVALID_VALUE, "const", {"wants": shown_value(expected), **fact}
        case "pattern":
            fact["rule"] = violation.schema["patternErrorMessage"]
            near = masked(value).lower().replace(" ", "-")
            if "propertyNames" in violation.steps and re.search(expected, near):
                return Code.INVALID_VALUE, "pattern-similar", {**fact, "near": near}
            return Code.INVALID_VALUE, "pattern", fact
        case "minLength":
            return Code.EMPTY_VALUE, "", {}
        case "maxLength":
            return Code.VALUE_TOO_LONG, "", {"length": len(value), "limit": expected}
        case "minimum" | "maximum" as rule:
            return Code.INVALID_VALUE, rule, {"limit": expected, **fact}
        case _:
            return Code.INVALID_VALUE, "", {"rule": str(violation.rule), **fact}


def _wrong_type(path: Path, value: object, types: list[str]) -> _Facts:
    kinds = tuple(_KINDS[kind] for kind in types if kind != "null")
    facts: dict[str, Arg] = {"kinds": kinds, "value": shown_value(value)}
    if value is None:
        return Code.WRONG_TYPE, "null", facts
    if path == ("tasks",) and isinstance(value, list):
        return Code.WRONG_TYPE, "tasks", facts
    if len(path) == _TASK and path[0] == "tasks" and isinstance(value, str):
        return Code.WRONG_TYPE, "task", facts
    if "boolean" in types and isinstance(value, str) and value.lower() in _YAML_1_1_BOOLEANS:
        boolean = _YAML_1_1_BOOLEANS[value.lower()]
        return Code.WRONG_TYPE, "yaml-1.1", {**facts, "boolean": boolean}
    if isinstance(value, str) and (
        ("boolean" in types and value in ("true", "false"))
        or ("integer" in types and value.isdecimal())
    ):
        return Code.WRONG_TYPE, "quoted", facts
    unquoted = "string" in types and isinstance(value, bool | int | float)
    return Code.WRONG_TYPE, "unquoted" if unquoted else "", facts


def _not_among(value: object, choices: list[str]) -> _Facts:
    facts: dict[str, Arg] = {"choices": tuple(choices), "value": shown_value(value)}
    if isinstance(value, str) and (near := similar(value, choices)):
        return Code.INVALID_VALUE, "choice-similar", {**facts, "near": near}
    return Code.INVALID_VALUE, "choice", facts


def shown_value(value: object) -> str:
    """A value on one line: collections by their kind, text in quotes and without credentials."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return quoted(masked(value))
    return quoted(json.dumps(value)).strip('"')


_MEANT = {
    "auto": "approvalMode: auto",
    "automatic": "approvalMode: auto",
    "cron": "every",
    "id": "taskID",
    "integrations": "enabledIntegrations",
    "matrix": "forEach",
    "org": "orgName",
    "organization": "orgName",
    "permissions": "permissionMode",
    "prompt": "message",
    "readonly": "permissionMode: read-only",
    "schedule": "every",
    "needs": "after",
    "dependson": "after",
    "shared": "isShared",
    "title": "name",
}
"""Other names for settings, in lower case without separators, and the correct names."""

_SHORTEST = 4
"""The minimum length of names that are similar because one begins with the other."""


def meant_property(name: str, known: Collection[str]) -> str | None:
    """The property that was probably meant by `name`, if it is one of `known`. For a name
    that is a value of a setting (`auto`), `NAME: VALUE`."""
    meant = _MEANT.get(_folded(name))
    if meant is not None and re.split("[.:]", meant)[0] in known:
        return meant
    return similar(name, known)


def similar(name: str, known: Collection[str]) -> str | None:
    """The known name that is similar to `name`, if there is exactly one."""
    return _similar(name, tuple(known))


@lru_cache(maxsize=1000)
def _similar(name: str, choices: tuple[str, ...]) -> str | None:
    import difflib

    plain = {_folded(choice): choice for choice in choices}
    written = _folded(name)
    near = difflib.get_close_matches(written, list(plain), n=1, cutoff=0.7)
    if not near:
        long_enough = [c for c in plain if min(len(c), len(written)) >= _SHORTEST]
        near = [c for c in long_enough if c.startswith(written) or written.startswith(c)]
    return plain[near[0]] if len(near) == 1 else None


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
