"""What the tasks of an organization say about themselves: the table of docs/exactly-once.md."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.reference import Reference
from reconciler.model.service import FirstMessage, Identity, RemoteTask
from reconciler.model.task import DesiredTask, TaskId, TaskRef
from reconciler.model.value import replace
from reconciler.plan.ages import AttemptAges
from reconciler.plan.explain import explain
from reconciler.plan.explanation import Declared, Duplicate, Explanation
from reconciler.plan.facts import Listing
from reconciler.plan.needs import known_ids
from reconciler.plan.plan import Reason
from reconciler.state.attempt import Attempt, Baseline
from reconciler.state.ledger import fold
from reconciler.state.model import BaselineMoved, Closed, Learned, Recorded, State
from tests.support.plan_values import (
    BOOT,
    ME,
    NOW,
    ORG,
    PROVENANCE,
    SOMEONE,
    STATE_ID,
    ago,
    attempt,
    desired,
    facts,
    message,
    record,
    reference,
    remote,
    state,
)
from tests.support.remark_cases import cases

SETTLE = timedelta(seconds=150)
OLD, YOUNG = ago(minutes=10), ago(seconds=20)
OTHER = "babad-babad-babad"
LOST = "dadad-dadad-dadad"
IMPORTER = Identity("user-3", login="importer")


class Shown(NamedTuple):
    """A task that the service shows, and its first message."""

    task: RemoteTask
    message: FirstMessage | None


def shown(
    task_id: str,
    said: Reference | None = None,
    login: str = "me",
    created: datetime = OLD,
    text: str = "the work",
    **raw: Any,
) -> Shown:
    by = {"githubLogin": login} if login else None
    return Shown(remote(task_id, created, createdBy=by, **raw), message(text, said))


def read(
    known: State,
    *tasks: Shown,
    declared: Iterable[DesiredTask] = (),
    ages: AttemptAges | None = None,
    continues: bool = False,
    **more: Any,
) -> Explanation:
    seen = facts([each.task for each in tasks], {t.id: m for t, m in tasks}, **more)
    manifests = Declared.of(declared, {})
    return explain(known, seen, manifests, SETTLE, ages, continues=continues)


def ref(key: str) -> TaskRef:
    return TaskRef(ORG, key)


# The table

KNOWN = state(
    [
        record(
            "a", "t1", reference=str(reference("a", 3)), number=3, spent=(str(reference("a", 1)),)
        ),
        record("imported", "t5", identity=IMPORTER),
    ],
    [attempt("b", OLD, number=5)],
    closed={ref("c"): (str(reference("c", 4)),)},
    retired={"t9": record("gone", "t9", reference=str(reference("gone", 2))).retired(NOW)},
    baselines=(Baseline(ORG, ("t1",), SOMEONE),),
    provenance=replace(PROVENANCE, counter=5),
)


def outcome(found: Explanation) -> str:
    """The effect of the task `u`."""
    if found.duplicates:
        (each,) = found.duplicates
        return f"duplicate of {each.task_id}" + ("" if each.is_ours else ", not ours")
    if found.found:
        (made,) = found.found
        return f"recorded for {made.record.ref.key}" + (", attempt" if made.attempt else "")
    if found.replaced:
        return f"history of {found.replaced[0].ref.key}"
    return "blocks" if found.blocks else ""


@pytest.mark.parametrize(
    ("said", "login", "expected"),
    [
        (None, "me", ""),
        (None, "stranger", ""),
        (reference("a", 3, OTHER), "me", ""),
        (reference("a", 3), "me", "duplicate of t1"),
        (reference("a", 3), "someone", "duplicate of t1"),
        (reference("a", 3), "stranger", "duplicate of t1, not ours"),
        (reference("a", 3), "", "duplicate of t1, not ours"),
        (reference("a", 1), "me", "duplicate of t1"),
        (reference("gone", 2), "me", "duplicate of t9"),
        (reference("b", 5), "me", "recorded for b, attempt"),
        (reference("b", 5), "someone", "recorded for b"),
        (reference("b", 5), "stranger", "blocks"),
        (reference("b", 5), "", "blocks"),
        (reference("b", 6), "me", "recorded for b"),
        (reference("c", 4), "me", "recorded for c"),
        (reference("new", 7), "me", "recorded for new"),
        (reference("new", 7), "someone", "recorded for new"),
        (reference("new", 7), "stranger", "blocks"),
        (reference("new", 7), "importer", "blocks"),
        (reference("new", 7), "", "blocks"),
        (reference("gone", 6), "me", "recorded for gone"),
        (reference("a", 9), "me", "recorded for a"),
        (reference("a", 9), "stranger", "blocks"),
        (reference("a", 2), "me", "history of a"),
        (reference("a", 2), "stranger", "blocks"),
        (reference("imported", 7), "me", "recorded for imported"),
    ],
)
def test_the_first_row_that_applies_decides(
    said: Reference | None, login: str, expected: str
) -> None:
    found = read(KNOWN, shown("u", said, login))
    assert outcome(found) == expected
    assert len(found.duplicates) + len(found.found) + len(found.replaced) + len(found.blocks) <= 1
    is_recorded = expected.startswith(("recorded", "history"))
    assert any(isinstance(e, Recorded) for e in found.events) is is_recorded


def test_a_task_found_for_an_attempt_gets_what_was_sent() -> None:
    sent = {"message": {"content": "sent"}, "name": "N"}
    tried = attempt("b", OLD, number=5, inputs=sent, replaces="t0")
    found = read(state(attempts=[tried]), shown("u", reference("b", 5), text="shown"))
    (each,) = found.found
    made = each.record
    assert each.attempt == tried
    assert (made.inputs, made.pending, made.identity) == (sent, {"name": "N"}, ME)
    assert (made.reference, made.number, made.former) == (tried.reference, 5, ("t0",))
    assert not found.state.attempts
    assert found.closed == ()


def test_an_older_record_becomes_history() -> None:
    found = read(KNOWN, shown("u", reference("a", 9)))
    made = found.state.records[ref("a")]
    assert (made.task_id, made.number, made.former) == ("u", 9, ("t1",))
    assert made.references == tuple(str(reference("a", number)) for number in (1, 3, 9))
    assert [entry.what for entry in made.history] == ["adopted", "recreated"]


def test_an_older_task_is_added_to_the_history() -> None:
    found = read(KNOWN, shown("u", reference("a", 2)))
    made = found.state.records[ref("a")]
    assert (made.task_id, made.number, made.former) == ("t1", 3, ("u",))
    assert str(reference("a", 2)) in made.spent


def test_of_several_tasks_of_a_key_the_highest_number_is_recorded() -> None:
    tasks = [shown(f"u{n}", reference("new", n), created=ago(days=n)) for n in (7, 9, 8)]
    found = read(KNOWN, *tasks)
    (each,) = found.found
    assert (each.record.task_id, each.record.number) == ("u9", 9)
    assert each.record.former == ("u7", "u8")
    assert found.replaced == ()


def test_of_equal_references_the_older_task_is_recorded() -> None:
    for said in (reference("new", 7), reference("b", 5)):
        young, old = shown("a", said, created=ago(minutes=9)), shown("z", said)
        found = read(KNOWN, young, old)
        assert [each.record.task_id for each in found.found] == ["z"]
        assert [(each.task_id, each.remote.id) for each in found.duplicates] == [("z", "a")]


def test_the_counter_is_never_below_the_highest_number_of_a_user_of_this_state() -> None:
    """Nobody else can raise it."""
    for said, login, counter in (
        (reference("new", 40), "me", 40),
        (reference("new", 40), "stranger", 5),
        (reference("a", 2), "me", 5),
        (reference("new", 40, OTHER), "me", 5),
    ):
        found = read(KNOWN, shown("u", said, login))
        assert found.state.provenance.counter == counter


def test_an_attempt_is_found_for_an_undeclared_key_as_well() -> None:
    for declared in ((), [desired("b"), desired("new")]):
        tasks = shown("u", reference("b", 5)), shown("v", reference("new", 8))
        found = read(KNOWN, *tasks, declared=declared)
        assert [each.record.ref.key for each in found.found] == ["b", "new"]


def test_a_reference_of_another_organization_blocks() -> None:
    """A number may have been used twice, if the state was set back."""
    there = TaskRef("other", "a")
    sent = record("a", "t1", reference=str(reference("a", 3)), number=3, org_name="other")
    tried = attempt("a", OLD, number=4, org_name="other")
    removed = replace(sent, ref=there, reference=str(reference("a", 2)), task_id="t0").retired(NOW)
    known = state([sent], [tried], retired={"t0": removed})
    for number in (2, 3, 4):
        found = read(known, shown("u", reference("a", number)))
        ((block,),) = found.blocks.values()
        assert (block.task, block.owner) == (TaskId(ORG, "u"), "other/a")
    assert not read(known, shown("u", reference("a", 5))).blocks


@pytest.mark.parametrize(
    ("text", "raw", "declared", "expected"),
    [
        ("p", {}, {}, {"message": {"content": "p"}}),
        ("p", {"planMode": True}, {}, {"message": {"content": "p"}}),
        ("p", {}, {"planMode": True}, {"message": {"content": "p"}, "planMode": True}),
        (
            "p",
            {"approvalMode": "auto"},
            {"approvalMode": "manual"},
            {"message": {"content": "p"}, "approvalMode": "auto"},
        ),
        ("edited", {}, {}, {"message": {"content": "edited"}}),
    ],
)
def test_the_recorded_inputs_are_what_the_service_shows(
    text: str, raw: dict[str, Any], declared: dict[str, Any], expected: dict[str, Any]
) -> None:
    """What it does not return is taken from the manifest."""
    task = shown("u", reference("new", 7), text=text, **raw)
    found = read(state(), task, declared=[desired("new", "p", **declared)])
    assert found.found[0].record.inputs == expected


def test_an_undeclared_task_is_recorded_as_the_service_shows_it() -> None:
    """Without approvalMode, which may be the organization's setting."""
    raw: Any = {"approvalMode": "auto", "isShared": False, "permissionMode": "read-only"}
    (each,) = read(state(), shown("u", reference("new", 7), text="p", **raw)).found
    assert each.record.inputs == {"message": {"content": "p"}, "permissionMode": "read-only"}
    assert (each.record.file, each.record.generated) == ("", None)


