"""Rollouts: nothing before the pilot is done, never more at once than allowed, nothing after
failures."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.task import Rollout, TaskRef
from reconciler.model.task_state import Progress
from reconciler.plan.plan import Reason
from reconciler.plan.rollout import Member, held

P = Progress
PILOT, AT_ONCE, STOPPED = Reason.PILOT, Reason.AT_ONCE, Reason.STOPPED


def members(*progress: Progress, picked: int = 0) -> list[Member]:
    return [Member(TaskRef("acme", f"t@{n}"), p, n < picked) for n, p in enumerate(progress)]


def holds(
    rollout: Rollout, tasks: Sequence[Member], others: Sequence[Member] = ()
) -> list[Reason | None]:
    found = held(rollout, tasks, others)
    return [found[m.ref].reason if m.ref in found else None for m in tasks]


def test_without_limits_nothing_is_held() -> None:
    assert held(Rollout(), members(P.MISSING, P.UNFINISHED, P.MISSING)) == {}


def test_the_others_wait_until_the_pilot_is_done() -> None:
    for first in (P.MISSING, P.UNFINISHED):
        tasks = members(first, P.DONE, P.MISSING, picked=2)
        for rollout in (Rollout(pilot=2), Rollout(picks_pilot=True)):
            assert holds(rollout, tasks) == [None, None, PILOT]
            assert held(rollout, tasks)[tasks[2].ref].waits_for == (tasks[0].ref,)
    for rollout in (Rollout(pilot=2), Rollout(picks_pilot=True)):
        assert holds(rollout, members(P.DONE, P.DONE, P.MISSING, picked=2)) == [None] * 3


def test_a_number_counts_any_rows_and_matchers_only_theirs() -> None:
    """Rows are inserted above the pilot, or the rows are in another order."""
    tasks = members(P.MISSING, P.UNFINISHED, P.MISSING)
    assert holds(Rollout(pilot=1), tasks) == [PILOT, None, PILOT]
    assert holds(Rollout(pilot=1), members(P.MISSING, P.DONE, P.MISSING)) == [None] * 3
    later = members(P.UNFINISHED, P.DONE, P.MISSING, picked=1)
    assert holds(Rollout(picks_pilot=True), later) == [None, None, PILOT]


def test_a_pilot_that_cannot_pass_any_more_has_stopped() -> None:
    lenient = Rollout(pilot=2, stop_after=9)
    for lost in (P.FAILED, P.UNKNOWN):
        assert holds(lenient, members(lost, P.DONE, P.MISSING)) == [None, None, STOPPED]
        assert holds(lenient, members(P.MISSING, P.DONE, lost)) == [STOPPED, None, None]
        assert holds(lenient, members(P.DONE, P.DONE, lost, P.MISSING)) == [None] * 4
    assert holds(Rollout(pilot=9, stop_after=9), members(P.FAILED, P.MISSING)) == [None, None]
    picks = Rollout(picks_pilot=True, stop_after=9)
    assert holds(picks, members(P.FAILED, P.MISSING, P.MISSING, picked=2)) == [None, None, STOPPED]


def test_rows_that_something_else_holds_are_skipped() -> None:
    first, second, third = members(P.MISSING, P.MISSING, P.MISSING)
    waiting = first._replace(is_held=True)
    assert holds(Rollout(pilot=1), [waiting, second, third]) == [None, None, PILOT]
    both = [waiting, second._replace(is_held=True), third]
    assert holds(Rollout(pilot=2), both) == [None, None, None]
    stuck = [each._replace(is_stuck=True) for each in both[:2]]
    assert holds(Rollout(pilot=2), [*stuck, third]) == [None, None, None]
    done = third._replace(progress=P.DONE)
    fourth = members(*[P.MISSING] * 4)[3]
    found = held(Rollout(pilot=3), [*stuck, done, fourth])
    assert found == {}  # it may still be created for the pilot
    running = done._replace(progress=P.UNFINISHED)
    assert holds(Rollout(pilot=1), [*stuck, running, fourth]) == [None, None, None, PILOT]


def test_rows_that_are_not_selected_keep_their_place() -> None:
    first, second = members(P.MISSING, P.MISSING)
    tasks = [first._replace(is_selected=False), second]
    assert held(Rollout(pilot=1), tasks)[second.ref].waits_for == (first.ref,)


def test_failures_stop_everything_pilot_included() -> None:
    tasks = members(P.FAILED, P.MISSING, P.MISSING)
    assert holds(Rollout(pilot=2), tasks) == [None, STOPPED, STOPPED]
    assert holds(Rollout(pilot=2, stop_after=2), tasks) == [None, None, STOPPED]
    assert holds(Rollout(stop_after=1), members(P.UNKNOWN, P.MISSING)) == [None, None]


def test_at_once_counts_unfinished_tasks() -> None:
    tasks = members(P.UNFINISHED, P.DONE, P.MISSING, P.MISSING)
    assert holds(Rollout(at_once=2), tasks) == [None, None, None, AT_ONCE]
    assert held(Rollout(at_once=2), tasks)[tasks[3].ref].waits_for == (tasks[0].ref, tasks[2].ref)
    assert holds(Rollout(at_once=1), tasks) == [None, None, AT_ONCE, AT_ONCE]


def test_at_once_counts_tasks_of_other_periods_and_rows() -> None:
    gone = Member(TaskRef("acme", "t@gone"), P.UNFINISHED)
    tasks = members(P.MISSING, P.MISSING)
    assert holds(Rollout(at_once=2), tasks, [gone]) == [None, AT_ONCE]
    assert held(Rollout(at_once=1), tasks, [gone])[tasks[0].ref].waits_for == (gone.ref,)
    over = [gone._replace(progress=p) for p in (P.DONE, P.FAILED, P.MISSING)]
    assert holds(Rollout(at_once=2, stop_after=1), tasks, over) == [None, None]


def test_slots_that_never_become_free_stop_it() -> None:
    tasks = members(P.UNKNOWN, P.UNFINISHED, P.MISSING)
    assert holds(Rollout(at_once=2), tasks) == [None, None, AT_ONCE]
    assert holds(Rollout(at_once=1), tasks) == [None, None, STOPPED]


rollouts = st.builds(
    Rollout, st.integers(0, 3), st.booleans(), st.none() | st.integers(1, 5), st.integers(1, 3)
)
entries = st.lists(
    st.builds(
        lambda p, *flags: (p, *flags),
        *(st.sampled_from(Progress), st.booleans(), st.booleans(), st.booleans()),
    ),
    max_size=12,
).map(
    lambda found: [
        Member(TaskRef("o", str(n)), p, pilot, True, is_held, stuck and is_held)
        for n, (p, pilot, held, stuck) in enumerate(found)
        for is_held in [held and p is not Progress.UNFINISHED]
    ]
)
"""Only planned creates are held or stuck, so an unfinished task is neither."""


@given(rollouts, entries, st.data())
def test_a_complete_run_respects_every_limit(
    rollout: Rollout, tasks: list[Member], data: st.DataObject
) -> None:
    """Whatever the outcome of each task, in whatever order, and whatever rows are moved."""
    for _ in range(40):
        found = held(rollout, tasks)
        free = [m for m in tasks if m.is_creatable]
        assert found.keys() <= {m.ref for m in free}
        started = [m for m in free if m.ref not in found]
        failed = sum(m.progress is P.FAILED for m in tasks)
        unfinished = sum(m.progress in (P.UNFINISHED, P.UNKNOWN) for m in tasks)
        if started:
            assert failed < rollout.stop_after
            assert rollout.at_once is None or unfinished + len(started) <= rollout.at_once
        done = sum(m.progress is P.DONE for m in tasks)
        existing = sum(m.progress is not P.MISSING for m in tasks)
        if started and rollout.pilot and done < min(rollout.pilot, len(tasks)):
            assert existing + len(started) <= rollout.pilot
        if rollout.picks_pilot and not rollout.pilot and any(not m.is_pilot for m in started):
            assert all(m.progress is P.DONE for m in tasks if m.is_pilot)
        running = {m.ref for m in started} | {m.ref for m in tasks if m.progress is P.UNFINISHED}
        if not running:
            break
        outcomes = st.sampled_from([P.UNFINISHED, P.DONE, P.FAILED])
        tasks = [m._replace(progress=data.draw(outcomes)) if m.ref in running else m for m in tasks]
        tasks = data.draw(st.permutations(tasks))


@given(rollouts, entries)
def test_a_held_task_names_a_task_that_can_still_change(
    rollout: Rollout, tasks: list[Member]
) -> None:
    """An entry never waits without a reason, nor for what cannot end without being an alarm."""
    progress = {m.ref: m for m in tasks}
    for ref, why in held(rollout, tasks).items():
        assert why.waits_for
        assert ref not in why.waits_for
        ends = (P.FAILED, P.UNKNOWN)
        waits = [progress[other] for other in why.waits_for]
        if why.reason is STOPPED:
            assert all(m.progress in ends or m.is_stuck for m in waits)
        else:
            assert any(m.progress in (P.UNFINISHED, P.MISSING) and not m.is_stuck for m in waits)
