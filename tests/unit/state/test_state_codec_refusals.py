"""Invalid state files: each kind of damage has its own diagnostic."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.codes import Code
from reconciler.model.typed_json import ShapeError
from reconciler.state.codec import decode_event, encode_event, encode_state
from reconciler.state.model import Aged, Attempted, Event, Learned, Recorded, Retired
from tests.support.diagnostics import damage_of
from tests.support.state_golden import GOLDEN, decode, golden_state, golden_value, refused
from tests.support.state_samples import BACKEND, PROVENANCE, attempt, record, reference_at


@given(st.integers(0, len(GOLDEN) - 3))
def test_a_truncated_file_is_rejected(length: int) -> None:
    refused(GOLDEN[:length])


@given(st.integers(0, len(GOLDEN) - 1), st.integers(0, 7))
def test_every_flipped_bit_is_detected(at: int, bit: int) -> None:
    """A key with one wrong character would look like a missing task."""
    data = bytearray(GOLDEN.encode())
    data[at] ^= 1 << bit
    try:
        assert decode(bytes(data)) == golden_state()  # white space, and what JSON escapes
    except Exception:
        refused(bytes(data))


def test_an_edited_key_is_rejected_until_the_checksum_is_removed() -> None:
    changed = GOLDEN.replace("acme/task-0", "acme/task-8")
    assert refused(changed).code is Code.STATE_EDITED
    (elsewhere,) = set(re.findall("sha256:([0-9a-f]{8})", changed)[:1])
    other = re.sub('"checksum": "[0-9a-f]+"', f'"checksum": "{elsewhere}"', changed)
    assert refused(other).code is Code.STATE_EDITED
    merged = "".join(line for line in changed.splitlines(True) if '"checksum"' not in line)
    (ref,) = decode(merged).records
    assert ref.key == "task-8"
    assert b'"checksum"' in encode_state(decode(merged))


def test_another_layout_of_the_same_content_is_accepted() -> None:
    value = json.loads(GOLDEN)
    for text in (json.dumps(value), GOLDEN.replace("\n", "\r\n"), json.dumps(value, indent=7)):
        assert decode(text) == golden_state()


DAMAGED, OTHER_VERSION, OTHER = Code.STATE_DAMAGED, Code.STATE_VERSION, Code.STATE_BACKEND


@pytest.mark.parametrize(
    ("data", "code", "case"),
    [
        (b"", DAMAGED, "empty.lost"),
        (b" \n\t", DAMAGED, "empty.lost"),
        (b"\0" * 4096, DAMAGED, "zeros.lost"),
        (GOLDEN[:200], DAMAGED, "truncated.lost"),
        ("hello", DAMAGED, "json.lost"),
        ('{"version": 1,}', DAMAGED, "json.lost"),
        ("[1, 2]", DAMAGED, "json.lost"),
        ("null", DAMAGED, "json.lost"),
        (GOLDEN.encode().replace(b"Do 1", b"Do \xff"), DAMAGED, "utf8.lost"),
        (GOLDEN.encode().replace(b'"lineage": "', b'"lineage": "\xff'), DAMAGED, "utf8.lost"),
        (
            GOLDEN.replace('"serial": 7', '"serial": 7,"serial": 8,"other": 1'),
            DAMAGED,
            "duplicate.lost",
        ),
        (GOLDEN.encode("utf-16"), DAMAGED, "utf8.lost"),
        ("[" * 200_000, DAMAGED, "json.lost"),
        ('{"version": NaN}', DAMAGED, "json.lost"),
        ("{}", DAMAGED, "shape.lost"),
        ('{"version": "1"}', DAMAGED, "shape.lost"),
        ('{"version": true}', DAMAGED, "shape.lost"),
        ('{"version": 6}', OTHER_VERSION, ""),
        ('{"version": 2}', OTHER_VERSION, "older"),
        ('{"version": 1}', OTHER_VERSION, "older"),
        ('{"version": 5}', DAMAGED, "shape.lost"),
        (GOLDEN.replace(BACKEND, "https://other.example.com"), OTHER, ""),
        (GOLDEN.replace('  "serial"', '<<<<<<< HEAD\n  "serial"'), Code.STATE_MERGE, ""),
    ],
)
def test_each_kind_of_invalid_file_has_its_own_code(
    data: bytes | str, code: Code, case: str
) -> None:
    said = refused(data)
    assert (said.code, said.case) == (code, case)


def test_a_merge_conflict_is_found_by_its_line() -> None:
    text = GOLDEN.replace('  "serial": 7', '<<<<<<< HEAD\n  "serial": 7')
    assert refused(text).line == text.splitlines().index("<<<<<<< HEAD") + 1


def test_a_trailing_slash_does_not_change_the_backend() -> None:
    value = golden_value() | {"backend": BACKEND + "/"}
    assert decode(json.dumps(value)).backend == BACKEND + "/"


def change(at: list[str], to: object) -> Callable[[dict[str, Any]], None]:
    def changed(value: dict[str, Any]) -> None:
        for name in at[:-1]:
            value = value[name]
        value[at[-1]] = to

    return changed


TASK = ["tasks", "acme/task-0"]
AT_TASK = 'tasks["acme/task-0"]'
ATTEMPT = ["attempts", "2"]
AT_ATTEMPT = 'attempts["2"]'


@pytest.mark.parametrize(
    ("at", "to", "path"),
    [
        (["serial"], -1, "serial"),
        (["serial"], 1.5, "serial"),
        (["lineage"], "", "lineage"),
        (["closed"], {"a/b": 1}, "closed[...]"),
        (["closed"], {"no-org": []}, 'closed["no-org"]'),
        (["provenance"], {}, "provenance.ids"),
        (["provenance", "ids"], [], "provenance"),
        (["provenance", "ids"], ["bafol-rusab"], "provenance"),
        (["provenance", "ids"], ["Bafol-rusab-tizok"], "provenance"),
        (["provenance", "answered"], ["another"], "provenance"),
        (["provenance", "begunAt"], "noon", "provenance.begunAt"),
        (["provenance", "counter"], -1, "provenance.counter"),
        (["provenance", "counter"], 10**12, "provenance.counter"),
        (["serial"], 2**52, "serial"),
        ([*TASK, "number"], 10**12, f"{AT_TASK}.number"),
        (["provenance", "counter"], 1, "provenance.counter"),  # an attempt has the number 2
        ([*ATTEMPT, "waited"], -1, f"{AT_ATTEMPT}.waited"),
        (["later"], 1, "later"),
        (["tasks"], [], "tasks"),
        (["tasks", "no-org"], {}, 'tasks["no-org"]'),
        (["tasks", "a/b"], None, 'tasks["a/b"]'),
        ([*TASK, "taskId"], 7, f"{AT_TASK}.taskId"),
        ([*TASK, "taskId"], "", f"{AT_TASK}.taskId"),
        ([*TASK, "later"], 1, f"{AT_TASK}.later"),
        ([*TASK, "file"], None, f"{AT_TASK}.file"),
        ([*TASK, "inputs"], "x", f"{AT_TASK}.inputs"),
        ([*TASK, "inputs", "message"], None, f"{AT_TASK}.inputs.message"),
        ([*TASK, "inputs", "message"], "x", f"{AT_TASK}.inputs.message"),
        ([*TASK, "inputs", "message"], {}, f"{AT_TASK}.inputs.message.content"),
        ([*TASK, "identity"], {}, f"{AT_TASK}.identity.id"),
        ([*TASK, "identity", "team"], 1, f"{AT_TASK}.identity.team"),
        ([*TASK, "createdAt"], "noon", f"{AT_TASK}.createdAt"),
        ([*TASK, "createdAt"], "2026-11-24T12:00:00", f"{AT_TASK}.createdAt"),
        ([*TASK, "spent"], "x", f"{AT_TASK}.spent"),
        ([*TASK, "spent"], [reference_at(999)], "provenance.counter"),
        ([*TASK, "spent"], ["x", 1], f"{AT_TASK}.spent[1]"),
        ([*TASK, "reference"], "task-0/1", f"{AT_TASK}.reference"),
        ([*TASK, "number"], -1, f"{AT_TASK}.number"),
        ([*TASK, "number"], 3, "provenance.counter"),
        ([*TASK, "pending"], [], f"{AT_TASK}.pending"),
        ([*TASK, "outputs"], 1, f"{AT_TASK}.outputs"),
        (["attempts", "x"], {}, 'attempts["x"].task'),
        ([*ATTEMPT, "reference"], reference_at(2), f"{AT_ATTEMPT}.reference"),
        ([*ATTEMPT, "reference"], "", f"{AT_ATTEMPT}.reference"),
        ([*ATTEMPT, "task"], "x", f"{AT_ATTEMPT}.task"),
        ([*ATTEMPT, "startedAt"], None, f"{AT_ATTEMPT}.startedAt"),
        ([*ATTEMPT, "later"], 1, f"{AT_ATTEMPT}.later"),
        ([*ATTEMPT, "settleTime"], 1e15, f"{AT_ATTEMPT}.settleTime"),
        ([*ATTEMPT, "window"], 366.1 * 86_400, f"{AT_ATTEMPT}.window"),
    ],
)
def test_an_invalid_value_is_named_by_its_path(at: list[str], to: object, path: str) -> None:
    value = json.loads(GOLDEN)
    change(at, to)(value)
    said = refused(json.dumps(value))
    assert (said.case, damage_of(said)[0]) == ("shape.lost", path)


@pytest.mark.parametrize(
    ("field", "to", "path"),
    [
        ("task", "no-org", "task"),
        ("taskId", "id-2", ""),  # it is stored by its ID
        ("taskId", "", ""),
        ("identity", {"id": ""}, ""),
        ("formerTaskIds", [1], "formerTaskIds[0]"),
    ],
)
def test_removed_tasks_are_checked(field: str, to: object, path: str) -> None:
    event = json.loads(encode_event(Retired(record(1).retired(None))))
    value = golden_value()
    value["retired"] = {"id-1": event["task"] | {"task": "acme/task-1", field: to}}
    expected = f'retired["id-1"].{path}' if path else 'retired["id-1"]'
    assert damage_of(refused(json.dumps(value)))[0] == expected


@pytest.mark.parametrize(
    ("event", "field", "to", "path"),
    [
        (Attempted(attempt(1)), ("attempt", "reference"), "task-1", "reference"),
        (Attempted(attempt(1)), ("attempt", "waited"), -1, "waited"),
        (Attempted(attempt(1)), ("attempt", "inputs"), {"message": "text"}, "inputs.message"),
        (Recorded(record(1)), ("record", "reference"), "task-1", "reference"),
        (Recorded(record(1)), ("record", "number"), -1, "number"),
        (
            Recorded(record(1)),
            ("record", "createdInputs"),
            {"message": "text"},
            "createdInputs.message",
        ),
        (Learned(PROVENANCE), ("provenance", "ids"), [], "provenance"),
        (Learned(PROVENANCE), ("provenance", "answered"), ["another"], "provenance"),
        (Learned(PROVENANCE), ("provenance", "counter"), 10**12, "provenance.counter"),
        (Attempted(attempt(1)), ("attempt", "reference"), reference_at(10**12), "reference"),
        (Attempted(attempt(1)), ("attempt", "settleTime"), 1e15, "settleTime"),
        (Retired(record(1).retired(None)), ("task", "taskId"), "", ""),
        (Retired(record(1).retired(None)), ("task", "identity"), {"id": ""}, ""),
        (Aged({reference_at(1): 1.0}), ("seconds", reference_at(1)), -1, "waited"),
    ],
)
def test_events_are_checked_like_the_state(
    event: Event, field: tuple[str, str], to: object, path: str
) -> None:
    value = json.loads(encode_event(event))
    value[field[0]][field[1]] = to
    with pytest.raises(ShapeError) as caught:
        decode_event(json.dumps(value).encode())
    assert caught.value.path == path


@pytest.mark.parametrize(
    "name", ["serial", "lineage", "provenance", "attempts", "tasks", "backend"]
)
def test_a_missing_property_is_named(name: str) -> None:
    value = json.loads(GOLDEN)
    del value[name]
    assert damage_of(refused(json.dumps(value))) == (name, "shape.missing")


def test_a_duplicate_key_is_rejected() -> None:
    start = GOLDEN.index('    "acme/task-0"')
    entry = GOLDEN[start : GOLDEN.index("\n  },\n", start)]
    doubled = GOLDEN.replace(entry, f"{entry},\n{entry}")
    assert len(json.loads(doubled)["tasks"]) == 1
    for text in (doubled, "\n".join(x for x in doubled.splitlines() if "checksum" not in x)):
        said = refused(text)
        assert (said.case, said.args["name"]) == ("duplicate.lost", "acme/task-0")