# What a list proves, and what blocks


@pytest.mark.parametrize(
    ("said", "login", "expected"),
    [
        (reference("a", 3), "me", "duplicate of t1"),
        (reference("b", 5), "me", ""),
        (reference("b", 5), "someone", ""),
        (reference("new", 7), "me", ""),
        (reference("a", 9), "me", ""),
        (reference("a", 2), "me", ""),
        (reference("new", 7), "stranger", "blocks"),
    ],
)
def test_nothing_is_recorded_from_a_list_that_proves_nothing(
    said: Reference, login: str, expected: str
) -> None:
    """It may lack the older of two tasks with this reference."""
    found = read(KNOWN, shown("u", said, login), unproven="it is null")
    assert outcome(found) == expected
    assert not any(isinstance(event, Recorded) for event in found.events)
    assert 5 in found.state.attempts
    assert not any(isinstance(note, BaselineMoved) for note in found.notes)


@pytest.mark.parametrize(
    ("login", "explained", "continues", "has_failed", "blocks"),
    [
        ("me", True, False, False, True),
        ("someone", True, False, False, True),
        ("", True, False, False, True),
        ("stranger", True, False, False, False),
        ("importer", True, False, False, False),
        ("stranger", True, False, True, True),
        ("stranger", False, False, False, True),
        ("stranger", True, True, False, True),
    ],
)
def test_a_task_that_cannot_be_read_blocks_if_this_state_may_have_created_it(
    login: str, *, explained: bool, continues: bool, has_failed: bool, blocks: bool
) -> None:
    provenance = replace(PROVENANCE, explained=(ORG,) if explained else (), counter=5)
    known = replace(KNOWN, provenance=provenance)
    silent = shown("u", login=login).task
    failed = {TaskId(ORG, "u")} if has_failed else set()
    seen = facts([silent], unreadable={"u": "HTTP 500"}, failed=failed)
    found = explain(known, seen, Declared(), SETTLE, continues=continues)
    assert bool(found.blocks) is blocks
    for block in found.blocks.get(ORG, ()):
        assert (block.task, block.login, block.why) == (TaskId(ORG, "u"), login, "HTTP 500")


