"""Existing tasks that may already do the work of missing ones."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.codes import Code
from reconciler.model.options import PlanOptions
from reconciler.model.service import Identity
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Reason
from reconciler.state.attempt import Baseline, KeyNotes
from reconciler.state.edit import not_created
from reconciler.state.ledger import fold
from reconciler.state.model import Attempted, Noted, Record, Retired, State
from tests.support.plan_values import (
    ME,
    NOW,
    SOMEONE,
    ago,
    attempt,
    decision,
    desired,
    message,
    only,
    plan,
    record,
    remote,
    state,
    view,
)
from tests.support.remark_cases import cases, commands

LOOK = {"t": message("work of a", ago(days=3))}
ADOPT = PlanOptions(adopt=True)
SEEN = view([remote("t", ago(days=3))], LOOK)


def test_a_look_alike_is_never_adopted_unasked() -> None:
    made = plan([desired("a")], seen=SEEN)
    task = only(made)
    assert decision(task) == (Action.UNRESOLVED, Reason.LOOK_ALIKE)
    assert (task.task_id, task.candidate) == ("t", remote("t", ago(days=3)))
    assert made.fail_reasons()
    assert cases(task.remarks) == ["lookAlike.same", "adopt.named", "adopt.date_by"]
    (warned,) = made.diagnostics
    assert (warned.code, warned.args) == (
        Code.LOOK_ALIKES,
        {"count": 1, "answer": ("state", "resolve", "acme/a", "--not-created")},
    )


def test_a_look_alike_is_adopted_if_asked_with_an_explanation() -> None:
    task = only(plan([desired("a")], seen=SEEN, options=ADOPT))
    assert decision(task) == (Action.ADOPT, Reason.LOOK_ALIKE)
    assert cases(task.remarks) == ["lookAlike", "adopt.named", "adopt.date_by"]
    for fact in (
        f"{ago(days=3):%Y-%m-%d}",
        "me",
        "https://app.example.com/acme/neo/tasks/t",
    ):
        assert any(fact in r.facts.values() for r in task.remarks)


def test_an_answer_counts_for_the_pairs_that_were_shown() -> None:
    two = {"t": message("same"), "u": message("same")}
    seen = view([remote("t", ago(days=3)), remote("u", ago(days=2))], two)
    tasks = [desired("a", "same"), desired("b", "same")]
    answered = plan(tasks, seen=seen, answers={TaskRef("acme", "a"): "t"})
    assert [(t.action, t.task_id) for t in answered.tasks] == [
        (Action.ADOPT, "t"),
        (Action.UNRESOLVED, "u"),
    ]
    other = plan([desired("a")], seen=SEEN, answers={TaskRef("acme", "a"): "u"})
    assert only(other).action is Action.UNRESOLVED


def test_a_look_alike_makes_every_key_that_it_matches_unresolved() -> None:
    seen = view([remote("t")], {"t": message("same")})
    tasks = [desired("a", "same"), desired("b", "same")]
    made = plan(tasks, seen=seen)
    assert [t.action for t in made.tasks] == [Action.UNRESOLVED, Action.UNRESOLVED]
    assert cases(made.tasks[1].remarks)[0] == "lookAlike.shared"
    asked = plan(tasks, seen=seen, options=ADOPT)
    assert [t.action for t in asked.tasks] == [Action.ADOPT, Action.UNRESOLVED]


def test_the_newest_look_alike_is_adopted_by_one_key_only() -> None:
    seen = view(
        [remote("older", ago(days=3)), remote("newer", ago(days=2))],
        {"older": message("same"), "newer": message("same")},
    )
    tasks = [desired(key, "same") for key in ("k2", "k10", "k1")]
    made = {t.ref.key: t.task_id for t in plan(tasks, seen=seen, options=ADOPT).tasks}
    assert made == {"k1": "newer", "k2": "older", "k10": None}


@pytest.mark.parametrize(
    ("declared", "shown", "expected"),
    [
        ({}, {}, Action.ADOPT),
        ({"adopt": False}, {}, None),
        ({}, {"createdBy": {"githubLogin": "someone"}}, Action.UNRESOLVED),
        ({}, {"createdBy": {"name": "Eve"}}, Action.UNRESOLVED),
        ({}, {"createdBy": {"githubLogin": ""}}, Action.UNRESOLVED),
        ({}, {"createdBy": None}, Action.UNRESOLVED),
        ({"planMode": True}, {}, None),
        ({"planMode": True}, {"planMode": True}, Action.ADOPT),
        ({"planMode": False}, {}, Action.ADOPT),
        ({"source": "api"}, {}, Action.ADOPT),
        ({"source": "cli"}, {"source": "api"}, None),
        ({"approvalMode": "auto"}, {"approvalMode": "manual"}, Action.ADOPT),
        ({"entities": [{"type": "stack", "name": "s", "project": "p"}]}, {}, Action.UNRESOLVED),
    ],
)
def test_a_look_alike_is_adopted_only_if_it_qualifies(
    declared: dict[str, Any], shown: dict[str, Any], expected: Action | None
) -> None:
    """None: it is no look-alike, so only `--adopt` keeps apply from creating another task."""
    seen = view([remote("t", **{"created": ago(hours=1), **shown})], LOOK)
    before = Baseline("acme", ("t",), ME)
    known = state(baselines={before.name: before}, latest={"acme": before.name})
    task = only(plan([desired("a", **declared)], known, seen, ADOPT))
    assert (None if task.reason is Reason.RECOVERING else task.action) is expected


def test_what_the_last_apply_has_compared_is_no_look_alike() -> None:
    before = Baseline("acme", ("t",), ME)
    known = state(baselines={before.name: before}, latest={"acme": before.name})
    assert only(plan([desired("a")], known, SEEN)).action is Action.CREATE


def test_a_look_alike_whose_entities_the_service_deleted_is_unresolved() -> None:
    stack = {"type": "stack", "name": "s", "project": "p"}
    seen = view([remote("t")], {"t": message("work of a")})
    made = only(plan([desired("a", entities=[stack])], seen=seen))
    assert decision(made) == (Action.UNRESOLVED, Reason.AMBIGUOUS)
    assert cases(made.remarks)[0] == "unsure.entities"


def test_a_recorded_task_is_never_a_look_alike() -> None:
    known = state([record("b", "t", "work of a")])
    made = plan([desired("a"), desired("b", "work of a")], known, view([remote("t")], LOOK))
    assert made.tasks[0].action is Action.CREATE


def test_an_unread_task_is_unresolved() -> None:
    for seen in (view(cut_short=frozenset({"acme"})), view(unlisted={"acme": "it is null"})):
        assert only(plan([desired("a")], state(), seen)).action is Action.UNRESOLVED
    unread = view([remote("t", ago(hours=1))], unreadable={"t": "HTTP 500"})
    assert decision(only(plan([desired("a")], seen=unread))) == (
        Action.UNRESOLVED,
        Reason.UNREADABLE,
    )


def test_a_look_alike_with_its_credentials_removed_is_unresolved() -> None:
    seen = view([remote("t", ago(hours=1))], {"t": message("use [REDACTED] now")})
    assert only(plan([desired("a", "use ghp_1 now")], seen=seen)).action is Action.UNRESOLVED


# Tasks that `state rm` removed


def removed(key: str = "a", **more: Any) -> State:
    """A state whose user has removed the record of a task by hand, long after it was compared."""
    before = Baseline("acme", ("t",), ME)
    task = record("a", "t", identity=more.pop("identity", ME)).retired(NOW, adoptable=True)
    known = state(baselines={before.name: before}, latest={"acme": before.name}, **more)
    return fold(known, [Retired(replace(task, ref=task.ref._replace(key=key)))])


def test_the_task_whose_record_was_removed_is_known_by_its_id() -> None:
    seen = view([remote("t", ago(days=3))], LOOK)
    task = only(plan([desired("a")], removed(), seen))
    assert (*decision(task), task.task_id) == (Action.ADOPT, Reason.RECORD_REMOVED, "t")
    moved = only(plan([desired("b", "work of a", moved_from="a")], removed(), seen))
    assert (*decision(moved), moved.task_id) == (Action.ADOPT, Reason.RECORD_REMOVED, "t")
    edited = only(plan([desired("a", "something else")], removed(), seen))
    assert decision(edited) == (Action.UNRESOLVED, Reason.RECORD_REMOVED)
    assert "taskctl state resolve acme/a --not-created" in commands(edited.remarks)


def test_a_removed_task_that_is_not_visible_is_compared_by_its_inputs() -> None:
    gone = view(absent=["t"])
    assert decision(only(plan([desired("a")], removed(), gone))) == (Action.GONE, Reason.NOT_FOUND)
    others = removed(identity=SOMEONE)
    assert decision(only(plan([desired("a")], others, gone))) == (
        Action.ADOPT,
        Reason.RECORD_REMOVED,
    )


def test_a_removed_task_is_a_look_alike_of_every_other_key() -> None:
    seen = view([remote("t", ago(days=3))], LOOK)
    task = only(plan([desired("b", "work of a")], removed(), seen))
    assert decision(task) == (Action.UNRESOLVED, Reason.LOOK_ALIKE)


def test_a_removed_task_belongs_to_one_key_by_its_id() -> None:
    """The key that had it last gets it, whatever the order of the keys, and no other key does."""
    tasks = [desired("a", "work of b"), desired("b"), desired("c", "work of b")]
    known = removed("b")
    again = fold(known, [Noted(TaskRef("acme", "a"), KeyNotes(removed="t"))])
    seen = view([remote("t", ago(days=3))], {"t": message("work of b", ago(days=3))})
    for options, others in ((PlanOptions(), Action.CREATE), (ADOPT, Action.UNRESOLVED)):
        made = plan(tasks, again, seen, options)
        assert [(t.action, t.task_id) for t in made.tasks] == [
            (others, None),
            (Action.ADOPT, "t"),
            (others, None),
        ]


def test_a_task_removed_from_a_key_outside_the_plan_is_not_adopted_by_another() -> None:
    only_b = [TaskRef("acme", "b")]
    made = plan([desired("a"), desired("b", "work of a")], removed(), SEEN, ADOPT, only=only_b)
    assert decision(only(made)) == (Action.UNRESOLVED, Reason.AMBIGUOUS)


@pytest.mark.parametrize("maker", [ME, SOMEONE])
def test_a_removed_task_that_another_key_cannot_see(maker: Identity) -> None:
    """For the user who created it, it is gone; for others, it still does the work."""
    known = removed(identity=maker)
    task = only(plan([desired("b", "work of a")], known, view(absent=["t"])))
    assert task.action is (Action.CREATE if maker is ME else Action.UNRESOLVED)
    assert not task.remarks or cases(task.remarks)[0] == "lookAlike.removed"


def test_a_person_can_say_that_no_task_was_created() -> None:
    seen = view([remote("t", ago(days=3))], LOOK)
    for known in (removed(), state()):
        decided = fold(known, not_created(known, TaskRef("acme", "a")))
        assert decision(only(plan([desired("a")], decided, seen))) == (Action.CREATE, Reason.NEW)
        tried = fold(decided, [Attempted(attempt("a", NOW))])
        assert not tried.notes_on(TaskRef("acme", "a")).not_created


# `movedFrom` that names nothing


ORPHAN = record("data-job-3", "t")


@pytest.mark.parametrize(
    ("known", "declared", "expected"),
    [
        ([ORPHAN], {}, "movedFrom.near"),
        ([record("other", "t")], {}, "movedFrom.unknown"),
        ([], {}, None),
        ([ORPHAN], {"adopt": False}, None),
        ([ORPHAN], {"moved_from": "data-job-3"}, "moved.from"),
    ],
)
def test_a_former_key_that_is_not_known_is_probably_a_typo(
    known: list[Record], declared: dict[str, Any], expected: str | None
) -> None:
    task = desired("data-three", "edited", **{"moved_from": "data-jbo-3", **declared})
    seen = view([remote("t")])
    (made,) = [t for t in plan([task], state(known), seen).tasks if t.ref.key == "data-three"]
    assert cases(made.remarks)[:1] == ([expected] if expected else [])
    assert made.creates is (expected is None)


def test_a_person_can_say_that_a_former_key_does_not_exist() -> None:
    known, new = state([ORPHAN]), TaskRef("acme", "new")
    decided = fold(known, not_created(known, new))
    made = plan([desired("new", "edited", moved_from="nothing")], decided, view([remote("t")]))
    assert [task.action for task in made.tasks if task.ref == new] == [Action.CREATE]
