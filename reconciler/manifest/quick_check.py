"""Whether data satisfies a JSON Schema, in plain Python: for little data.

jsonschema-rs checks a task in a tenth of the time, but importing it takes as long as checking a
thousand tasks here (docs/performance.md). This supports what the manifest schema uses of Draft 7,
and only answers yes or no: the validators explain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

SMALL = 100_000
"""The size of data, about its characters, up to which this is surely faster."""

Check = Callable[[Any], bool]
_TYPES = {"string": str, "object": dict, "array": list, "boolean": bool, "null": type(None)}
_NOTES = {
    *("$schema", "$id", "title", "description", "examples", "default", "definitions"),
    *("patternErrorMessage", "then", "else"),  # `if` reads these
}


class QuickCheck:
    """`is_valid` tells whether JSON data satisfies a schema. KeyError for an unknown keyword.
    References, which must be to `definitions`, are resolved when they are first needed."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = schema.get("definitions", {})
        self._target = cache(self._check_at)
        self.is_valid = self._check(schema)

    def _check_at(self, reference: str) -> Check:
        return self._check(self._definitions[reference.removeprefix("#/definitions/")])

    def _check(self, schema: Any) -> Check:
        if isinstance(schema, bool):
            return lambda _value: schema
        if "$ref" in schema:  # in Draft 7, nothing beside it applies
            return self._at(schema["$ref"])
        rules = [(name, rule) for name, rule in schema.items() if name not in _NOTES]
        return _all_of([_KEYWORDS[name](self, rule, schema) for name, rule in rules])

    def _at(self, reference: str) -> Check:
        def check(value: object) -> bool:
            return self._target(reference)(value)

        return check

    # Keywords for every value

    def _type(self, names: str | list[str], _schema: object) -> Check:
        named = [names] if isinstance(names, str) else names
        kinds = tuple(_TYPES[name] for name in named if name != "integer")
        if "integer" not in named:
            return lambda value: isinstance(value, kinds)
        return lambda value: isinstance(value, kinds) or _is_integer(value)

    def _enum(self, values: list[object], _schema: object) -> Check:
        known = set(map(_identity, values))
        return lambda value: not isinstance(value, dict | list) and _identity(value) in known

    def _const(self, value: object, schema: object) -> Check:
        return self._enum([value], schema)

    def _all_of(self, schemas: list[object], _schema: object) -> Check:
        return _all_of(list(map(self._check, schemas)))

    def _any_of(self, schemas: list[object], _schema: object) -> Check:
        checks = list(map(self._check, schemas))
        return lambda value: any(check(value) for check in checks)

    def _if(self, schema: object, around: Mapping[str, object]) -> Check:
        condition = self._check(schema)
        then, otherwise = (self._check(around.get(name, True)) for name in ("then", "else"))
        return lambda value: then(value) if condition(value) else otherwise(value)

    # Keywords for objects

    def _properties(self, schemas: Mapping[str, object], _schema: object) -> Check:
        checks = {name: self._check(schema) for name, schema in schemas.items()}

        def check(value: dict[str, object]) -> bool:
            for name, inner in value.items():
                if name in checks and not checks[name](inner):
                    return False
            return True

        return _for(dict, check)

    def _additional_properties(self, schema: object, around: Mapping[str, Any]) -> Check:
        named = around.get("properties", {}).keys()
        if schema is False:
            return _for(dict, lambda value: value.keys() <= named)
        check = self._check(schema)
        return _for(
            dict, lambda value: all(check(value[name]) for name in value if name not in named)
        )

    def _property_names(self, schema: object, _schema: object) -> Check:
        check = self._check(schema)
        return _for(dict, lambda value: all(map(check, value)))

    def _required(self, names: list[str], _schema: object) -> Check:
        required = frozenset(names)
        return _for(dict, lambda value: value.keys() >= required)

    # Keywords for arrays

    def _items(self, schema: object, _schema: object) -> Check:
        check = self._check(schema)
        return _for(list, lambda value: all(map(check, value)))

    def _min_items(self, least: int, _schema: object) -> Check:
        return _for(list, lambda value: len(value) >= least)

    def _unique_items(self, _rule: object, _schema: object) -> Check:
        """Only of scalars: for anything else, the answer is no."""

        def check(value: list[object]) -> bool:
            is_flat = not any(isinstance(item, dict | list) for item in value)
            return is_flat and len(set(map(_identity, value))) == len(value)

        return _for(list, check)

    # Keywords for strings and numbers

    def _min_length(self, least: int, _schema: object) -> Check:
        return _for(str, lambda value: len(value) >= least)

    def _max_length(self, most: int, _schema: object) -> Check:
        return _for(str, lambda value: len(value) <= most)

    def _pattern(self, pattern: str, _schema: object) -> Check:
        return _for(str, lambda value: re.search(pattern, value) is not None)

    def _minimum(self, least: float, _schema: object) -> Check:
        return _for((int, float), lambda value: isinstance(value, bool) or value >= least)

    def _maximum(self, most: float, _schema: object) -> Check:
        return _for((int, float), lambda value: isinstance(value, bool) or value <= most)


_KEYWORDS: dict[str, Callable[[QuickCheck, Any, Any], Check]] = {
    "type": QuickCheck._type,
    "enum": QuickCheck._enum,
    "const": QuickCheck._const,
    "allOf": QuickCheck._all_of,
    "anyOf": QuickCheck._any_of,
    "if": QuickCheck._if,
    "required": QuickCheck._required,
    "additionalProperties": QuickCheck._additional_properties,
    "properties": QuickCheck._properties,
    "propertyNames": QuickCheck._property_names,
    "items": QuickCheck._items,
    "minItems": QuickCheck._min_items,
    "uniqueItems": QuickCheck._unique_items,
    "minLength": QuickCheck._min_length,
    "maxLength": QuickCheck._max_length,
    "pattern": QuickCheck._pattern,
    "minimum": QuickCheck._minimum,
    "maximum": QuickCheck._maximum,
}


def _for(kind: type | tuple[type, ...], check: Check) -> Check:
    """The check of values of one kind; others satisfy the keyword."""
    return lambda value: not isinstance(value, kind) or check(value)


def _all_of(checks: Sequence[Check]) -> Check:
    """One check after the other, in two thirds of the time of `all` with a generator."""
    first, *others = checks or (lambda _value: True,)
    rest = _all_of(others) if others else None
    return first if rest is None else lambda value: first(value) and rest(value)


def _is_integer(value: object) -> bool:
    """In JSON Schema, 5.0 is an integer, too."""
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def _identity(value: object) -> tuple[bool, object]:
    """In JSON, unlike in Python, true is not 1."""
    return isinstance(value, bool), value