@pytest.mark.parametrize("said", [reference("new", 7), reference("b", 5), reference("a", 2)])
def test_nothing_is_recorded_beside_a_task_that_cannot_be_read(said: Reference) -> None:
    """It may be the older of two tasks with this reference."""
    known = shown("u", said)
    seen = facts([shown("v").task, known.task], {"u": known.message}, unreadable={"v": "403"})
    found = explain(KNOWN, seen, Declared(), SETTLE)
    assert found.blocks
    assert found.events == ()


def test_nothing_is_recorded_beside_an_older_task_with_the_same_reference() -> None:
    said = reference("new", 7)
    found = read(KNOWN, shown("u", said, "stranger"), shown("v", said, created=ago(minutes=9)))
    assert [block.task.id for block in found.blocks[ORG]] == ["u"]
    assert found.events == ()


def test_a_block_does_not_keep_other_keys_from_being_recorded() -> None:
    found = read(KNOWN, shown("u", reference("x", 8), "stranger"), shown("v", reference("new", 7)))
    assert [each.record.ref.key for each in found.found] == ["new"]
    assert [block.claimed for block in found.blocks[ORG]] == ["x"]


# Duplicates


def test_duplicates_have_both_tasks_and_the_file_of_the_key() -> None:
    (found,) = read(KNOWN, shown("u", reference("a", 3))).duplicates
    assert found == Duplicate(ref("a"), "t1", "tasks/a.yaml", shown("u").task, is_ours=True)


