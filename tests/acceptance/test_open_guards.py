"""A policy or a schema that would check less than it seems to is an error, with file and line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run

STRICT = "x-strict: &strict\n  required: [permissionMode]\n"
TASK = "version: 1\norgName: acme\ntasks:\n  a:\n    message: Answer in JSON.\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "a.yaml").write_text(TASK)
    return tmp_path


def heads(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """`FILE:LINE:COL: error: WHERE` and the code, of each error of `validate`."""
    capsys.readouterr()
    run(["validate", "--color", "never"])
    said = capsys.readouterr().err
    found = re.findall(r"^(\S+: error: (?:[^ :]+(?=: ))?).*\[(TC\d+)\]$", said, re.MULTILINE)
    return [f"{head.rstrip()} {code}" for head, code in found]


def policy(folder: Path, text: str, name: str) -> None:
    (folder / name).write_text(text)
    (folder / "taskctl.toml").write_text(f'policy = "{name}"\n')


def schema(folder: Path, text: str) -> None:
    """In a file that the manifest names."""
    (folder / "tasks" / "s.json").write_text(text)
    (folder / "tasks" / "a.yaml").write_text(f"{TASK}    expect: {{data: s.json}}\n")


@pytest.mark.parametrize(
    ("text", "head"),
    [
        (f"{STRICT}<<: *strict\n", 'p.yaml:3:1: error: ["<<"] TC207'),
        (f"{STRICT}properties:\n  message: {{<<: *strict}}\n", "p.yaml:4:13: error: properties"),
        ("maximum: .inf\n", "p.yaml:1:10: error: maximum TC109"),
        ("maximum: 1e999\n", "p.yaml:1:10: error: maximum TC109"),
        ("requird: [role]\n", "p.yaml:1:1: error: requird TC502"),
        ("properties:\n  role:\n    typ: string\n", "p.yaml:3:5: error: properties.role.typ TC502"),
    ],
)
def test_a_yaml_policy_that_is_open_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, head: str
) -> None:
    policy(folder, text, "p.yaml")
    (found,) = heads(capsys)
    assert found.startswith(head)


JSON = [
    ('{\n  "maximum": 1e999}', ":2:14", "TC109"),
    ('{\n  "maximum": NaN}', ":1:1", "TC109"),
    ('{"minimum":\n\n -Infinity}', ":1:1", "TC109"),
    ('{"required": ["role"],\n "required": []}', ":2:2", "TC106"),
    ('{"required": ["role"],\n "\\u0072equired": []}', ":2:2", "TC106"),
    ('{"required": [}', ":1:15", "TC105"),
]


@pytest.mark.parametrize(("text", "position", "code"), JSON)
def test_a_json_policy_is_read_strictly(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, position: str, code: str
) -> None:
    policy(folder, text, "p.json")
    assert heads(capsys) == [f"p.json{position}: error: {code}"]


@pytest.mark.parametrize(("text", "position", "code"), JSON)
def test_a_schema_file_is_read_strictly(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, position: str, code: str
) -> None:
    """No other command fails with an internal error either."""
    schema(folder, text)
    line = position.split(":")[1]
    assert run(["validate", "--format", "json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert (problem["code"], problem["line"]) == (code, 6)
    assert problem["related"] == [{"file": "tasks/s.json", "line": int(line)}]
    assert run(["plan", "--backend", "local"]) == 1
    assert f"[{code}]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ("{<<: {required: [upgraded]}}", '6:21: error: tasks.a.expect.data["<<"] TC207'),
        ("{maximum: 1e999}", "6:30: error: tasks.a.expect.data.maximum TC109"),
        ("{propertis: {a: {}}}", "6:21: error: tasks.a.expect.data.propertis TC319"),
        ("{not: {anyOf: [{}, {Type: x}]}}", "6:40: error: tasks.a.expect.data.not.anyOf[1].Type"),
    ],
)
def test_an_expectation_in_a_manifest_that_is_open_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str], data: str, where: str
) -> None:
    (folder / "tasks" / "a.yaml").write_text(f"{TASK}    expect: {{data: {data}}}\n")
    (found,) = heads(capsys)
    assert found.startswith(f"tasks/a.yaml:{where}")


def test_a_misspelled_keyword_in_a_schema_file_is_located_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema(folder, '{"properties":\n {"a": {\n  "enumm": [1]}}}')
    assert run(["validate"]) == 1
    said = capsys.readouterr().err
    assert 'unknown keyword "enumm" in the schema; did you mean `enum`? (tasks/s.json:3)' in said


@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        ("requird", "required"),
        ("Required", "required"),
        ("reqiured", "required"),
        ("requiredd", "required"),
        ("propertis", "properties"),
        ("additionalproperties", "additionalProperties"),
        ("oneof", "oneOf"),
        ("ref", "$ref"),
        ("than", "then"),
    ],
)
def test_one_edit_is_a_misspelling(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, keyword: str
) -> None:
    policy(folder, json.dumps({"allOf": [{name: {}}]}), "p.json")
    assert run(["validate"]) == 1
    assert f"allOf[0].{name}: unknown keyword; did you mean `{keyword}`?" in capsys.readouterr().err


OLD = "http://json-schema.org/draft-{:02}/schema#"
IGNORED: list[tuple[dict[str, Any], str]] = [
    ({"$schema": OLD.format(7), "dependentRequired": {"key": ["role"]}}, "dependentRequired"),
    ({"$schema": OLD.format(7), "$ref": "#/definitions/a", "required": ["role"]}, "required"),
    ({"$schema": OLD.format(6), "if": {}, "then": {"required": ["role"]}}, "if"),
    ({"$schema": OLD.format(4), "properties": {"key": {"const": "b"}}}, "const"),
    ({"dependencies": {"key": ["role"]}}, "dependencies"),
    ({"then": {"required": ["role"]}}, "then"),
]


@pytest.mark.parametrize(("text", "keyword"), IGNORED)
def test_a_keyword_that_the_draft_ignores_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str], text: dict[str, Any], keyword: str
) -> None:
    policy(folder, json.dumps({"definitions": {"a": {}}, **text}), "p.json")
    assert run(["validate"]) == 1
    assert f'this draft of JSON Schema ignores "{keyword}" here' in capsys.readouterr().err
    (folder / "taskctl.toml").unlink()
    schema(folder, json.dumps({"definitions": {"a": {}}, **text}))
    assert run(["validate"]) == 1
    assert f'ignores "{keyword}" here (tasks/s.json:1)' in capsys.readouterr().err


NAMES: dict[str, Any] = {"requird": True, "typ": {"typs": 1}, "<<": 1}
VALID: dict[str, dict[str, Any]] = {
    "names": {
        "properties": {name: {"type": "string"} for name in ("requird", "typ", "item")},
        "patternProperties": {"enumm": {}},
        "definitions": {"requird": {}},
        "$defs": {"oneof": {}},
        "dependentRequired": {"typ": ["item"]},
    },
    "values": {
        "const": NAMES,
        "enum": [NAMES],
        "default": NAMES,
        "examples": [NAMES],
        "not": {"const": NAMES},
    },
    "annotations": {
        "x-required": True,
        "x-typ": NAMES,
        "example": NAMES,
        "id": "https://example.com/a",
        "note": "see typ",
        "errorMessage": "no",
        "severity": "warning",
    },
    "draft-04": {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "id": "http://example.com/task#",
        "type": "object",
        "definitions": {"age": {"minimum": 0, "exclusiveMinimum": True}},
        "properties": {"age": {"$ref": "#/definitions/age"}},
        "dependencies": {"age": ["key"]},
    },
    "OpenAPI": {
        "type": "object",
        "nullable": True,
        "discriminator": {"propertyName": "kind", "mapping": {"typ": "#/a"}},
        "xml": {"name": "task", "wrapped": False},
        "externalDocs": {"url": "https://example.com"},
        "deprecated": False,
        "readOnly": False,
        "properties": {"at": {"type": "string", "format": "date-time", "example": {"typ": 1}}},
    },
}


@pytest.mark.parametrize("name", VALID)
def test_names_values_and_annotations_are_not_keywords(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    schema(folder, json.dumps(VALID[name]))
    assert heads(capsys) == []
    never = {"allOf": [VALID[name], {"not": {}}]}
    draft = VALID[name].get("$schema", "https://json-schema.org/draft/2020-12/schema")
    policy(folder, json.dumps({"$schema": draft, "not": never}), "p.json")
    assert heads(capsys) == []


def test_a_schema_that_is_only_referred_to_is_checked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = {"a/b": [{"requird": ["role"]}]}
    policy(folder, json.dumps({"shared": shared, "$ref": "#/shared/a~1b/0"}), "p.json")
    assert heads(capsys) == ['p.json:1:22: error: shared["a/b"][0].requird TC502']
    policy(folder, json.dumps({"shared": shared, "$ref": "#/shared/a~1b/1/x"}), "p.json")
    assert [head.split()[-1] for head in heads(capsys)] == ["TC503"]


def test_a_quoted_merge_key_is_a_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy(folder, 'properties: {"<<": {type: string}}\n', "p.yaml")
    assert heads(capsys) == []
