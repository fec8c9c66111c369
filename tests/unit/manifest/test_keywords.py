"""Which names are misspelled keywords, and which are keywords of some draft."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]

from reconciler.manifest.keywords import ignored_keywords

NEWEST = Draft202012Validator.VALIDATORS

OPEN_API = ("discriminator", "externalDocs", "nullable", "xml", "example")
OURS = ("errorMessage", "severity", "note", "id", "x-typ")


def keywords() -> Iterator[str]:
    """Those of all drafts, from their own schemas."""
    for name in REGISTRY:
        schema: Any = REGISTRY.contents(name)
        yield from schema.get("properties", ())


def test_no_keyword_of_any_draft_is_a_misspelled_one() -> None:
    names = {*keywords(), *OPEN_API, *OURS}
    assert {"divisibleBy", "definitions", "$recursiveRef", "unevaluatedItems"} <= names
    found = [near for name in names for _, near in ignored_keywords({name: {}}, NEWEST)]
    assert not any(found)


@pytest.mark.parametrize("name", ["nott", "iff", "al", "requirrrd", "", "t", "propert"])
def test_other_names_are_annotations(name: str) -> None:
    """Also those that are close to a keyword of less than four letters, or two edits away."""
    assert list(ignored_keywords({name: {"typ": 1}}, NEWEST)) == []


@pytest.mark.parametrize("name", ["typ", "typee", "tyqe", "tpye", "tyep"])
def test_a_name_is_one_edit_away(name: str) -> None:
    assert list(ignored_keywords({name: {}}, NEWEST)) == [((name,), "type")]


def test_all_are_found_in_order_and_each_once() -> None:
    shared = {"typ": "x"}
    schema = {"allOf": [shared, shared], "oneof": [], "items": [{}, {"not": {"enums": []}}]}
    assert list(ignored_keywords(schema, NEWEST)) == [
        (("allOf", 0, "typ"), "type"),
        (("oneof",), "oneOf"),
        (("items", 1, "not", "enums"), "enum"),
    ]


@pytest.mark.parametrize("reference", ["#", "#a", "#/", "#/allOf/1", "#/allOf/x", "#/allOf/²", "x"])
def test_a_reference_to_nothing_or_to_all_of_it(reference: str) -> None:
    assert list(ignored_keywords({"allOf": [{"$ref": reference}]}, NEWEST)) == []