def test_a_duplicate_is_not_an_outcome_of_another_attempt() -> None:
    tried = attempt("a", OLD, number=6, replaces="t1")
    found = read(replace(KNOWN, attempts={6: tried}), shown("u", reference("a", 3)))
    assert len(found.duplicates) == 1
    assert found.closed == (tried,)


def test_a_duplicate_never_blocks_or_moves_a_key() -> None:
    for login in ("me", "stranger"):
        found = read(replace(KNOWN, attempts={}), shown("u", reference("a", 3), login))
        assert (found.events, found.blocks) == ((), {})
        assert [type(note) for note in found.notes] == [BaselineMoved]


# The question


def other(state_id: str, key: str, number: int, login: str = "me", days: int = 3) -> Shown:
    task_id = f"{state_id[0]}-{key}-{number}"
    return shown(task_id, reference(key, number, state_id), login, ago(days=days))


@pytest.mark.parametrize(
    ("changes", "is_asked"),
    [
        ({}, True),
        ({"is_new": True}, False),
        ({"explained": (ORG,)}, False),
        ({"explained": ("other",)}, True),
        ({"answered": (OTHER,)}, False),
        ({"answered": (LOST,)}, True),
        ({"ids": (STATE_ID, OTHER)}, False),
    ],
)
def test_a_person_answers_once_for_tasks_of_other_states(
    changes: dict[str, Any], *, is_asked: bool
) -> None:
    begun = replace(PROVENANCE, is_new=False, explained=())
    known = state(provenance=replace(begun, **changes))
    found = read(known, other(OTHER, "x", 1))
    assert bool(found.questions) is is_asked
    assert any(isinstance(note, BaselineMoved) for note in found.notes) is not is_asked


def test_the_question_names_the_states_newest_first() -> None:
    begun = state(provenance=replace(PROVENANCE, is_new=False, explained=()))
    found = read(
        begun,
        other(OTHER, "x", 1, "someone", days=9),
        other(OTHER, "a", 2, "stranger", days=4),
        other(OTHER, "x", 3, "someone", days=5),
        other(LOST, "y", 1, days=3),
        declared=[desired("a"), desired("b")],
    )
    lost, others = found.questions[ORG]
    assert (lost.id, lost.tasks, lost.keys, lost.declared, lost.is_own) == (
        LOST,
        1,
        ("y",),
        (),
        True,
    )
    assert (others.id, others.tasks, others.newest) == (OTHER, 3, ago(days=4))
    assert (others.logins, others.keys) == (("someone", "stranger"), ("x", "a"))
    assert (others.declared, others.is_own) == (("a",), False)


# Attempts


class Case(NamedTuple):
    """An open attempt, and what was read: `reason` is why it stays open; empty: it is closed."""

    reason: Reason | None
    facts: dict[str, Any] = {}  # noqa: RUF012
    tasks: tuple[Shown, ...] = ()
    provenance: dict[str, Any] = {}  # noqa: RUF012
    at: datetime = OLD
    identity: Identity = ME
    why: str = ""


ASKS = {"is_new": False, "explained": ()}
UNKEPT = {"is_kept": False}


@pytest.mark.parametrize(
    "case",
    [
        Case(None),
        Case(Reason.SETTLING, at=YOUNG),
        Case(Reason.SETTLING, {"unproven": "x"}, at=YOUNG),
        Case(Reason.OTHER_IDENTITY, identity=SOMEONE, why="attempt.other_identity"),
        Case(Reason.OTHER_IDENTITY, at=YOUNG, identity=SOMEONE, why="attempt.other_identity"),
        Case(Reason.UNREADABLE, {"refused": {ORG: "403"}}, why="org.refused"),
        Case(Reason.UNREADABLE, {"refused": {ORG: "403"}}, identity=SOMEONE, why="org.refused"),
        Case(Reason.UNREADABLE, {"unproven": "it is null"}, why="list.unproven"),
        Case(
            Reason.BLOCKED,
            tasks=(shown("u", reference("x", 9), "stranger"),),
            why="attempt.blocked",
        ),
        Case(Reason.BLOCKED, tasks=(other(OTHER, "x", 1),), provenance=ASKS, why="attempt.blocked"),
        Case(None, tasks=(other(OTHER, "x", 1),), provenance={**ASKS, "is_new": True}),
        Case(None, tasks=(shown("u"),)),
        Case(Reason.AMBIGUOUS, tasks=(shown("u"),), provenance=UNKEPT, why="attempt.possible"),
        Case(
            Reason.AMBIGUOUS,
            tasks=(shown("u", login=""),),
            provenance=UNKEPT,
            why="attempt.possible",
        ),
        Case(None, tasks=(shown("u", login="someone"),), provenance=UNKEPT),
        Case(None, tasks=(other(OTHER, "x", 1),), provenance=UNKEPT),
        Case(None, tasks=(shown("u"), shown("v", reference("x", 9))), provenance=UNKEPT),
    ],
)
def test_an_attempt_is_closed_only_if_it_cannot_have_created_a_task(case: Case) -> None:
    tried = attempt("a", case.at, identity=case.identity)
    known = state(attempts=[tried], provenance=replace(PROVENANCE, **case.provenance))
    found = read(known, *case.tasks, **case.facts)
    if case.reason is None:
        assert (found.attempts, found.closed) == ({}, (tried,))
        assert Closed(1, "made no task") in found.events
        assert found.state.closed == {tried.ref: (tried.reference,)}
        return
    verdict = found.attempts[1]
    assert verdict.reason is case.reason
    assert found.closed == ()
    assert found.state.attempts == {1: tried}
    assert cases([verdict.why] if verdict.why else []) == ([case.why] if case.why else [])


