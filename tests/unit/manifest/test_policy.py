"""The policy of a repository: what it validates, where violations are reported, and what is
invalid."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler.manifest.loader import load
from reconciler.manifest.policy import Policy, read_policy, shape
from reconciler.manifest.tracked_files import TrackedFiles
from reconciler.messages import word
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, ManifestError, Severity
from reconciler.model.paths import shown
from reconciler.model.value import replace
from tests.support.manifest_cases import code

DRAFT_3 = {"$schema": "http://json-schema.org/draft-03/schema#"}
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
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
    return read_policy(path, name, "taskctl.toml", TrackedFiles())


def found(folder: Path, schema: Any, manifest: str = MANIFEST) -> list[str]:
    return [
        f"{d.line}:{d.column}: {shown(d.at.path)}: {code(d)} {d.args.get('wants', '')}".rstrip()
        for d in diagnostics(folder, schema, manifest)
    ]


def diagnostics(folder: Path, schema: Any, manifest: str = MANIFEST) -> list[Diagnostic]:
    (folder / "a.yaml").write_text(manifest)
    loaded = load(["a.yaml"], root=folder, policy=policy(folder, schema))
    return [d for d in loaded.diagnostics if d.code is Code.POLICY_VIOLATION]


def rejected(folder: Path, schema: Any, name: str = "policy.json") -> str:
    """Why a policy cannot be used, when it is read or first evaluated."""
    (folder / "a.yaml").write_text(MANIFEST)
    with pytest.raises(ManifestError) as caught:
        load(["a.yaml"], root=folder, policy=policy(folder, schema, name))
    (problem,) = caught.value.diagnostics
    assert problem.file == name
    assert problem.severity is Severity.ERROR
    assert "\n" not in word(problem).summary
    return code(problem)


def test_a_policy_sees_each_task_with_its_defaults(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MANIFEST)
    rotate, adopted = (shape(task) for task in load(["a.yaml"], root=tmp_path).tasks)
    assert rotate == {
        "key": "rotate",
        "orgName": "acme",
        "message": {"content": "Rotate it."},
        "approvalMode": "auto",
        "toolExecutionMode": "cloud",
        "permissionMode": "default",
    }
    assert adopted["taskID"] == "t-1"
    assert "message" not in adopted


@pytest.mark.parametrize("never", [False, {"not": {}}])
def test_a_value_can_be_forbidden(tmp_path: Path, never: Any) -> None:
    schema = {"properties": {"permissionMode": never}}
    assert found(tmp_path, schema) == ["9:21: tasks.rotate.permissionMode: TC501/forbidden"]


def test_a_violated_not_is_shown(tmp_path: Path) -> None:
    schema = {"properties": {"permissionMode": {"not": {"const": "default"}}}}
    assert found(tmp_path, schema) == [
        '9:21: tasks.rotate.permissionMode: TC501 {"const": "default"}'
    ]


def test_a_violation_is_located_where_the_value_is_set(tmp_path: Path) -> None:
    """In the task, among the defaults, at the top; at the key where nothing is set."""
    values = {
        "permissionMode": {"const": "read-only"},
        "approvalMode": {"enum": ["manual"]},
        "orgName": {"pattern": "^x"},
        "key": {"maxLength": 3},
        "message": {"properties": {"content": {"maxLength": 3}}},
    }
    assert sorted(found(tmp_path, {"properties": values, "required": ["role"]})) == [
        "10:3: tasks.adopted.key: TC501 3",
        "10:3: tasks.adopted.role: TC501/required",
        '2:10: tasks.adopted.orgName: TC501 "^x"',
        '2:10: tasks.rotate.orgName: TC501 "^x"',
        '4:17: tasks.rotate.approvalMode: TC501/enum ["manual"]',
        "7:3: tasks.rotate.key: TC501 3",
        "7:3: tasks.rotate.role: TC501/required",
        "8:14: tasks.rotate.message.content: TC501 3",
        '9:21: tasks.rotate.permissionMode: TC501/const "read-only"',
    ]


def test_the_nearest_error_message_is_used(tmp_path: Path) -> None:
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
    assert [(d.key, d.args["message"], d.severity.value) for d in problems] == [
        ("rotate", "outside", "error"),
        ("rotate", "named", "error"),
        ("adopted", "outside", "error"),
        ("adopted", "named", "error"),
        ("adopted", "shared", "warning"),
    ]
    assert problems[-1].args["detail"] == "what was adopted"


def test_a_property_may_have_the_name_of_a_keyword(tmp_path: Path) -> None:
    schema = {"properties": {"errorMessage": {"type": "string"}, "severity": {}, "$ref": {}}}
    assert found(tmp_path, schema) == []


def test_no_message_shows_a_value_of_a_task(tmp_path: Path) -> None:
    manifest = MANIFEST.replace("Rotate it.", "Very-Secret.")
    schema = {"properties": {"message": {"properties": {"content": {"pattern": "^x"}}}}}
    (said,) = diagnostics(tmp_path, schema, manifest)
    assert "Secret" not in repr(replace(said, excerpt=None))


def test_a_policy_may_be_yaml_and_name_its_draft(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MANIFEST)
    text = "$schema: http://json-schema.org/draft-07/schema#\nrequired: [role]\n"
    loaded = load(["a.yaml"], root=tmp_path, policy=policy(tmp_path, text, "p.yaml"))
    assert [d.key for d in loaded.diagnostics if d.code is Code.POLICY_VIOLATION] == [
        "rotate",
        "adopted",
    ]


@pytest.mark.parametrize(
    ("schema", "case"),
    [
        ("{", "TC105/json"),
        ("[]", "TC502/type"),
        ({"$schema": DRAFT_4, "exclusiveMaximum": True}, "TC502/schema-root"),
        ({"type": "objekt"}, "TC502/name"),
        ({"properties": {"key": {"pattern": "("}}}, "TC502/schema"),
        ({"$schema": "https://example.com/mine"}, "TC502/dialect"),
        ({"$schema": 1}, "TC502/dialect"),
        ({"allOf": [{"$ref": "https://example.com/s"}]}, "TC503"),
        ({"$ref": "file:///etc/passwd"}, "TC503"),
        ({"$ref": "other.json#/x"}, "TC503"),
        ({"$ref": "#/$defs/none"}, "TC503/unresolved"),
        ({"$ref": "#"}, "TC502/recursion"),
        ({"allOf": [{"$ref": "#"}]}, "TC502/recursion"),
        ({"$schema": "http://["}, "TC502/failure"),
        ({**DRAFT_3, "type": "nothing"}, "TC502/failure"),
        ({**DRAFT_3, "patternProperties": {"(": {}}}, "TC502/failure"),
        ({"errorMessage": {"required": "x"}}, "TC502/message"),
        ({"severity": "note"}, "TC502/severity"),
        ("[" * 100_000, "TC111"),
        ('{"maximum": ' + "9" * 5000 + "}", "TC109/digits"),
    ],
)
def test_an_invalid_policy_is_rejected(tmp_path: Path, schema: Any, case: str) -> None:
    assert rejected(tmp_path, schema) == case


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


def test_the_levels_of_a_policy_are_limited(tmp_path: Path) -> None:
    """Where Python's stack ends while the library looks something up, it panics."""
    assert diagnostics(tmp_path, nested(limits.SCHEMA_DEPTH)) == []
    assert rejected(tmp_path, nested(limits.SCHEMA_DEPTH + 1)) == "TC502/depth"


