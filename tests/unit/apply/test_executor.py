"""The order of the steps of a create, and the state after each outcome."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconciler.apply.creates import TRIES
from reconciler.apply.report import Result
from reconciler.manifest.expand.periods import Recurrence, Unit
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import mention, remark
from reconciler.model.service import Created, CreateOutcome, NotSent, Refused, Unknown
from reconciler.model.task import DesiredTask, rfc3339
from reconciler.model.value import replace
from reconciler.plan.facts import Facts
from reconciler.plan.plan import Action, Effect, PlannedTask, Reason
from reconciler.plan.steps import Inputs
from reconciler.state.attempt import SEND_WINDOW
from reconciler.state.model import Forgotten, Recorded
from tests.support.apply_world import World, lost
from tests.support.generated_tasks import DUE, review
from tests.support.plan_values import (
    NOW,
    PROVENANCE,
    STATE_ID,
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
from tests.support.remark_cases import cases

KNOWN = remark("apply.unknown", why=remark("apply.known_id", task_id="t"))
"""The response contains the ID `t` of another task."""


def kinds(events: tuple[Any, ...]) -> list[str]:
    return [type(event).__name__ for event in events]


def numbers(world: World) -> list[int]:
    """The numbers of the references that were sent, in order."""
    sent = [reference_in(body["message"]["content"]) for _, body in world.calls.of("create")]
    return [each.number for each in sent if each is not None]


def found_by(world: World, seen: Facts, *declared: DesiredTask) -> tuple[PlannedTask, ...]:
    """The plan, after what the tasks say was recorded."""
    planned = world.planned(*declared, seen=seen)
    given = Inputs(declared, world.session.state, PlanOptions())
    world.session.append(*explained(given, seen).events)
    return planned


def test_the_attempt_is_durable_before_the_request_and_the_id_before_the_report() -> None:
    world = World()
    results = world.run(*world.planned(desired("a")))
    assert results["a"].result is Result.CREATED
    assert world.calls.kinds() == ["append", "create", "append", "reported"]
    intent, outcome = world.calls.of("append")
    assert kinds(intent) == ["Attempted"]
    assert kinds(outcome) == ["Recorded"]
    (_, body), tried = world.calls.of("create")[0], intent[0].attempt
    assert (tried.settle_time, tried.window, tried.waited) == (150.0, 10.0, 0.0)
    assert tried.reference == f"a/2 {STATE_ID}"
    assert body["message"]["content"] == f"work of a\n\nTaskctl-Task: {tried.reference}"
    assert body["message"]["timestamp"] == rfc3339(tried.started_at)
    assert tried.inputs["message"] == {"content": "work of a"}
    made = outcome[0].record
    assert (made.task_id, made.reference, made.number) == ("id-a", tried.reference, 2)
    assert not world.session.state.attempts


def test_nothing_is_sent_that_cannot_be_journalled() -> None:
    world = World()
    world.session.full = lambda events: True
    result = world.run(*world.planned(desired("a")))["a"]
    assert result.result is Result.FAILED
    assert cases(result.problems) == ["apply.state"]
    assert world.calls.of("create") == []


def test_an_id_that_cannot_be_journalled_is_not_shown_and_the_attempt_stays_open() -> None:
    world = World()
    world.session.full = lambda events: any(isinstance(event, Recorded) for event in events)
    result = world.run(*world.planned(desired("a")))["a"]
    assert result.result is Result.UNRESOLVED
    assert result.task_id is None
    assert result.url is None
    assert not mention(result.problems, "id-a")
    assert len(world.session.state.attempts) == 1


def test_an_unknown_outcome_is_sent_once_and_stays_open() -> None:
    world = World()
    world.service.then = lost
    assert world.run(*world.planned(desired("a")))["a"].result is Result.UNRESOLVED
    assert len(world.calls.of("create")) == 1
    assert len(world.session.state.attempts) == 1
    assert sum(world.executor.creates.unknown_outcomes.values()) == 1


def test_a_refusal_closes_the_attempt_with_the_message_of_the_service() -> None:
    world = World()
    world.service.then = Refused("no such stack", 400)
    result = world.run(*world.planned(desired("a")))["a"]
    assert result.result is Result.FAILED
    assert result.problems == (remark("apply.refused", why="no such stack", status=400),)
    assert (result.file, result.line) == ("tasks/a.yaml", 3)
    assert not world.session.state.attempts


def test_each_send_has_its_own_number_and_closes_the_previous_attempt() -> None:
    world = World()
    world.service.outcomes["a"] = [NotSent("refused"), NotSent("refused")]
    assert world.run(*world.planned(desired("a")))["a"].result is Result.CREATED
    assert numbers(world) == [2, 3, 4]
    appended = [kinds(events) for events in world.calls.of("append")]
    assert appended == [
        ["Attempted"],
        ["Closed", "Attempted"],
        ["Closed", "Attempted"],
        ["Recorded"],
    ]


def test_an_unreachable_service_ends_retries_and_stops_further_creates() -> None:
    world = World()
    world.service.then = NotSent("connection refused")
    results = world.run(*world.planned(desired("a"), desired("b")))
    assert results["a"].result is Result.FAILED
    assert results["b"].result is Result.NOT_STARTED
    assert len(world.calls.of("create")) == TRIES
    assert not world.session.state.attempts


def test_retry_after_pauses_every_worker() -> None:
    world = World()
    world.service.outcomes["a"] = [Unknown("429", 17.0, throttled=True)]
    results = world.run(*world.planned(desired("a"), desired("b")))
    assert results["a"].result is Result.UNRESOLVED
    assert results["b"].result is Result.CREATED
    assert sum(world.waits) >= 17.0


def test_an_attempt_that_took_too_long_to_journal_is_not_sent() -> None:
    """Its age counts from its journal entry: sent late, it could commit after the settle time. If
    the storage alone needs longer than the window, a second try would not help."""
    world = World()
    world.session.slow = lambda: setattr(world, "passed", world.passed + SEND_WINDOW)
    results = world.run(*world.planned(desired("a"), desired("b")))
    assert (results["a"].result, results["b"].result) == (Result.FAILED, Result.NOT_STARTED)
    for result in results.values():
        assert cases(result.problems) == ["apply.slow_storage"]
    assert world.calls.of("create") == []
    first, second = world.calls.of("append")
    assert kinds(second) == ["Closed"]
    assert second[0].number == first[0].attempt.number


def test_the_lock_is_checked_before_the_window() -> None:
    """The check can take long, on a file system that hangs."""
    world = World()
    checks = [SEND_WINDOW, 0.0]
    world.session.check_lock = lambda: setattr(  # type: ignore[method-assign]
        world, "passed", world.passed + checks.pop(0)
    )
    result = world.run(*world.planned(desired("a")))["a"]
    assert result.result is Result.FAILED
    assert cases(result.problems) == ["apply.slow_storage"]
    assert world.calls.of("create") == []


def test_a_connection_that_took_too_long_is_tried_again() -> None:
    world = World()
    late = [NotSent("the connection was not ready in time")]
    world.service.outcomes["a"] = [*late, Created("t")]
    assert world.run(*world.planned(desired("a")))["a"].result is Result.CREATED
    _, second, _ = world.calls.of("append")
    assert kinds(second) == ["Closed", "Attempted"]


@pytest.mark.parametrize("wall", [True, False])
def test_the_send_window_uses_the_clock_that_shows_more(*, wall: bool) -> None:
    """The wall clock may be set back, and the other clock may stop while the machine sleeps."""
    world = World()

    def slow() -> None:
        world.clock.set_by += timedelta(seconds=SEND_WINDOW if wall else -90)
        world.passed += 0.0 if wall else SEND_WINDOW

    world.session.slow = slow
    assert world.run(*world.planned(desired("a")))["a"].result is Result.FAILED
    assert world.calls.of("create") == []


@pytest.mark.parametrize("is_over", [True, False])
def test_a_task_whose_period_has_ended_is_not_sent(*, is_over: bool) -> None:
    """A period has ended once it has by both clocks: this machine's and the service's."""
    world = World()
    world.recurrences.update(dict.fromkeys(DUE, Recurrence(Unit.MONTH, ZoneInfo("UTC"))))
    tasks = world.planned(review(), desired("b"), due=DUE)
    world.clock.set_by = timedelta(days=10)
    world.service.clock = world.clock.now() if is_over else NOW
    results = world.run(*tasks)
    task = results["review@2026-11"]
    assert task.result is (Result.NOT_STARTED if is_over else Result.CREATED)
    assert cases(task.problems) == (["apply.period_over"] if is_over else [])
    assert results["b"].result is Result.CREATED
    assert len(world.calls.of("create")) == (1 if is_over else 2)


def test_nothing_is_sent_once_the_lock_is_lost() -> None:
    """`git clean` removed it, and another apply may be under way."""
    world = World()
    world.session.slow = lambda: setattr(world.session, "lost", True)
    result = world.run(*world.planned(desired("a")))["a"]
    assert (result.result, result.problems) == (Result.NOT_STARTED, ())  # saving says why
    assert world.calls.of("create") == []
    assert len(world.session.state.attempts) == 1


def test_an_id_that_existed_before_is_not_an_outcome() -> None:
    world = World()
    world.ctx.listed["acme"] = {"t"}
    world.service.outcomes["a"] = [Created("t")]
    result = world.run(*world.planned(desired("a")))["a"]
    assert result.result is Result.UNRESOLVED
    assert result.problems == (KNOWN,)
    assert len(world.session.state.attempts) == 1


def test_an_id_of_another_key_is_not_an_outcome() -> None:
    """A proxy repeated the response to another create."""
    known = replace(record("b", "t"), former=("before",))
    for task_id in ("t", "before"):
        world = World(state([known]))
        world.service.then = Created(task_id)
        result = world.run(*world.planned(desired("a"), seen=facts([remote("t")])))["a"]
        assert result.result is Result.UNRESOLVED
        assert len(world.session.state.attempts) == 1
    world = World()
    world.service.then = Created("same")
    results = world.run(*world.planned(desired("a"), desired("b")))
    assert sorted(r.result.value for r in results.values()) == ["created", "unresolved"]


def test_an_id_that_this_apply_has_adopted_is_not_an_outcome() -> None:
    seen = facts([remote("t", ago(hours=1))])
    world = World()
    world.service.then = Created("t")
    results = world.run(*world.planned(desired("a", task_id="t"), desired("b"), seen=seen))
    assert results["a"].result is Result.ADOPTED
    assert results["b"].result is Result.UNRESOLVED
    assert results["b"].problems == (KNOWN,)


def test_an_id_that_was_found_by_its_reference_is_not_an_outcome() -> None:
    """Finishing it takes a request, so that it may come after the create."""
    tried = attempt("b", ago(minutes=10), inputs={**desired("b").inputs, "name": "N"})
    world = World(state(attempts=[tried]), parallelism=1)
    world.service.then = Created("t")
    seen = facts([remote("t", ago(minutes=10))], {"t": message("work of b", reference("b"))})
    results = world.run(*found_by(world, seen, desired("a"), desired("b", name="N")))
    assert results["b"].result is Result.ADOPTED
    assert results["a"].result is Result.UNRESOLVED
    assert results["a"].problems == (KNOWN,)


def test_nothing_is_sent_to_an_organization_that_was_not_listed() -> None:
    world = World()
    world.ctx.listed.clear()
    result = world.run(*world.planned(desired("a")))["a"]
    assert (result.result, cases(result.problems)) == (Result.FAILED, ["apply.no_list"])
    assert world.calls.of("create") == []


def test_a_used_up_budget_ends_the_creates_of_its_organization() -> None:
    world = World()
    world.ctx.listed["other"] = set()
    world.service.outcomes["a"] = [Refused("no tokens left", 402)]
    tasks = world.planned(desired("a"), desired("b"), desired("c", org_name="other"))
    results = world.run(*tasks)
    assert [r.result for _, r in sorted(results.items())] == [
        Result.FAILED,
        Result.NOT_STARTED,
        Result.CREATED,
    ]
    assert len(world.calls.of("create")) == 2


@pytest.mark.parametrize("throttled", [True, False])
def test_unknown_outcomes_that_last_end_the_apply(*, throttled: bool) -> None:
    world = World()
    world.service.then = Unknown("503", 200.0, throttled=throttled)
    results = world.run(*world.planned(*(desired(f"k{n}") for n in range(9))))
    counts = Counter(r.result for r in results.values())
    assert counts == {Result.UNRESOLVED: 2, Result.NOT_STARTED: 7}
    assert results["k8"].problems == (remark("apply.outage", why="503"),)
    assert len(world.calls.of("create")) == 2
    assert world.paused == [(200.0, "503")]
    assert sum(world.waits) < 300


def test_creates_that_hang_end_the_apply() -> None:
    world = World()

    def hang() -> CreateOutcome:
        world.passed += 120
        return Unknown("timeout")

    world.service.then = hang
    results = world.run(*world.planned(*(desired(f"k{n}") for n in range(9))))
    assert len(world.calls.of("create")) == 4
    assert results["k8"].result is Result.NOT_STARTED


def test_an_unreachable_service_is_tried_again_after_growing_pauses() -> None:
    world = World()
    world.service.outcomes["a"] = [NotSent("connection refused")] * (TRIES - 1)
    assert world.run(*world.planned(desired("a")))["a"].result is Result.CREATED
    assert world.waits == [0.5, 1.0, 2.0, 4.0]


def test_a_repeated_id_slows_creates_down_like_any_unknown_outcome() -> None:
    world = World(state([record("z", "t")]))
    world.service.outcomes["a"] = [Created("t")]
    results = world.run(*world.planned(desired("a"), desired("b")))
    assert results["b"].result is Result.CREATED
    assert world.waits == [1.0]


def test_no_create_starts_after_a_stop() -> None:
    world = World()
    world.stopped = True
    assert world.run(*world.planned(desired("a")))["a"].result is Result.NOT_STARTED
    assert world.calls.kinds() == ["reported"]


def test_a_stop_closes_an_attempt_that_was_never_sent() -> None:
    world = World()

    def refuse() -> CreateOutcome:
        world.stopped = True
        return NotSent("connection refused")

    world.service.then = refuse
    assert world.run(*world.planned(desired("a")))["a"].result is Result.NOT_STARTED
    assert not world.session.state.attempts


# Attempts of earlier applies


def old_attempt(key: str = "a") -> Any:
    return attempt(key, ago(minutes=10))


def test_a_retry_that_is_not_started_leaves_the_earlier_attempt_open() -> None:
    world = World(state(attempts=[old_attempt()]))
    tasks = world.planned(desired("a"))
    world.stopped = True
    world.run(*tasks)
    assert list(world.session.state.attempts) == [old_attempt().number]


def test_a_held_back_retry_leaves_the_earlier_attempt_open() -> None:
    world = World(state(attempts=[old_attempt("b")]))
    world.service.outcomes["a"] = [NotSent("connection refused")] * TRIES
    results = world.run(*world.planned(desired("a"), desired("b")))
    assert results["b"].result is Result.NOT_STARTED
    assert list(world.session.state.attempts) == [old_attempt("b").number]


def test_a_found_task_is_recorded_before_its_settings_are_set() -> None:
    tried = attempt("a", ago(minutes=10), inputs={**desired("a").inputs, "name": "N"})
    world = World(state(attempts=[tried]))
    seen = facts([remote("t", ago(minutes=10))], {"t": message("work of a", reference("a"))})
    (planned,) = found_by(world, seen, desired("a", name="N"))
    assert (planned.action, planned.reason) == (Action.ADOPT, Reason.REFERENCE)
    assert world.run(planned)["a"].result is Result.ADOPTED
    recorded, patched = world.calls.of("append")
    assert recorded[0].record.references == (tried.reference,)
    assert dict(recorded[0].record.pending) == {"name": "N"}
    assert dict(patched[0].record.pending) == {}
    assert world.calls.of("patch") == [("t", {"name": "N"})]
    assert not world.session.state.attempts


def test_a_task_found_by_the_apply_that_created_it_counts_as_created() -> None:
    world = World()
    world.service.then = lost
    world.run(*world.planned(desired("a")))
    text = message("work of a", reference("a", 2))
    seen = facts([remote("t", NOW)], {"t": text})
    (planned,) = found_by(world, seen, desired("a"))
    assert world.run(planned)["a"].result is Result.CREATED
    assert world.executor.creates.created == {planned.ref}


# What a create cannot carry


def test_name_and_sharing_are_journalled_before_and_after_their_patch() -> None:
    world = World()
    world.run(*world.planned(desired("a", name="N", isShared=True)))
    assert world.calls.kinds() == [
        "append",
        "create",
        "append",
        "patch",
        "append",
        "reported",
    ]
    _, created, patched = world.calls.of("append")
    assert dict(created[0].record.pending) == {"name": "N", "isShared": True}
    assert dict(patched[0].record.pending) == {}


def test_a_failed_patch_is_reported_and_left_to_the_next_apply() -> None:
    world = World()
    world.service.refuses_patches = True
    declared = desired("a", name="N")
    result = world.run(*world.planned(declared))["a"]
    assert result.result is Result.CREATED
    assert result.task_id == "id-a"
    assert cases(result.problems) == ["patch.unfinished"]
    world.service.refuses_patches = False
    again = world.planned(declared, seen=facts([remote("id-a", NOW)]))
    assert again[0].reason is Reason.UNFINISHED
    assert world.run(*again)["a"].problems == ()
    assert len(world.calls.of("create")) == 1
    assert not dict(world.session.state.records[again[0].ref].pending)


def test_a_move_records_the_new_key_before_removing_the_old() -> None:
    world = World(state([record("old", "t")]))
    seen = facts([remote("t")])
    planned = world.planned(desired("new", "work of old", moved_from="old"), seen=seen)
    assert world.run(*planned)["new"].result is Result.MOVED
    ((recorded, forgotten),) = world.calls.of("append")
    assert isinstance(recorded, Recorded)
    assert isinstance(forgotten, Forgotten)
    assert world.calls.of("create") == []


def test_a_recreated_task_keeps_the_earlier_references_of_its_key() -> None:
    earlier, last = str(reference("a", 1)), str(reference("a", 2))
    known = record("a", "t", reference=last, number=2, spent=(earlier,))
    world = World(state([known], provenance=replace(PROVENANCE, counter=2)))
    options = PlanOptions(allow_recreate=("a",))
    planned = world.planned(desired("a"), seen=facts(absent=["t"]), options=options)
    assert world.run(*planned)["a"].result is Result.CREATED
    (made,) = world.session.state.records.values()
    assert (made.task_id, made.former) == ("id-a", ("t",))
    assert (made.reference, made.spent) == (str(reference("a", 3)), (earlier, last))


# Many at once


@pytest.mark.parametrize("parallelism", [1, 4, 10])
def test_one_failure_does_not_stop_the_other_tasks(parallelism: int) -> None:
    world = World(parallelism=parallelism)
    world.service.outcomes = {"k3": [Refused("no", 400)], "k5": [lost]}
    results = world.run(*world.planned(*(desired(f"k{n}") for n in range(12))))
    assert results["k3"].result is Result.FAILED
    assert results["k5"].result is Result.UNRESOLVED
    others = {r.result for key, r in results.items() if key not in ("k3", "k5")}
    assert others == {Result.CREATED}
    assert sorted(numbers(world)) == list(range(2, 14))
    reported = {result.ref.key for result in world.calls.of("reported")}
    assert reported == results.keys()


def test_an_internal_error_stops_all_workers() -> None:
    world = World(parallelism=2)
    failed = threading.Event()

    def fail() -> CreateOutcome:
        failed.set()
        raise RuntimeError

    def wait() -> CreateOutcome:
        assert failed.wait(60)
        return Created("id-k1")

    world.service.outcomes = {"k0": [fail], "k1": [wait]}
    with pytest.raises(RuntimeError):
        world.run(*world.planned(*(desired(f"k{n}") for n in range(400))))
    assert len(world.calls.of("create")) < 200


def test_a_task_that_apply_does_not_act_on_is_an_error() -> None:
    """Whatever action a plan may get: nothing is adopted, created or cancelled by mistake."""
    world = World(state([record("a", "t")]))
    (planned,) = world.planned(desired("a"), seen=facts([remote("t")]))
    assert planned.effect is Effect.NOTHING
    with pytest.raises(ValueError, match="acme/a"):
        world.executor.run([planned])
    assert world.calls.entries == []


def test_adopt_and_move_send_no_request() -> None:
    seen = facts([remote("t", ago(hours=1)), remote("u")])
    world = World(state([record("was", "u", "work of b")]))
    planned = world.planned(desired("a", task_id="t"), desired("b", moved_from="was"), seen=seen)
    assert [each.reason for each in planned] == [Reason.TASK_ID, Reason.MOVED]
    results = world.run(*planned)
    assert [results[key].result for key in "ab"] == [Result.ADOPTED, Result.MOVED]
    assert world.calls.kinds() == ["append", "reported"] * 2


def test_a_newer_task_that_was_found_replaces_the_recorded_task() -> None:
    """The state was restored from a backup. Without a record, nothing is replaced."""
    older = record("a", "old", reference=str(reference("a")), number=1)
    for known, replaced in (([older], "old"), ([], None)):
        world = World(state(known))
        seen = facts([remote("old"), remote("t")], {"t": message("", reference("a", 2))})
        result = world.run(*found_by(world, seen, desired("a")))["a"]
        assert (result.result, result.task_id, result.replaced) == (Result.ADOPTED, "t", replaced)


def test_a_task_that_a_person_has_named_takes_the_next_number() -> None:
    """So that no earlier request for its key is newer."""
    world = World(state(provenance=replace(PROVENANCE, counter=6)))
    seen = facts([remote("t", createdBy={"githubLogin": "someone"})])
    world.run(*world.planned(desired("a", task_id="t"), seen=seen))
    (named,) = world.session.state.records.values()
    assert (named.number, named.reference) == (7, "")
    assert named.identity.login == "someone"
    assert world.session.state.provenance.counter == 7


def test_no_patch_starts_after_a_stop() -> None:
    declared = desired("a", name="N")
    world = World(state([record("a", "t", name="N", pending={"name": "N"})]))
    tasks = world.planned(declared, seen=facts([remote("t")]))
    world.stopped = True
    assert world.run(*tasks)["a"].result is Result.NOT_STARTED
    assert world.calls.of("patch") == []
