"""Plans of entries: past periods, found tasks, rollouts and overlaps."""

from __future__ import annotations

import pytest

from reconciler.messages.remarks import word_remarks
from reconciler.model.codes import Code
from reconciler.model.options import PlanOptions
from reconciler.model.task import DesiredTask, Expectation, Generated, Recurring, Rollout, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Plan, PlannedTask
from reconciler.plan.progress import TaskProgress, records_to_check
from reconciler.plan.selection import select
from reconciler.plan.steps import Inputs, followed_by, make_plan
from reconciler.state.model import State
from tests.support.generated_tasks import DUE, ids, made, review, reviewed, rows, trying
from tests.support.plan_values import (
    SOMEONE,
    ago,
    attempt,
    explained,
    facts,
    message,
    plan,
    record,
    reference,
    remote,
    state,
)
from tests.support.remark_cases import cases

SLOW = Rollout(pilot=1, at_once=2, stop_after=1)


def actions(found: Plan) -> dict[str, str]:
    return {task.ref.key: f"{task.action}/{task.reason}" for task in found.tasks}


# Past periods


def test_a_past_period_is_not_orphaned_and_does_not_block_the_same_prompt() -> None:
    known = state([reviewed("2026-10", "old"), reviewed("2026-09", "older")])
    found = plan([review()], known, due=DUE)
    assert actions(found) == {"review@2026-11": "create/new"}
    assert actions(plan([], known, due=DUE)) == {}


def test_a_removed_entry_leaves_orphans_of_all_periods() -> None:
    found = plan([], state([reviewed("2026-10", "old")]))
    assert actions(found) == {"review@2026-10": "orphaned/removed"}


def test_an_orphaned_row_of_the_current_period_is_listed() -> None:
    gone = replace(reviewed("2026-11", "x"), ref=TaskRef("acme", "review@row@2026-11"))
    found = plan([review()], state([gone]), due=DUE)
    assert actions(found)["review@row@2026-11"] == "orphaned/notGenerated"


def test_rows_that_an_entry_no_longer_generates_are_labeled_as_such() -> None:
    known = state([made("a", "1"), made("b", "2"), record("plain", "3")])
    found = plan(rows("a"), known, facts([remote("1")]))
    assert {t.ref.key: cases(t.remarks) for t in found.tasks if t.action is Action.ORPHANED} == {
        "t@b": ["orphaned.row"],
        "plain": ["orphaned"],
    }


def test_an_entry_may_move_to_another_file() -> None:
    old = replace(reviewed("2026-10", "old"), file="tasks/old.yaml")
    assert actions(plan([review()], state([old]), due=DUE)) == {"review@2026-11": "create/new"}


def test_an_open_attempt_of_a_past_period_is_looked_up_but_never_resent() -> None:
    tried = trying("2026-10", ago(days=30))
    found = plan([review()], state([], [tried]), due=DUE)
    assert actions(found) == {"review@2026-11": "create/new"}
    assert found.closed == (tried.reference,)
    seen = facts(
        [remote("t", ago(days=30))],
        {"t": message("review costs", reference("review@2026-10"))},
    )
    found = plan([review()], state([], [tried]), seen, due=DUE)
    assert actions(found) == {
        "review@2026-10": "adopt/reference",
        "review@2026-11": "create/new",
    }


def test_a_settling_attempt_does_not_hold_the_next_period() -> None:
    tried = trying("2026-10", ago(seconds=20))
    seen = facts([remote("t", ago(seconds=10))], {"t": message("review costs")})
    found = plan([review()], state([], [tried]), seen, due=DUE)
    assert actions(found) == {
        "review@2026-10": "unresolved/settling",
        "review@2026-11": "create/new",
    }


# Found tasks


@pytest.mark.parametrize("period", ["2026-11", "2026-10"])
def test_a_found_task_of_a_lost_record_belongs_to_its_period(period: str) -> None:
    """Entry and period come from its key and the manifests."""
    key = f"review@{period}"
    seen = facts([remote("t")], {"t": message("review costs", reference(key))})
    november = TaskRef("acme", "review")
    recurring = {november: Recurring()}
    given = Inputs([review()], state(), PlanOptions(), due=DUE, recurring=recurring)
    (found,) = explained(given, seen).found
    assert found.record.generated == Generated("review", {}, period)
    made = make_plan(given, seen, explained(given, seen))
    assert actions(made)[key] == "adopt/reference"
    assert actions(made).get("review@2026-11") == (
        "adopt/reference" if period == "2026-11" else "create/new"
    )


