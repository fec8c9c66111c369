from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.state_golden import GOLDEN, decode, refusal
from tests.support.state_samples import (
    BACKEND,
    mark_at,
)


@given(st.integers(0, len(GOLDEN) - 3))
def test_no_part_of_a_file_is_taken_for_all_of_it(length: int) -> None:
    refusal(GOLDEN[:length])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"\0" * 4096, "holds only zeros"),
        (GOLDEN[:200], "is cut off"),
        ("hello", "1:1: the state file is no JSON"),
        ('{"version": 1,}', "is no JSON"),
        ("[1, 2]", "must be an object, not a list"),
        ("null", "must be an object, not null"),
        (b'{"version": 1, "x": "\xff"}', "is not UTF-8 (byte 22)"),
        (GOLDEN.encode("utf-16"), "is not UTF-8"),
        ("[" * 200_000, "is not the JSON it should be"),
        ('{"version": NaN}', "NaN is no JSON value"),
        ("{}", "version: is missing"),
        ('{"version": "1"}', "version: must be a whole number, not text"),
        ('{"version": true}', "version: must be a whole number, not true or false"),
        ('{"version": 0}', "version: must be 1 to 2, not 0"),
        ('{"version": 3}', "written by a newer taskctl (format 3, this one knows 2)"),
        ('{"version": 3}', "script/install"),
        ('{"version": 1}', "backend: is missing"),
        (GOLDEN.replace(BACKEND, "https://other.example.com"), "--backend https://other."),
        (GOLDEN.replace(BACKEND, "https://other.example.com"), BACKEND),
        (GOLDEN.replace(BACKEND, "https://other.example.com"), "--state"),
        (
            GOLDEN.replace('  "serial": 7', '<<<<<<< HEAD\n  "serial": 7'),
            "holds the marks of an unfinished merge",
        ),
    ],
)
def test_each_kind_of_bad_file_is_told_apart(data: bytes | str, said: str) -> None:
    assert said in refusal(data)


def test_a_merge_is_found_by_its_line() -> None:
    text = GOLDEN.replace('  "serial": 7', '<<<<<<< HEAD\n  "serial": 7')
    line = text.splitlines().index("<<<<<<< HEAD") + 1
    assert refusal(text).startswith(f"{line}:")


def test_a_trailing_slash_makes_no_other_backend() -> None:
    assert decode(GOLDEN.replace(BACKEND, BACKEND + "/")).backend == BACKEND + "/"


def change(at: list[str], to: object) -> Callable[[dict[str, Any]], None]:
    def changed(value: dict[str, Any]) -> None:
        for name in at[:-1]:
            value = value[name]
        value[at[-1]] = to

    return changed


TASK = ["tasks", "acme/task-0"]
ATTEMPT = ["attempts", mark_at(1)]


@pytest.mark.parametrize(
    ("at", "to", "said"),
    [
        (["serial"], -1, "serial: must not be negative"),
        (["serial"], 1.5, "serial: must be a whole number, not a number"),
        (["lineage"], "", "lineage: must not be empty"),
        (["lastMark"], "yesterday", "lastMark: must be a time"),
        (["lastMark"], "2026-11-24T12:00:00Z", "lastMark: must be a time in nanoseconds"),
        (["isNew"], 1, "isNew: must be true or false"),
        (["tasks"], [], "tasks: must be an object, not a list"),
        (["tasks", "no-org"], {}, 'tasks["no-org"]: must be named ORGANIZATION/KEY'),
        (["tasks", "a/b"], None, 'tasks["a/b"]: must be an object, not null'),
        ([*TASK, "taskId"], 7, 'tasks["acme/task-0"].taskId: must be text, not a whole number'),
        ([*TASK, "taskId"], "", "taskId: must not be empty"),
        ([*TASK, "file"], None, "file: must be text, not null"),
        ([*TASK, "inputs"], "x", "inputs: must be an object"),
        ([*TASK, "inputs", "message"], None, "inputs.message: must be an object, not null"),
        ([*TASK, "inputs", "message"], "x", "inputs.message: must be an object, not text"),
        ([*TASK, "inputs", "message"], {}, "inputs.message.content: must be text"),
        ([*TASK, "identity"], {}, "identity.id: is missing"),
        ([*TASK, "identity", "team"], 1, "identity.team: must be text, not a whole number"),
        ([*TASK, "createdAt"], "noon", "createdAt: must be an RFC 3339 time"),
        ([*TASK, "marks"], "x", "marks: must be a list, not text"),
        ([*TASK, "marks"], ["x", 1], 'tasks["acme/task-0"].marks[1]: must be text'),
        ([*TASK, "pending"], [], "pending: must be an object"),
        ([*TASK, "outputs"], 1, "outputs: must be an object"),
        (["attempts", "x"], {}, 'attempts["x"].task: is missing'),
        ([*ATTEMPT, "task"], "x", "].task: must be named ORGANIZATION/KEY"),
        ([*ATTEMPT, "startedAt"], None, "].startedAt: must be text, not null"),
        ([*ATTEMPT, "serviceClock"], 1, "].serviceClock: must be text"),
    ],
)
def test_a_wrong_shape_is_named_by_its_place(at: list[str], to: object, said: str) -> None:
    value = json.loads(GOLDEN)
    change(at, to)(value)
    told = refusal(json.dumps(value))
    assert said in told
    assert "the way out" in told


@pytest.mark.parametrize("name", ["serial", "lineage", "lastMark", "attempts", "tasks", "backend"])
def test_what_is_missing_is_named(name: str) -> None:
    value = json.loads(GOLDEN)
    del value[name]
    assert f"{name}: is missing" in refusal(json.dumps(value))


@pytest.mark.parametrize("end", ["\n  }", "}"])
@pytest.mark.parametrize(("own", "said"), [("", "is missing"), ('"tasks": null,', "must be")])
def test_tasks_deeper_in_the_file_are_not_its_own(own: str, said: str, end: str) -> None:
    data = GOLDEN.replace('"tasks": {', f'{own} "x": {{\n  "tasks": {{')
    data = data.replace('\n  },\n  "version"', f'\n  }}{end},\n  "version"')
    assert f"tasks: {said}" in refusal(data)


def test_one_key_twice_is_refused() -> None:
    text = GOLDEN
    start = text.index('    "acme/task-0"')
    entry = text[start : text.index("\n  },\n", start) - 0]
    doubled = text.replace(entry, f"{entry},\n{entry}")
    assert len(json.loads(doubled)["tasks"]) == 1
    assert '"acme/task-0" is in one object twice' in refusal(doubled)


def test_a_prompt_about_task_ids_is_no_second_key() -> None:
    value = json.loads(GOLDEN)
    value["tasks"]["acme/task-0"]["inputs"]["message"]["commands"] = {
        "taskId": "x",
        "a": '"taskId":',
    }
    assert decode(json.dumps(value)).records
