from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.reference import Reference
from reconciler.model.remarks import Arg
from reconciler.model.service import FirstMessage, RemoteTask
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.state.attempt import ChangeKind
from reconciler.state.edit import (
    accept,
    assign,
    close,
    destination,
    destinations,
    find,
    mv,
    push,
    record_named,
    rm,
)
from reconciler.state.ledger import fold
from reconciler.state.model import Attempted, Closed, Event, Record, Recorded, Retired, State
from tests.support.diagnostics import explanation
from tests.support.plan_values import desired
from tests.support.state_samples import NOON, STATE_ID, WHO, attempt, empty, record, reference_at

ONE, TWO, OPEN = record(1).ref, record(2).ref, attempt(3, "open").ref
ELSEWHERE = TaskRef("other", "task-2")


@pytest.fixture
def state() -> State:
    return fold(
        empty(),
        [
            Recorded(record(1)),
            Recorded(record(2)),
            Recorded(replace(record(4), ref=ELSEWHERE)),
            Attempted(attempt(3, "open")),
            Attempted(attempt(5, "open")),
        ],
    )


def refusal(action: Callable[[], object]) -> tuple[Code, str, Mapping[str, Arg]]:
    with pytest.raises(StateError) as caught:
        action()
    (said,) = caught.value.diagnostics
    assert explanation(said)
    return said.code, said.case, said.args


def recorded(event: Event) -> Record:
    assert isinstance(event, Recorded)
    return event.record


def test_the_task_that_a_key_had_last_is_named() -> None:
    """Whatever the order of the IDs, by which the file is sorted."""
    both = [(record(1, "a"), NOON + timedelta(days=1)), (record(2, "a"), NOON)]
    known = fold(empty(), [Retired(r.retired(at)) for r, at in both])
    assert refusal(lambda: find(known, "a")) == (
        Code.UNKNOWN_TASK,
        "retired",
        {"name": "a", "id": "id-1"},
    )


def test_a_task_is_found_by_its_key_or_its_full_name(state: State) -> None:
    assert find(state, "task-1") == ONE
    assert find(state, "open") == OPEN
    assert find(state, "other/task-2") == ELSEWHERE


def test_a_key_of_two_organizations_needs_its_full_name(state: State) -> None:
    code, case, facts = refusal(lambda: find(state, "task-2"))
    assert (code, case) == (Code.UNKNOWN_TASK, "ambiguous")
    assert facts["refs"] == ("acme/task-2", "other/task-2")


@pytest.mark.parametrize(("name", "near"), [("tsak-1", "task-1"), ("acme/tsk-1", "acme/task-1")])
def test_an_unknown_key_suggests_similar_keys(state: State, name: str, near: str) -> None:
    code, case, facts = refusal(lambda: find(state, name))
    assert (code, case, facts["name"]) == (Code.UNKNOWN_TASK, "near", name)
    assert isinstance(facts["near"], tuple)
    assert facts["near"][0] == near


def test_a_key_without_similar_keys_gets_no_suggestion(state: State) -> None:
    assert refusal(lambda: find(state, "zzzzzz"))[:2] == (Code.UNKNOWN_TASK, "")


def test_a_record_moves(state: State) -> None:
    new = destination("renamed", ONE)
    assert new == TaskRef("acme", "renamed")
    moved = fold(state, mv(state, ONE, new))
    assert replace(moved.records[new], history=()) == replace(record(1), ref=new)
    assert moved.records[new].history[-1].detail == "task-1"
    assert ONE not in moved.records


def test_open_attempts_move_with_the_record(state: State) -> None:
    new = destination("renamed", OPEN)
    moved = fold(state, mv(state, OPEN, new))
    assert [a.number for a in moved.attempts_for(new)] == [4, 6]
    assert moved.attempts_for(OPEN) == ()


def test_an_open_attempt_stays_in_its_organization(state: State) -> None:
    """It may have created a task there; in another organization, a second one would be created."""
    code, case, _ = refusal(lambda: mv(state, OPEN, destination("other/renamed", OPEN)))
    assert (code, case) == (Code.STATE_EDIT, "organization")


def test_a_key_with_an_open_attempt_stays_in_its_organization(state: State) -> None:
    """The attempt may have created a task there; another organization would get a second one."""
    _, case, _ = refusal(lambda: mv(state, OPEN, TaskRef("elsewhere", OPEN.key)))
    assert case == "organization"
    assert mv(state, ONE, TaskRef("elsewhere", ONE.key))  # its task is known to exist


def test_a_killed_move_loses_no_record(state: State) -> None:
    events = mv(state, ONE, destination("renamed", ONE))
    for length in range(len(events) + 1):
        known = fold(state, events[:length]).records.values()
        assert "id-1" in {held.task_id for held in known}


