"""`--replace`: one new task per request, whatever the outcome of earlier attempts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.diagnostics import TaskctlError
from reconciler.model.options import PlanOptions
from reconciler.model.reference import Reference
from reconciler.model.task import DesiredTask
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Plan, Reason
from reconciler.plan.replacement import check_requests
from reconciler.plan.steps import Inputs, make_plan
from reconciler.state.attempt import HistoryEntry
from reconciler.state.model import Record, State
from tests.support.diagnostics import explanation, raises_with, summary
from tests.support.plan_values import (
    NOW,
    SOMEONE,
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
from tests.support.remark_cases import cases

ASKED = PlanOptions(replace=("a",))
SEEN = facts([remote("old")])
MESSAGES = {"new": message("work of a", reference("a"))}
NEW = facts([remote("new", ago(minutes=8))], MESSAGES)
BOTH = facts([remote("old"), remote("new", ago(minutes=8))], MESSAGES)


def replaced(at: datetime = NOW, **more: Any) -> Record:
    """A record whose task replaced `old`."""
    known = record("a", "new", **more)
    history = (
        HistoryEntry("created", ago(days=9), "old"),
        HistoryEntry("replaced", at, "new", 2, "old"),
    )
    return replace(known, history=history, former=("old",))


def test_a_recorded_task_is_replaced_and_counted_as_a_create() -> None:
    tasks = [desired("a", "edited"), desired("b")]
    made = plan(tasks, state([record("a", "old")]), SEEN, ASKED)
    task = next(t for t in made.tasks if t.ref.key == "a")
    assert decision(task) == (Action.REPLACE, Reason.ASKED)
    assert task.task_id == "old"
    assert task.creates
    assert made.summary()["replace"] == 1
    assert made.has_changes()
    few = replace(ASKED, max_creates=1)
    (said_of,) = plan(tasks, state([record("a", "old")]), SEEN, few).diagnostics
    assert "2 tasks would be created" in summary(said_of)


@pytest.mark.parametrize("shown", [facts([remote("old")]), facts(absent=["old"]), facts()])
def test_a_task_is_replaced_whatever_its_status(shown: Any) -> None:
    task = only(plan([desired("a", "edited")], state([record("a", "old")]), shown, ASKED))
    assert decision(task) == (Action.REPLACE, Reason.ASKED)
    foreign = state([record("a", "old", identity=SOMEONE)])
    assert only(plan([desired("a", "edited")], foreign, facts(), ASKED)).action is Action.REPLACE


def test_an_open_attempt_is_resolved_before_a_replacement() -> None:
    """With or without the flag: a found task becomes the record, a young attempt is waited for, and
    if nothing was created, only the flag sends another."""
    young = attempt("a", ago(seconds=9), replaces="old")
    old = attempt("a", ago(minutes=9), replaces="old")
    for options in (ASKED, PlanOptions()):
        known = state([record("a", "old")], [young])
        waits = plan([desired("a")], known, SEEN, options)
        assert only(waits).reason is Reason.SETTLING
        assert waits.diagnostics == ()
        known = state([record("a", "old")], [old])
        found = only(plan([desired("a")], known, BOTH, options))
        assert decision(found) == (Action.ADOPT, Reason.REFERENCE)
        assert found.task_id == "new"
        assert cases(found.remarks) == ["attempt.found", "attempt.replaces"]
        nothing = plan([desired("a", planMode=True)], known, SEEN, options)
        assert nothing.closed == (old.reference,)
        assert only(nothing).action is (Action.REPLACE if options is ASKED else Action.CHANGED)


def test_a_replacement_is_recorded_even_if_its_key_left_the_manifests() -> None:
    known = state([record("a", "old")], [attempt("a", ago(minutes=9), replaces="old")])
    task = only(plan([], known, NEW))
    assert (task.action, task.task_id) == (Action.ADOPT, "new")
    assert cases(task.remarks) == ["attempt.orphaned", "attempt.replaces"]
    assert task.remarks[1].facts == {"old": "old"}


@pytest.mark.parametrize(
    ("asked", "action"), [("a", "unchanged"), ("a=old", "unchanged"), ("a=new", "replace")]
)
def test_a_repeated_command_does_not_replace_again(asked: str, action: str) -> None:
    seen = facts([remote("new"), remote("old")])
    options = PlanOptions(replace=(asked,))
    made = plan([desired("a")], state([replaced(ago(minutes=2))]), seen, options)
    assert only(made).action == action
    if action == "unchanged":
        (said_of,) = made.diagnostics
        assert said_of.severity == "warning"
        assert "new already replaced old" in summary(said_of)
        assert "--replace a=new" in explanation(said_of)


@pytest.mark.parametrize("since", [{"seconds": 1}, {"days": 90}])
def test_a_replaced_key_is_replaced_again_only_after_another_edit(since: dict[str, int]) -> None:
    seen, known = facts([remote("new")]), state([replaced(ago(**since))])
    assert only(plan([desired("a")], known, seen, ASKED)).action is Action.UNCHANGED
    edited = desired("a", "edited")
    assert only(plan([edited], known, seen, ASKED)).action is Action.REPLACE
    named = PlanOptions(replace=("a=old",))
    assert only(plan([edited], known, seen, named)).action is Action.CHANGED


@pytest.mark.parametrize("requests", [("b", "b*"), ("b", "b*c", "b*")])
def test_a_key_that_a_later_request_includes_need_not_be_edited(requests: tuple[str, ...]) -> None:
    tasks, known = [desired("b"), desired("bc", "edited")], [record("b", "tb"), record("bc", "tc")]
    seen = facts([remote("tb"), remote("tc")])
    made = plan(tasks, state(known), seen, PlanOptions(replace=requests))
    actions = [task.action for task in made.tasks]
    assert (actions, made.diagnostics) == ([Action.UNCHANGED, Action.REPLACE], ())


def test_a_glob_replaces_what_was_edited_at_creation_and_nothing_else() -> None:
    tasks = [desired("a", "edited"), desired("b"), desired("c"), desired("d", name="new")]
    known = state([record("a", "ta"), record("b", "tb"), record("d", "td")])
    seen = facts([remote("ta"), remote("tb"), remote("td")])
    for glob in ("*", "acme/*", "**"):
        made = plan(tasks, known, seen, PlanOptions(replace=(glob,)))
        actions = [task.action for task in made.tasks]
        expected = [Action.REPLACE, Action.UNCHANGED, Action.CREATE, Action.CHANGED]
        assert (actions, made.diagnostics) == (expected, ())
    for glob in ("b*", "c*", "d*"):
        made = plan(tasks, known, seen, PlanOptions(replace=(glob,)))
        assert not [task for task in made.tasks if task.action is Action.REPLACE]
        (said_of,) = made.diagnostics
        assert (said_of.severity, said_of.case) == ("warning", "none")
    both = plan(tasks, known, seen, PlanOptions(replace=("*", "b=tb", "d=other")))
    assert [t.ref.key for t in both.tasks if t.action is Action.REPLACE] == ["a", "b"]
    assert [d.case for d in both.diagnostics] == ["never-had"]


def test_an_unedited_key_needs_the_id_of_its_task() -> None:
    (said_of,) = plan([desired("a")], state([record("a", "old")]), SEEN, ASKED).diagnostics
    assert (said_of.severity, said_of.case) == ("error", "same")
    assert "taskctl apply --replace a=old" in explanation(said_of)


def test_an_id_that_the_key_never_had_is_rejected() -> None:
    options = PlanOptions(replace=("a=other",))
    made = plan([desired("a")], state([record("a", "old")]), SEEN, options)
    (said_of,) = made.diagnostics
    assert said_of.severity == "error"
    assert "other was never its task" in summary(said_of)


def test_replaced_tasks_belong_to_no_key() -> None:
    """They are no reason to hold a new key with the same prompt, and no other key gets them."""
    spent = (str(reference("a", 1)),)
    known = state([replaced(ago(hours=2), reference=str(reference("a", 2)), number=2, spent=spent)])
    seen = facts([remote("old"), remote("new")])
    made = plan([desired("a"), desired("b", "work of a")], known, seen)
    assert [t.action for t in made.tasks] == [Action.UNCHANGED, Action.CREATE]
    assert made.diagnostics == ()
    named = plan([desired("a"), desired("c", task_id="old")], known, seen)
    assert [t.reason for t in named.tasks] == [Reason.SAME, Reason.CONFLICT]
    assert cases(named.tasks[1].remarks) == ["taskID.replaced"]


KEYS = ("a", "b", "c", "d")
IDS = ("t0", "t1", "t2", "t3", "t4")
OWNERS = st.dictionaries(st.sampled_from(IDS), st.sampled_from(KEYS[:3]))
SHOWN = st.dictionaries(
    st.sampled_from(IDS), st.builds(reference, st.sampled_from(KEYS), st.integers(1, 9))
)


@given(
    current=st.dictionaries(st.sampled_from(KEYS[:3]), st.sampled_from(IDS)),
    owners=OWNERS,
    shown=SHOWN,
    tried=st.sets(st.sampled_from(KEYS)),
    requested=st.sets(st.sampled_from(KEYS)),
)
def test_current_and_replaced_tasks_of_a_key_get_no_other_key(
    current: dict[str, str],
    owners: dict[str, str],
    shown: dict[str, Reference],
    tried: set[str],
    requested: set[str],
) -> None:
    """All of them have the same prompt, so any mix-up would show."""
    records = []
    for key, task_id in current.items():
        former = tuple(i for i, owner in owners.items() if owner == key and i != task_id)
        records.append(replace(record(key, task_id, "same work"), former=former))
    known = state(
        records,
        [
            attempt(key, ago(minutes=9), "same work", number=n)
            for n, key in enumerate(sorted(tried), start=1)
        ],
    )
    taken = known.recorded_ids()
    unknown = {i: message("same work", each) for i, each in shown.items() if i not in taken}
    there = facts([remote(i, ago(minutes=8)) for i in sorted(shown)], unknown)
    options = PlanOptions(replace=tuple(sorted(requested)))
    tasks = [desired(key, "same work", planMode=True) for key in KEYS]
    found = plan(tasks, known, there, options).tasks
    adopted = [task for task in found if task.action is Action.ADOPT]
    assert not [task for task in adopted if task.task_id in taken]
    assert len({task.task_id for task in adopted}) == len(adopted)
    for task in adopted:
        assert task.task_id is not None
        assert shown[task.task_id].key == task.ref.key
    for task in found:
        if task.action is Action.REPLACE:
            assert task.ref.key in requested
            assert task.task_id == current[task.ref.key]


def test_an_unresolved_task_is_not_replaced_and_reported_once() -> None:
    other = attempt("a", ago(minutes=9), identity=SOMEONE)
    made = plan([desired("a")], state([record("a", "old")], [other]), SEEN, ASKED)
    assert only(made).action is Action.UNRESOLVED
    (said_of,) = made.diagnostics
    assert "cannot replace an unresolved task" in summary(said_of)


def refused(options: PlanOptions, *tasks: DesiredTask, known: State | None = None) -> str:
    known = known or state([record("a", "old"), record("gone", "t")])
    with pytest.raises(TaskctlError) as caught:
        check_requests(options, tasks, known)
    return "\n".join(f"{summary(d)} | {explanation(d)}" for d in caught.value.diagnostics)


def test_impossible_replacements_are_rejected() -> None:
    a, b = desired("a"), desired("b", task_id="t-b")
    assert "Did you mean a?" in refused(PlanOptions(replace=("aa",)), a)
    assert "not in any manifest" in refused(PlanOptions(replace=("gone",)), a)
    assert "no task to replace" in refused(PlanOptions(replace=("new",)), desired("new"))
    assert "never created" in refused(PlanOptions(replace=("b",)), a, b)
    twins = (a, desired("a", org_name="other"))
    assert "--replace other/a" in refused(PlanOptions(replace=("a",)), *twins)
    assert "given twice" in refused(PlanOptions(replace=("a", "a=x")), a)
    assert "given twice" in refused(PlanOptions(replace=("a=old", "acme/a")), a)
    tried = state(attempts=[attempt("a", ago(seconds=3))])
    assert "outcome of the attempt to create its task is unknown" in refused(ASKED, a, known=tried)
    with raises_with(TaskctlError, "does not select"):
        check_requests(ASKED, [a], state([record("a", "old")]), selected=())
        check_requests(PlanOptions(replace=("a*",)), [a], state(), selected=())
    assert "no such task" in refused(PlanOptions(replace=("x*",)), a)
    check_requests(ASKED, [a], state([record("a", "old")]))
    check_requests(PlanOptions(replace=("*", "a=old")), [a], state([record("a", "old")]))


def test_a_moved_task_is_replaced_under_its_new_key() -> None:
    declared = desired("a", "edited", moved_from="was")
    made: Plan = plan([declared], state([record("was", "old", "work of a")]), SEEN, ASKED)
    task = only(made)
    assert decision(task) == (Action.REPLACE, Reason.ASKED)
    assert task.moved_from is not None


# The attempt of a replacement is known and the record of its key is not: the state file was lost or
# is older than its journal, or `movedFrom` left the manifest. The old task still exists, and says
# that it is for the key.

OPEN = attempt("a", ago(minutes=9), replaces="old", number=2)
OLD = {"old": message("work of a", reference("a", 1))}


def test_the_old_task_is_recorded_again_before_its_key_gets_another() -> None:
    seen = facts([remote("old")], OLD)
    made = plan([desired("a", "edited")], state(attempts=[OPEN]), seen)
    task = only(made)
    assert (*decision(task), task.task_id) == (Action.ADOPT, Reason.REFERENCE, "old")
    assert made.closed == (OPEN.reference,)


def test_a_young_replacement_is_waited_for_and_recorded_when_found() -> None:
    young = attempt("a", ago(seconds=9), replaces="old", number=2)
    waits = plan([desired("a")], state(attempts=[young]), facts([remote("old")], OLD))
    assert only(waits).reason is Reason.REFERENCE
    both = facts(
        [remote("old"), remote("new", ago(minutes=8))],
        {**OLD, "new": message("work of a", reference("a", 2))},
    )
    given = Inputs([desired("a")], state(attempts=[OPEN]), ASKED)
    (found,) = explained(given, both).state.records.values()
    assert (found.task_id, found.former) == ("new", ("old",))
    task = only(make_plan(given, both, explained(given, both)))
    assert (task.action, task.task_id) == (Action.ADOPT, "new")


def test_the_task_to_be_replaced_belongs_to_no_other_key() -> None:
    seen = facts([remote("old", ago(minutes=10))])
    young = state(attempts=[attempt("a", ago(seconds=9), replaces="old")])
    named = plan([desired("a"), desired("c", task_id="old")], young, seen)
    assert [t.action for t in named.tasks] == [Action.UNRESOLVED, Action.UNRESOLVED]
    assert cases(named.tasks[1].remarks) == ["taskID.claimed"]
    again = only(plan([desired("a", task_id="old")], state(attempts=[OPEN]), seen))
    assert decision(again) == (Action.ADOPT, Reason.TASK_ID)


def test_a_replacement_recorded_for_another_key_stays_there() -> None:
    """It was replaced under a new key, and then `movedFrom` was removed: the manifest declares a
    new task."""
    known = state([record("was", "old", "work of a")], [OPEN])
    seen = facts([remote("old")])
    same = plan([desired("a")], known, seen)
    assert [t.reason for t in same.tasks] == [Reason.RENAMED, Reason.REMOVED]
    assert same.closed == (OPEN.reference,)
    edited = plan([desired("a", "edited")], known, seen)
    assert [t.action for t in edited.tasks] == [Action.CREATE, Action.ORPHANED]


def test_an_attempt_for_a_first_task_is_sent_again_as_before() -> None:
    first = replace(OPEN, replaces="")
    assert only(plan([desired("a")], state(attempts=[first]), facts())).reason is Reason.RETRY
