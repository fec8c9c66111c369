"""The policy of a repository: what it sees, where it speaks, and what is no policy."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler.manifest import load
from reconciler.manifest.policy import Policy, read_policy, shape
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.errors import ManifestError

DRAFT_3 = {"$schema": "http://json-schema.org/draft-03/schema#"}
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DOUBLED: dict[str, Any] = {
    f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(40)
}
TWICE: dict[str, Any] = {
    f"s{n}": {"$ref": f"#/$defs/s{n + 1}", "$dynamicRef": f"#/$defs/s{n + 1}"} for n in range(40)
}
MANIFEST = """\
version: 1
orgName: acme
defaults:
  approvalMode: auto
  toolExecutionMode: cloud
tasks:
  rotate:
    message: Rotate it.
    permissionMode: default
  adopted: {taskID: t-1, approvalMode: manual}
"""


def policy(folder: Path, schema: Any, name: str = "policy.json") -> Policy:
    path = folder / name
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return read_policy(path, name, "taskctl.toml")


def found(folder: Path, schema: Any, manifest: str = MANIFEST) -> list[str]:
    return [f"{d.line}:{d.column}: {d.summary}" for d in diagnostics(folder, schema, manifest)]


def diagnostics(folder: Path, schema: Any, manifest: str = MANIFEST) -> list[Diagnostic]:
    (folder / "a.yaml").write_text(manifest)
    loaded = load(["a.yaml"], root=folder, policy=policy(folder, schema))
    return [d for d in loaded.diagnostics if "policy: " in d.summary]


def told(folder: Path, schema: Any, name: str = "policy.json") -> str:
    """Why a policy cannot be used, as it is made or as it is first asked."""
    (folder / "a.yaml").write_text(MANIFEST)
    with pytest.raises(ManifestError) as caught:
        load(["a.yaml"], root=folder, policy=policy(folder, schema, name))
    (problem,) = caught.value.diagnostics
    assert problem.file == name
    assert problem.severity is Severity.ERROR
    assert problem.summary.endswith(" (set in taskctl.toml, as policy)")
    assert "\n" not in problem.summary
    return problem.summary


def test_what_it_sees(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MANIFEST)
    rotate, adopted = (shape(task) for task in load(["a.yaml"], root=tmp_path).tasks)
    assert rotate == {
        "key": "rotate",
        "orgName": "acme",
        "adopt": True,
        "sensitive": False,
        "message": {"content": "Rotate it."},
        "approvalMode": "auto",
        "toolExecutionMode": "cloud",
        "permissionMode": "default",
    }
    assert adopted["taskID"] == "t-1"
    assert "message" not in adopted


def test_it_speaks_where_the_value_is_set(tmp_path: Path) -> None:
    """In the task, among the defaults, at the top; at the key where nothing is set."""
    values = {
        "permissionMode": {"const": "read-only"},
        "approvalMode": {"enum": ["manual"]},
        "orgName": {"pattern": "^x"},
        "key": {"maxLength": 3},
        "message": {"properties": {"content": {"maxLength": 3}}},
    }
    assert found(tmp_path, {"properties": values, "required": ["role"]}) == [
        '2:10: tasks.adopted.orgName: policy: does not satisfy pattern: "^x"',
        '2:10: tasks.rotate.orgName: policy: does not satisfy pattern: "^x"',
        '4:17: tasks.rotate.approvalMode: policy: must be one of ["manual"]',
        "7:3: tasks.rotate.key: policy: does not satisfy maxLength: 3",
        "7:3: tasks.rotate.role: policy: is missing",
        "8:14: tasks.rotate.message.content: policy: does not satisfy maxLength: 3",
        '9:21: tasks.rotate.permissionMode: policy: must be "read-only"',
        "10:3: tasks.adopted.key: policy: does not satisfy maxLength: 3",
        "10:3: tasks.adopted.role: policy: is missing",
    ]


def test_the_nearest_words_count(tmp_path: Path) -> None:
    schema = {
        "errorMessage": "outside",
        "allOf": [
            {"required": ["role"]},
            {"$ref": "#/$defs/names"},
            {
                "if": {"required": ["taskID"]},
                "then": {"required": ["isShared"]},
                "errorMessage": "shared\n  what was adopted\n",
                "severity": "warning",
            },
        ],
        "$defs": {"names": {"required": ["name"], "errorMessage": "named"}},
    }
    problems = diagnostics(tmp_path, schema)
    assert [(d.key, d.summary.split("policy: ")[1], d.severity.value) for d in problems] == [
        ("rotate", "named", "error"),
        ("rotate", "outside", "error"),
        ("adopted", "named", "error"),
        ("adopted", "outside", "error"),
        ("adopted", "shared", "warning"),
    ]
    assert problems[-1].detail == "what was adopted"


def test_a_property_may_be_named_as_a_keyword_is(tmp_path: Path) -> None:
    schema = {"properties": {"errorMessage": {"type": "string"}, "severity": {}, "$ref": {}}}
    assert found(tmp_path, schema) == []


def test_no_value_is_repeated(tmp_path: Path) -> None:
    manifest = MANIFEST.replace("Rotate it.", "Very-Secret.\n    sensitive: true")
    schema = {"properties": {"message": {"properties": {"content": {"pattern": "^x"}}}}}
    (line,) = found(tmp_path, schema, manifest)
    assert "Secret" not in line


def test_yaml_is_one_too_and_drafts_are_known(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MANIFEST)
    text = "$schema: http://json-schema.org/draft-07/schema#\nrequired: [role]\n"
    loaded = load(["a.yaml"], root=tmp_path, policy=policy(tmp_path, text, "p.yaml"))
    assert [d.key for d in loaded.diagnostics if "policy" in d.summary] == ["rotate", "adopted"]


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ("{", "no JSON: expecting property name"),
        ("[]", "no JSON Schema: that is an object"),
        ({"type": "objekt"}, "no JSON Schema: type: \"'objekt' is not valid"),
        ({"properties": {"key": {"pattern": "("}}}, "no JSON Schema: properties.key.pattern: "),
        ({"$schema": "https://example.com/mine"}, '$schema "https://example.com/mine" is not'),
        ({"$schema": 1}, "its $schema 1 is not known"),
        ({"allOf": [{"$ref": "https://example.com/s"}]}, 'allOf[0]["$ref"] leads out of it, to'),
        ({"$ref": "file:///etc/passwd"}, "nothing is fetched"),
        ({"$ref": "other.json#/x"}, "nothing is fetched"),
        ({"$ref": "#/$defs/none"}, "a $ref leads nowhere: "),
        ({"$ref": "#"}, "it refers to itself without end"),
        ({"$schema": "http://["}, 'it cannot be used: "ValueError: Invalid IPv6 URL"'),
        ({**DRAFT_3, "type": "nothing"}, 'it cannot be used: "UnknownType: '),
        ({**DRAFT_3, "patternProperties": {"(": {}}}, "it cannot be used: "),
        ({"errorMessage": {"required": "x"}}, "errorMessage must be text"),
        ({"severity": "note"}, "severity must be error or warning"),
        ("[" * 100_000, "nested too deeply"),
        ('{"maximum": ' + "9" * 5000 + "}", "a number with too many digits"),
    ],
)
def test_what_is_no_policy(tmp_path: Path, schema: Any, what: str) -> None:
    assert what in told(tmp_path, schema)


def test_what_is_no_policy_in_yaml(tmp_path: Path) -> None:
    assert "nested more than 100 levels deep (set in" in told(tmp_path, "[" * 100_000, "p.yaml")
    assert "the file holds no policy (set in" in told(tmp_path, "# nothing\n", "p.yaml")
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    assert "policy: " in told(tmp_path, bomb, "p.yaml")


def test_one_that_explodes_is_given_up(tmp_path: Path) -> None:
    schema = {"$defs": {**DOUBLED, "s40": {}}, "$ref": "#/$defs/s0"}
    assert "more than a million steps" in told(tmp_path, schema)


SLOW: dict[str, Any] = {
    "an expression": {"properties": {"key": {"pattern": "^(.|[a-z])*!$"}}},
    "steps of another draft": {
        "allOf": [{"$schema": DRAFT_7, "$ref": "#/$defs/s0"}],
        "$defs": {**DOUBLED, "s40": {}},
    },
    "references that are not counted": {
        "unevaluatedProperties": False,
        "$ref": "#/$defs/s0",
        "$defs": {**TWICE, "s40": {}},
    },
}


@pytest.mark.parametrize("schema", SLOW.values(), ids=SLOW)
def test_one_that_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: Any
) -> None:
    monkeypatch.setattr("reconciler.manifest.policy.LONGEST_LOOK", 0.3)
    manifest = f"version: 1\ntasks:\n  {'a' * 60}: {{message: x}}\n"
    with pytest.raises(ManifestError, match=r"takes more than 0.3 seconds for one task \(set in"):
        found(tmp_path, schema, manifest)


def test_one_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"policy: cannot be read: No such file or directory"):
        read_policy(tmp_path / "none.json", "none.json", "taskctl.toml")
    with pytest.raises(ManifestError, match=r"policy: cannot be read: Is a directory"):
        read_policy(tmp_path, "x", "taskctl.toml")


def test_the_verdict_needs_no_accelerator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"required": ["role"], "properties": {"key": {"pattern": r"^\w+$"}}}
    with_it = found(tmp_path, schema)
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    assert found(tmp_path, schema) == with_it != []