@pytest.mark.parametrize(
    ("old", "new", "code", "case"),
    [
        (ONE, TWO, Code.STATE_EDIT, "taken"),
        (ONE, OPEN, Code.STATE_EDIT, "taken"),
        (ONE, ONE, Code.STATE_EDIT, "same"),
        (TaskRef("acme", "tas-1"), TaskRef("acme", "x"), Code.UNKNOWN_TASK, "near"),
    ],
)
def test_an_impossible_move_is_rejected(
    state: State, old: TaskRef, new: TaskRef, code: Code, case: str
) -> None:
    assert refusal(lambda: mv(state, old, new))[:2] == (code, case)


def test_a_destination_needs_an_organization() -> None:
    assert refusal(lambda: destination("/x", ONE))[:2] == (Code.STATE_EDIT, "org")


@pytest.mark.parametrize("name", ["", "Upper", "a b", "a/", "a/b/c", "x" * 129, "-x"])
def test_a_destination_must_be_a_key(name: str) -> None:
    assert refusal(lambda: destination(name, ONE))[:2] == (Code.STATE_EDIT, "key")


@pytest.mark.parametrize(
    ("old", "key", "to", "new"),
    [
        ("one", "one", "x*", None),
        ("[o*", "[one", "x*", "xne"),
        ("o*e", "one", "x*", "xn"),
        ("*n*", "banana", "*x*", "baxana"),
        ("o**", "one", "x*y*", "xyne"),
    ],
)
def test_a_wildcard_in_the_destination_is_the_text_of_the_same_wildcard(
    old: str, key: str, to: str, new: str | None
) -> None:
    ref = TaskRef("acme", key)
    if new is None:
        assert refusal(lambda: destinations([ref], old, to))[1] == "stars"
    else:
        assert destinations([ref], old, to) == [(ref, TaskRef("acme", new))]


def test_a_wildcard_needs_a_wildcard_in_the_destination() -> None:
    assert refusal(lambda: destinations([ONE, TWO], "task-*", "x"))[1] == "stars"


@pytest.mark.parametrize(
    ("changes", "case"),
    [
        ({"lineage": "another"}, "lineage"),
        ({}, "serial"),
        ({"serial": 9, "attempts": {}}, "attempt"),
        ({"serial": 9, "records": {}}, "lost"),
    ],
)
def test_a_push_is_rejected_if_it_would_lose_entries(
    state: State, changes: dict[str, Any], case: str
) -> None:
    assert refusal(lambda: push(state, replace(state, **changes)))[:2] == (Code.STATE_EDIT, case)


def test_a_record_is_forgotten(state: State) -> None:
    (event,) = rm(state, ONE)
    assert isinstance(event, Retired)
    after = fold(state, [event])
    assert ONE not in after.records
    assert after.retired[state.records[ONE].task_id].ref == ONE
    assert after.is_removed("id-1")
    assert after.recorded_ids()["id-1"] == ONE  # its reference stays this key's
    assert after.retired["id-1"].reference == record(1).reference
    assert refusal(lambda: rm(state, TaskRef("acme", "none")))[0] == Code.UNKNOWN_TASK


def test_an_open_attempt_is_resolved_not_removed(state: State) -> None:
    assert refusal(lambda: rm(state, OPEN))[:2] == (Code.STATE_EDIT, "unresolved")


def test_the_manifests_inputs_are_accepted(state: State) -> None:
    inputs = {"message": {"content": "Do 1, without the typo.\n"}}
    (event,) = accept(state, ONE, inputs, "tasks/b.yaml")
    assert isinstance(event, Recorded)
    accepted = record(1).changed(ChangeKind.ACCEPTED)
    assert event.record == replace(
        accepted,
        inputs=inputs,
        created_inputs=record(1).inputs,
        digest=digest(inputs),
        file="tasks/b.yaml",
    )
    after = fold(state, [event])
    assert accept(after, ONE, inputs, "tasks/b.yaml") == []
    assert refusal(lambda: accept(state, OPEN, inputs, "x"))[0] == Code.UNKNOWN_TASK


# The answers of people


def named(state: State, ref: TaskRef, task_id: str, **more: Any) -> list[Event]:
    """The events of `state assign`, with the next number."""
    raw = {"id": task_id, "createdBy": {"githubLogin": more.pop("login", WHO.login)}}
    remote = RemoteTask(ref.org_name, task_id, raw)
    number = state.provenance.counter + 1
    return assign(state, ref, remote, caller=WHO, number=number, at=NOON, **more)


