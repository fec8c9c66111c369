"""Inserted tasks are read back unchanged, and leave existing text unchanged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.manifest.fmt import format_manifest
from reconciler.manifest.insertion import NewTask, insert, mapping_lines, task_faults
from reconciler.manifest.parse.source import read_source
from reconciler.model.diagnostics import ManifestError
from tests.support.escaping import commands_in, invisible_in
from tests.support.manifest_cases import code

MARKS = " \n\t\r:#-|>'\"\\{}[]&*!%@`,?~<=.\u202e\u2028\x85\x07\u200d\ufeffa1é日"
TEXTS = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from(MARKS)), min_size=1, max_size=30
).filter(lambda text: bool(text.strip()) and "\0" not in text)
WORDS = st.sampled_from(["on", "No", "null", "~", "1e3", "0x1F", "2026-11-24", "-", "...", "<<"])
VALUES = st.recursive(
    st.one_of(TEXTS, WORDS, st.booleans(), st.none(), st.integers(), st.floats(-1e9, 1e9)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(TEXTS, WORDS), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.one_of(TEXTS, WORDS), VALUES, min_size=1, max_size=4))
def test_any_json_is_read_back_unchanged(values: dict[str, Any]) -> None:
    text = "\n".join(["root:", *mapping_lines(values, 2), ""])
    source = read_source(text.encode())
    assert source.findings == []
    assert source.data == {"root": values}
    assert not invisible_in(text) - {"\n", "\t"}
    assert not commands_in(text)


def task(key: str, message: Any, **more: Any) -> NewTask:
    return NewTask(key, "acme", {"taskID": "4f1c", "message": message, **more})


@given(TEXTS, TEXTS)
@example("a\n\n b\n", "\n  c")
@example(" a\n  ", "::error::\n##[x]\n")
@example("---\n...\n", "a\n\n\n")
def test_a_new_manifest_is_canonical_and_read_back(text: str, other: str) -> None:
    stack = {"type": "stack", "name": other, "project": "p"}
    message = {"content": other, "entity_diff": {"add": [stack]}}
    tasks = [task("null", text), task("b", message, approvalMode="auto")]
    assert [task_faults(one) for one in tasks] == [[], []]
    made = insert(None, "a.yaml", tasks)
    first, second = made.tasks
    assert first.inputs == {"message": {"content": text}}
    assert second.inputs == {"message": message, "approvalMode": "auto"}
    assert {(one.org_name, one.task_id) for one in made.tasks} == {("acme", "4f1c")}
    assert format_manifest(made.content, "a.yaml").content == made.content
    assert not invisible_in(made.text) - {"\n", "\t"}
    assert not commands_in(made.text)


LAST = [
    "x",
    "|\n      x\n\n",
    "|+\n      x\n\n\n",
    "|-\n      x\n      ",
    '"x\n      y"',
    "# c\n      x",
]
TAILS = ["\n", "\n# end\n"]


@given(st.sampled_from(LAST), st.sampled_from(TAILS), TEXTS, st.sampled_from(["\n", "\r\n"]))
def test_existing_lines_are_kept(last: str, tail: str, text: str, line_end: str) -> None:
    before = f"# c\nversion: 1\ntasks:\n  # one\n  a: # two\n    message: {last}{tail}"
    content = before.replace("\n", line_end).encode()
    made = insert(content, "a.yaml", [task("new", text)])
    old, new = read_source(content), read_source(made.content)
    assert new.data["tasks"].pop("new")["message"] == text
    assert new.data == old.data
    kept = made.content.replace(made.text.encode(), b"", 1)
    assert kept.split() == content.split()
    assert made.text.count("\n") == made.text.count(line_end)


def test_a_file_may_end_without_a_newline() -> None:
    made = insert(b"version: 1\ntasks:\n  a:\n    message: x", "a.yaml", [task("new", "y")])
    assert b"message: x\n\n  new:\n" in made.content


@pytest.mark.parametrize(
    "before",
    [
        '{"version": 1, "tasks": {}}',
        "version: 1\ntasks: {\n  a: {message: x},\n}\n",
        "version: 1\ntasks: {a: {message: x}}\n",
        "version: 1\ntasks:\n  a:\n    message: x\nmaxCreates: 3\n",
        "version: 1\ntasks: {}\ndefaults: {role: r}\n",
        "version: 1\ntasks:\n  a:\n    message: x\n...\n",
        "version: 1\ntasks:\n  a:\n    message: |\n      x",
    ],
)
def test_an_unsafe_insertion_is_rejected(before: str) -> None:
    with pytest.raises(ManifestError) as caught:
        insert(before.encode(), "a.yaml", [task("new", "x")])
    assert [code(d) for d in caught.value.diagnostics] == ["TC117/insert"]


def test_defaults_of_the_file_do_not_change_new_tasks() -> None:
    before = b"version: 1\norgName: acme\ndefaults: {role: r, planMode: true}\ntasks: {}\n"
    made = insert(before, "a.yaml", [task("new", "x", role="mine")])
    assert made.tasks[0].inputs == {"message": {"content": "x"}, "role": "mine"}
    assert b"orgName: acme\n    " not in made.content


def test_tasks_of_several_organizations() -> None:
    made = insert(None, "a.yaml", [task("a", "x"), NewTask("b", "other", {"message": "y"})])
    assert [one.org_name for one in made.tasks] == ["acme", "other"]
    assert made.content.decode().count("orgName") == 2


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({}, ("tasks", "k")),
        ({"message": " \n"}, ("tasks", "k", "message")),
        ({"message": "x", "approvalMode": "Auto"}, ("tasks", "k", "approvalMode")),
        ({"message": "x\0"}, ("tasks", "k", "message")),
        ({"message": "x\ud800"}, ("tasks", "k", "message")),
    ],
)
def test_values_that_a_manifest_cannot_hold_are_rejected(
    members: dict[str, Any], where: tuple[str, ...]
) -> None:
    assert [found.path for found in task_faults(NewTask("k", None, members))] == [where]
