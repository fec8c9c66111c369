from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given

from reconciler.messages.remarks import word_remarks
from reconciler.model.typed_json import ShapeError, encode_json, indented, members
from reconciler.model.value import replace
from reconciler.state.attempt import Author, Baseline
from reconciler.state.codec import decode_event, encode_event, encode_state
from reconciler.state.ledger import fold
from reconciler.state.model import (
    Aged,
    Attempted,
    BaselineMoved,
    Closed,
    Dismissed,
    Event,
    Forgotten,
    Learned,
    Ran,
    Recorded,
    Retired,
    State,
)
from reconciler.system.resources import schema_text
from tests.support.state_golden import GOLDEN, decode, golden_state
from tests.support.state_samples import (
    NOON,
    PROVENANCE,
    WHO,
    attempt,
    empty,
    record,
)
from tests.support.state_strategies import events, states, values


def test_the_golden_state_is_written_and_read() -> None:
    assert encode_state(golden_state()).decode() == GOLDEN
    assert decode(GOLDEN) == golden_state()


@given(states)
def test_an_encoded_state_decodes_to_itself(state: State) -> None:
    data = encode_state(state)
    again = decode(data)
    assert again == state
    assert encode_state(again) == data


def test_a_state_is_indented_json_with_its_checksum_first() -> None:
    state = golden_state()
    whole = encode_state(state)
    content = json.loads(whole)
    assert next(iter(content)) == "checksum"
    del content["checksum"]
    assert whole.endswith(indented(encode_json(content)).removeprefix(b"{") + b"\n")


@given(states)
def test_an_encoded_state_is_valid_by_its_schema(state: State) -> None:
    schema = json.loads(schema_text("state"))
    jsonschema.Draft7Validator(schema).validate(json.loads(encode_state(state)))


def test_every_property_of_the_schema_has_a_description() -> None:
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
def test_an_encoded_event_decodes_to_itself(event: Event) -> None:
    line = encode_event(event)
    assert decode_event(line) == event
    assert b"\n" not in line


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ({"event": "forgotten"}, "task"),
        ({"event": "forgotten", "task": "no-org"}, "task"),
        ({"event": "closed", "number": "1", "reason": ""}, "number"),
        ({"event": "tomorrow's"}, "event"),
        ({}, "event"),
        ([], ""),
    ],
)
def test_an_event_of_another_shape_is_rejected(line: object, path: str) -> None:
    with pytest.raises(ShapeError) as caught:
        decode_event(json.dumps(line).encode())
    assert caught.value.path == path


@given(values)
@example({"a": [{}, [], {"b": [True, None, 1.5]}], "ü": "ä\n"})
def test_indenting_matches_the_standard_library(value: object) -> None:
    ours = indented(encode_json(value)).decode()
    assert json.loads(ours) == value
    theirs = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    if "\\" not in ours and "e" not in f"{ours}{theirs}".lower():
        assert ours == theirs


def test_invisible_characters_are_escaped_and_decoded() -> None:
    hostile = "a\u202eb\x1b[0m\u2066c\x9bd\u2028ef\U000e0041g\x7fh\u200b \u65e5\u672c \U0001f680"
    made = replace(record(0), outputs={"name": hostile})
    state = fold(empty(), [Recorded(made)])
    text = encode_state(state).decode()
    for escaped in (
        "\\u202e",
        "\\u001b",
        "\\u2066",
        "\\u009b",
        "\\u2028",
        "\\udb40\\udc41",
    ):
        assert escaped in text
    assert "\u65e5\u672c" in text
    assert decode(text).records[made.ref].outputs["name"] == hostile


def test_a_number_that_json_lacks_does_not_prevent_a_write() -> None:
    outputs = {"tokensUsed": float("nan"), "entities": [{"x": float("inf")}]}
    odd = Recorded(replace(record(0), outputs=outputs))
    expected = {"entities": [{"x": None}]}
    read = decode_event(encode_event(odd))
    assert isinstance(read, Recorded)
    assert {k: v for k, v in read.record.outputs.items() if v is not None} == expected
    assert decode(encode_state(fold(empty(), [odd]))).records[odd.record.ref].task_id == "id-0"


def test_a_lone_surrogate_does_not_prevent_a_write() -> None:
    odd = Recorded(replace(record(0), outputs={"name": "a\ud800b"}))
    read = decode_event(encode_event(odd))
    assert isinstance(read, Recorded)
    assert (read.record.task_id, read.record.outputs) == ("id-0", {"name": "a?b"})
    assert decode(encode_state(fold(empty(), [odd]))).records[odd.record.ref].task_id == "id-0"


def test_a_byte_order_mark_is_accepted() -> None:
    assert decode(b"\xef\xbb\xbf" + GOLDEN.encode()) == golden_state()


def test_events_of_every_kind_have_a_line_of_their_own() -> None:
    kinds: dict[str, Event] = {
        "attempted": Attempted(attempt(1)),
        "closed": Closed(2, "x"),
        "recorded": Recorded(record(1)),
        "forgotten": Forgotten(record(1).ref),
        "retired": Retired(record(1).retired(None)),
        "aged": Aged({attempt(1).reference: 15.0}),
        "baselinemoved": BaselineMoved(Baseline("acme", ("t-1",), WHO, NOON)),
        "learned": Learned(replace(PROVENANCE, is_new=True)),
        "dismissed": Dismissed("acme", "t-1"),
        "ran": Ran(Author(NOON, actor="anna")),
    }
    for name, event in kinds.items():
        assert decode_event(encode_event(event)) == event
        assert json.loads(encode_event(event))["event"] == name


@pytest.mark.parametrize(
    ("data", "why"), [(b"{]", "JSON is malformed"), (b"1", "expected `object`")]
)
def test_the_reason_for_an_invalid_value_continues_a_sentence(data: bytes, why: str) -> None:
    with pytest.raises(ShapeError) as caught:
        members(data)
    assert word_remarks([caught.value.cause]).note.startswith(why)
