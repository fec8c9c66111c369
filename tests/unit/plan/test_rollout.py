"""Rollouts: nothing before the pilot is done, never more at once than allowed, nothing after
failures."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.generated import Rollout
from reconciler.model.task import TaskRef
from reconciler.model.task_state import Progress
from reconciler.plan.plan import Reason
from reconciler.plan.rollout import Member, held

P = Progress


def members(*progress: Progress, pilot: int = 0) -> list[Member]:
    return [Member(TaskRef("acme", f"t@{n}"), p, n < pilot) for n, p in enumerate(progress)]


def holds(rollout: Rollout, tasks: Sequence[Member]) -> list[Reason | None]:
    found = held(rollout, tasks)
    return [found[m.ref].reason if m.ref in found else None for m in tasks]


def test_without_limits_nothing_is_held() -> None:
    assert held(Rollout(), members(P.MISSING, P.UNFINISHED, P.MISSING)) == {}


def test_the_others_wait_until_the_pilot_is_done() -> None:
    rollout = Rollout(has_pilot=True)
    for first in (P.MISSING, P.UNFINISHED):
        tasks = members(first, P.DONE, P.MISSING, pilot=2)
        assert holds(rollout, tasks) == [None, None, Reason.PILOT]
        assert held(rollout, tasks)[tasks[2].ref].waits_for == (tasks[0].ref,)
    assert holds(rollout, members(P.DONE, P.DONE, P.MISSING, pilot=2)) == [None] * 3


def test_the_pilot_is_over_once_a_later_task_exists() -> None:
    tasks = members(P.UNFINISHED, P.UNFINISHED, P.MISSING, pilot=1)
    assert holds(Rollout(has_pilot=True), tasks) == [None, None, None]


def test_failures_stop_everything_pilot_included() -> None:
    tasks = members(P.FAILED, P.MISSING, P.MISSING, pilot=2)
    assert holds(Rollout(has_pilot=True), tasks) == [None, Reason.STOPPED, Reason.STOPPED]
    assert holds(Rollout(has_pilot=True, stop_after=2), tasks) == [None, None, Reason.STOPPED]


def test_at_once_counts_unfinished_tasks() -> None:
    tasks = members(P.UNFINISHED, P.DONE, P.MISSING, P.MISSING)
    assert holds(Rollout(at_once=2), tasks) == [None, None, None, Reason.AT_ONCE]
    assert held(Rollout(at_once=2), tasks)[tasks[3].ref].waits_for == (tasks[0].ref, tasks[2].ref)
    assert holds(Rollout(at_once=1), tasks) == [None, None, Reason.AT_ONCE, Reason.AT_ONCE]


rollouts = st.builds(
    Rollout, st.booleans(), st.none() | st.integers(1, 5), stop_after=st.integers(1, 3)
)
entries = st.lists(st.tuples(st.sampled_from(Progress), st.booleans()), max_size=12).map(
    lambda found: [Member(TaskRef("o", str(n)), p, b) for n, (p, b) in enumerate(found)]
)


@given(rollouts, entries, st.data())
def test_a_complete_run_respects_every_limit(
    rollout: Rollout, tasks: list[Member], data: st.DataObject
) -> None:
    """Whatever the outcome of each task, and in whatever order."""
    for _ in range(40):
        found = held(rollout, tasks)
        assert all(m.progress is P.MISSING for m in tasks if m.ref in found)
        started = [m for m in tasks if m.progress is P.MISSING and m.ref not in found]
        failed = sum(m.progress is P.FAILED for m in tasks)
        unfinished = sum(m.progress is P.UNFINISHED for m in tasks)
        later_exists = any(m.progress is not P.MISSING and not m.is_pilot for m in tasks)
        if started:
            assert failed < rollout.stop_after
            assert rollout.at_once is None or unfinished + len(started) <= rollout.at_once
        if rollout.has_pilot and not later_exists and any(not m.is_pilot for m in started):
            assert all(m.progress is P.DONE for m in tasks if m.is_pilot)
        running = {m.ref for m in started} | {m.ref for m in tasks if m.progress is P.UNFINISHED}
        if not running:
            break
        outcomes = st.sampled_from([P.UNFINISHED, P.DONE, P.FAILED])
        tasks = [m._replace(progress=data.draw(outcomes)) if m.ref in running else m for m in tasks]


@given(rollouts, entries)
def test_only_failures_and_open_tasks_hold_anything(rollout: Rollout, tasks: list[Member]) -> None:
    """An entry never waits without a reason: a held task names a task that can still change."""
    for why in held(rollout, tasks).values():
        assert why.waits_for