def test_a_settling_attempt_says_how_long() -> None:
    tried = attempt("a", YOUNG)
    assert read(state(attempts=[tried])).attempts[1].seconds == 150 + 10 - 20
    ages = AttemptAges()
    ages.ended(1, BOOT - 100.0)
    assert read(state(attempts=[tried]), ages=ages).attempts[1].seconds == 50.0


def test_only_a_single_candidate_can_be_confirmed() -> None:
    known = state(attempts=[attempt("a", OLD)], provenance=replace(PROVENANCE, is_kept=False))
    one = read(known, shown("u")).attempts[1]
    assert one.candidate == shown("u").task
    two = read(known, shown("u"), shown("v")).attempts[1]
    assert two.candidate is None
    assert two.why is not None
    assert two.why.facts["ids"] == ("u", "v")


def test_a_task_without_any_message_may_have_been_created_by_an_attempt() -> None:
    known = state(attempts=[attempt("a", OLD)], provenance=replace(PROVENANCE, is_kept=False))
    silent = Shown(shown("u").task, None)
    assert read(known, silent).attempts[1].reason is Reason.AMBIGUOUS


def test_an_attempt_in_an_organization_that_was_not_read_stays_open() -> None:
    tried = attempt("a", OLD, org_name="other")
    for identity in (ME, SOMEONE):
        found = read(state(attempts=[replace(tried, identity=identity)]))
        assert found.closed == ()
        assert 1 in found.attempts


def test_the_history_of_a_record_keeps_a_closed_attempt() -> None:
    tried = attempt("a", OLD, number=4, replaces="t1")
    known = replace(KNOWN, attempts={4: tried})
    made = read(known).state.records[ref("a")]
    assert (made.task_id, made.history[-1].what, made.history[-1].number) == ("t1", "notCreated", 4)
    assert made.spent[-1] == tried.reference


# References that the service keeps or loses


def test_that_the_service_keeps_references_is_learned_from_any_of_them() -> None:
    unsure = replace(PROVENANCE, is_kept=False)
    for said, is_kept in ((reference("a", 3), True), (reference("a", 3, OTHER), False)):
        found = read(replace(KNOWN, provenance=unsure), shown("u", said, "stranger"))
        assert found.state.provenance.is_kept is is_kept
        assert any(isinstance(n, Learned) and n.provenance.is_kept for n in found.notes) is is_kept


@pytest.mark.parametrize("said", [None, reference("a", 3), reference("a", 3, OTHER)])
def test_a_task_of_this_state_without_its_reference_is_noticed(said: Reference | None) -> None:
    """The recorded task is read for that. It is not to be explained."""
    unsure = replace(KNOWN, attempts={}, provenance=replace(PROVENANCE, is_kept=False))
    mine = shown("t1", said)
    seen = replace(facts([mine.task], {"t1": mine.message}), lists={})
    found = explain(unsure, seen, Declared(), SETTLE)
    assert found.unkept == ("a" if said is None else "")
    kept = replace(unsure, provenance=PROVENANCE)
    assert explain(kept, seen, Declared(), SETTLE).unkept == ""


# The baseline

HERE = Baseline(ORG, ("u", "t1"), ME)


def baseline(known: State, *tasks: Shown, **more: Any) -> tuple[bool, bool]:
    """Whether the baseline moves, and whether the organization becomes known as explained."""
    part = more.pop("is_part", False)
    seen = facts([each.task for each in tasks], {t.id: m for t, m in tasks}, **more)
    listing = replace(seen.lists[ORG], newest=HERE, is_part=part)
    found = explain(known, replace(seen, lists={ORG: listing}), Declared(), SETTLE)
    moved = BaselineMoved(HERE) in found.notes
    assert (HERE in found.state.baselines) is (moved or HERE in known.baselines)
    return moved, found.state.provenance.explained == (ORG,)


