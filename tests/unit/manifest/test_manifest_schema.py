"""The schema file, and the two validators that read it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from reconciler.manifest import schema
from reconciler.manifest.expand.entries import OPTIONS
from reconciler.messages import word
from reconciler.model.codes import Code
from reconciler.system.resources import schema_text
from tests.support.accelerator import is_there
from tests.support.manifest_cases import lines, loaded

SCHEMA = json.loads(schema_text("manifest"))


def described(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema that an editor would show for a property."""
    for name, value in node.items() if isinstance(node, dict) else ():
        if name == "properties":
            yield from ((f"{path}/{key}", found) for key, found in value.items() if found)
        yield from described(value, f"{path}/{name}")
    for index, value in enumerate(node) if isinstance(node, list) else ():
        yield from described(value, f"{path}/{index}")


def test_the_schema_is_valid_draft_7() -> None:
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(SCHEMA)


def test_every_property_is_described_and_has_a_valid_example() -> None:
    found = [item for item in described(SCHEMA) if set(item[1]) != {"const"}]
    assert len(found) > 40
    for path, node in found:
        node = node.get("else", node) if "title" not in node else node  # or a template
        full = SCHEMA["definitions"][node["$ref"].split("/")[-1]] if "$ref" in node else node
        assert full["title"], path
        assert full["description"].endswith("."), path
        validator = Draft7Validator({**full, "definitions": SCHEMA["definitions"]})
        assert full["examples"], path
        for example in full["examples"]:
            assert validator.is_valid(example), path


def test_every_pattern_has_an_error_message() -> None:
    def patterns(node: Any) -> Iterator[dict[str, Any]]:
        children = node.values() if isinstance(node, dict) else node
        for child in children if isinstance(node, dict | list) else ():
            yield from patterns(child)
        if isinstance(node, dict) and isinstance(node.get("pattern"), str):
            yield node

    assert all("patternErrorMessage" in node for node in patterns(SCHEMA))


def test_defaults_have_the_settings_of_a_task() -> None:
    task = set(SCHEMA["definitions"]["task"]["properties"])
    defaults = set(SCHEMA["definitions"]["defaults"]["properties"])
    own = {"message", "entities", "taskID", "orgName", "movedFrom", "after"}
    assert task - defaults == own
    assert defaults <= task


def test_an_entry_has_the_settings_of_a_task_and_its_options() -> None:
    task = SCHEMA["definitions"]["task"]["properties"]
    entry = SCHEMA["definitions"]["entry"]["properties"]
    assert entry.keys() - task.keys() == OPTIONS
    assert task.keys() <= entry.keys()
    _, offered = SCHEMA["definitions"]["taskOrEntry"]["else"]["allOf"]  # an editor completes them
    assert offered["properties"].keys() == OPTIONS


