from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.errors import StateError
from reconciler.resources import schema_text
from reconciler.state.codec import decode_event, decode_state, encode_event, encode_state, text_of
from reconciler.state.model import Attempted, Closed, Event, Forgotten, Recorded, State, fold
from reconciler.state.shapes import WrongShapeError
from reconciler.state.writing import indented
from tests.support.state_samples import (
    BACKEND,
    attempt,
    empty,
    history,
    mark_at,
    record,
)
from tests.support.state_strategies import events, states, values

GOLDEN = """\
{
  "attempts": {
    "2026-11-24T12:00:00.001Z": {
      "digest": "sha256:b4f275cb85be8e7029b3bf23d2406fb284d1fc337eb3ec0de3c2b8cdcf04323f",
      "file": "tasks/a.yaml",
      "identity": {
        "id": "u-1",
        "login": "octocat"
      },
      "inputs": {
        "message": {
          "content": "Do 1.\\n"
        },
        "planMode": true
      },
      "serviceClock": "2026-11-24T11:59:59Z",
      "startedAt": "2026-11-24T12:00:00Z",
      "task": "acme/task-1"
    }
  },
  "backend": "https://api.example.com",
  "lastMark": "2026-11-24T12:00:00.001Z",
  "lineage": "5f0c1b9de2a74a6f8f3b7d1c9a04e6b2",
  "serial": 7,
  "tasks": {
    "acme/task-0": {
      "createdAt": "2026-11-24T12:00:00Z",
      "digest": "sha256:050234d3fd1ea94cb2b23cb9277c3223a214e1a03135bf416717957c10fa0569",
      "file": "tasks/a.yaml",
      "identity": {
        "id": "u-1",
        "login": "octocat"
      },
      "inputs": {
        "message": {
          "content": "Do 0.\\n"
        },
        "planMode": true
      },
      "marks": [
        "2026-11-24T12:00:00.000Z"
      ],
      "outputs": {
        "status": "idle",
        "tokensUsed": 0
      },
      "pending": {
        "name": "Task 0"
      },
      "taskId": "id-0"
    }
  },
  "version": 1
}
"""


def golden_state() -> State:
    return fold(empty(serial=7), [Recorded(record(0)), Attempted(attempt(1))])


def decode(data: bytes | str) -> State:
    data = data.encode() if isinstance(data, str) else data
    text = text_of(data, file="x.json", way_out="the way out")
    return decode_state(text, file="x.json", backend=BACKEND, way_out="the way out")


def refusal(data: bytes | str) -> str:
    """What is said of a file, all in one."""
    with pytest.raises(StateError) as caught:
        decode(data)
    (said,) = caught.value.diagnostics
    assert said.file == "x.json"
    assert said.detail
    return f"{said.line}:{said.column}: {said.summary}\n{said.detail}"


def test_a_state_reads_as_it_always_did() -> None:
    assert encode_state(golden_state()).decode() == GOLDEN
    assert decode(GOLDEN) == golden_state()


@given(states)
def test_what_was_written_is_what_is_read(state: State) -> None:
    data = encode_state(state)
    again = decode(data)
    assert again == state
    assert encode_state(again) == data


@given(states)
def test_a_state_is_valid_by_its_schema(state: State) -> None:
    schema = json.loads(schema_text("state"))
    jsonschema.Draft7Validator(schema).validate(json.loads(encode_state(state)))


def test_every_property_of_the_schema_says_what_it_is() -> None:
    schema = json.loads(schema_text("state"))
    jsonschema.Draft7Validator.check_schema(schema)
    silent: list[str] = []

    def walk(node: Any, path: str) -> None:
        for name, child in node.get("properties", {}).items():
            target = schema["definitions"].get(child.get("$ref", "").rpartition("/")[2], child)
            if "description" not in {**target, **child}:
                silent.append(f"{path}.{name}")
            walk(child, f"{path}.{name}")

    walk(schema, "")
    for name, definition in schema["definitions"].items():
        walk(definition, name)
    assert silent == []


