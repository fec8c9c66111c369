"""Changes in place and replacements: durable, and reported accurately."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.apply.report import Result
from reconciler.apply.rounds import run_in_rounds
from reconciler.apply.run import RunCallbacks
from reconciler.messages.remarks import word_remarks
from reconciler.model.canonical import digest
from reconciler.model.diagnostics import RemoteError
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import remark
from reconciler.model.service import Refused, RemoteTask
from reconciler.model.task import DesiredTask, Removal
from reconciler.model.value import replace
from reconciler.plan.explanation import Explanation
from reconciler.plan.facts import Facts
from reconciler.plan.plan import Action
from reconciler.plan.steps import Inputs
from reconciler.state.attempt import Attempt, RecordChange
from reconciler.state.ledger import fold
from reconciler.state.model import Attempted, Record, Recorded
from tests.support.apply_world import World, lost
from tests.support.diagnostics import error, failed
from tests.support.plan_values import (
    SOMEONE,
    ago,
    attempt,
    desired,
    explained,
    facts,
    message,
    plan,
    record,
    reference,
    remote,
    state,
)

UPDATE = PlanOptions(update=True)
REPLACE = PlanOptions(replace=("a=old",))
FIRST = str(reference("a"))


def kept(world: World) -> Record:
    (record,) = world.session.state.records.values()
    return record


def changed(**shown: Any) -> tuple[World, tuple[Any, ...]]:
    world = World(state([record("a", "t", "as it was", approvalMode="manual", name="N")]))
    declared = desired("a", "edited", approvalMode="auto", name="N")
    seen = facts([remote("t", **{"approvalMode": "manual", "name": "N"} | shown)])
    return world, world.planned(declared, seen=seen, options=UPDATE)


def test_the_record_holds_what_was_patched_and_nothing_else() -> None:
    world, planned = changed()
    result = world.run(*planned)["a"]
    assert (result.result, result.updated) == (Result.UPDATED, ("approvalMode",))
    assert world.calls.of("patch") == [("t", {"approvalMode": "auto"})]
    inputs = kept(world).inputs
    assert inputs["approvalMode"] == "auto"
    assert inputs["message"] == {"content": "as it was"}
    assert kept(world).digest == digest(inputs)
    assert [h.what for h in kept(world).history] == ["adopted", "updated"]
    assert world.calls.kinds() == ["patch", "append", "reported"]


def test_a_value_that_the_service_already_has_is_recorded_without_a_request() -> None:
    world, planned = changed(approvalMode="auto")
    assert world.run(*planned)["a"].result is Result.UPDATED
    assert world.calls.of("patch") == []
    assert kept(world).inputs["approvalMode"] == "auto"


def test_a_patch_that_fails_leaves_the_record() -> None:
    world, planned = changed()
    world.service.refuses_patches = True
    result = world.run(*planned)["a"]
    assert result.result is Result.FAILED
    assert result.problems == (remark("patch.failed", why=(error("not allowed").cause,)),)
    assert kept(world).inputs["approvalMode"] == "manual"


@pytest.mark.parametrize(
    ("status", "maker", "words"),
    [
        (404, None, "the task no longer exists"),
        (404, SOMEONE, "someone created the task"),
        (403, SOMEONE, "someone created the task"),
        (403, None, "not updated: the words"),
    ],
)
def test_a_gone_task_is_distinguished_from_one_of_another_user(
    status: int, maker: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, (planned,) = changed()
    if maker is not None:
        world.session.append(Recorded(replace(kept(world), identity=maker)))

    def refuse(org_name: str, task_id: str, changes: Mapping[str, Any]) -> RemoteTask:
        problem = failed(RemoteError, "the words")
        raise RemoteError(problem.diagnostics, status)

    monkeypatch.setattr(world.service, "patch_task", refuse)
    assert words in word_remarks(world.run(planned)["a"].problems).note


def test_a_setting_that_the_service_ignored_is_not_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, planned = changed()
    monkeypatch.setattr(
        world.service, "patch_task", lambda *_: remote("t", approvalMode="manual", name="N")
    )
    result = world.run(*planned)["a"]
    assert result.result is Result.FAILED
    assert result.problems == (remark("patch.ignored", names=("approvalMode",)),)
    assert kept(world).inputs["approvalMode"] == "manual"


def test_pending_settings_are_sent_with_an_update() -> None:
    known = record("a", "t", approvalMode="manual", name="N", pending={"name": "N"})
    world = World(state([known]))
    declared = desired("a", approvalMode="auto", name="N")
    seen = facts([remote("t", approvalMode="manual", name="made up")])
    world.run(*world.planned(declared, seen=seen, options=UPDATE))
    assert world.calls.of("patch") == [("t", {"name": "N", "approvalMode": "auto"})]
    assert not kept(world).pending


# A new task in the place of another


def test_a_move_is_reported_even_if_the_lock_is_lost_before_its_update() -> None:
    world = World(state([record("old", "t", approvalMode="manual")]))
    declared = desired("new", "work of old", moved_from="old", approvalMode="auto")
    seen = facts([remote("t", approvalMode="manual")])
    planned = world.planned(declared, seen=seen, options=UPDATE)
    world.session.lost = True
    result = world.run(*planned)["new"]
    assert (result.result, result.task_id, result.updated) == (Result.MOVED, "t", ())
    assert [remark.case for remark in result.problems] == ["patch.failed"]
    assert world.calls.of("patch") == []
    assert kept(world).ref.key == "new"


@pytest.mark.parametrize("key", ["a", "new"])
def test_an_update_that_cannot_be_recorded_is_not_reported_as_not_started(key: str) -> None:
    """The service has made it. The next plan finds that, and records it."""
    moved = {} if key == "a" else {"moved_from": "a"}
    world = World(state([record("a", "t", approvalMode="manual")]))
    declared = desired(key, "work of a", approvalMode="auto", **moved)
    seen = facts([remote("t", approvalMode="manual")])
    planned = world.planned(declared, seen=seen, options=UPDATE)

    def full(events: object) -> bool:
        world.session.lost = bool(world.calls.of("patch"))
        return world.session.lost

    world.session.full = full
    result = world.run(*planned)[key]
    wanted = Result.FAILED if key == "a" else Result.MOVED
    assert (result.result, result.task_id, result.updated) == (wanted, "t", ("approvalMode",))
    assert [remark.case for remark in result.problems] == ["apply.state"]
    assert kept(world).inputs["approvalMode"] == "manual"


def replacing(**more: Any) -> tuple[World, tuple[Any, ...]]:
    known = record("a", "old", reference=FIRST, number=1, **more)
    world = World(state([replace(known, changes=(RecordChange("created"),))]))
    declared = desired("a", name="N")
    return world, world.planned(declared, seen=facts([remote("old")]), options=REPLACE)


def test_the_history_has_the_replaced_task() -> None:
    world, planned = replacing()
    result = world.run(*planned)["a"]
    assert (result.result, result.replaced, result.task_id) == (Result.REPLACED, "old", "id-a")
    kinds = world.calls.kinds()
    assert kinds == ["append", "create", "append", "patch", "append", "reported"]
    made = kept(world)
    assert (made.task_id, made.former) == ("id-a", ("old",))
    assert made.references == (FIRST, str(reference("a", 2)))
    assert [(h.what, h.task_id, h.detail) for h in made.history] == [
        ("created", "old", ""),
        ("replaced", "id-a", "old"),
    ]
    assert world.session.state.recorded_ids().keys() == {"old", "id-a"}


def test_a_refused_replacement_keeps_the_old_task_and_is_in_the_history() -> None:
    world, planned = replacing()
    world.service.then = Refused("no", 400)
    assert world.run(*planned)["a"].result is Result.FAILED
    stands = kept(world)
    assert (stands.task_id, stands.former) == ("old", ())
    assert [(h.what, h.detail) for h in stands.history] == [
        ("created", ""),
        ("notCreated", "refused: 400"),
    ]
    assert not world.session.state.attempts


def test_a_lost_response_keeps_the_old_task_and_an_attempt_to_replace_it() -> None:
    world, planned = replacing()
    world.service.then = lost
    assert world.run(*planned)["a"].result is Result.UNRESOLVED
    assert kept(world).task_id == "old"
    (open_one,) = world.session.state.attempts.values()
    assert open_one.replaces == "old"


def found(world: World, seen: Facts, *declared: DesiredTask, **more: Any) -> tuple[Any, ...]:
    """The plan, after what the tasks say was recorded."""
    planned = world.planned(*declared, seen=seen, **more)
    given = Inputs(declared, world.session.state, PlanOptions())
    world.session.append(*explained(given, seen).events)
    return planned


NEW = {"new": message("work of a", reference("a"))}


def test_a_replacement_found_again_is_recorded() -> None:
    known = state([record("a", "old")], [attempt("a", ago(minutes=9), replaces="old")])
    world = World(known)
    seen = facts([remote("old"), remote("new", ago(minutes=8))], NEW)
    result = world.run(*found(world, seen, desired("a"), options=REPLACE))["a"]
    assert (result.result, result.replaced) == (Result.ADOPTED, "old")
    assert kept(world).former == ("old",)
    assert kept(world).history[-1].what == "replaced"
    assert not world.session.state.attempts


def test_a_replacement_under_a_new_key_removes_the_old_record() -> None:
    world = World(state([record("was", "old", "work of a")]))
    declared = desired("a", moved_from="was")
    planned = world.planned(declared, seen=facts([remote("old")]), options=REPLACE)
    assert world.run(*planned)["a"].result is Result.REPLACED
    assert [ref.key for ref in world.session.state.records] == ["a"]
    assert kept(world).former == ("old",)


def test_folding_twice_gives_the_same_history() -> None:
    world, planned = replacing()
    before = world.session.state
    world.run(*planned)
    events = [event for events in world.calls.of("append") for event in events]
    assert fold(fold(before, events), events) == fold(before, events)
    assert isinstance(events[-1], Recorded)


def run_rounds(world: World, *declared: DesiredTask, **more: Any) -> Explanation:
    """Runs an apply, in which no attempt is sent again."""
    seen = facts([remote("old", approvalMode="manual")])
    made = plan(declared, world.session.state, seen, **more)
    decided = explained(Inputs(declared, world.session.state, PlanOptions()), seen)
    world.session.append(*decided.events)
    callbacks = RunCallbacks(lambda: decided, lambda _: made.tasks[0], never)
    run_in_rounds(world.run_of(made, callbacks), made, decided, lambda _: (made, decided))
    return decided


def never(tried: Attempt, candidate: RemoteTask) -> bool:
    raise AssertionError(tried, candidate)


@pytest.mark.parametrize("options", [REPLACE, UPDATE])
def test_the_outcome_of_an_earlier_attempt_stays_in_the_history(options: PlanOptions) -> None:
    """The reference is kept too: if its task appears later, it is a duplicate."""
    tried = attempt("a", ago(minutes=9), replaces="old")
    world = World(state([record("a", "old", approvalMode="manual")], [tried]))
    decided = run_rounds(world, desired("a", approvalMode="auto"), options=options)
    assert decided.closed == (tried,)
    done = "replaced" if options is REPLACE else "updated"
    assert [h.what for h in kept(world).history] == ["adopted", "notCreated", done]
    assert tried.reference in kept(world).spent


def test_pending_settings_are_sent_beside_a_closed_attempt() -> None:
    tried = attempt("a", ago(minutes=9), replaces="old")
    known = record("a", "old", name="N", pending={"name": "N"})
    world = World(state([known], [tried]))
    run_rounds(world, desired("a", name="N"))
    assert not kept(world).pending
    assert tried.reference in kept(world).spent


@pytest.mark.parametrize("key", ["was", "a"])
def test_a_move_and_a_closed_attempt_are_both_known(key: str) -> None:
    tried = attempt(key, ago(minutes=9), "work of a", replaces="old")
    world = World(state([record("was", "old", "work of a")], [tried]))
    run_rounds(world, desired("a", moved_from="was"))
    closed = ["notCreated"] if key == "was" else []
    assert [h.what for h in kept(world).history] == ["adopted", *closed, "moved"]
    assert kept(world).ref.key == "a"
    assert tried.reference in kept(world).spent


def test_recreating_a_gone_task_replaces_none() -> None:
    world = World(state([record("a", "old")]))
    world.service.then = lost
    allowed = PlanOptions(allow_recreate=("*",))
    world.run(*world.planned(desired("a"), seen=facts(absent=["old"]), options=allowed))
    (open_one,) = world.session.state.attempts.values()
    assert open_one.replaces == ""


def test_a_found_task_is_recorded_with_the_inputs_that_were_sent() -> None:
    world = World(state([record("a", "old")], [attempt("a", ago(minutes=9), replaces="old")]))
    seen = facts([remote("new", ago(minutes=8))], NEW)
    world.run(*found(world, seen, desired("a", "edited", approvalMode="auto")))
    assert kept(world).inputs == {"message": {"content": "work of a"}}


@pytest.mark.parametrize("shown", [{"name": "N"}, {}])
def test_a_name_that_is_trimmed_or_not_returned_was_accepted(
    shown: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(state([record("a", "t", name="old")]))
    seen = facts([remote("t", name="old")])
    planned = world.planned(desired("a", name="N "), seen=seen, options=UPDATE)
    answer = replace(remote("t"), raw={"id": "t", **shown})
    monkeypatch.setattr(world.service, "patch_task", lambda *_: answer)
    assert world.run(*planned)["a"].result is Result.UPDATED
    assert kept(world).inputs["name"] == "N "


def test_a_record_is_not_removed_while_an_attempt_of_its_key_is_open() -> None:
    world = World(state([record("old", "t1")]))
    removed = [Removal("old", "acme", "tasks/a.yaml")]
    (forget,) = world.planned(seen=facts([remote("t1")]), removed=removed)
    assert forget.action is Action.FORGET
    world.session.append(Attempted(attempt("old", ago(seconds=1))))
    assert world.run(forget)["old"].result is Result.UNRESOLVED
    assert len(world.session.state.records) == 1
