"""Each action and reason, and properties of every plan."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.canonical import ABSENT
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Severity, warning
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import remark
from reconciler.model.service import FirstMessage
from reconciler.model.task import Removal, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.plan.explanation import Explanation
from reconciler.plan.facts import Facts
from reconciler.plan.needs import known_ids
from reconciler.plan.plan import Action, Change, Origin, Plan, Reason
from reconciler.plan.progress import TaskProgress
from reconciler.plan.selection import is_in, select
from reconciler.plan.steps import Inputs, make_plan
from reconciler.state.attempt import Attempt, Baseline
from reconciler.state.model import Record, State
from tests.support.diagnostics import summary
from tests.support.plan_values import (
    ME,
    NOW,
    ORG,
    PROVENANCE,
    SOMEONE,
    STATE_ID,
    ago,
    attempt,
    decision,
    desired,
    explained,
    facts,
    message,
    only,
    plan,
    record,
    reference,
    remote,
    state,
)
from tests.support.remark_cases import cases, commands

OLD = ago(minutes=9)


def test_a_new_task_is_created() -> None:
    task = only(plan([desired("a")]))
    assert decision(task) == (Action.CREATE, Reason.NEW)
    assert task.creates
    assert task.applies


def test_a_recorded_task_without_differences_is_unchanged() -> None:
    made = plan([desired("a")], state([record("a", "t")]), facts([remote("t")]))
    assert decision(only(made)) == (Action.UNCHANGED, Reason.SAME)
    assert not made.has_changes()


def test_a_changed_manifest_is_reported_and_not_applied() -> None:
    made = plan([desired("a", "new")], state([record("a", "t", "old")]), facts([remote("t")]))
    task = only(made)
    assert decision(task) == (Action.CHANGED, Reason.CHANGED)
    assert task.diff == (Change("message.content", "old", "new", Origin.MANIFEST),)
    assert not made.has_changes()


@pytest.mark.parametrize(
    ("recorded", "declared", "at_service", "change"),
    [
        ({"approvalMode": "auto"}, {"approvalMode": "auto"}, {"approvalMode": "manual"}, "remote"),
        (
            {"approvalMode": "manual"},
            {"approvalMode": "auto"},
            {"approvalMode": "manual"},
            "manifest",
        ),
        (
            {"approvalMode": "manual"},
            {"approvalMode": "auto"},
            {"approvalMode": "balanced"},
            "both",
        ),
        ({"isShared": True}, {"isShared": True}, {}, None),
        ({"role": "r-1"}, {"role": "r-1"}, {"role": "r-2"}, "remote"),
        ({"isShared": False}, {"isShared": False}, {"isShared": True}, "remote"),
        ({}, {"name": "N"}, {"name": "other"}, "manifest"),
        ({"permissionMode": "default"}, {"permissionMode": "default"}, {}, None),
        ({}, {}, {"name": "made up", "approvalMode": "auto", "isShared": True}, None),
        ({"name": "N"}, {"name": "N"}, {"name": "N", "status": "idle"}, None),
        ({"approvalMode": "manual"}, {"approvalMode": "auto"}, {"approvalMode": "auto"}, None),
    ],
)
def test_remote_differences_are_reported(
    recorded: dict[str, Any],
    declared: dict[str, Any],
    at_service: dict[str, Any],
    change: str | None,
) -> None:
    task = only(
        plan(
            [desired("a", **declared)],
            state([record("a", "t", **recorded)]),
            facts([remote("t", **at_service)]),
        )
    )
    assert [c.origin.value for c in task.diff] == ([change] if change else [])
    assert task.action is (Action.CHANGED if change else Action.UNCHANGED)


def test_a_setting_removed_from_the_manifest_is_absent_in_the_diff() -> None:
    known = state([record("a", "t", planMode=True)])
    task = only(plan([desired("a")], known, facts([remote("t")])))
    assert task.diff == (Change("planMode", True, ABSENT, Origin.MANIFEST),)


def test_the_path_of_a_change_quotes_odd_names() -> None:
    known, declared = ([{"id": "x", "a b": value}] for value in "cd")
    found = plan(
        [desired("a", cliIntegrations=declared)],
        state([record("a", "t1", cliIntegrations=known)]),
        facts([remote("t1")]),
    )
    assert [change.path for change in only(found).diff] == ['cliIntegrations[0]["a b"]']


def test_a_task_is_gone_only_for_the_identity_that_created_it() -> None:
    known = state([record("a", "t")])
    made = plan([desired("a")], known, facts(absent=["t"]))
    assert decision(only(made)) == (Action.GONE, Reason.NOT_FOUND)
    assert not made.has_changes()
    other = plan([desired("a")], known, facts(absent=["t"], identity=SOMEONE))
    assert decision(only(other)) == (Action.UNCHANGED, Reason.NOT_VISIBLE)
    assert only(other).remarks == (remark("notVisible.to", maker="me", caller="someone"),)


@pytest.mark.parametrize(
    ("allowed", "creates"),
    [
        (("*",), True),
        (("a",), True),
        (("acme/a",), True),
        (("b",), False),
        (("other/a",), False),
    ],
)
def test_a_gone_task_is_recreated_if_allowed(allowed: tuple[str, ...], *, creates: bool) -> None:
    options = PlanOptions(allow_recreate=allowed)
    made = plan([desired("a")], state([record("a", "t")]), facts(absent=["t"]), options)
    assert only(made).action is Action.GONE
    assert made.has_changes() is made.has_changes() is only(made).creates is creates


def test_a_task_with_a_task_id_is_never_recreated() -> None:
    options = PlanOptions(allow_recreate=("*",))
    known = state([record("a", "t")])
    made = plan([desired("a", task_id="t")], known, facts(absent=["t"]), options)
    assert decision(only(made)) == (Action.GONE, Reason.NOT_FOUND)


def test_a_task_created_just_now_is_not_gone() -> None:
    known = state([record("a", "t", created_at=ago(seconds=100))])
    made = plan([desired("a")], known, facts(absent=["t"]))
    assert decision(only(made)) == (Action.UNCHANGED, Reason.FRESH)


def test_a_record_from_the_future_is_not_recent() -> None:
    """A clock has been set back since, so this proves nothing."""
    known = state([record("a", "t", created_at=ago(days=-400))])
    made = plan([desired("a")], known, facts(absent=["t"]))
    assert decision(only(made)) == (Action.GONE, Reason.NOT_FOUND)


def test_shared_tasks_of_another_identity_are_compared() -> None:
    known = state([record("a", "t", identity=SOMEONE)])
    made = plan([desired("a", "new")], known, facts([remote("t")]))
    assert only(made).action is Action.CHANGED


def test_a_moved_task_keeps_its_id() -> None:
    known = state([record("old", "t", "same")])
    task = only(plan([desired("a", "same", moved_from="old")], known, facts([remote("t")])))
    assert decision(task) == (Action.MOVE, Reason.MOVED)
    assert (task.task_id, task.moved_from) == ("t", TaskRef("acme", "old"))


def test_an_applied_move_is_unchanged() -> None:
    known = state([record("a", "t", "same")])
    task = only(plan([desired("a", "same", moved_from="old")], known, facts([remote("t")])))
    assert task.action is Action.UNCHANGED


def test_the_task_of_an_attempt_under_the_old_key_moves_to_the_new_key() -> None:
    known = state(attempts=[attempt("old", ago(minutes=9), "same")])
    seen = facts([remote("t", ago(minutes=8))], {"t": message("same", reference("old"))})
    task = only(plan([desired("a", "same", moved_from="old")], known, seen))
    assert (*decision(task), task.task_id) == (Action.MOVE, Reason.MOVED, "t")
    assert cases(task.remarks) == ["attempt.found", "moved.from"]


def test_task_id_is_adopted_or_unresolved_never_created() -> None:
    declared = desired("a", task_id="t")
    named = only(plan([declared], seen=facts([remote("t")])))
    assert decision(named) == (Action.ADOPT, Reason.TASK_ID)
    assert decision(only(plan([declared], seen=facts(absent=["t"])))) == (
        Action.UNRESOLVED,
        Reason.CONFLICT,
    )
    recorded_otherwise = plan(
        [declared], state([record("a", "u")]), facts([remote("t"), remote("u")])
    )
    assert decision(only(recorded_otherwise)) == (Action.UNRESOLVED, Reason.CONFLICT)
    known = state([record("b", "t")])
    made = plan([declared, desired("b")], known, facts([remote("t")]))
    assert [decision(t)[1] for t in made.tasks] == [Reason.CONFLICT, Reason.SAME]


@pytest.mark.parametrize(
    ("path", "count"), [("tasks", 1), ("tasks/b.yaml", 1), ("tasks/a.yaml", 0), ("task", 0)]
)
def test_orphaned_only_inside_the_scope(path: str, count: int) -> None:
    known = state([record("x", "t", file="tasks/b.yaml")])
    assert decision(only(plan([], known))) == (Action.ORPHANED, Reason.REMOVED)
    found = select(PlanOptions(), [], known, lambda file: is_in(file, [path]))
    assert len(plan([], known, only=found.refs).tasks) == count


def test_a_new_key_beside_an_orphan_with_the_same_work_is_unresolved() -> None:
    known = state([record("old", "t", "same")])
    made = plan([desired("a", "same")], known, facts([remote("t")]))
    assert [decision(t) for t in made.tasks] == [
        (Action.UNRESOLVED, Reason.RENAMED),
        (Action.ORPHANED, Reason.REMOVED),
    ]
    assert commands(made.tasks[0].remarks) == [
        "taskctl state mv acme/old acme/a",
        "taskctl state rm acme/old",
    ]
    listed = [Removal("old", ORG, "tasks/a.yaml")]
    settled = plan([desired("a", "same")], known, facts([remote("t")]), removed=listed)
    assert settled.tasks[0].action is Action.CREATE


def test_a_new_key_beside_an_attempt_of_one_that_left_is_unresolved() -> None:
    """Renamed while the response to its create was lost: the attempt may have created this task."""
    tried = attempt("old", ago(minutes=9), "same")
    seen = facts([remote("t", ago(minutes=8))], {"t": message("same", reference("old"))})
    made = plan([desired("a", "same")], state(attempts=[tried]), seen)
    assert [decision(t) for t in made.tasks] == [
        (Action.UNRESOLVED, Reason.RENAMED),
        (Action.ADOPT, Reason.REFERENCE),
    ]
    assert cases(made.tasks[1].remarks) == ["attempt.orphaned"]
    young = plan([desired("a", "same")], state(attempts=[attempt("old", ago(seconds=9), "same")]))
    assert [t.reason for t in young.tasks] == [Reason.RENAMED, Reason.SETTLING]
    assert cases(young.tasks[1].remarks) == ["attempt.settling_orphan"]
    nothing = plan([desired("a", "same")], state(attempts=[tried]))
    assert [decision(t) for t in nothing.tasks] == [(Action.CREATE, Reason.NEW)]


def test_another_organization_from_outside_the_manifest_is_unresolved() -> None:
    known = state([record("a", "t", org_name="before")])
    outside = plan([desired("a", org_from_manifest=False)], known)
    assert decision(outside.tasks[0]) == (Action.UNRESOLVED, Reason.OTHER_ORG)
    followed = plan([desired("a")], known)
    assert decision(followed.tasks[0]) == (Action.UNRESOLVED, Reason.OTHER_ORG)
    assert commands(followed.tasks[0].remarks) == [
        "taskctl state mv before/a acme/a",
        "taskctl state rm before/a",
    ]
    listed = [Removal("a", "before", "tasks/a.yaml")]
    assert plan([desired("a")], known, removed=listed).tasks[0].action is Action.CREATE


@pytest.mark.parametrize("outside", [True, False])
def test_an_open_attempt_under_another_organization_is_resolved_first(*, outside: bool) -> None:
    tried = state(attempts=[attempt("a", ago(minutes=9), org_name="before")])
    task = desired("a", org_from_manifest=not outside)
    made = plan([task], tried)
    assert decision(made.tasks[0]) == (Action.UNRESOLVED, Reason.OTHER_ORG)
    words = "--org before" if outside else "--target before/a"
    assert commands(made.tasks[0].remarks) == [f"taskctl apply {words}"]


def test_open_attempts_are_resolved() -> None:
    old, young = attempt("a", ago(minutes=9)), attempt("a", ago(seconds=8.7))
    retry = plan([desired("a")], state(attempts=[old]))
    assert decision(only(retry)) == (Action.CREATE, Reason.RETRY)
    wait = plan([desired("a")], state(attempts=[young]))
    assert decision(only(wait)) == (Action.UNRESOLVED, Reason.SETTLING)
    assert (
        only(wait).remarks[0].facts["seconds"] == 152
    )  # the first whole second at which it is over
    assert wait.has_changes()
    other = plan([desired("a")], state(attempts=[replace(old, identity=SOMEONE)]))
    assert decision(only(other)) == (Action.UNRESOLVED, Reason.OTHER_IDENTITY)
    assert not other.has_changes()
    seen = facts([remote("t", ago(minutes=8))], {"t": message("work of a", reference("a"))})
    found = plan([desired("a", "edited since")], state(attempts=[old]), seen)
    assert decision(only(found)) == (Action.ADOPT, Reason.REFERENCE)


def test_an_attempt_to_recreate_a_gone_task_is_looked_up_before_another_one() -> None:
    """The response to the first recreate was lost; even with the flag, it must not be sent
    again."""
    known = state([record("a", "t")], [attempt("a", ago(seconds=9))])
    options = PlanOptions(allow_recreate=("*",))
    made = plan([desired("a")], known, facts(absent=["t"]), options)
    assert decision(only(made)) == (Action.UNRESOLVED, Reason.SETTLING)
    old = state([record("a", "t")], [attempt("a", ago(minutes=9))])
    again = plan([desired("a")], old, facts(absent=["t"]))
    assert decision(only(again)) == (Action.GONE, Reason.NOT_FOUND)
    assert len(again.closed) == 1


def test_attempts_of_removed_keys_are_resolved() -> None:
    old = attempt("x", ago(minutes=9))
    seen = facts([remote("t", ago(minutes=8))], {"t": message("work of x", reference("x"))})
    assert decision(only(plan([], state(attempts=[old]), seen))) == (Action.ADOPT, Reason.REFERENCE)
    nothing = plan([], state(attempts=[old]))
    assert nothing.tasks == ()
    assert nothing.closed == (old.reference,)
    young = plan([], state(attempts=[attempt("x", ago(seconds=9))]))
    assert only(young).reason is Reason.SETTLING


def test_unfinished_patches_are_planned() -> None:
    known = state([record("a", "t", name="N", pending={"name": "N"})])
    made = plan([desired("a", name="N")], known, facts([remote("t")]))
    assert decision(only(made)) == (Action.CHANGED, Reason.UNFINISHED)
    assert made.has_changes()


def test_more_creates_than_allowed_is_an_error() -> None:
    made = plan([desired("a"), desired("b")], options=PlanOptions(max_creates=1))
    assert "2 tasks would be created" in summary(made.diagnostics[0])
    assert plan([desired("a")], options=PlanOptions(max_creates=1)).diagnostics == ()


def test_a_date_that_cannot_be_correct_is_ignored_and_reported() -> None:
    said_once = warning(Code.IMPLAUSIBLE_DATE, date="Thu, 01 Jan 2099 00:00:00 GMT")
    seen = facts([remote("t")], ignored_date=said_once)
    assert plan([desired("a")], state([record("a", "t")]), seen).diagnostics == (said_once,)


def test_a_plan_for_some_keys_considers_the_others() -> None:
    declared = [desired("a"), desired("b")]
    known = state(attempts=[attempt("a", ago(minutes=9)), attempt("b", ago(minutes=9), number=2)])
    made = plan(declared, known, only={TaskRef("acme", "a")})
    assert [t.ref.key for t in made.tasks] == ["a"]


# Nothing is created before everything is explained

STRANGE = {"u": message("x", reference("x", 9))}
ELSE = {"u": message("x", reference("x", 9, "cacac-cacac-cacac"))}
BY_EVE = remote("u", createdBy={"githubLogin": "eve"})
ASKS = replace(PROVENANCE, is_new=False, explained=())


@pytest.mark.parametrize(
    ("seen", "reason", "case", "codes"),
    [
        (facts(unproven="it is null"), Reason.UNREADABLE, "list.unproven", []),
        (
            facts([BY_EVE], STRANGE),
            Reason.BLOCKED,
            "blocked.key",
            [(Code.UNEXPLAINED_TASK, "claimed")],
        ),
        (
            facts([remote("u")], unreadable={"u": "403"}),
            Reason.BLOCKED,
            "blocked.key",
            [(Code.UNEXPLAINED_TASK, "")],
        ),
        (facts([BY_EVE], ELSE), Reason.QUESTION, "question.key", [(Code.OTHER_STATES, "others")]),
    ],
)
def test_nothing_is_created_before_everything_is_explained(
    seen: Facts, reason: Reason, case: str, codes: list[tuple[Code, str]]
) -> None:
    """All other tasks are planned as usual."""
    known = state([record("old", "t", "work of b"), record("c", "v")], provenance=ASKS)
    tasks = [desired("a"), desired("b", moved_from="old"), desired("c", "edited")]
    there = replace(seen, tasks={**seen.tasks, **facts([remote("t"), remote("v")]).tasks})
    options = PlanOptions(replace=("c",))
    made = plan(tasks, known, there, options)
    assert [decision(t) for t in made.tasks] == [
        (Action.UNRESOLVED, reason),
        (Action.MOVE, Reason.MOVED),
        (Action.UNRESOLVED, reason),
    ]
    assert cases(made.tasks[0].remarks) == [case]
    found = [(d.code, d.case) for d in made.diagnostics if d.code in dict(codes)]
    assert found == codes
    assert made.fail_reasons()


def test_the_question_is_a_note_for_a_user_who_cannot_apply() -> None:
    seen = facts([remote("u")], ELSE)
    for may_apply, action, severity in (
        (True, Action.UNRESOLVED, Severity.WARNING),
        (False, Action.CREATE, Severity.NOTE),
    ):
        made = plan([desired("a")], state(provenance=ASKS), seen, may_apply=may_apply)
        assert only(made).action is action
        (asks,) = made.diagnostics
        assert (asks.code, asks.severity) == (Code.OTHER_STATES, severity)
        assert asks.args["count"] == 1
        assert bool(made.fail_reasons()) is may_apply


def test_a_plan_that_compares_nothing_says_who_does() -> None:
    theirs = Baseline(ORG, (), SOMEONE)
    seen = replace(facts(), lists={})
    (note,) = plan([desired("a")], state(baselines=(theirs,)), seen).diagnostics
    assert (note.code, note.severity) == (Code.NOT_COMPARED, Severity.NOTE)
    assert (note.args["org"], note.args["who"]) == (ORG, ("someone",))
    assert plan([desired("a")], state(), seen).diagnostics == ()


def test_an_organization_that_cannot_be_read_stops_only_its_own_tasks() -> None:
    known = state([record("b", "t", org_name="closed")], [attempt("c", OLD, org_name="closed")])
    seen = facts(refused={"closed": "403: no member"})
    made = plan([desired("a"), desired("b", org_name="closed")], known, seen)
    assert [(t.ref.key, t.action) for t in made.tasks] == [
        ("a", Action.CREATE),
        ("b", Action.UNRESOLVED),
        ("c", Action.UNRESOLVED),
    ]
    assert all(commands(t.remarks) for t in made.tasks if t.action is Action.UNRESOLVED)
    assert not made.complete


# Attempts


@pytest.mark.parametrize(
    ("tried", "said", "expected"),
    [
        (attempt("a", OLD, identity=SOMEONE), None, "attempt.resolve_other"),
        (attempt("a", OLD), message("x"), "attempt.resolve"),
    ],
)
def test_a_person_can_say_what_an_attempt_has_created(
    tried: Attempt, said: FirstMessage | None, expected: str
) -> None:
    unsure = replace(PROVENANCE, is_kept=False)
    seen = facts([remote("t")], {"t": said} if said is not None else {})
    task = only(plan([desired("a")], state(attempts=[tried], provenance=unsure), seen))
    assert cases(task.remarks)[0] == "attempt.unresolved"
    assert cases(task.remarks)[-1] == expected
    which = "t" if said is not None else "TASK_ID"
    assert commands(task.remarks) == [
        f"taskctl state assign acme/a {which}",
        "taskctl state close acme/a",
    ]


def test_a_task_id_waits_for_the_attempt_of_its_key() -> None:
    """The user found the task whose response was lost, and set its ID."""
    said = {"t": message("work of a", reference("a"))}
    young, old = (state(attempts=[attempt("a", at)]) for at in (ago(seconds=9), OLD))
    named = desired("a", task_id="t")
    for known in (young, old):
        found = only(plan([named], known, facts([remote("t")], said)))
        assert (*decision(found), found.task_id) == (Action.ADOPT, Reason.REFERENCE, "t")
    seen = facts([remote("t"), remote("u")], said)
    other = only(plan([desired("a", task_id="u")], old, seen))
    assert decision(other) == (Action.UNRESOLVED, Reason.CONFLICT)
    alone = only(plan([desired("a", task_id="u")], old, facts([remote("u")])))
    assert decision(alone) == (Action.ADOPT, Reason.TASK_ID)
    waits = only(plan([desired("a", task_id="u")], young, facts([remote("u")])))
    assert waits.reason is Reason.SETTLING


# `movedFrom` that names nothing

ORPHAN = record("data-job-3", "t")


@pytest.mark.parametrize(
    ("known", "moved_from", "expected"),
    [
        ([ORPHAN], "data-jbo-3", "movedFrom.near"),
        ([record("other", "t")], "data-jbo-3", "movedFrom.unknown"),
        ([], "data-jbo-3", None),
        ([ORPHAN], "data-job-3", "moved.from"),
    ],
)
def test_a_former_key_that_is_not_known_is_probably_a_typo(
    known: list[Record], moved_from: str, expected: str | None
) -> None:
    task, seen = desired("data-three", "edited", moved_from=moved_from), facts([remote("t")])
    (made,) = [t for t in plan([task], state(known), seen).tasks if t.ref.key == "data-three"]
    assert cases(made.remarks)[:1] == ([expected] if expected else [])
    assert made.creates is (expected is None)


def test_only_ten_former_keys_are_compared_and_none_is_created() -> None:
    """Thousands of comparisons with thousands of keys would take minutes."""
    tasks = [desired(f"k{n}", f"{n}", moved_from=f"data-jbo-{n}") for n in range(11)]
    made = plan(tasks, state([ORPHAN]), facts([remote("t")])).tasks
    found = [cases(task.remarks)[0] for task in made if task.ref.key.startswith("k")]
    assert sorted(found) == ["movedFrom.near"] * 10 + ["movedFrom.unknown"]
    assert not any(task.creates for task in made)


# Properties

KEYS = st.sampled_from([f"k{n}" for n in range(6)])
TEXTS = st.sampled_from(["x", "y", "z"])
MODES = st.sampled_from([None, "manual", "auto"])
REFERENCES = st.none() | st.builds(
    reference, KEYS, st.integers(1, 9), st.sampled_from([STATE_ID, "cacac-cacac-cacac"])
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Any], list[Any], list[Any], list[Any], dict[str, Any]]:
    """Any combination of desired, recorded and remote tasks, with attempts."""

    def settings() -> dict[str, Any]:
        mode = draw(MODES)
        return {} if mode is None else {"approvalMode": mode}

    declared = [desired(k, draw(TEXTS), **settings()) for k in draw(st.sets(KEYS))]
    records = [record(k, f"id-{k}", draw(TEXTS), **settings()) for k in draw(st.sets(KEYS))]
    attempts = [
        attempt(k, ago(seconds=draw(st.integers(1, 400))), draw(TEXTS), number=n)
        for n, k in enumerate(sorted(draw(st.sets(KEYS))), start=1)
    ]
    tasks, messages = [], {}
    for r in records:
        if draw(st.booleans()):
            tasks.append(remote(r.task_id, **settings()))
    for n in range(draw(st.integers(0, 4))):
        made = ago(seconds=draw(st.integers(0, 900_000)))
        tasks.append(remote(f"free-{n}", made))
        messages[f"free-{n}"] = message(draw(TEXTS), draw(REFERENCES))
    return declared, records, attempts, tasks, messages


@given(worlds(), st.randoms(use_true_random=False))
def test_the_plan_does_not_depend_on_the_order_of_its_inputs(world: Any, order: Any) -> None:
    declared, records, attempts, tasks, messages = world
    absent = [r.task_id for r in records if r.task_id not in {t.id for t in tasks}]
    made = plan(declared, state(records, attempts), facts(tasks, messages, absent=absent))
    refs = [task.ref for task in made.tasks]
    assert refs == sorted(set(refs))
    assert {task.ref for task in declared} <= set(refs)
    assert {r.ref for r in records} <= set(refs)
    for part in (declared, records, attempts, tasks):
        order.shuffle(part)
    keys = list(messages)
    order.shuffle(keys)
    seen = facts(tasks, {k: messages[k] for k in keys}, absent=absent)
    assert plan(declared, state(records, attempts), seen) == made


def test_of_two_new_names_of_a_key_the_first_one_is_shown_in_any_order() -> None:
    one, two = desired("b", "the work"), desired("c", "the work")
    known, seen = state([record("a", "t", "the work")]), facts([remote("t")])
    made = plan([one, two], known, seen)
    [gone] = [task for task in made.tasks if task.ref.key == "a"]
    assert gone.explanation[0].facts["new"] == "b"
    assert plan([two, one], known, seen) == made


@given(worlds())
def test_no_two_keys_get_the_same_task(world: Any) -> None:
    declared, records, attempts, tasks, messages = world
    made = plan(declared, state(records, attempts), facts(tasks, messages))
    taken = [t.task_id for t in made.tasks if t.action in (Action.ADOPT, Action.MOVE)]
    assert len(taken) == len(set(taken))
    recorded = {r.task_id for r in records}
    assert not recorded & {t.task_id for t in made.tasks if t.action is Action.ADOPT}


@given(worlds())
def test_a_completely_applied_plan_has_no_more_changes(world: Any) -> None:
    """As soon as all attempts are past their age."""
    declared, records, attempts, tasks, messages = world
    known, there = state(records, attempts), {task.id: task for task in tasks}
    there |= {r.task_id: remote(r.task_id) for r in records if r.task_id not in there}
    made = _planned(declared, known, there, messages)[0]
    for _ in range(3):
        made, explanation = _planned(declared, known, there, messages)
        known = _applied(made, explanation.state, there)
    assert not made.has_changes()
    assert made.summary()["create"] == made.summary()["adopt"] == made.summary()["move"] == 0


def _planned(declared: Any, known: State, there: Any, messages: Any) -> tuple[Plan, Explanation]:
    """The plan; the messages of tasks that the state knows are not read."""
    read = {i: each for i, each in messages.items() if i not in known_ids(known)}
    given, seen = Inputs(tuple(declared), known, PlanOptions()), facts(there.values(), read)
    explanation = explained(given, seen)
    return make_plan(given, seen, explanation), explanation


def _applied(made: Plan, known: State, there: Any) -> State:
    """The state after all tasks were created, and all waits have ended."""
    records = dict(known.records)
    for task in made.tasks:
        if task.creates and task.desired is not None:
            shown = {k: v for k, v in task.desired.inputs.items() if k != "message"}
            task_id = f"new-{task.ref.key}"
            there[task_id] = remote(task_id, NOW, **shown)
            records[task.ref] = replace(record(task.ref.key, task_id), inputs=task.desired.inputs)
    attempts = {n: replace(each, waited=1e9) for n, each in known.attempts.items()}
    return replace(known, records=records, attempts=attempts)


def test_an_identity_is_compared_by_its_id_not_its_login() -> None:
    renamed = replace(ME, login="me-renamed")
    known = state([record("a", "t")])
    assert only(plan([desired("a")], known, facts(absent=["t"], identity=renamed))).action is (
        Action.GONE
    )


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (TaskState.RUNNING, (Action.HELD, Reason.AFTER)),
        (TaskState.FAILED, (Action.HELD, Reason.STOPPED)),
        (TaskState.DONE, (Action.CREATE, Reason.NEW)),
    ],
)
def test_a_task_follows_one_that_is_done(
    progress: TaskState, expected: tuple[Action, Reason]
) -> None:
    first, second = desired("a"), replace(desired("b"), after=("a",))
    read = {first.ref: TaskProgress(progress)}
    known, seen = state([record("a", "t")]), facts([remote("t")])
    _, held = plan([first, second], known, seen, progress=read).tasks
    assert decision(held) == expected
    assert held.waits_for == (() if held.creates else (first.ref,))
