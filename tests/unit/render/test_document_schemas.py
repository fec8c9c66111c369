"""The schemas of documents, which are generated from their structs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from reconciler.cli.commands.schema import SCHEMAS
from reconciler.render import render, view_of
from reconciler.render.reports import Report, Style
from reconciler.system.resources import schema_text
from tests.support.report_strategies import reports
from tools.schemas import DOCUMENTS

FOLDER = Path(__file__).resolve().parents[3] / "schemas"


def resolved(schema: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """The definition that a value consists of, or the value."""
    name = value.get("$ref", "").removeprefix("#/definitions/")
    return schema["definitions"][name] if name else value


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
        text = resolved(schema, value).get("description", "")
        assert text[:1].isupper() or text.startswith("`"), key
        assert text.endswith("."), key
        assert "  " not in text, key


@cache
def validator_of(name: str) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(schema_text(name)))


@given(reports)
def test_the_document_of_any_report_satisfies_its_schema(report: Report) -> None:
    document = json.loads(render("json", report, Style()))
    if command := view_of(report).command:
        validator_of(command).validate(document)