@given(events)
def test_an_event_comes_back_from_its_line(event: Event) -> None:
    line = encode_event(event)
    assert decode_event(line) == event
    assert line.isascii()
    assert b"\n" not in line


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ({"event": "forgotten"}, "task"),
        ({"event": "forgotten", "task": "no-org"}, ""),
        ({"event": "closed", "mark": 1, "reason": ""}, "mark"),
        ({"event": "tomorrow's"}, "event"),
        ({}, "event"),
        ([], ""),
    ],
)
def test_an_event_of_another_shape_is_refused(line: object, path: str) -> None:
    with pytest.raises(WrongShapeError) as caught:
        decode_event(json.dumps(line).encode())
    assert caught.value.path == path


@given(values)
@example({"a": [{}, [], {"b": [True, None, 1.5]}], "ü": "ä\n"})
def test_indenting_is_what_the_standard_library_does(value: object) -> None:
    ours = indented(value)
    assert json.loads(ours) == value
    if "\\u" not in ours:
        assert ours == json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)


def test_what_is_not_visible_is_spelled_out_and_comes_back() -> None:
    hostile = (
        "a\u202eb\x1b[0m\u2066c\x9bd\u2028e\ud800f\U000e0041g\x7fh\u200b \u65e5\u672c \U0001f680"
    )
    made = replace(record(0), outputs={"name": hostile})
    state = fold(empty(), [Recorded(made)])
    text = encode_state(state).decode()
    for escaped in (
        "\\u202e",
        "\\u001b",
        "\\u2066",
        "\\u009b",
        "\\u2028",
        "\\ud800",
        "\\udb40\\udc41",
    ):
        assert escaped in text
    assert "\u65e5\u672c" in text
    assert decode(text).records[made.ref].outputs["name"] == hostile


def test_a_number_that_json_lacks_does_not_keep_an_id_from_being_written() -> None:
    outputs = {"tokensUsed": float("nan"), "entities": [{"x": float("inf")}]}
    odd = Recorded(replace(record(0), outputs=outputs))
    expected = {"entities": [{"x": None}]}
    read = decode_event(encode_event(odd))
    assert isinstance(read, Recorded)
    assert {k: v for k, v in read.record.outputs.items() if v is not None} == expected
    assert decode(encode_state(fold(empty(), [odd]))).records[odd.record.ref].task_id == "id-0"


def test_fields_of_a_later_taskctl_are_passed_over() -> None:
    value = json.loads(GOLDEN)
    value["later"] = 1
    value["tasks"]["acme/task-0"]["later"] = {"x": 1}
    value["attempts"][mark_at(1)]["identity"]["later"] = []
    assert decode(json.dumps(value)) == golden_state()


def test_a_byte_order_mark_is_no_damage() -> None:
    assert decode(b"\xef\xbb\xbf" + GOLDEN.encode()) == golden_state()


def test_marks_of_open_attempts_count_for_the_last_mark() -> None:
    value = json.loads(GOLDEN)
    value["lastMark"] = ""
    assert decode(json.dumps(value)).last_mark == mark_at(1)


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
        ('{"version": 0}', "version: must be 1, not 0"),
        ('{"version": 2}', "written by a newer taskctl (format 2, this one knows 1)"),
        ('{"version": 2}', "pip install --upgrade taskctl"),
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
        (["lastMark"], "2026-11-24T12:00:00Z", "lastMark: must be a time to the millisecond"),
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


def test_events_of_every_kind_have_a_line_of_their_own() -> None:
    kinds = [
        Attempted(attempt(1)),
        Closed(mark_at(1), "x"),
        Recorded(record(1)),
        Forgotten(record(1).ref),
    ]
    assert [decode_event(encode_event(event)) for event in kinds] == kinds
    assert [json.loads(encode_event(event))["event"] for event in kinds] == [
        "attempted",
        "closed",
        "recorded",
        "forgotten",
    ]
    assert len(history(3)) == 7
