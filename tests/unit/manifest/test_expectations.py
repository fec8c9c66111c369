"""Schemas of `expect`, which may be hostile, and the reasons that they give."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.expectations import MAX_REASONS, check_schema, reasons
from reconciler.model.remarks import RemarkError

SCHEMA = {
    "type": "object",
    "required": ["upgraded"],
    "properties": {"upgraded": {"type": "array", "items": {"type": "string"}}},
    "additionalProperties": {"type": "number"},
}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"upgraded": []}, []),
        ([], [("type", {"where": "/", "expected": ("an object",), "found": "an array"})]),
        ({}, [("required", {"where": "/", "names": ("upgraded",)})]),
        (
            {"upgraded": [True]},
            [("type", {"where": "/upgraded/*", "expected": ("a string",), "found": "a boolean"})],
        ),
        (
            {"upgraded": [], "secret": "x"},
            [("type", {"where": "/*", "expected": ("a number",), "found": "a string"})],
        ),
    ],
)
def test_reasons_name_types_and_paths_of_the_schema(data: object, expected: object) -> None:
    assert reasons(SCHEMA, data, 10) == expected


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just("SECRET"),
    lambda inner: st.lists(inner) | st.dictionaries(st.just("SECRET"), inner),
)


@given(values)
def test_no_reason_contains_a_value_of_the_data(data: object) -> None:
    schemas: list[dict[str, Any]] = [
        SCHEMA,
        {"const": 1},
        {"enum": ["a"]},
        {"not": {}},
        {"minItems": 3, "minProperties": 3, "minLength": 99, "minimum": 1e9},
        {"additionalProperties": False, "items": False},
        {"propertyNames": {"pattern": "^x"}},
    ]
    for schema in schemas:
        assert "SECRET" not in json.dumps(reasons(schema, data, 10))


def test_reasons_are_limited() -> None:
    assert len(reasons({"items": {"type": "string"}}, [1] * 1000, 10)) == MAX_REASONS


def doubled(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"$defs": {f"d{depth}": {"type": "string"}}, "$ref": "#/$defs/d0"}
    for level in range(depth):
        below = {"$ref": f"#/$defs/d{level + 1}"}
        schema["$defs"][f"d{level}"] = {"allOf": [{"anyOf": [below, below]}]}
    return schema


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # in a gc callback
@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 80 + "!"),
        ({"uniqueItems": True}, [{"n": n} for n in range(20_000)]),
        (doubled(40), 1),
        ({"$defs": {"x": {"anyOf": [{"$ref": "#/$defs/x"}]}}, "$ref": "#/$defs/x"}, 1),
        ({"$ref": "#/nowhere"}, 1),
    ],
)
def test_a_schema_that_takes_forever_is_stopped(schema: dict[str, Any], data: object) -> None:
    assert reasons(schema, data, 0.2) == [("unchecked", {"limit": "0.2"})]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"$schema": "https://example.com/other"},
        {"$ref": "https://example.com/x.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/nowhere"},
        {"properties": {"a": {"$dynamicRef": "other.json"}}},
    ],
)
def test_a_schema_must_be_valid_and_refer_to_itself(schema: dict[str, Any]) -> None:
    with pytest.raises(RemarkError):
        check_schema(schema)


def test_a_very_deep_schema_is_an_error() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"not": schema}
    with pytest.raises(RemarkError):
        check_schema(schema)


@pytest.mark.parametrize(
    "schema", [SCHEMA, doubled(3), {"$id": "urn:x", "$ref": "#/$defs/a", "$defs": {"a": True}}]
)
def test_valid_schemas(schema: dict[str, Any]) -> None:
    check_schema(schema)