@pytest.mark.parametrize(
    ("tasks", "more", "moves"),
    [
        ((), {}, True),
        ((shown("u"),), {}, True),
        ((shown("u", reference("new", 7)),), {}, True),
        ((shown("u", reference("new", 7), "stranger"),), {}, False),
        ((), {"unproven": "x"}, False),
        ((other(OTHER, "x", 1),), {}, False),
    ],
)
def test_the_baseline_moves_once_everything_is_explained(
    tasks: tuple[Shown, ...], more: dict[str, Any], *, moves: bool
) -> None:
    begun = replace(PROVENANCE, is_new=False, explained=())
    known = replace(KNOWN, attempts={}, provenance=begun)
    assert baseline(known, *tasks, **more) == (moves, moves)


def test_a_part_of_a_list_does_not_explain_an_organization() -> None:
    known = state(provenance=replace(PROVENANCE, explained=()))
    assert baseline(known, shown("u"), is_part=True) == (True, False)


def test_an_open_attempt_keeps_the_baseline_where_it_is() -> None:
    assert baseline(state(attempts=[attempt("a", YOUNG)])) == (False, True)
    assert baseline(state(attempts=[attempt("a", OLD)])) == (True, True)
    elsewhere = attempt("a", YOUNG, org_name="other")
    assert baseline(state(attempts=[elsewhere])) == (True, True)


def test_a_baseline_that_has_not_changed_is_not_written() -> None:
    assert baseline(state(baselines=(HERE,))) == (False, True)
    theirs = replace(HERE, identity=SOMEONE)
    known = state(baselines=(theirs,))
    assert baseline(known) == (True, True)
    assert read(known).state.baseline(ORG, SOMEONE) == theirs


# Moves


@pytest.mark.parametrize(
    ("old", "new", "stays"),
    [(3, 7, "new"), (7, 3, "old"), (0, 0, "new"), (0, 3, "new"), (3, 0, "old")],
)
def test_if_a_move_meets_a_record_the_higher_number_stays(old: int, new: int, stays: str) -> None:
    """The other task becomes history."""

    def recorded(key: str, task_id: str, number: int) -> Any:
        said = str(reference(key, number)) if number else ""
        return record(key, task_id, reference=said, number=number)

    known = state([recorded("old", "t1", old), recorded("new", "t2", new)])
    found = read(known, declared=[desired("new", moved_from="old")])
    (made,) = found.state.records.values()
    goes = ("t1", reference("old", old)) if stays == "new" else ("t2", reference("new", new))
    assert [(each.ref.key, each.task_id) for each in found.replaced] == [("new", goes[0])]
    assert (made.ref.key, made.former) == (stays, (goes[0],))
    assert made.spent == ((str(goes[1]),) if goes[1].number else ())


def test_a_found_task_of_the_former_key_joins_too() -> None:
    sent = record("new", "t2", reference=str(reference("new", 7)), number=7)
    for number, expected in ((3, ("new", "t2", ("u",))), (9, ("old", "u", ("t2",)))):
        found = read(
            state([sent]),
            shown("u", reference("old", number)),
            declared=[desired("new", moved_from="old")],
        )
        (made,) = found.state.records.values()
        assert (made.ref.key, made.task_id, made.former) == expected


# States that continue others

BOTH = replace(PROVENANCE, ids=(STATE_ID, LOST, OTHER), counter=5)


