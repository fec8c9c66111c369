"""The schemas of documents, which are generated from their structs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconciler.cli.commands.schema import SCHEMAS
from tools.schemas import DOCUMENTS

FOLDER = Path(__file__).resolve().parents[3] / "schemas"


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in schema.get("properties", {}).items():
        yield name, value
        yield from properties(value)
    for part in schema.get("definitions", {}).values():
        yield from properties(part)


def test_every_schema_is_offered_and_every_document_has_one() -> None:
    files = {path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.schema.json")}
    assert files == set(SCHEMAS)
    assert set(DOCUMENTS) < files


@pytest.mark.parametrize("name", [*DOCUMENTS, "state"])
def test_a_schema_is_valid_and_describes_every_property_in_a_sentence(name: str) -> None:
    schema = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    version = "version" if name == "state" else "formatVersion"
    assert schema["required"][0] == next(iter(schema["properties"])) == version
    found = list(properties(schema))
    assert len(found) > 5
    for key, value in found:
        text = value.get("description", "")
        assert text[:1].isupper() or text.startswith("`"), key
        assert text.endswith("."), key
        assert "  " not in text, key
