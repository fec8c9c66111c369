"""Schemas of `expect`, which may be hostile."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import validators

from reconciler.manifest.expectations import check_schema
from reconciler.manifest.schema import Steps, validator_of
from reconciler.model import limits
from reconciler.model.remarks import RemarkError
from tests.support.schemas import SCHEMA, doubled


@pytest.mark.parametrize(
    "given",
    [
        {"type": "objekt"},
        {"$schema": "https://example.com/other"},
        {"$ref": "https://example.com/x.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/nowhere"},
        {"properties": {"a": {"$dynamicRef": "other.json"}}},
    ],
)
def test_a_schema_must_be_valid_and_refer_to_itself(given: dict[str, Any]) -> None:
    with pytest.raises(RemarkError):
        check_schema(given)


def test_a_very_deep_schema_is_an_error() -> None:
    given: dict[str, Any] = {}
    for _ in range(5000):
        given = {"not": given}
    with pytest.raises(RemarkError):
        check_schema(given)


@pytest.mark.parametrize(
    "given", [SCHEMA, doubled(3), {"$id": "urn:x", "$ref": "#/$defs/a", "$defs": {"a": True}}]
)
def test_valid_schemas(given: dict[str, Any]) -> None:
    check_schema(given)


def test_all_schemas_of_a_draft_share_a_validator_class(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    extend: Any = validators.extend

    def counted(*given: object) -> object:
        made.append(given)
        return extend(*given)

    monkeypatch.setattr(validators, "extend", counted)
    for number in range(5):
        check_schema({"required": [f"a{number}"]})
    check_schema({"$schema": "http://json-schema.org/draft-07/schema#"})
    assert len(made) <= 2  # none that was made before


def test_validations_that_take_turns_do_not_share_their_limits() -> None:
    """Neither the steps nor the depth of the other counts, also after it was left or has failed."""
    nested: dict[str, Any] = {"type": "string"}
    for _ in range(5):
        nested = {"properties": {"a": nested}}
    value: dict[str, Any] = {"a": {"a": {"a": {"a": {"a": 1}}}}}
    few = Steps(9)
    limited = validator_of({"allOf": [{"required": ["b"]}] * 9}, few)(value)
    free = [validator_of({"allOf": [nested] * 9})(value) for _ in range(limits.NESTED_KEYWORDS)]
    assert next(limited).rule == "required"
    for violations in free:
        assert next(violations).rule == "type"
    assert few.left == 9 - 4  # two keywords, and an error of each
    assert next(limited).rule == "required"
    with pytest.raises(RemarkError):
        list(limited)
    assert [len(list(violations)) for violations in free] == [8] * limits.NESTED_KEYWORDS
