"""Keywords of JSON Schema that would be ignored, so that forbidden values would be allowed:
misspelled keywords, and those that the schema's draft ignores. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote

from reconciler.model.diagnostics import Path

NAMED_SCHEMAS = frozenset(
    {
        *("properties", "patternProperties", "$defs", "definitions"),
        *("dependentSchemas", "dependencies"),
    }
)
"""Keywords whose value maps names to schemas."""

_APPLYING = frozenset(
    {
        *("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "contains", "propertyNames"),
        *("items", "prefixItems", "additionalItems", "unevaluatedItems"),
        *("additionalProperties", "unevaluatedProperties"),
    }
)
"""Keywords whose value is a schema, or a list of schemas."""

_ASSERTING = frozenset(
    {
        *("$ref", "$dynamicRef", "$recursiveRef", "type", "enum", "const", "pattern", "required"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "minItems", "maxItems", "uniqueItems"),
        *("minContains", "maxContains", "minProperties", "maxProperties", "dependentRequired"),
    }
)
_KEYWORDS = NAMED_SCHEMAS | _APPLYING | _ASSERTING
_CONTAINERS = ("$defs", "definitions", "minContains", "maxContains")
"""Keywords that assert nothing, or only together with `contains`."""

_WITH = {"then": "if", "else": "if"}
"""Keywords that have an effect only together with another keyword."""

_PARTS_OF_LIMITS = ("exclusiveMinimum", "exclusiveMaximum")
"""In draft 4, these are booleans that modify `minimum` and `maximum`; later drafts reject that."""

_MAX_DIGITS = 6  # of an index in a reference
_SHORTEST = 4
"""The shortest keyword with which names are compared: names such as `note` and `id` are too close
to `not` and `if`."""


def ignored_keywords(schema: object, draft: Collection[str]) -> Iterator[tuple[Path, str]]:
    """The paths of names in a schema that have no effect: misspelled keywords, each with the
    keyword that was probably meant, and keywords that the draft ignores, each with an empty text.
    `draft` has the keywords of the draft.

    Follows local references. Names that begin with `x-` are never misspelled. Recursive: the
    depth of the schema must be limited.
    """
    seen: set[int] = set()  # by identity, for mappings that aliases share

    def walk(part: object, path: Path) -> Iterator[tuple[Path, str]]:
        if not isinstance(part, Mapping) or id(part) in seen:
            return
        seen.add(id(part))
        for name, value in part.items():
            below = (*path, name)
            if (meant := _meant(name)) is not None:
                yield below, meant
            elif _is_ignored(name, part, draft):
                yield below, ""
            elif name in NAMED_SCHEMAS and isinstance(value, Mapping):
                for inner, member in value.items():
                    yield from walk(member, (*below, inner))
            elif name in _APPLYING and isinstance(value, list):
                for index, item in enumerate(value):
                    yield from walk(item, (*below, index))
            elif name in _APPLYING:
                yield from walk(value, below)
            elif name == "$ref" and isinstance(value, str):
                yield from walk(*_target(schema, value))

    return walk(schema, ())


def _is_ignored(name: str, schema: Mapping[str, object], draft: Collection[str]) -> bool:
    """Whether the draft ignores this keyword of a schema. Drafts without `dependentRequired`
    (before 2019-09) ignore all keywords next to `$ref`."""
    if name not in _KEYWORDS or name in _CONTAINERS:
        return False
    if name in _PARTS_OF_LIMITS and isinstance(schema[name], bool):
        return False
    if name in _WITH:
        return not (_WITH[name] in schema and _WITH[name] in draft)
    is_beside = "$ref" in schema and name != "$ref" and "dependentRequired" not in draft
    return is_beside or name not in draft


@lru_cache(maxsize=1000)
def _meant(name: str) -> str | None:
    if name in _KEYWORDS or name.startswith("x-"):
        return None
    known = (keyword for keyword in sorted(_KEYWORDS) if len(keyword) >= _SHORTEST)
    return next((keyword for keyword in known if _is_one_edit(name, keyword)), None)


def _is_one_edit(name: str, keyword: str) -> bool:
    """Whether a letter was added, left out or replaced, or two neighbors were swapped."""
    same = next(n for n in range(len(name) + 1) if name[: n + 1] != keyword[: n + 1])
    given, meant = name[same:], keyword[same:]
    return (
        meant in (given[1:], given[1::-1] + given[2:])
        or given == meant[1:]
        or given[1:] == meant[1:]
    )


def _target(schema: object, reference: str) -> tuple[object, Path]:
    """The target of a `$ref` within the schema, and its path; None if it does not exist."""
    part: object = schema if reference.startswith("#/") else None
    path: list[str | int] = []
    for step in unquote(reference).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(part, list):
            index = int(name) if name.isdecimal() and len(name) <= _MAX_DIGITS else len(part)
            part = part[index] if index < len(part) else None
            path.append(index)
        else:
            part = part.get(name) if isinstance(part, Mapping) else None
            path.append(name)
    return part, tuple(path)