def test_a_found_task_of_a_row_that_left_belongs_to_its_entry() -> None:
    seen = facts([remote("t")], {"t": message("x", reference("t@gone"))})
    given = Inputs(rows("a"), state(), PlanOptions())
    (found,) = explained(given, seen).found
    assert found.record.generated == Generated("t")
    other = facts([remote("t")], {"t": message("x", reference("u@gone"))})
    assert explained(given, other).found[0].record.generated is None


# Rollouts


def test_other_tasks_wait_for_the_pilot_with_a_reason() -> None:
    tasks = rows("a", "b", "c", rollout=SLOW, pilot=1)
    found = plan(tasks)
    assert actions(found) == {
        "t@a": "create/new",
        "t@b": "held/pilot",
        "t@c": "held/pilot",
    }
    assert found.tasks[1].waits_for == (TaskRef("acme", "t@a"),)
    assert found.summary()["held"] == 2
    assert not found.fail_reasons()
    assert plan(tasks[1:], state([made("a", "1")])).has_changes()


def test_a_held_task_shows_the_status_of_its_predecessors() -> None:
    tasks = rows("a", "b", "c", rollout=Rollout(pilot=2), pilot=2)
    known = state([made("a", "1")])
    running = TaskProgress(TaskState.RUNNING, 720)
    found = plan(tasks, known, facts([remote("1")]), progress={TaskRef("acme", "t@a"): running})
    (held,) = (task for task in found.tasks if task.action is Action.HELD)
    assert word_remarks(held.explanation).note == (
        "waiting for the pilot: t@a (running for 12 min), t@b (not created yet)"
    )


def test_held_tasks_are_not_changes() -> None:
    tasks = rows("a", "b", rollout=SLOW, pilot=1)
    found = plan(tasks, state([made("a", "1")]), facts([remote("1")]))
    assert actions(found) == {"t@a": "unchanged/same", "t@b": "held/pilot"}
    assert not found.has_changes()


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (TaskState.RUNNING, ["held/pilot", "held/pilot", "held/pilot"]),
        (TaskState.DONE, ["create/new", "create/new", "held/atOnce"]),
        (TaskState.FAILED, ["held/stopped", "held/stopped", "held/stopped"]),
    ],
)
def test_the_pilot_decides_what_follows(progress: TaskState, expected: list[str]) -> None:
    tasks = rows("a", "b", "c", "d", rollout=SLOW, pilot=1)
    known = state([made("a", "1")])
    read = {TaskRef("acme", "t@a"): TaskProgress(progress)}
    found = plan(tasks, known, facts([remote("1")]), progress=read)
    assert [value for key, value in actions(found).items() if key != "t@a"] == expected
    codes = [d.code for d in found.diagnostics]
    assert codes == ([Code.ROLLOUT_STOPPED] if "held/stopped" in expected else [])


def test_a_finished_pilot_is_remembered() -> None:
    tasks = rows("a", "b", rollout=SLOW, pilot=1)
    known = state([made("a", "1", done=True)])
    assert actions(plan(tasks, known, facts([remote("1")])))["t@b"] == "create/new"
    gone = facts(absent=["1"])
    assert actions(plan(tasks, known, gone))["t@b"] == "create/new"
    assert actions(plan(tasks, state([made("a", "1")]), gone))["t@b"] == "held/stopped"


def test_a_target_never_bypasses_a_rollout() -> None:
    tasks = rows("a", "b", "c", rollout=Rollout(pilot=1, at_once=2), pilot=1)
    last = {TaskRef("acme", "t@c")}
    assert actions(plan(tasks, only=last)) == {"t@c": "held/pilot"}
    known = state([made("a", "1", done=True), made("b", "2")])
    assert actions(plan(tasks, known, only=last)) == {"t@c": "create/new"}
    one = [
        replace(t, origin=t.origin and replace(t.origin, rollout=Rollout(at_once=1))) for t in tasks
    ]
    assert actions(plan(one, known, only=last)) == {"t@c": "held/atOnce"}


DEV = TaskRef("acme-dev", "t@dev")


def environments(rollout: Rollout) -> list[DesiredTask]:
    """An entry with a row in each of two organizations; the first one is the pilot."""
    dev, *others = rows("dev", "prod", "more", rollout=rollout, pilot=1)
    return [replace(dev, org_name=DEV.org_name), *others]


def limited(tasks: list[DesiredTask], known: State, target: str) -> Inputs:
    options = PlanOptions(target=(target,))
    return Inputs(tasks, known, options, selection=select(options, tasks, known))


def made_by(given: Inputs) -> tuple[PlannedTask, ...]:
    return make_plan(given, facts(), explained(given, facts())).tasks