def test_an_attempt_gets_the_task_that_a_person_names(state: State) -> None:
    after = fold(state, named(state, OPEN, "id-found"))
    assert after.attempts == {}
    made = after.records[OPEN]
    assert (made.task_id, made.created_at, made.reference, made.number) == ("id-found", NOON, "", 7)
    assert made.spent == (reference_at(3), reference_at(5))
    assert (made.inputs, made.digest) == (attempt(5).inputs, attempt(5).digest)
    assert (made.file, made.identity) == ("tasks/a.yaml", WHO)
    assert after.provenance.counter == 7


def test_name_and_sharing_are_still_pending_after_an_assignment() -> None:
    inputs = {**attempt(3).inputs, "name": "N", "isShared": True}
    state = fold(empty(), [Attempted(replace(attempt(3), inputs=inputs))])
    (event,) = named(state, attempt(3).ref, "id-3")
    assert isinstance(event, Recorded)
    assert event.record.pending == {"name": "N", "isShared": True}


SHOWN = FirstMessage("Do it as the service shows it.")
KEY = TaskRef("acme", "free")


@pytest.mark.parametrize(
    ("shown", "reference"),
    [
        (None, ""),
        (Reference("free", 9, STATE_ID), f"free/9 {STATE_ID}"),
        (Reference("another", 9, STATE_ID), f"another/9 {STATE_ID}"),
        (Reference("free", 9, "babab-babab-babab"), ""),
    ],
)
def test_a_key_without_attempts_gets_a_task(
    state: State, shown: Reference | None, reference: str
) -> None:
    """With the next number, whatever its reference; one of another state is only text."""
    message = replace(SHOWN, reference=shown)
    (made,) = map(recorded, named(state, KEY, "id-9", message=message))
    assert (made.ref, made.task_id, made.number, made.reference) == (KEY, "id-9", 7, reference)
    assert made.inputs == {"message": {"content": SHOWN.text}}
    assert (made.digest, made.file, made.pending) == (digest(made.inputs), "", {})
    assert made.identity == WHO


def test_an_assigned_task_gets_the_inputs_of_its_manifest(state: State) -> None:
    manifest = desired("free", "as declared", file="b.yaml")
    (made,) = map(recorded, named(state, KEY, "id-9", message=SHOWN, desired=manifest))
    assert (made.inputs, made.file) == (manifest.inputs, "b.yaml")


@pytest.mark.parametrize("ref", [KEY, OPEN])
def test_a_task_of_another_user_is_assigned_as_theirs(state: State, ref: TaskRef) -> None:
    """So that a 404 proves nothing."""
    (made,) = map(recorded, named(state, ref, "id-9", login="someone", message=SHOWN))
    assert made.identity.login == "someone"
    assert not made.identity.same_as(WHO)


def test_an_older_record_becomes_history(state: State) -> None:
    after = fold(state, named(state, ONE, "id-9", message=SHOWN))
    made = after.records[ONE]
    assert (made.task_id, made.number, made.former) == ("id-9", 7, ("id-1",))
    assert made.spent == (reference_at(1),)
    assert made.history[-1].what == "recreated"


@pytest.mark.parametrize("shown", [None, reference_at(1)])
def test_a_task_that_is_named_again_keeps_its_references(state: State, shown: str | None) -> None:
    """Also if it cannot be read."""
    state = fold(state, [Recorded(record(1, spent=(reference_at(6),)))])
    message = replace(SHOWN, reference=Reference.parse(shown)) if shown is not None else None
    made = fold(state, named(state, ONE, "id-1", message=message)).records[ONE]
    assert (made.reference, made.spent) == (reference_at(1), (reference_at(6),))
    assert (made.number, made.former) == (8, ())


def test_the_closed_attempts_of_a_key_are_not_forgotten(state: State) -> None:
    """Neither those without a record, nor those of the removed task."""
    state = fold(state, close(state, OPEN, at=NOON))
    state = fold(state, rm(state, ONE))
    shown = replace(SHOWN, reference=Reference.parse(reference_at(1)))
    for message, spent in ((SHOWN, {1, 3, 5}), (shown, {3, 5})):
        after = fold(state, named(state, OPEN, "id-1", message=message))
        assert set(after.records[OPEN].spent) == set(map(reference_at, spent))
        assert reference_at(1) in after.records[OPEN].references
        assert after.closed == {}
        assert not after.is_removed("id-1")


def test_an_attempt_is_closed_if_a_person_says_that_nothing_was_created(state: State) -> None:
    events = close(state, OPEN, at=NOON)
    assert [type(event) for event in events] == [Closed, Closed]
    after = fold(state, events)
    assert after.attempts == {}
    assert after.closed == {OPEN: (reference_at(3), reference_at(5))}
    assert OPEN not in after.records