def test_a_policy_may_evaluate_many_keywords_within_each_other(tmp_path: Path) -> None:
    """A chain of references, which is not a recursion."""
    for count, fits in ((limits.NESTED_KEYWORDS, True), (limits.NESTED_KEYWORDS + 1, False)):
        chain = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(1, count)}
        schema = {"$ref": "#/$defs/d1", "$defs": {**chain, f"d{count}": {}}}
        if fits:
            assert diagnostics(tmp_path, schema) == []
        else:
            assert rejected(tmp_path, schema) == "TC502/recursion"


def test_an_invalid_yaml_policy_is_rejected(tmp_path: Path) -> None:
    assert rejected(tmp_path, "[" * 100_000, "p.yaml") == "TC111"
    assert rejected(tmp_path, "# nothing\n", "p.yaml") == "TC113"
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    assert rejected(tmp_path, bomb, "p.yaml") == "TC112"


def test_the_steps_of_a_policy_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "POLICY_STEPS", 10_000)
    schema = {"$defs": {**DOUBLED, "s40": {}}, "$ref": "#/$defs/s0"}
    assert rejected(tmp_path, schema) == "TC502/steps"


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
def test_the_time_of_a_policy_is_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schema: Any
) -> None:
    monkeypatch.setattr(limits, "CHECK_SECONDS", 0.3)
    monkeypatch.setattr(limits, "POLICY_STEPS", 10**9)
    manifest = f"version: 1\ntasks:\n  {'a' * 60}: {{message: x}}\n"
    with pytest.raises(ManifestError) as caught:
        found(tmp_path, schema, manifest)
    assert [code(d) for d in caught.value.diagnostics] == ["TC502/time"]


def test_a_missing_policy_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ManifestError) as caught:
            read_policy(path, "none.json", "taskctl.toml", TrackedFiles())
        assert [code(d) for d in caught.value.diagnostics] == ["TC101/policy"]


def test_a_policy_gives_the_same_result_without_the_accelerator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = {"required": ["role"], "properties": {"key": {"pattern": r"^\w+$"}}}
    with_it = found(tmp_path, schema)
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    assert found(tmp_path, schema) == with_it != []