@pytest.mark.parametrize("rollout", [Rollout(picks_pilot=True), Rollout(at_once=1)])
def test_another_organization_counts_by_its_records(rollout: Rollout) -> None:
    """Its tasks are not read. What they may be holds the others."""
    tasks = environments(rollout)
    running = replace(made("dev", "1"), ref=DEV)
    tried = replace(attempt("t@dev", ago(days=1)), ref=DEV, generated=running.generated)
    for known in (state([running]), state([], [tried])):
        inputs = limited(tasks, known, "acme/*")
        assert followed_by(inputs) == ()
        assert {t.action for t in made_by(inputs)} == {Action.HELD}
    done = replace(running, done=True)
    for expect, created in ((None, True), (Expectation(pull_requests=1), False)):
        asked = [replace(t, expect=expect) for t in tasks]
        found = made_by(limited(asked, state([done]), "acme/*"))
        assert any(t.action is Action.CREATE for t in found) is created


def test_a_run_reads_its_tasks_that_another_organization_waits_for() -> None:
    tasks = environments(Rollout(picks_pilot=True))
    running = replace(made("dev", "1"), ref=DEV)
    there = limited(tasks, state([running]), "acme-dev/*")
    assert [each.record for each in followed_by(there)] == [running]
    assert followed_by(replace(there, state=state([replace(running, done=True)]))) == ()


def test_only_unfinished_tasks_of_a_rollout_with_missing_tasks_are_read() -> None:
    tasks = rows("a", "b", "c", "d", rollout=SLOW, pilot=1)
    known = [made("a", "1", done=True), made("b", "2"), made("c", "3")]
    assert ids(records_to_check(tasks, state(known), None)) == ["2", "3"]
    assert ids(records_to_check(tasks, state([*known, made("d", "4")]), None)) == []
    assert ids(records_to_check(tasks, state(known), {TaskRef("acme", "t@b")})) == []
    assert ids(records_to_check(rows("a", "b"), state(known), None)) == []


@pytest.mark.parametrize("wait", [False, True])
def test_maximum_creates_count_those_of_one_wave(*, wait: bool) -> None:
    tasks = rows("a", "b", "c", rollout=SLOW, pilot=1)
    few = PlanOptions(max_creates=1, wait=wait)
    assert [d.code for d in plan(tasks, options=few).diagnostics] == []
    found = plan(rows("a", "b", "c"), options=few)
    assert [d.code for d in found.diagnostics] == [Code.TOO_MANY_CREATES]
    assert found.diagnostics[0].args["count"] == 3


# Overlap


def test_a_task_waits_until_the_earlier_period_is_over() -> None:
    task, before = review(waits=True), reviewed("2026-10", "old")
    (asked,) = records_to_check([task], state([before]), None)
    assert asked is before
    found = plan([task], state([before]), due=DUE)
    assert actions(found) == {"review@2026-11": "held/overlap"}
    assert found.tasks[0].waits_for == (before.ref,)
    for over in (TaskState.DONE, TaskState.FAILED, TaskState.TO_MERGE):
        found = plan([task], state([before]), due=DUE, progress={before.ref: TaskProgress(over)})
        assert actions(found) == {"review@2026-11": "create/new"}
    done = replace(before, done=True)
    assert actions(plan([task], state([done]), due=DUE)) == {"review@2026-11": "create/new"}
    assert records_to_check([task], state([done]), None) == []


def test_an_attempt_of_the_earlier_period_and_another_s_task_hold_it_too() -> None:
    task = review(waits=True)
    tried = trying("2026-10", ago(seconds=30))
    found = plan([task], state([], [tried]), due=DUE)
    assert actions(found)["review@2026-11"] == "held/overlap"
    theirs = reviewed("2026-10", "old", identity=SOMEONE)
    (held,) = plan([task], state([theirs]), due=DUE).tasks
    assert cases(held.remarks) == ["held.overlap", "held.maker"]
    assert held.remarks[1].facts == {"maker": "someone", "caller": "me", "key": "review@2026-10"}


def test_an_open_replacement_of_the_earlier_period_holds_it() -> None:
    """Although its old task only has to be merged."""
    task, before = review(waits=True), reviewed("2026-10", "old")
    tried = trying("2026-10", ago(seconds=30))
    read = {before.ref: TaskProgress(TaskState.TO_MERGE)}
    found = plan([task], state([before], [tried]), due=DUE, progress=read)
    assert actions(found)["review@2026-11"] == "held/overlap"


def test_other_values_do_not_wait_for_each_other() -> None:
    task = review(waits=True)
    other = replace(reviewed("2026-10", "x"), ref=TaskRef("acme", "review@other@2026-10"))
    assert actions(plan([task], state([other]), due=DUE)) == {"review@2026-11": "create/new"}