@pytest.mark.parametrize("task_id", ["id-1", "id-again"])
def test_a_recorded_key_with_attempts_gets_a_task_too(state: State, task_id: str) -> None:
    """A task that was gone and is created again has both."""
    known: list[Event] = [Attempted(attempt(7, "task-1"))]
    state = fold(state, known)
    after = fold(state, named(state, ONE, task_id, message=SHOWN))
    made = after.records[ONE]
    assert made.task_id == task_id
    assert reference_at(7) in made.spent
    assert made.former == (() if task_id == "id-1" else ("id-1",))
    assert after.attempts_for(ONE) == ()


def test_an_invalid_answer_is_an_error(state: State) -> None:
    assert refusal(lambda: close(state, ONE, at=NOON))[:2] == (Code.STATE_EDIT, "resolved")
    code, case, facts = refusal(lambda: named(state, OPEN, "id-1"))
    assert (code, case, facts["holder"]) == (Code.STATE_EDIT, "recorded", "acme/task-1")


def test_a_task_that_an_attempt_of_another_key_created_is_not_assigned(state: State) -> None:
    """It has the attempt's reference, whatever its key is now."""
    shown = replace(SHOWN, reference=Reference.parse(reference_at(5)))
    code, case, facts = refusal(lambda: named(state, ONE, "id-9", message=shown))
    assert (code, case, facts["owner"]) == (Code.STATE_EDIT, "attempted", "acme/open")
    after = fold(state, named(state, OPEN, "id-9", message=shown))
    assert (after.records[OPEN].reference, after.attempts) == (reference_at(5), {})
    assert after.records[OPEN].spent == (reference_at(3),)


def test_an_imported_task_knows_the_closed_attempts_of_its_key(state: State) -> None:
    state = fold(state, close(state, OPEN, at=NOON))
    named_task = replace(record(8, "open"), reference="", number=7)
    after = fold(state, record_named(state, named_task))
    assert after.records[OPEN].spent == (reference_at(3), reference_at(5))
    assert after.provenance.counter == 7
    assert (
        refusal(lambda: record_named(state, replace(named_task, task_id="id-1")))[1] == "recorded"
    )


# After a replacement


@pytest.fixture
def replacing() -> State:
    """`task-1` had `id-0` and has `id-1`; two open attempts are to replace it."""
    known = record(1).in_place_of(record(0, "task-1"), "id-0")
    tries = [replace(attempt(number, "task-1"), replaces="id-1") for number in (7, 8)]
    return fold(empty(), [Recorded(known), *map(Attempted, tries)])


def test_a_replacement_becomes_the_task_of_the_record(replacing: State) -> None:
    after = fold(replacing, named(replacing, ONE, "id-new"))
    known = after.records[ONE]
    assert (known.task_id, known.former) == ("id-new", ("id-0", "id-1"))
    assert known.spent == tuple(map(reference_at, (0, 1, 7, 8)))
    assert [(h.what, h.task_id) for h in known.history][-1] == ("replaced", "id-new")
    assert not after.attempts
    assert after.recorded_ids().keys() == {"id-0", "id-1", "id-new"}


def test_a_replacement_that_was_not_created_is_in_the_history(replacing: State) -> None:
    known = fold(replacing, close(replacing, ONE, at=NOON)).records[ONE]
    assert (known.task_id, known.former) == ("id-1", ("id-0",))
    assert known.spent == tuple(map(reference_at, (0, 7, 8)))
    assert known.reference == reference_at(1)
    assert [h.what for h in known.history][-2:] == ["notCreated", "notCreated"]
    assert fold(replacing, named(replacing, ONE, "id-1")).records[ONE].task_id == "id-1"


def test_a_former_task_of_a_key_is_rejected(replacing: State) -> None:
    assert refusal(lambda: named(replacing, ONE, "id-0"))[:2] == (
        Code.STATE_EDIT,
        "former",
    )


def test_move_accept_and_assign_keep_the_history(replacing: State) -> None:
    new = destination("renamed", ONE)
    moved = fold(replacing, mv(replacing, ONE, new))
    assert [a.replaces for a in moved.attempts_for(new)] == ["id-1", "id-1"]
    accepted = fold(moved, accept(moved, new, {"message": {"content": "edited"}}, "b.yaml"))
    settled = fold(accepted, named(accepted, new, "id-new"))
    assert settled.records[new].former == ("id-0", "id-1")
    assert "id-0" in settled.recorded_ids()


def test_an_attempt_to_replace_gets_a_task_without_a_record() -> None:
    lost = fold(empty(), [Attempted(replace(attempt(7, "task-1"), replaces="id-1"))])
    known = fold(lost, named(lost, ONE, "id-1")).records[ONE]
    assert (known.task_id, known.former, known.history) == ("id-1", (), ())
    known = fold(lost, named(lost, ONE, "id-new")).records[ONE]
    assert (known.task_id, known.former) == ("id-new", ("id-1",))
    assert not fold(lost, close(lost, ONE, at=NOON)).attempts
