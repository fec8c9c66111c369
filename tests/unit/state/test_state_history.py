"""The history of a key, stored in the record or derived from it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from reconciler.model.diagnostics import StateError
from reconciler.model.service import RemoteTask
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.state.attempt import HISTORY, HistoryEntry, RecordChange
from reconciler.state.codec import encode_state
from reconciler.state.edit import assign, close, mv
from reconciler.state.ledger import fold
from reconciler.state.model import Attempted, Event, Recorded, State
from tests.support.diagnostics import damage_of, raises_with
from tests.support.state_golden import GOLDEN, decode, golden_state, refused
from tests.support.state_samples import NOON, WHO, attempt, empty, record

TOLD = """\
      "formerTaskIds": [
        "id-0"
      ],
      "history": [
        {
          "at": "2026-11-24T12:00:00Z",
          "number": 1,
          "taskId": "id-0",
          "what": "created"
        },
        {
          "at": "2026-11-24T12:00:00Z",
          "detail": "id-0",
          "number": 2,
          "taskId": "id-1",
          "what": "replaced"
        }
      ],
"""

CREATED = (RecordChange("created", "a run"),)


def replaced() -> State:
    made = replace(attempt(1, "task-0"), replaces="id-0")
    old = record(0, changes=CREATED)
    new = record(1, "task-0").in_place_of(old, "id-0")
    return fold(empty(serial=7), [Recorded(old), Attempted(made), Recorded(new)])


def test_the_history_is_stored_in_the_file() -> None:
    text = encode_state(replaced()).decode()
    assert TOLD in text
    assert decode(text) == replaced()
    assert not replaced().attempts


def test_without_a_history_entries_are_derived_from_records() -> None:
    (known,) = decode(GOLDEN).records.values()
    assert known.history == ()
    assert known.full_history() == (HistoryEntry("adopted", NOON, "id-0", 1),)
    created = replace(known, changes=CREATED)
    assert created.full_history() == (HistoryEntry("created", NOON, "id-0", 1),)
    named = replace(known, reference="")
    assert named.full_history() == (HistoryEntry("adopted", NOON, "id-0"),)
    assert encode_state(golden_state()).decode() == GOLDEN


def test_the_history_is_bounded_and_former_tasks_are_not() -> None:
    known = record(0)
    for number in range(1, HISTORY + 20):
        known = record(number, "task-0").in_place_of(known, f"id-{number - 1}")
    assert len(known.history) == HISTORY
    assert known.history[-1].task_id == f"id-{HISTORY + 19}"
    assert len(known.former) == HISTORY + 19


def test_attempts_that_created_no_task_are_in_the_history_once() -> None:
    """Two attempts for one key, applied twice, as when a journal is folded again."""
    tries = [Attempted(replace(attempt(n, "task-0"), replaces="id-0")) for n in (1, 2)]
    known = fold(empty(), [Recorded(record(0)), *tries])
    events = known.close_attempts([2, 3], "made no task", NOON)
    after = fold(known, events)
    assert not after.attempts
    (told,) = after.records.values()
    assert [(h.what, h.number) for h in told.history] == [
        ("adopted", 1),
        ("notCreated", 2),
        ("notCreated", 3),
    ]
    assert fold(after, [*tries, *events]) == after


@pytest.mark.parametrize(
    ("history", "path"),
    [
        ("x", "history"),
        ([1], "history[0]"),
        ([{"what": 1}], "history[0].what"),
        ([{"what": "created", "at": "noon"}], "history[0].at"),
    ],
)
def test_an_invalid_history_is_rejected_with_its_path(history: object, path: str) -> None:
    broken = json.loads(encode_state(replaced()))
    broken["tasks"]["acme/task-0"]["history"] = history
    assert damage_of(refused(json.dumps(broken)))[0] == f'tasks["acme/task-0"].{path}'


def test_an_unknown_kind_of_entry_is_kept() -> None:
    later = json.loads(encode_state(replaced()))
    later["tasks"]["acme/task-0"]["history"][0]["what"] = "praised"
    del later["checksum"]
    (known,) = decode(json.dumps(later)).records.values()
    assert known.history[0].what == "praised"


def named(state: State, ref: TaskRef, task_id: str) -> list[Event]:
    """The events of `state assign`."""
    number = state.provenance.counter + 1
    remote = RemoteTask(ref.org_name, task_id, {"id": task_id})
    return assign(state, ref, remote, caller=WHO, number=number, at=NOON)


def test_state_commands_keep_the_history() -> None:
    made = replace(attempt(1, "task-0"), replaces="id-0")
    known = fold(empty(), [Recorded(record(0)), Attempted(made)])
    found = fold(known, named(known, made.ref, "id-1"))
    (told,) = found.records.values()
    assert (told.task_id, told.former) == ("id-1", ("id-0",))
    assert [h.what for h in told.history] == ["adopted", "replaced"]
    none = fold(known, close(known, made.ref, at=NOON + timedelta(hours=1)))
    assert [h.what for h in none.records[made.ref].history] == ["adopted", "notCreated"]
    assert not none.attempts
    with raises_with(StateError, "no longer the task"):
        named(fold(found, [Attempted(made)]), made.ref, "id-0")
    moved = fold(found, mv(found, made.ref, TaskRef("acme", "new"), at=NOON))
    (told,) = moved.records.values()
    assert (told.history[-1].what, told.history[-1].detail) == ("moved", "task-0")
    assert told.former == ("id-0",)


def test_a_replaced_task_without_a_record_keeps_its_id() -> None:
    new = record(1, "task-0").in_place_of(None, "id-0")
    assert new.former == ("id-0",)
    assert [(h.what, h.task_id, h.detail) for h in new.history] == [("replaced", "id-1", "id-0")]
    assert record(1, "task-0").in_place_of(None) == record(1, "task-0")
    assert record(1, "task-0").in_place_of(None, "id-1") == record(1, "task-0")
    older = record(2, "task-0").in_place_of(record(3, "task-0"), "id-0")
    assert older.former == ("id-0", "id-3")


def test_a_repeated_history_entry_is_kept_once() -> None:
    (known,) = replaced().records.values()
    said = HistoryEntry("notCreated", NOON, "id-1", 6, "refused")
    assert known.with_history(said).with_history(said) == known.with_history(said)
    same = replace(known, history=(), former=()).in_place_of(known)
    assert (same.history, same.former) == (known.history, known.former)


def test_a_current_task_takes_precedence_over_a_former_one() -> None:
    had = replace(record(1, "b"), former=("id-0",))
    for order in ([record(0), had], [had, record(0)]):
        known = fold(empty(), [*map(Recorded, order)])
        assert known.recorded_ids()["id-0"] == record(0).ref
