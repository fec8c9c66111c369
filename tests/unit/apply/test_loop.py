"""How long an apply tries to resolve an attempt with an unknown outcome, and when it stops."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest

from reconciler.apply.loop import MAX_GRACE, ROUNDS
from reconciler.apply.report import ApplyReport, Result
from reconciler.messages.remarks import word_remarks
from reconciler.model.diagnostics import RemoteError
from reconciler.model.options import PlanOptions
from reconciler.model.service import Created, CreateOutcome, RemoteTask, Unknown
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.plan.plan import Plan
from reconciler.state.model import Aged, Closed
from tests.support.apply_world import World, lost
from tests.support.diagnostics import failed, in_words, summary
from tests.support.plan_values import (
    NOW,
    ago,
    attempt,
    desired,
    message,
    plan,
    record,
    remote,
    state,
    view,
)
from tests.support.remark_cases import commands

SETTLE = timedelta(seconds=150)


def is_total(event: object) -> bool:
    return isinstance(event, Aged)


class Scenario:
    """The tasks that the service shows, by the simulated second from which it shows them, and
    whether it responds."""

    def __init__(self, world: World, *declared: DesiredTask) -> None:
        self.world, self.declared = world, declared
        self.shown: list[tuple[float, RemoteTask, str, str]] = []
        self.fails_until = 0.0
        self.looks: list[float] = []

    def show(self, task_id: str, text: str, mark: str, *, lag: float = 0.0) -> None:
        task = remote(task_id, self.world.now())
        self.shown.append((self.world.passed + lag, task, text, mark))

    def plan(self, only: Collection[TaskRef] | None = None) -> Plan:
        self.looks.append(self.world.passed)
        if only is not None and self.world.passed < self.fails_until:
            raise failed(RemoteError, "HTTP 503")
        seen = [entry for entry in self.shown if entry[0] <= self.world.passed]
        messages = {task.id: message(text, mark) for _, task, text, mark in seen}
        seen_now = view([task for _, task, _, _ in seen], messages, clocks=self.world.ctx.clocks())
        options = PlanOptions(settle_time=self.world.ctx.settle_time)
        more: dict[str, Any] = {"ages": self.world.ctx.ages, "options": options}
        if only is not None:
            more["only"] = only
        return plan(self.declared, self.world.session.state, seen_now, **more)

    def apply(self) -> ApplyReport:
        return self.world.loop(self.plan).run(self.plan())


def results(report: ApplyReport) -> dict[str, Result]:
    return {task.ref.key: task.result for task in report.tasks}


def committed(world: World, scenario: Scenario, key: str, *, lag: float = 0.0) -> None:
    """The next create of `key` succeeds, but its response is lost."""

    def effect() -> CreateOutcome:
        _, body = world.calls.of("create")[-1]
        content, mark = body["message"]["content"], body["message"]["timestamp"]
        scenario.show(f"t-{key}", content, mark, lag=lag)
        return Unknown("reset")

    world.service.outcomes.setdefault(key, []).append(effect)


def test_a_create_with_a_lost_response_is_found_and_counts_as_created() -> None:
    world = World()
    scenario = Scenario(world, desired("a"), desired("b"))
    committed(world, scenario, "a", lag=10)
    report = scenario.apply()
    assert results(report) == {"a": Result.CREATED, "b": Result.CREATED}
    assert report.tasks[0].task_id == "t-a"
    assert len(world.calls.of("create")) == 2
    assert world.passed < 30
    assert list(world.awaited[0].attempts) == [TaskRef("acme", "a")]


def test_a_sent_create_is_unresolved_if_the_journal_can_no_longer_be_written() -> None:
    """Whether its response arrived, was lost, or a lookup found its task: it is not reported as
    failed, which means that it was never sent, and not looked up longer than necessary."""
    for answer in ("came", "lost", "found"):
        world = World()
        scenario = Scenario(world, desired("a"), desired("b"))
        if answer == "came":
            world.service.outcomes["a"] = [Created("t-a")]
        elif answer == "lost":
            world.service.outcomes["a"] = [lost()]
        else:
            committed(world, scenario, "a")
        appended: list[object] = []

        def full(events: object, appended: list[object] = appended) -> bool:
            appended.append(events)
            return len(appended) > 1

        world.session.full = full
        told = results(scenario.apply())
        assert told == {"a": Result.UNRESOLVED, "b": Result.FAILED}, answer
        assert len(world.calls.of("create")) == 1
        assert world.passed < SETTLE.total_seconds() + 1


def test_a_create_is_not_resent_before_the_settle_time() -> None:
    world = World()
    scenario = Scenario(world, desired("a"))
    sent: list[float] = []

    def effect() -> CreateOutcome:
        sent.append(world.passed)
        return lost() if len(sent) == 1 else Created("t")

    world.service.then = effect
    report = scenario.apply()
    assert results(report) == {"a": Result.CREATED}
    assert sent[1] - sent[0] >= SETTLE.total_seconds()
    assert sent[1] - sent[0] < SETTLE.total_seconds() + 1


def test_a_create_is_sent_in_at_most_three_rounds() -> None:
    world = World(settle=60)
    world.service.then = lost
    report = Scenario(world, desired("a")).apply()
    assert results(report) == {"a": Result.UNRESOLVED}
    assert len(world.calls.of("create")) == ROUNDS == 3
    assert commands(report.tasks[0].problems) == ["taskctl apply"]
    assert not world.session.state.attempts
    assert len(world.session.state.notes_on(TaskRef("acme", "a")).marks) == ROUNDS


def test_an_attempt_that_created_no_task_is_closed_before_the_next_one() -> None:
    old = attempt("old", ago(minutes=10))
    world = World(state(attempts=[old]))
    scenario = Scenario(world, desired("new", moved_from="old"))
    assert results(scenario.apply()) == {"new": Result.CREATED}
    closed, tried, recorded = world.calls.of("append")
    assert [event.mark for event in closed] == [old.mark]
    assert recorded[0].record.marks == (old.mark, tried[1].attempt.mark)
    assert not world.session.state.attempts


def test_what_was_waited_is_journaled() -> None:
    """A run that is killed while it waits has not waited for nothing."""
    world = World(state(attempts=[attempt("a", ago(seconds=20))]))
    scenario = Scenario(world, desired("a"))
    scenario.apply()
    totals = [e.seconds for events in world.calls.of("append") for e in events if is_total(e)]
    values = [seconds for entry in totals for seconds in entry.values()]
    assert len(values) >= 8
    assert values == sorted(values)
    assert 30 < values[0] < 40
    assert values[-1] < 160


def test_a_person_who_sees_the_only_candidate_can_say_whether_it_is_the_task() -> None:
    for answer, expected in ((True, Result.ADOPTED), (False, Result.UNRESOLVED)):
        old = attempt("a", ago(minutes=10))
        world = World(state(attempts=[old]))
        scenario = Scenario(world, desired("a"))
        scenario.show("t", "work of a", "2026-11-24T11:50:00Z")
        asked: list[str] = []
        world.confirms = lambda task, asked=asked, answer=answer: (  # type: ignore[misc]
            asked.append(task.candidate.id) or answer
        )
        report = scenario.apply()
        assert results(report) == {"a": expected}
        assert asked == ["t"]
        assert world.calls.of("create") == []
        assert bool(world.session.state.attempts) is not answer


def test_attempts_that_settled_while_others_were_sent_are_still_looked_up() -> None:
    world = World(settle=20)
    down, later = Unknown("503"), Unknown("503", 250.0)
    world.service.outcomes = {"a": [down, later], "b": [down], "c": [down]}
    report = Scenario(world, *(desired(key) for key in "abc")).apply()
    assert world.passed > 250
    assert results(report)["c"] is Result.CREATED


def test_rate_limited_sends_do_not_count_as_rounds() -> None:
    world = World(settle=20)
    slow = Unknown("429", 1.0, throttled=True)
    world.service.outcomes["a"] = [slow] * (ROUNDS + 2)
    assert results(Scenario(world, desired("a")).apply()) == {"a": Result.CREATED}


def test_all_young_attempts_are_waited_for_together() -> None:
    young = [attempt("a", ago(seconds=20)), attempt("b", ago(seconds=10))]
    world = World(state(attempts=young))
    scenario = Scenario(world, desired("a"), desired("b"))
    assert results(scenario.apply()) == {"a": Result.CREATED, "b": Result.CREATED}
    assert world.passed < 152
    assert list(world.awaited[0].attempts) == [TaskRef("acme", "a"), TaskRef("acme", "b")]


def test_lookups_are_frequent_at_first_and_rare_later() -> None:
    world = World(state(attempts=[attempt("a", ago(seconds=1))]))
    scenario = Scenario(world, desired("a"))
    scenario.apply()
    assert scenario.looks[1] < 1
    assert len(scenario.looks) < 30


def test_lookups_are_frequent_again_after_a_create() -> None:
    world = World(settle=60)
    scenario = Scenario(world, desired("a"))
    world.service.outcomes["a"] = [lost]
    committed(world, scenario, "a", lag=1)
    assert results(scenario.apply()) == {"a": Result.CREATED}
    assert 61 < world.passed < 63


def test_a_failed_lookup_is_retried() -> None:
    world = World(state(attempts=[attempt("a", ago(seconds=140))]))
    scenario = Scenario(world, desired("a"))
    scenario.fails_until = 30.0
    assert results(scenario.apply()) == {"a": Result.CREATED}
    assert any(in_words(waiting.problem) == "HTTP 503" for waiting in world.awaited)
    assert world.awaited[0].until == NOW + timedelta(seconds=20)  # with the send window


def test_lookups_go_on_until_each_task_of_this_apply_must_be_listed() -> None:
    """Until then, the list may lack it, and proves nothing."""
    world = World(state(attempts=[attempt("a", ago(seconds=140))]))
    scenario = Scenario(world, desired("a"), desired("b"))
    scenario.fails_until = 149.0
    assert results(scenario.apply()) == {"a": Result.CREATED, "b": Result.CREATED}


def test_lookup_retries_are_limited() -> None:
    world = World(state(attempts=[attempt("a", ago(seconds=140))]))
    scenario = Scenario(world, desired("a"))
    scenario.fails_until = 1e9
    report = scenario.apply()
    assert results(report) == {"a": Result.UNRESOLVED}
    assert word_remarks(report.tasks[0].problems).note.endswith("HTTP 503")
    assert world.passed < 10 + MAX_GRACE + 21
    assert world.calls.of("create") == []


def test_a_signal_ends_the_wait() -> None:
    world = World(state(attempts=[attempt("a", ago(seconds=1))]))
    scenario = Scenario(world, desired("a"))
    world.stopped = True
    report = scenario.apply()
    assert results(report) == {"a": Result.UNRESOLVED}
    assert len(scenario.looks) == 1
    assert len(world.session.state.attempts) == 1


def test_an_attempt_of_a_removed_key_is_recorded_or_closed() -> None:
    made, nothing = attempt("x", ago(minutes=9)), attempt("y", ago(minutes=8))
    world = World(state(attempts=[made, nothing]))
    scenario = Scenario(world)
    scenario.shown.append((0.0, remote("t", ago(minutes=9)), "work of x", made.mark))
    assert results(scenario.apply()) == {"x": Result.ADOPTED}
    assert not world.session.state.attempts
    assert [r.task_id for r in world.session.state.records.values()] == ["t"]


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_young_attempt_that_created_no_task_leaves_nothing_to_report(
    *, is_declared: bool
) -> None:
    """It was to replace the task of a key, or its key is in no manifest."""
    known = [record("a", "t")] if is_declared else []
    tried = attempt("a", ago(seconds=100), replaces="t" if is_declared else "")
    world = World(state(known, attempts=[tried]))
    scenario = Scenario(world, *([desired("a")] if is_declared else ()))
    if is_declared:
        scenario.show("t", "work of a", "")
    report = scenario.apply()
    assert results(report) == {}
    assert not report.failed()
    assert not world.session.state.attempts
    assert world.calls.of("create") == []


def test_a_created_task_that_could_not_be_recorded_is_recorded_after_a_lookup() -> None:
    """The disk was full for a moment; the mark leads back to the task."""
    world = World()
    scenario = Scenario(world, desired("a"))

    def effect() -> CreateOutcome:
        _, body = world.calls.of("create")[-1]
        scenario.show("t-a", body["message"]["content"], body["message"]["timestamp"])
        return Created("t-a")

    world.service.then = effect
    full = [True]
    world.session.full = lambda events: (
        type(events[0]).__name__ == "Recorded" and bool(full and full.pop())
    )
    report = scenario.apply()
    assert results(report) == {"a": Result.CREATED}
    assert report.tasks[0].task_id == "t-a"
    assert len(world.calls.of("create")) == 1


def test_an_empty_plan_does_nothing() -> None:
    world = World()
    assert Scenario(world).apply().tasks == ()
    assert world.calls.entries == []


def test_a_journal_failure_after_a_change_still_produces_a_report() -> None:
    """The outcome of the other attempt cannot be journaled; what was created is still reported."""
    world = World(state(attempts=[attempt("x", ago(seconds=140))]))
    scenario = Scenario(world, desired("a"))
    world.session.full = lambda events: (
        events[0] == Closed(attempt("x", ago(seconds=140)).mark, "made no task")
    )
    report = scenario.apply()
    assert results(report)["a"] is Result.CREATED
    assert any("no space" in summary(problem) for problem in report.diagnostics)
