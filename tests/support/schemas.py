"""Schemas of results, for tests."""

from __future__ import annotations

from typing import Any

SCHEMA = {
    "type": "object",
    "required": ["upgraded"],
    "properties": {"upgraded": {"type": "array", "items": {"type": "string"}}},
    "additionalProperties": {"type": "number"},
}


def doubled(depth: int) -> dict[str, Any]:
    """A small schema with 2^depth ways to evaluate it."""
    schema: dict[str, Any] = {"$defs": {f"d{depth}": {"type": "string"}}, "$ref": "#/$defs/d0"}
    for level in range(depth):
        below = {"$ref": f"#/$defs/d{level + 1}"}
        schema["$defs"][f"d{level}"] = {"allOf": [{"anyOf": [below, below]}]}
    return schema
