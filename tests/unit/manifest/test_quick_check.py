"""The quick check answers as the reference does, for each keyword and for whole manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft7Validator

from reconciler.manifest import schema
from reconciler.manifest.loader import load
from reconciler.manifest.parse.source import read_source
from reconciler.manifest.quick_check import SMALL, QuickCheck
from tests.support.accelerator import is_there
from tests.unit.manifest.test_manifest_schema import GOOD, SCHEMA, documents

VALUES: list[Any] = [
    *(None, True, False, 0, 1, 2, -1, 10**30, 1.0, 1.5, 2.0),
    *("", "a", "ab", "abc", "é", "a\n", "1"),
    *([], [1], [1, 2], [1, True], [1, 1.0], [0, False], ["a", "a"], ["a", 1], [[1]], [None]),
    *({}, {"a": 1}, {"a": "x"}, {"b": 1}, {"a": 1, "b": 2}, {"ab": None}, {"c": {"a": 1}}),
]

SCHEMAS: list[dict[str, Any]] = [
    *({"type": kind} for kind in ("string", "object", "array", "boolean", "null", "integer")),
    {"type": ["integer", "null"]},
    {"type": ["string", "array"]},
    *({"const": value} for value in ("a", 1, 1.0, True, False, 0, None)),
    {"enum": ["a", None, 1]},
    {"enum": [False, 2]},
    {"allOf": [{"type": "string"}, {"minLength": 2}]},
    {"anyOf": [{"type": "string"}, {"minimum": 2}]},
    {"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"type": "array"}},
    {"if": {"required": ["a"]}, "then": False},
    {"if": {"const": True}, "else": {"type": "null"}},
    {"properties": {"a": {"type": "integer"}}},
    {"properties": {"a": False}},
    {"properties": {"a": {}}, "additionalProperties": False},
    {"properties": {"a": {}}, "additionalProperties": {"type": "null"}},
    {"additionalProperties": {"$ref": "#/definitions/other"}, "definitions": {"other": {}}},
    {"propertyNames": {"pattern": "^a"}},
    {"required": ["a", "b"]},
    {"items": {"type": "integer"}},
    {"minItems": 1},
    {"minItems": 1, "type": "array", "items": {"minimum": 2}},
    {"minLength": 1, "maxLength": 2},
    {"pattern": "^a(?!\\n)$"},
    {"minimum": 1},
    {"maximum": 1},
    {"$ref": "#/definitions/a", "type": "null", "definitions": {"a": {"type": "string"}}},
    {
        "$ref": "#/definitions/tree",
        "definitions": {"tree": {"additionalProperties": {"$ref": "#/definitions/tree"}}},
    },
    {},
]


@pytest.mark.parametrize("rule", SCHEMAS, ids=str)
def test_each_keyword_as_in_the_reference(rule: dict[str, Any]) -> None:
    quick, reference = QuickCheck(rule), Draft7Validator(rule)
    assert [v for v in VALUES if quick.is_valid(v) is not reference.is_valid(v)] == []


def test_unique_items_are_scalars() -> None:
    quick, reference = QuickCheck({"uniqueItems": True}), Draft7Validator({"uniqueItems": True})
    for value in VALUES:
        expected = reference.is_valid(value) and value != [[1]]
        assert quick.is_valid(value) is expected, value


def test_the_table_has_every_keyword_of_the_manifest_schema() -> None:
    with pytest.raises(KeyError, match="multipleOf"):
        QuickCheck({"multipleOf": 2})
    for definition in SCHEMA["definitions"].values():  # each is resolved when needed
        QuickCheck(definition)


@settings(max_examples=200)
@given(documents())
def test_whole_manifests_as_by_the_reference(document: Any) -> None:
    expected = schema.explain_data(document)
    assert schema.quick_check().is_valid(document) is (expected == [])
    assert set(schema.check(document, small=True)) == set(schema.check(document))


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each check of a document: whether it was one of little data."""
    calls: list[bool] = []
    real = schema.check

    def check(data: object, *, generated: bool = False, small: bool = False) -> Any:
        calls.append(small)
        return real(data, generated=generated, small=small)

    monkeypatch.setattr("reconciler.manifest.loader.check", check)
    monkeypatch.setattr("reconciler.manifest.generated.check", check)
    return calls


def test_the_files_of_a_run_are_small_together(tmp_path: Path, used: list[bool]) -> None:
    text = "version: 1\norgName: acme\ntasks:\n  {}:\n    message: {}\n"
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(text.format(name, name * (SMALL // 2 - 100)))
    made = load(["a.yaml", "b.yaml", "c.yaml"], root=tmp_path)
    assert len(made.tasks) == 3
    assert used == [True, True, False]


def test_what_aliases_repeat_counts(tmp_path: Path, used: list[bool]) -> None:
    plain = "version: 1\norgName: acme\ntasks: {a: {message: &a bb}, b: {message: *a}}\n"
    assert read_source(plain.encode()).size == len(plain) + len("bb") + 1
    rows = "".join(f"  - &r{i} [{', '.join([f'*r{i - 1}'] * 10)}]\n" for i in range(1, 6))
    text = f"version: 1\ntasks:\n  a:\n    message: x\nx-rows:\n  - &r0 [a]\n{rows}"
    (tmp_path / "a.yaml").write_text(text)
    load(["a.yaml"], root=tmp_path)
    assert len(text) < 1000
    assert used == [False]


def test_the_tasks_of_entries_are_small_together(tmp_path: Path, used: list[bool]) -> None:
    for name, most in (("a", 10), ("b", SMALL // 2)):
        entry = f"{{forEach: {{n: [x, y]}}, message: '{{{{ n }}}} {name * most}'}}"
        text = f"version: 1\norgName: acme\ntasks:\n  {name}: {entry}\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    made = load(["a.yaml", "b.yaml"], root=tmp_path)
    assert len(made.tasks) == 4
    assert used == [True, True, True, False]


def test_without_an_accelerator_valid_manifests_need_no_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schema, "_reference", lambda **_: pytest.fail("not needed"))
    with is_there(False):
        assert schema.check(GOOD) == []
