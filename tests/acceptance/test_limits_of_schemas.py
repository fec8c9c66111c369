"""Policies and schemas that take hours to check or to evaluate are rejected early."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.manifest import expectations, policy
from tests.support.measured import (
    FEW_SECONDS,
    MAX_MIB,
    MAX_SECONDS,
    Measure,
    measure,
    write_tasks,
)

pytestmark = pytest.mark.tools

__all__ = ["measure"]

_TWICE = {f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(40)}
POLICIES: dict[str, Any] = {
    "endless": {"$defs": {**_TWICE, "s40": {}}, "$ref": "#/$defs/s0"},
    "slow": {"$defs": {**_TWICE, "s12": {}}, "$ref": "#/$defs/s0"},
    "expression": {"properties": {"key": {"pattern": "^(.|[a-z])*!$"}}},
}


@pytest.mark.reaches("POLICY_STEPS", "CHECK_SECONDS")
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("count", [1, 20])
def test_the_work_of_a_policy_is_limited(
    tmp_path: Path, measure: Measure, policy: Any, count: int
) -> None:
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "taskctl.toml").write_text('policy = "policy.json"\n')
    write_tasks(tmp_path, "".join(f"  {'a' * 40}{n}: {{message: x}}\n" for n in range(count)))
    if count == 1 and policy is POLICIES["slow"]:
        assert measure("validate").code == 0
    else:
        measure("validate", CHECK_SECONDS=2).assert_refused("TC502")


@pytest.mark.reaches("POLICY_STEPS_PER_TASK")
@pytest.mark.parametrize(("keywords", "code"), [(80, 0), (100, 1)])
def test_the_work_for_generated_tasks_is_limited(
    tmp_path: Path, measure: Measure, keywords: int, code: int
) -> None:
    policy = {"allOf": [{"type": "object"}] * keywords}
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "taskctl.toml").write_text('policy = "policy.json"\n')
    generate(tmp_path, 5_000)
    measured = measure("validate")
    assert (measured.code, measured.codes) == (code, ["TC502"] if code else [])


@pytest.mark.reaches("CHECK_SECONDS")
def test_generated_tasks_get_no_additional_time(tmp_path: Path, measure: Measure) -> None:
    policy = {"properties": {"key": {"pattern": "(a|a)*b$"}}}
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "taskctl.toml").write_text('policy = "policy.json"\n')
    generate(tmp_path, 5_000, "a" * 10)
    measure("validate", CHECK_SECONDS=0.05).assert_refused("TC502")


def test_a_policy_and_all_schemas_share_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers = []

    class Counted(policy.Timer):
        def __init__(self, seconds: float) -> None:
            super().__init__(seconds)
            timers.append(self)

    for module in (policy, expectations):
        monkeypatch.setattr(module, "Timer", Counted)
    (tmp_path / "policy.json").write_text("{}")
    (tmp_path / "taskctl.toml").write_text('policy = "policy.json"\n')
    (tmp_path / "tasks").mkdir()
    for name in "ab":
        write_tasks(tmp_path, f"  {name}: {{message: JSON {name}, expect: {{data: {{}}}}}}\n", name)
    monkeypatch.chdir(tmp_path)
    assert run(["validate"]) == 0
    assert len(timers) == 1


def generate(folder: Path, count: int, prefix: str = "") -> None:
    (folder / "data/n.txt").write_text("".join(f"{prefix}{n}\n" for n in range(count)))
    for_each = "{n: {file: ../data/n.txt}, atMost: 20000}"
    write_tasks(folder, f"  e: {{message: 'do {{{{ n }}}}', forEach: {for_each}}}\n")


def test_a_policy_for_3000_tasks_is_evaluated(tmp_path: Path, measure: Measure) -> None:
    rules = {f"x{n}": {"type": "string"} for n in range(50)}
    wide = {"allOf": [{"properties": {"key": {"pattern": "^[a-z0-9]+$"}, **rules}}] * 20}
    (tmp_path / "policy.json").write_text(json.dumps(wide))
    (tmp_path / "taskctl.toml").write_text('policy = "policy.json"\n')
    write_tasks(tmp_path, "".join(f"  a{n}: {{message: x{n}}}\n" for n in range(3_000)))
    assert measure("validate").code == 0


ONE_WARNING = {"severity": "warning"}
FOR_MANY_TASKS: dict[str, Any] = {
    "violations": {"allOf": [{"required": [f"x{n}"], **ONE_WARNING} for n in range(20)]},
    "keywords": {"allOf": [{"type": "object"}] * 900},
    "values": {"properties": {"key": {"enum": list(range(48_000)), **ONE_WARNING}}},
    "names": {"required": [f"x{n}" for n in range(48_000)], **ONE_WARNING},
}


@pytest.mark.tools
@pytest.mark.reaches("POLICY_STEPS")
@pytest.mark.parametrize("command", ["validate", "plan --backend local"])
@pytest.mark.parametrize("policy", FOR_MANY_TASKS.values(), ids=FOR_MANY_TASKS)
def test_a_megabyte_of_tasks_that_violate_a_megabyte_of_policy(
    tmp_path: Path, measure: Measure, policy: Any, command: str
) -> None:
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    (tmp_path / "taskctl.toml").write_text('policy = "policy.json"\n')
    write_tasks(tmp_path, "".join(f"  a{n}: {{message: x{n}}}\n" for n in range(36_000)))
    ended = measure(*command.split())
    ended.assert_refused("TC502")
    assert ended.seconds < FEW_SECONDS


def test_branches_keep_no_copies_of_a_long_value(tmp_path: Path, measure: Measure) -> None:
    """jsonschema repeats the value in the message of each branch."""
    prompt = {"properties": {"message": {"properties": {"content": {"$ref": "#/$defs/any"}}}}}
    branches = {"any": {"anyOf": [{"enum": [n]} for n in range(400)]}}
    (tmp_path / "policy.json").write_text(json.dumps({**prompt, "$defs": branches}))
    (tmp_path / "taskctl.toml").write_text('policy = "policy.json"\n')
    write_tasks(tmp_path, f"  a: {{message: {'x' * (1 << 20)}}}\n")
    ended = measure("validate")
    assert ended.code == 1
    assert ended.mib < MAX_MIB


@pytest.mark.reaches("SCHEMA_VALUES")
def test_checking_a_policy_is_limited(tmp_path: Path, measure: Measure) -> None:
    """The check of the schema itself takes a time for each of its values."""
    (tmp_path / "taskctl.toml").write_text('policy = "policy.yaml"\n')
    write_tasks(tmp_path, "  a: {message: do it}\n")
    twice = "".join(f"  a{n}: &a{n} {{allOf: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 16))
    (tmp_path / "policy.yaml").write_text("$defs:\n  a0: &a0 {minLength: 1}\n" + twice)
    measure("validate").assert_refused("TC502")


@pytest.mark.reaches("SCHEMA_VALUES")
def test_checking_all_schemas_is_limited(tmp_path: Path, measure: Measure) -> None:
    tasks = "".join(
        f"  t{n}: {{message: x{n}, expect: {{data: ../s{n}.json}}}}\n" for n in range(9)
    )
    for n in range(9):
        schema = {"title": str(n), "allOf": [{"minLength": 1}] * 400}
        (tmp_path / f"s{n}.json").write_text(json.dumps(schema))
    write_tasks(tmp_path, tasks)
    measure("validate", SCHEMA_VALUES=5_000).assert_refused("TC319")


def test_a_schema_is_checked_once_for_all_its_tasks(tmp_path: Path, measure: Measure) -> None:
    tasks = "".join(
        f"  t{n}: {{message: x{n}, expect: {{data: ../s.json}}}}\n" for n in range(5_000)
    )
    schema = {"allOf": [{"minLength": 1}] * 4_000}
    (tmp_path / "s.json").write_text(json.dumps(schema))
    write_tasks(tmp_path, tasks)
    ended = measure("validate")
    assert ended.code == 0
    assert ended.seconds < MAX_SECONDS


@pytest.mark.parametrize(
    ("schema", "lower"),
    [
        pytest.param(
            {"allOf": [{}]}, {"CHECK_SECONDS": 0}, marks=pytest.mark.reaches("CHECK_SECONDS")
        ),
        pytest.param(
            json.loads('{"not": ' * 51 + "{}" + "}" * 51),
            {},
            marks=pytest.mark.reaches("SCHEMA_DEPTH"),
        ),
        pytest.param({"$ref": "#"}, {}, marks=pytest.mark.reaches("NESTED_KEYWORDS")),
    ],
    ids=["time", "depth", "keywords"],
)
def test_a_policy_that_cannot_be_checked(
    tmp_path: Path, measure: Measure, schema: Any, lower: dict[str, float]
) -> None:
    (tmp_path / "policy.json").write_text(json.dumps(schema))
    (tmp_path / "taskctl.toml").write_text('policy = "policy.json"\n')
    write_tasks(tmp_path, "  a: {message: do it}\n")
    measure("validate", **lower).assert_refused("TC502")