@pytest.mark.parametrize(
    ("recorded", "number", "said", "created", "is_newer"),
    [
        (reference("a", 3), 3, reference("a", 9, LOST), NOW, False),
        (reference("a", 3), 3, reference("a", 4), NOW, True),
        (reference("a", 3), 3, reference("a", 2), NOW, False),
        (reference("a", 8, LOST), 0, reference("a", 1), NOW, True),
        (reference("a", 8, LOST), 0, reference("a", 9, LOST), ago(days=9), True),
        (reference("a", 8, LOST), 0, reference("a", 7, LOST), NOW, False),
        (reference("a", 8, LOST), 0, reference("a", 1, OTHER), NOW, True),
        (reference("a", 8, LOST), 0, reference("a", 9, OTHER), ago(days=9), False),
        (reference("a", 8, LOST), 5, reference("a", 4), NOW, False),
        (reference("a", 8, LOST), 5, reference("a", 9, LOST), NOW, False),
        (reference("a", 8, LOST), 5, reference("a", 6), NOW, True),
        (None, 4, reference("a", 3), NOW, False),
        (None, 4, reference("a", 9, LOST), NOW, False),
        (None, 4, reference("a", 5), NOW, True),
        (None, 0, reference("a", 1), NOW, True),
        (None, 0, reference("a", 9, LOST), NOW, False),
    ],
)
def test_a_continued_id_is_lower_than_the_own(
    recorded: Reference | None, number: int, said: Reference, created: datetime, *, is_newer: bool
) -> None:
    """Between two continued states, the newer task wins. A task that a person has named takes the
    next number."""
    text = str(recorded) if recorded is not None else ""
    known = state([record("a", "t", reference=text, number=number)], provenance=BOTH)
    found = read(known, shown("u", said, created=created))
    made = found.state.records[ref("a")]
    assert (made.task_id, made.former) == (("u", ("t",)) if is_newer else ("t", ("u",)))
    assert bool(found.replaced) is not is_newer
    if is_newer:
        assert made.number == (said.number if said.state == STATE_ID else 0)


def test_an_attempt_of_a_continued_state_is_lower_than_the_own() -> None:
    """An older version of a state may be restored beside the journal of one that continued it."""
    tried = replace(attempt("a", OLD, number=9), reference=str(reference("a", 9, LOST)))
    known = state(attempts=[tried], provenance=BOTH)
    found = read(known, shown("u", reference("a", 9, LOST)))
    made = found.state.records[ref("a")]
    assert (made.task_id, made.reference, made.number) == ("u", tried.reference, 0)
    later = read(found.state, shown("v", reference("a", 1)))
    assert later.state.records[ref("a")].task_id == "v"


def test_of_tasks_of_several_states_the_own_number_is_recorded() -> None:
    tasks = (
        shown("u1", reference("a", 1), created=ago(days=3)),
        shown("u2", reference("a", 9, LOST), created=ago(days=2)),
        shown("u3", reference("a", 5, OTHER), created=ago(days=1)),
    )
    made = read(state(provenance=BOTH), *tasks).state.records[ref("a")]
    assert (made.task_id, made.former) == ("u1", ("u2", "u3"))
    made = read(state(provenance=BOTH), *tasks[1:]).state.records[ref("a")]
    assert (made.task_id, made.former) == ("u3", ("u2",))


def test_a_continued_state_trusts_the_creators_that_a_person_has_seen() -> None:
    begun = state(provenance=replace(BOTH, is_new=False, explained=()))
    task = shown("u", reference("a", 3, LOST), "stranger")
    assert read(begun, task).blocks
    (each,) = read(begun, task, continues=True).found
    assert each.record.identity.login == "stranger"
    after = read(begun, task, continues=True).state
    assert "stranger" in after.users()
    assert not read(after, shown("v", reference("b", 4, LOST), "stranger")).blocks


# Properties

KEYS = st.sampled_from(["a", "b", "c", "new"])
SAID = st.none() | st.builds(
    reference, KEYS, st.integers(1, 9), st.sampled_from([STATE_ID, LOST, OTHER])
)
TASKS = st.lists(
    st.tuples(SAID, st.sampled_from(["me", "someone", "stranger", ""]), st.integers(1, 900)),
    max_size=6,
)
PROVENANCES = st.builds(
    lambda ids, new: replace(PROVENANCE, ids=(STATE_ID, *ids), counter=9, is_new=new),
    st.sampled_from([(), (LOST,)]),
    st.booleans(),
)
ATTEMPTS = st.dictionaries(st.integers(1, 9), KEYS, max_size=3)


def tried(keys: dict[int, str]) -> list[Attempt]:
    return [attempt(key, OLD, number=number) for number, key in keys.items()]


@given(TASKS, PROVENANCES, ATTEMPTS, st.booleans())
def test_events_lead_to_the_state_and_nothing_is_left_to_record(
    tasks: list[tuple[Reference | None, str, int]],
    provenance: Any,
    attempts: dict[int, str],
    unproven: bool,
) -> None:
    known = replace(KNOWN, attempts={a.number: a for a in tried(attempts)}, provenance=provenance)
    there = [
        shown(f"u{n}", said, login, ago(seconds=seconds))
        for n, (said, login, seconds) in enumerate(tasks)
    ]
    more: dict[str, Any] = {"unproven": "x"} if unproven else {}
    found = read(known, *there, **more)
    assert fold(known, (*found.events, *found.notes)) == found.state
    left = [each for each in there if each.task.id not in known_ids(found.state)]
    again = read(found.state, *left, **more)
    assert (again.events, again.found, again.closed) == ((), (), ())
    assert again.blocks == found.blocks
    taken = [r.task_id for r in found.state.records.values()]
    assert len(taken) == len(set(taken))
    assert not found.closed or not (unproven or found.blocks)