def applying(node: Any, value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The schemas that apply to a value and to the values in it, by their paths."""
    if "$ref" in node:
        yield from applying(SCHEMA["definitions"][node["$ref"].split("/")[-1]], value, path)
        return
    yield path, node
    chosen = []
    if "if" in node:
        condition = Draft7Validator({**node["if"], "definitions": SCHEMA["definitions"]})
        chosen = [node.get("then" if condition.is_valid(value) else "else", {})]
    for part in [*node.get("allOf", ()), *chosen]:
        yield from applying(part, value, path)
    named = node.get("properties", {})
    others = node.get("additionalProperties") or {}
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield from applying(named.get(name, others), inner, f"{path}/{name}")
    for index, inner in enumerate(value) if isinstance(value, list) else ():
        yield from applying(node.get("items", {}), inner, f"{path}/{index}")


def test_an_editor_shows_each_example_once() -> None:
    """It shows those of all schemas that apply to a value."""
    examples: dict[str, list[Any]] = {}
    for path, node in applying(SCHEMA, GOOD):
        examples.setdefault(path, []).extend(node.get("examples", ()))
    assert examples["/tasks/d/forEach"]
    for path, shown in examples.items():
        assert len({json.dumps(each) for each in shown}) == len(shown), path


GOOD: dict[str, Any] = {
    "version": 1,
    "orgName": "acme",
    "maxCreates": 3,
    "defaults": {"permissionMode": "read-only", "role": None, "planMode": True},
    "tasks": {
        "a": {"message": "x", "planMode": None, "enabledIntegrations": [{"id": "datadog"}]},
        "b": {
            "message": {
                "type": "user_message",
                "content": "x",
                "commands": None,
                "entity_diff": {
                    "add": [
                        {"type": "stack", "name": "p", "project": "q"},
                        {"type": "pull_request", "number": 1, "repo": {"org": "o", "name": "n"}},
                    ],
                    "remove": None,
                },
            }
        },
        "c": {"taskID": "t-1", "name": "n", "cliIntegrations": []},
        "d": {
            "forEach": {
                "stack": {"file": "../data/stacks.csv"},
                "region": ["eu", {"name": "us", "tier": 1}],
                "exclude": [{"stack": {"name": "legacy"}}],
                "atMost": 20,
            },
            "every": "month",
            "timezone": "Europe/Berlin",
            "from": "2026-11-01",
            "overlap": "wait",
            "key": "{{ stack.name }}",
            "rollout": {"pilot": 2, "atOnce": 10, "stopAfter": 1},
            "message": "{{ stack.name }} in {{ period.name }}",
            "approvalMode": "{{ stack.mode }}",
            "orgName": "{{ stack.org }}",
            "role": "{{ stack.role }}",
            "enabledIntegrations": [{"id": "{{ region }}"}],
            "cliIntegrations": [{"catalogId": "{{ region }}", "name": "prod"}],
            "movedFrom": "d@{{ stack.old }}",
        },
    },
}


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    pairs = enumerate(node) if isinstance(node, list) else ()
    for key, value in node.items() if isinstance(node, dict) else pairs:
        yield from places(value, (*path, key))


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", "a", "a\n", "A b", "auto", "read-only", "k" * 129, "é", "stack", "x/y", "{{ a }}"]
    ),
    st.sampled_from([[], {}, [1], [{"id": "a"}], {"type": "stack"}, {"content": "x"}, {"a": {}}]),
)
NAMES = st.sampled_from(
    [
        "id",
        "type",
        "x",
        "a\n",
        "Bad",
        "name",
        "message",
        "taskID",
        "tasks",
        "every",
        "file",
        "period",
    ]
)


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """The valid document with some of its values, keys and members changed."""
    document = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(sorted(places(document), key=repr)))
        parent: Any = document
        for step in path[:-1]:
            parent = parent[step]
        kind = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
        if not path:
            if draw(st.integers(0, 20)) == 0:
                return draw(JUNK)
            continue
        if kind == "replace":
            parent[path[-1]] = copy.deepcopy(draw(JUNK))
        elif kind == "remove" and isinstance(parent, dict):
            del parent[path[-1]]
        elif isinstance(parent[path[-1]], dict):
            parent[path[-1]][draw(NAMES)] = copy.deepcopy(draw(JUNK))
    return document


@settings(max_examples=200)
@given(documents())
def test_valid_means_that_jsonschema_finds_no_error(document: Any) -> None:
    accelerator = schema.accelerated_validator()
    assert accelerator is not None
    is_valid = next(Draft7Validator(SCHEMA).iter_errors(document), None) is None
    assert accelerator.is_valid(document) is is_valid
    found = list(schema.check(document))
    assert (found == []) is is_valid
    with is_there(False):  # jsonschema alone, given the whole document
        assert set(schema.check(document)) == set(found)


def test_what_is_not_a_manifest_has_one_violation() -> None:
    documents: list[Any] = [None, [], {"name": "ci", "jobs": {}}]
    for data in documents:
        assert [problem.code for problem in schema.check(data)] == [Code.NOT_A_MANIFEST]


@pytest.mark.parametrize("generated", [False, True])
def test_violations_are_in_the_order_of_the_tasks(*, generated: bool) -> None:
    tasks = {f"t{n}": {"message": "x", "planMode": 1, "source": "y"} for n in range(50)}
    found = list(schema.check({"version": 1, "tasks": tasks}, generated=generated))
    assert [problem.task for problem in found] == [key for key in tasks for _ in range(2)]


def test_a_valid_document_has_no_violation() -> None:
    assert list(schema.check(GOOD)) == []


def test_a_rule_without_an_error_message_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Draft7Validator({"minProperties": 9})
    monkeypatch.setattr(schema, "manifest_validator", lambda **_: own)
    (problem,) = schema.check({"version": 2})
    assert (problem.code, problem.facts["rule"]) == (Code.INVALID_VALUE, "minProperties")


def test_a_task_may_be_called_message(tmp_path: Path) -> None:
    text = (
        "version: 1\ntasks: {message: {message: x, timestamp: y}, defaults: {orgName: a, a: b}}\n"
    )
    assert [line.partition("error: ")[2] for line in lines(loaded(text, tmp_path))] == [
        "TC201 tasks.message.timestamp",
        "TC202/message tasks.defaults.message",
        "TC201 tasks.defaults.a",
    ]


def test_a_long_value_is_truncated() -> None:
    (problem,) = schema.check({"version": 1, "tasks": {"a": {"message": "x", "source": "s" * 999}}})
    assert len(word(problem.in_file("", 1, 1)).summary) < 200
