"""--target: the keys that a plan is limited to, and how the others still count."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.options import PlanOptions
from reconciler.model.task import TaskRef
from reconciler.plan.plan import Action, Plan, Reason
from reconciler.plan.selection import Selection, select
from reconciler.state.model import State
from tests.support.diagnostics import explanation
from tests.support.plan_values import (
    ORG,
    ago,
    attempt,
    desired,
    facts,
    message,
    plan,
    record,
    reference,
    remote,
    state,
)

DECLARED = [desired("iam-keys"), desired("iam-roles"), desired("costs"), desired("x", org_name="b")]


def options(*target: str) -> PlanOptions:
    return PlanOptions(target=target)


def keys(found: Selection) -> list[str]:
    assert found.refs is not None
    return sorted(map(str, found.refs))


def restricted(chosen: PlanOptions, known: State, **more: Any) -> Plan:
    tasks = [desired("iam-keys"), desired("costs")]
    found = select(chosen, tasks, known)
    return plan(tasks, known, options=chosen, only=found.refs, **more)


def test_without_flags_a_plan_covers_all_tasks() -> None:
    found = select(options(), DECLARED, state())
    assert found.refs is None
    assert found.within(None) is found
    assert found.within([TaskRef(ORG, "a")]).refs == frozenset([TaskRef(ORG, "a")])
    assert list(found.notes(options())) == []


@pytest.mark.parametrize(
    ("target", "left"),
    [
        (("costs",), ["acme/costs"]),
        (("iam-*",), ["acme/iam-keys", "acme/iam-roles"]),
        (("*-keys", "costs"), ["acme/costs", "acme/iam-keys"]),
        (("acme/iam-*oles",), ["acme/iam-roles"]),
        (("c*", "x*"), ["acme/costs", "b/x"]),
        (("b/x",), ["b/x"]),
    ],
)
def test_patterns(target: tuple[str, ...], left: list[str]) -> None:
    assert keys(select(options(*target), DECLARED, state())) == left


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("iam-kys", "Did you mean iam-keys"),
        ("other/costs", "acme/costs"),
        ("IAM-KEYS", "costs, iam-keys, iam-roles, x"),
        ("zz*", "costs, "),
    ],
)
def test_a_pattern_that_matches_nothing_is_an_error(pattern: str, words: str) -> None:
    with pytest.raises(TaskctlError) as caught:
        select(options(pattern), DECLARED, state())
    (problem,) = caught.value.diagnostics
    assert problem.code is Code.UNKNOWN_TARGET
    assert problem.args["pattern"] == pattern
    assert words in explanation(problem)


def test_recorded_and_attempted_tasks_can_be_selected_too() -> None:
    known = state([record("old", "t1")], [attempt("tried", ago(hours=1))])
    assert keys(select(options("old", "tried"), DECLARED, known)) == ["acme/old", "acme/tried"]
    with pytest.raises(TaskctlError):
        select(options("old"), DECLARED, known, lambda file: file == "elsewhere")


def test_a_moving_task_is_selected_by_both_keys() -> None:
    declared = [desired("new", moved_from="old"), desired("other")]
    known = state([record("old", "t1")])
    for name in ("old", "new"):
        assert keys(select(options(name), declared, known)) == ["acme/new"]
    assert keys(select(options("oth*"), declared, known)) == ["acme/other"]


def test_only_the_selection_is_listed_and_counted() -> None:
    known = state([record("gone-1", "t1"), record("costs", "t2")])
    seen = facts([remote("t1"), remote("t2")])
    made = restricted(options("iam-*"), known, seen=seen)
    assert [(t.ref.key, t.action) for t in made.tasks] == [("iam-keys", Action.CREATE)]
    assert sum(made.summary().values()) == 1
    made = restricted(options("gone-*"), known, seen=seen)
    assert [(t.ref.key, t.action) for t in made.tasks] == [("gone-1", Action.ORPHANED)]
    assert not made.has_changes()


def test_the_limit_of_creates_applies_to_the_selection() -> None:
    limited = PlanOptions(target=("costs",), max_creates=1)
    assert restricted(limited, state()).diagnostics == ()
    assert plan(DECLARED, options=PlanOptions(max_creates=1)).diagnostics != ()


def test_attempts_of_other_keys_are_decided_too() -> None:
    """Reading and recording are never limited, only creating."""
    tried = [attempt("costs", ago(hours=1)), attempt("stray", ago(hours=1), number=2)]
    known = state([], tried)
    made = restricted(options("iam-*"), known)
    assert [(t.ref.key, t.action) for t in made.tasks] == [("iam-keys", Action.CREATE)]
    assert made.closed == tuple(each.reference for each in tried)
    seen = facts(
        [remote("t1", ago(hours=1)), remote("t2", ago(hours=1))],
        {"t1": message("", reference("costs")), "t2": message("", reference("stray", 2))},
    )
    made = restricted(options("iam-*"), known, seen=seen)
    assert [(t.ref.key, t.action, t.reason) for t in made.tasks] == [
        ("costs", Action.ADOPT, Reason.REFERENCE),
        ("iam-keys", Action.CREATE, Reason.NEW),
        ("stray", Action.ADOPT, Reason.REFERENCE),
    ]


def test_a_young_attempt_of_another_key_is_not_waited_for() -> None:
    known = state([], [attempt("costs", ago(seconds=9))])
    made = restricted(options("iam-*"), known)
    assert [(t.ref.key, t.action) for t in made.tasks] == [("iam-keys", Action.CREATE)]


def test_a_restricted_plan_says_so() -> None:
    chosen = options("iam-k*", "x")
    (note,) = select(chosen, DECLARED, state()).notes(chosen)
    assert note.code is Code.LIMITED_SCOPE
    assert (note.args["shown"], note.args["count"]) == (2, 4)
    assert note.args["flags"] == "--target iam-k* --target x"
    assert list(select(options("*"), DECLARED, state()).notes(options("*"))) == []