@given(TASKS, st.randoms(use_true_random=False))
def test_the_order_of_a_list_does_not_matter(
    tasks: list[tuple[Reference | None, str, int]], order: Any
) -> None:
    there = [
        shown(f"u{n}", said, login, ago(seconds=seconds))
        for n, (said, login, seconds) in enumerate(tasks)
    ]
    mixed = list(there)
    order.shuffle(mixed)
    one, two = read(KNOWN, *there), read(KNOWN, *mixed)
    assert one.state.records == two.state.records
    assert one.duplicates == two.duplicates


def test_organizations_are_explained_apart() -> None:
    here, there = shown("u", reference("new", 7)), shown("v", reference("other", 8))
    seen = facts([here.task], {"u": here.message})
    elsewhere = replace(there.task, org_name="other")
    unknown = Listing(("v",), Baseline("other", ("v",), ME))
    seen = replace(
        seen,
        tasks={**seen.tasks, TaskId("other", "v"): elsewhere},
        messages={**seen.messages, TaskId("other", "v"): there.message},
        lists={**seen.lists, "other": replace(unknown, unproven="x")},
    )
    found = explain(state(), seen, Declared(), SETTLE)
    assert [str(each.record.ref) for each in found.found] == ["acme/new"]
    assert found.explained == {ORG, "other"}
    proven = replace(seen, lists={**seen.lists, "other": unknown})
    found = explain(state(), proven, Declared(), SETTLE)
    assert [str(each.record.ref) for each in found.found] == ["acme/new", "other/other"]


# Users without a login


NAMELESS = Identity("user-1")


@pytest.mark.parametrize("login", ["bot", ""])
def test_a_user_without_a_login_may_have_created_any_task(login: str) -> None:
    tried = attempt("a", ago(minutes=10), number=5, identity=NAMELESS)
    known = state([], [tried])
    silent = shown("u", login=login).task
    seen = facts([silent], unreadable={"u": "HTTP 403"}, identity=NAMELESS)
    assert explain(known, seen, Declared(), SETTLE).blocks
    lossy = replace(known, provenance=replace(PROVENANCE, is_kept=False))
    seen = facts([silent], {"u": message("the work")}, identity=NAMELESS)
    assert explain(lossy, seen, Declared(), SETTLE).closed == ()
    seen = facts([silent], {"u": message("the work", reference("b", 6))}, identity=NAMELESS)
    assert explain(known, seen, Declared(), SETTLE).blocks


def test_an_attempt_is_found_after_its_user_has_changed_their_login() -> None:
    renamed = replace(ME, login="me-too")
    tried = replace(attempt("a", ago(minutes=10), number=5), ref=ref("moved"))
    found = read(state([], [tried]), shown("u", reference("a", 5), "me-too"), identity=renamed)
    assert [each.record.ref.key for each in found.found] == ["moved"]


def test_a_number_that_no_state_reaches_is_not_counted() -> None:
    """Otherwise, a number with one more digit would be no reference any more."""
    for number, counter in ((10**12 - 1, 10**12 - 1), (10**12, 5), (10**15 - 1, 5)):
        found = read(KNOWN, shown("u", reference("new", number)))
        assert found.state.provenance.counter == counter
        assert [(r.ref.key, r.number) for r in (each.record for each in found.found)] == [
            ("new", number if number == counter else 0)
        ]


def test_the_reference_of_an_open_attempt_is_found_whatever_state_it_names() -> None:
    tried = replace(
        attempt("a", ago(minutes=10), number=5), reference=str(reference("a", 5, OTHER))
    )
    found = read(state([], [tried]), shown("u", reference("a", 5, OTHER)))
    assert [(each.record.ref.key, each.attempt) for each in found.found] == [("a", tried)]
    assert found.closed == ()


@pytest.mark.parametrize("left", ["[REDACTED]", "audit@[REDACTED]/5 " + STATE_ID, "a/5 [REDACTED]"])
def test_an_attempt_is_open_beside_a_reference_that_was_taken_for_a_credential(left: str) -> None:
    """Even if the service keeps other references."""
    tried = attempt("audit@0123", ago(minutes=10), number=5)
    known = state([], [tried])
    text = f"the work\n\nTaskctl-Task: {left}"
    assert [each.candidate for each in read(known, shown("u", text=text)).attempts.values()] == [
        shown("u", text=text).task
    ]
    assert read(known, shown("u", login="stranger", text=text)).closed == (tried,)
    assert read(known, shown("u", text=f"{text}\n\nmore work")).closed == (tried,)
