"""Schemas of `expect`, which may be hostile."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.manifest.expectations import check_schema
from reconciler.model.remarks import RemarkError
from tests.support.schemas import SCHEMA, doubled


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
