"""JSON documents against their published schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft7Validator

from reconciler.system.resources import schema_text


@cache
def schema_of(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_text(name))
    return schema


@cache
def _validator(name: str) -> Draft7Validator:
    return Draft7Validator(schema_of(name))


def check_document(name: str, document: Mapping[str, Any]) -> None:
    """Fails unless it satisfies the schema, which knows all of its members."""
    found = json.loads(json.dumps(document))  # tuples are lists there
    _validator(name).validate(found)
    assert sorted(unknown_members(schema_of(name), found)) == []


def unknown_members(
    root: Mapping[str, Any], value: Any, *parts: Mapping[str, Any]
) -> Iterator[str]:
    """The members that no schema knows, as paths, of a value that must satisfy all `parts` of the
    `root`, or the root itself."""
    schemas = list(_expanded(root, *(parts or (root,))))
    if isinstance(value, list):
        items = [schema["items"] for schema in schemas if "items" in schema]
        for number, item in enumerate(value):
            yield from (f"[{number}]{path}" for path in unknown_members(root, item, *items or [{}]))
    if not isinstance(value, dict):
        return
    known = [schema["properties"] for schema in schemas if "properties" in schema]
    for name, item in value.items() if known else ():
        inner = [properties[name] for properties in known if name in properties]
        if inner:
            yield from (f".{name}{path}" for path in unknown_members(root, item, *inner))
        else:
            yield f".{name}"


def _expanded(root: Mapping[str, Any], *parts: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schemas, with those to which they refer."""
    for part in parts:
        yield part
        inner = [*part.get("allOf", ()), *part.get("anyOf", ())]
        if "$ref" in part:
            inner.append(root["definitions"][part["$ref"].removeprefix("#/definitions/")])
        yield from _expanded(root, *inner)


def check_complete(name: str, document: Mapping[str, Any]) -> None:
    """Fails unless the document has every member that belongs to a result."""
    missing = {*_result_members(schema_of(name)), "formatVersion", "diagnostics"} - set(document)
    assert not missing, missing


def _result_members(schema: Mapping[str, Any]) -> set[str]:
    """The members that are there together or not at all."""
    together = schema["dependencies"]
    return max(({name, *others} for name, others in together.items()), key=len)
