"""Shared states that somebody else has written, with impossible contents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.typed_json import with_checksum
from reconciler.state.model import Attempted, Recorded
from reconciler.state.store import decode_head
from tests.support.memory_engine import MemoryEngine
from tests.support.state_samples import BACKEND, attempt, empty, record
from tests.unit.state.test_state_shared import code_of, head, open_in


def interrupted() -> MemoryEngine:
    """With two saved states, a segment, and an entry in the tail, as a killed apply leaves it."""
    engine = MemoryEngine()
    assert engine.place().create(empty())
    first = open_in(engine)
    first.append(Recorded(record(1)))
    first.close()
    killed = open_in(engine)
    large = attempt(2)
    large.inputs["message"]["content"] = "x" * 17_000
    killed.append(Attempted(large))
    killed.append(Attempted(attempt(3)))
    return engine


def forge(engine: MemoryEngine, **changes: Any) -> None:
    """Replaces fields of the head, with a valid checksum."""
    whole = {**head(engine), **changes}
    whole.pop("checksum")
    engine.head = with_checksum(json.dumps(whole, separators=(",", ":")).encode())
    engine.version += 1


@pytest.mark.parametrize("field", ["base", "segments", "bases"])
@pytest.mark.parametrize(
    "name",
    ["..", ".", "a//b", "/etc/passwd", "a/../b", "a\\0b", "\0", "head", "x" * 5_000, "\u202e",
     "base-1-1-" + "g" * 32, "base-1-1-" + "a" * 31, " base-1-1-" + "a" * 32],
    ids=ascii,
)  # fmt: skip
def test_a_blob_has_a_name_that_taskctl_gives(field: str, name: str) -> None:
    engine = interrupted()
    forge(engine, **{field: name if field == "base" else [name]})
    engine.asked.clear()
    with pytest.raises(StateError) as problem:
        engine.place().read(BACKEND)
    assert code_of(problem) is Code.STATE_PART_DAMAGED
    assert engine.asked == ["read"]


@pytest.mark.parametrize("field", ["epoch", "seq", "serial"])
@pytest.mark.parametrize("number", [-1, 2**53, 2**64 - 1])
def test_a_number_that_cannot_be_increased_is_damage(field: str, number: int) -> None:
    engine = interrupted()
    forge(engine, **{field: number})
    with pytest.raises(StateError) as problem:
        open_in(engine)
    assert code_of(problem) is Code.STATE_PART_DAMAGED


def test_many_entries_of_one_commit_do_not_make_the_head_unreadable() -> None:
    engine = MemoryEngine()
    assert engine.place().create(empty())
    made = [attempt(number) for number in range(400)]
    for one in made:
        one.inputs["message"]["content"] = "x" * 15_000
    session = open_in(engine)
    session.append(*map(Attempted, made))
    assert len(engine.head or b"") < limits.STATE_HEAD_BYTES
    assert len(engine.place().read(BACKEND).attempts) == 400
    session.close()


def test_the_blobs_of_one_state_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = interrupted()
    found = decode_head(engine.head or b"", "")
    size = sum(len(engine.blobs[name]) for name in (found.base, *found.segments))
    monkeypatch.setattr(limits, "STATE_BYTES", size)
    assert len(engine.place().read(BACKEND).attempts) == 2
    monkeypatch.setattr(limits, "STATE_BYTES", size - 1)
    with pytest.raises(StateError) as problem:
        engine.place().read(BACKEND)
    assert code_of(problem) is Code.STATE_PART_DAMAGED


def test_a_blob_is_named_only_once() -> None:
    """Otherwise one large blob would count once and be read as often as the head has room for."""
    engine = interrupted()
    names = list(decode_head(engine.head or b"", "").segments)
    forge(engine, segments=[*names, *names])
    with pytest.raises(StateError) as problem:
        engine.place().read(BACKEND)
    assert code_of(problem) is Code.STATE_PART_DAMAGED
