"""The rounds of an apply: how long it looks up the outcome of attempts, what it then sends, and
when it stops."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.apply.report import ApplyReport, Result
from reconciler.apply.rounds import run_in_rounds
from reconciler.apply.run import RunCallbacks
from reconciler.apply.settling import MAX_GRACE
from reconciler.messages.remarks import word_remarks
from reconciler.model.diagnostics import RemoteError
from reconciler.model.options import PlanOptions
from reconciler.model.reference import Reference
from reconciler.model.service import Created, CreateOutcome, RemoteTask, Unknown
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.plan.adoption import adopt_found
from reconciler.plan.confirmed import SENDS, Confirmed
from reconciler.plan.explanation import Explanation, Found
from reconciler.plan.facts import Facts
from reconciler.plan.needs import known_ids
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.plan.selection import Selection
from reconciler.plan.steps import Inputs, make_plan
from reconciler.state.attempt import Attempt
from reconciler.state.edit import assign
from reconciler.state.model import Aged, Attempted, Closed
from tests.support.apply_world import World, lost
from tests.support.diagnostics import failed, in_words, summary
from tests.support.plan_values import (
    ME,
    NOW,
    PROVENANCE,
    SOMEONE,
    ago,
    attempt,
    desired,
    explained,
    facts,
    message,
    record,
    reference,
    remote,
    state,
)
from tests.support.references import reference_in
from tests.support.remark_cases import cases, commands

SETTLE = timedelta(seconds=150)


def is_total(event: object) -> bool:
    return isinstance(event, Aged)


class Shown(NamedTuple):
    """A task that the service shows from this simulated second on."""

    since: float
    task: RemoteTask
    text: str
    reference: Reference | None


class Scenario:
    """The tasks that the service shows, and whether it responds. `looks` are the seconds at which
    it was read; `answers` what a person says about the candidates of attempts."""

    def __init__(self, world: World, *declared: DesiredTask) -> None:
        self.world, self.declared = world, declared
        self.shown: list[Shown] = []
        self.unreadable: dict[str, float] = {}
        self.fails_until = 0.0
        self.looks: list[float] = []
        self.asked: list[str] = []
        self.answer = False
        self.options = PlanOptions()
        self.left: dict[TaskRef, TaskState] = {}

    def show(
        self, task_id: str, text: str, shown: Reference | None = None, *, lag: float = 0.0
    ) -> None:
        task = remote(task_id, self.world.now())
        self.shown.append(Shown(self.world.passed + lag, task, text, shown))

    def inputs(self) -> Inputs:
        options = replace(self.options, settle_time=self.world.ctx.settle_time)
        state, ages = self.world.session.state, self.world.ctx.ages
        return Inputs(self.declared, state, options, ages=ages)

    def facts(self) -> Facts:
        self.looks.append(self.world.passed)
        now = self.world.passed
        known = known_ids(self.world.session.state)
        there = [each for each in self.shown if each.since <= now]
        new = [each for each in there if each.task.id not in known]
        unreadable = {i: "HTTP 500" for i, until in self.unreadable.items() if now < until}
        messages = {
            each.task.id: message(each.text, each.reference)
            for each in new
            if each.task.id not in unreadable
        }
        clocks = self.world.ctx.clocks()
        tasks = [each.task for each in there]
        return facts(tasks, messages, unreadable=unreadable, clocks=clocks, left=self.left)

    def read(self) -> Facts:
        if self.world.passed < self.fails_until:
            self.looks.append(self.world.passed)
            raise failed(RemoteError, "HTTP 503")
        return self.facts()

    def explain(self, seen: Facts) -> Explanation:
        found = explained(self.inputs(), seen)
        if found.events:
            self.world.session.append(*found.events, *found.notes)
        return found

    def plan_again(self, refs: Collection[TaskRef]) -> tuple[Plan, Explanation]:
        before, seen = self.inputs(), self.read()
        found = self.explain(seen)
        inputs = replace(
            before, state=self.world.session.state, selection=Selection(frozenset(refs))
        )
        return make_plan(inputs, seen, found), found

    def found(self, each: Found) -> PlannedTask:
        declared = {task.ref: task for task in self.declared}
        return adopt_found(each, declared.get(each.record.ref), None, "https://api.example.com")

    def confirms(self, tried: Attempt, candidate: RemoteTask) -> bool:
        session = self.world.session
        self.asked.append(candidate.id)
        if self.answer:
            number = session.next_reference(tried.ref.key).number
            session.append(
                *assign(session.state, tried.ref, candidate, caller=ME, number=number, at=NOW)
            )
        return self.answer

    def apply(self, max_creates: int | None = None) -> ApplyReport:
        inputs, seen = self.inputs(), self.facts()
        planned = make_plan(inputs, seen, explained(inputs, seen))
        found = self.explain(seen)
        self.announced = {pair for task in planned.tasks for pair in announced(task)}
        callbacks = RunCallbacks(lambda: self.explain(self.read()), self.found, self.confirms)
        run = self.world.run_of(planned, callbacks, max_creates)
        return run_in_rounds(run, planned, found, self.plan_again)


def results(report: ApplyReport) -> dict[str, Result]:
    return {task.ref.key: task.result for task in report.tasks}


def reference_of(body: Mapping[str, Any]) -> Reference:
    sent = reference_in(body["message"]["content"])
    assert sent is not None
    return Reference(sent.key, sent.number, sent.state)


def committed(world: World, scenario: Scenario, key: str, *, lag: float = 0.0) -> None:
    """The next create of `key` succeeds, but its response is lost."""

    def effect() -> CreateOutcome:
        _, body = world.calls.of("create")[-1]
        scenario.show(f"t-{key}", f"work of {key}", reference_of(body), lag=lag)
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
    assert len(world.calls.of("create")) == SENDS == 3
    assert commands(report.tasks[0].problems) == ["taskctl apply"]
    assert not world.session.state.attempts
    assert len(world.session.state.closed[TaskRef("acme", "a")]) == SENDS


def test_an_attempt_that_created_no_task_is_closed_before_the_next_one() -> None:
    old = attempt("old", ago(minutes=10))
    world = World(state(attempts=[old]))
    scenario = Scenario(world, desired("new", moved_from="old"))
    assert results(scenario.apply()) == {"new": Result.CREATED}
    closed, (tried,), (recorded, *_) = world.calls.of("append")
    assert closed[0] == Closed(old.number, "made no task")
    assert recorded.record.spent == (old.reference,)
    assert recorded.record.reference == tried.attempt.reference != old.reference
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


@pytest.mark.parametrize(
    ("answer", "expected"), [(True, Result.ADOPTED), (False, Result.UNRESOLVED)]
)
def test_a_person_who_sees_the_only_candidate_can_say_whether_it_is_the_task(
    *, answer: bool, expected: Result
) -> None:
    """The service has shown no reference of this state yet, so it may not keep them."""
    unsure = replace(PROVENANCE, is_kept=False)
    world = World(state(attempts=[attempt("a", ago(minutes=10))], provenance=unsure))
    scenario = Scenario(world, desired("a"))
    scenario.show("t", "work of a")
    scenario.answer = answer
    report = scenario.apply()
    assert results(report) == {"a": expected}
    assert scenario.asked == ["t"]
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
    world.service.outcomes["a"] = [slow] * (SENDS + 2)
    assert results(Scenario(world, desired("a")).apply()) == {"a": Result.CREATED}


def test_all_young_attempts_are_waited_for_together() -> None:
    young = [attempt("a", ago(seconds=20)), attempt("b", ago(seconds=10), number=2)]
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
    made, nothing = attempt("x", ago(minutes=9)), attempt("y", ago(minutes=8), number=2)
    world = World(state(attempts=[made, nothing]))
    scenario = Scenario(world)
    scenario.show("t", "work of x", reference("x"))
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
        scenario.show("t", "work of a")
    report = scenario.apply()
    assert results(report) == {}
    assert not report.failed()
    assert not world.session.state.attempts
    assert world.calls.of("create") == []


def test_a_created_task_that_could_not_be_recorded_is_recorded_after_a_lookup() -> None:
    """The disk was full for a moment; the reference leads back to the task."""
    world = World()
    scenario = Scenario(world, desired("a"))

    def effect() -> CreateOutcome:
        _, body = world.calls.of("create")[-1]
        scenario.show("t-a", "work of a", reference_of(body))
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
    world.session.full = lambda events: events[0] == Closed(1, "made no task")
    report = scenario.apply()
    assert results(report)["a"] is Result.CREATED
    assert any("no space" in summary(problem) for problem in report.diagnostics)


def test_a_task_found_under_a_former_key_moves_to_the_new_key() -> None:
    for age in (timedelta(seconds=20), timedelta(minutes=10)):
        world = World(state(attempts=[attempt("old", NOW - age)]))
        scenario = Scenario(world, desired("new", "work of old", moved_from="old"))
        scenario.show("t", "work of old", reference("old"), lag=0 if age > SETTLE else 5)
        assert results(scenario.apply()) == {"new": Result.MOVED}
        assert {r.ref.key: r.task_id for r in world.session.state.records.values()} == {"new": "t"}
        assert world.calls.of("create") == []


def test_a_task_that_cannot_be_read_yet_is_read_again() -> None:
    """It blocks its organization until its message is readable."""
    world = World(state(attempts=[attempt("a", ago(seconds=140))]))
    scenario = Scenario(world, desired("a"))
    scenario.show("t", "work of a", reference("a"))
    scenario.unreadable["t"] = 30.0
    report = scenario.apply()
    assert results(report) == {"a": Result.ADOPTED}
    assert world.calls.of("create") == []


def test_a_task_that_stays_unreadable_leaves_the_attempt_open() -> None:
    world = World(state(attempts=[attempt("a", ago(seconds=140))]))
    scenario = Scenario(world, desired("a"), desired("b"))
    scenario.show("t", "work of a")
    scenario.unreadable["t"] = 1e9
    report = scenario.apply()
    assert results(report) == {"a": Result.UNRESOLVED, "b": Result.UNRESOLVED}
    assert world.calls.of("create") == []
    assert world.passed < 20 + MAX_GRACE + 21


def test_an_attempt_of_another_user_is_not_waited_for() -> None:
    world = World(state(attempts=[attempt("a", ago(seconds=10), identity=SOMEONE)]))
    assert results(Scenario(world, desired("a")).apply()) == {"a": Result.UNRESOLVED}
    assert world.passed < 1


def test_nothing_is_sent_that_the_plan_did_not_show() -> None:
    """A task could not be read when the plan was made, so that the attempt stayed open."""
    world = World(state(attempts=[attempt("a", ago(minutes=10))]))
    scenario = Scenario(world, desired("a"))
    scenario.show("t", "work of another")
    scenario.unreadable["t"] = 30.0
    report = scenario.apply()
    assert results(report) == {"a": Result.UNRESOLVED}
    assert cases(report.tasks[0].problems)[-1] == "attempt.unconfirmed"
    assert world.calls.of("create") == []
    assert not world.session.state.attempts


@pytest.mark.parametrize(("limit", "sent"), [(1, 1), (2, 2), (None, 2)])
def test_the_limit_of_creates_counts_all_rounds(limit: int | None, sent: int) -> None:
    """Each attempt has created no task; the limit then allows fewer sends than keys."""
    tried = [attempt("a", ago(seconds=140)), attempt("b", ago(seconds=140), number=2)]
    world = World(state(attempts=tried))
    report = Scenario(world, desired("a"), desired("b")).apply(limit)
    assert len(world.calls.of("create")) == sent
    left = Result.CREATED if sent == 2 else Result.UNRESOLVED
    assert results(report) == {"a": Result.CREATED, "b": left}


def test_a_task_of_a_key_that_is_not_planned_is_recorded_while_others_are_looked_up() -> None:
    world = World(state(attempts=[attempt("a", ago(seconds=100))]))
    scenario = Scenario(world, desired("a"))
    scenario.show("t", "work of z", reference("z", 7), lag=3)
    report = scenario.apply()
    assert results(report) == {"a": Result.CREATED, "z": Result.ADOPTED}
    assert world.session.state.provenance.counter >= 7


def announced(task: PlannedTask) -> list[tuple[TaskRef, str | None]]:
    """The creates that a row of a plan announces: each with the task that it replaces."""
    if task.action in (Action.CREATE, Action.REPLACE) or task.reason is Reason.RECREATE:
        return [(task.ref, task.task_id)]
    if task.reason is not Reason.SETTLING or task.attempt is None:
        return []
    return [(task.ref, None), (task.ref, task.attempt.replaces or None)]


def test_a_create_of_another_kind_than_confirmed_is_not_sent() -> None:
    """Also if the first plan of a run has it: a later wave, for example."""
    world = World()
    shown = world.planned(desired("a"), desired("b"), desired("c"))
    confirmed = Confirmed(frozenset({(shown[0].ref, None), (shown[1].ref, "t-former")}))
    run = world.run_confirmed(confirmed, RunCallbacks(unread, lambda _: shown[0], never))
    run.start(Plan("https://api.example.com", (), shown), Explanation(world.session.state))
    assert results(run.report()) == {
        "a": Result.CREATED,
        "b": Result.UNRESOLVED,
        "c": Result.UNRESOLVED,
    }
    assert [key for key, _ in world.calls.of("create")] == ["a"]


def unread() -> Explanation:
    raise AssertionError


def never(tried: Attempt, candidate: RemoteTask) -> bool:
    raise AssertionError(tried, candidate)


class Edited(Scenario):
    """Between two rounds, people edit the manifests, tasks end, and the options match more."""

    def __init__(self, world: World, data: st.DataObject) -> None:
        super().__init__(world)
        self.data = data
        self.edit()

    def edit(self) -> None:
        keys = self.data.draw(st.lists(st.sampled_from("abcd"), unique=True))
        texts = {key: self.data.draw(st.sampled_from(["work", "edited work"])) for key in keys}
        self.declared = tuple(desired(key, f"{text} of {key}") for key, text in texts.items())
        states = st.sampled_from([TaskState.RUNNING, TaskState.FAILED])
        self.left = {TaskRef("acme", key): self.data.draw(states) for key in "abcd"}
        self.options = replace(
            self.options, retry=self.data.draw(st.sampled_from([(), ("a",), ("*",)]))
        )

    def plan_again(self, refs: Collection[TaskRef]) -> tuple[Plan, Explanation]:
        self.edit()
        return super().plan_again({*refs, *(TaskRef("acme", key) for key in "abcd")})


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_round_creates_what_was_not_confirmed(data: st.DataObject) -> None:
    """Whatever is edited, retried or lost between the rounds of an apply."""
    recorded = data.draw(st.lists(st.sampled_from("abcd"), unique=True))
    records = [record(key, f"t-{key}", f"work of {key}") for key in recorded]
    tried = data.draw(st.lists(st.sampled_from("abcd"), unique=True))
    attempts = [
        attempt(key, ago(minutes=10), number=number, replaces=f"t-{key}" * (key in recorded))
        for number, key in enumerate(tried, 1)
    ]
    world = World(state(records, attempts))
    scenario = Edited(world, data)
    if data.draw(st.booleans()):  # attempts stay open until it can be read
        scenario.show("t", "work of another")
        scenario.unreadable["t"] = data.draw(st.sampled_from([10.0, 30.0]))
    for key in "abcd":
        lost_or_not = data.draw(st.lists(st.booleans(), max_size=3))
        world.service.outcomes[key] = [
            lost() if is_lost else Created(f"n{count}-{key}")
            for count, is_lost in enumerate(lost_or_not)
        ]
    scenario.apply()
    sent = [
        (event.attempt.ref, event.attempt.replaces or None)
        for events in world.calls.of("append")
        for event in events
        if isinstance(event, Attempted)
    ]
    assert scenario.announced.issuperset(sent)
