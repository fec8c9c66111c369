"""The reasons why data is not as expected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.schema import validator_of
from reconciler.tasks.judgement import MAX_REASONS, mismatches, property_names
from tests.support.schemas import SCHEMA


def reasons(schema: dict[str, Any], data: object) -> list[tuple[str, Any]]:
    found = mismatches(validator_of(schema)(data), set(property_names(schema)))
    return [(case, facts) for _, case, facts in found]


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
    assert reasons(SCHEMA, data) == expected


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
        assert "SECRET" not in json.dumps(reasons(schema, data))


def test_reasons_are_limited_and_found_one_by_one() -> None:
    assert len(reasons({"items": {"type": "string"}}, [1] * 1_000_000)) == MAX_REASONS


def test_a_property_that_must_not_exist_is_named() -> None:
    schema: dict[str, Any] = {"properties": {"a": False, "b": True}}
    ((case, facts),) = reasons(schema, {"a": 1, "b": 1})
    assert (case, facts["where"], facts["rule"]) == ("rule", "/a", "not")


@pytest.mark.parametrize(
    ("value", "factor", "is_multiple"),
    [
        (4.35, 0.01, True),
        (4.355, 0.01, False),
        (1e300, 1e-300, True),
        (10**40, 7, False),
        (10, 2.5, True),
        (0, 3, True),
        ("4", 3, True),
    ],
)
def test_decimal_numbers_are_multiples_as_they_are_written(
    value: object, factor: float, is_multiple: bool
) -> None:
    assert (reasons({"multipleOf": factor}, value) == []) is is_multiple
