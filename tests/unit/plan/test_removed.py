"""`removed` in a manifest: which records are removed, and that nothing adopts their tasks."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.options import PlanOptions
from reconciler.model.task import Removal, TaskRef
from reconciler.plan.digest import plan_digest
from reconciler.plan.plan import Action, Reason
from reconciler.state.ledger import fold
from reconciler.state.model import Retired, State
from tests.support.plan_values import (
    NOW,
    ORG,
    actions,
    ago,
    attempt,
    decision,
    desired,
    message,
    only,
    plan,
    record,
    remote,
    state,
    view,
)


def removal(pattern: str, **more: Any) -> Removal:
    return Removal(pattern, more.pop("org_name", ORG), more.pop("file", "tasks/a.yaml"))


@pytest.mark.parametrize(
    ("pattern", "forgets"),
    [("a", ["a"]), ("a*", ["a", "ab"]), ("*b", ["ab", "bb"]), ("b", []), ("*", ["a", "ab", "bb"])],
)
def test_keys_and_globs_of_the_manifests_organization(pattern: str, forgets: list[str]) -> None:
    known = state([record(key, f"t-{key}") for key in ("a", "ab", "bb")])
    made = plan([], known, removed=[removal(pattern)])
    assert [key for key, action in actions(made).items() if action == "forget"] == forgets
    other = plan([], known, removed=[removal(pattern, org_name="other")])
    assert "forget" not in actions(other).values()


def test_a_forget_is_applied_and_counts_in_the_digest() -> None:
    known = state([record("a", "t")])
    with_it, without = plan([], known, removed=[removal("a")]), plan([], known)
    task = only(with_it)
    assert (task.action, task.reason, task.task_id) == (Action.FORGET, Reason.LISTED, "t")
    assert with_it.has_changes()
    assert plan_digest(with_it) != plan_digest(without)


def test_only_records_of_the_given_paths_are_removed() -> None:
    known = state([record("a", "t", file="other/b.yaml")])
    assert actions(plan([], known, scope=("tasks",), removed=[removal("*")])) == {}
    assert actions(plan([], known, scope=("other",), removed=[removal("*")])) == {"a": "forget"}


def test_declared_and_moving_tasks_are_not_forgotten() -> None:
    known = state([record("a", "t"), record("b", "u")])
    seen = view([remote("t"), remote("u")])
    declared = [desired("a"), desired("c", "work of b", moved_from="b")]
    assert actions(plan(declared, known, seen, removed=[removal("*")])) == {
        "a": "unchanged",
        "c": "move",
    }


def test_a_key_with_an_open_attempt_is_not_forgotten() -> None:
    known = state([record("a", "t")], [attempt("a", NOW)])
    made = plan([], known, removed=[removal("a")])
    assert only(made).action is Action.UNRESOLVED
    assert actions(plan([], state([], [attempt("a", NOW)]), removed=[removal("a")])) == {
        "a": "unresolved"
    }


def forgotten(*keys: str) -> State:
    known = state([record(key, f"t-{key}") for key in keys])
    events = [Retired(r.retired(NOW, adoptable=False)) for r in known.records.values()]
    return fold(fold(known, events), events)


def seen_again(*keys: str) -> Any:
    tasks = [remote(f"t-{key}", ago(days=1)) for key in keys]
    found = {f"t-{key}": message(f"work of {key}", ago(days=1)) for key in keys}
    return view(tasks, messages=found)


@pytest.mark.parametrize("adopt", [False, True])
def test_a_removed_key_that_returns_is_a_new_task(*, adopt: bool) -> None:
    made = plan([desired("a")], forgotten("a"), seen_again("a"), PlanOptions(adopt=adopt))
    kept = (Action.UNRESOLVED, Reason.RECOVERING)
    assert decision(only(made)) == (kept if adopt else (Action.CREATE, Reason.NEW))


def test_another_key_with_the_same_prompt_does_not_adopt_a_removed_task() -> None:
    made = plan([desired("b", "work of a")], forgotten("a"), seen_again("a"))
    assert only(made).action is Action.CREATE


def test_a_new_key_with_the_prompt_of_a_removed_one_is_not_a_rename() -> None:
    known = state([record("a", "t-a")])
    made = plan([desired("b", "work of a")], known, seen_again("a"), removed=[removal("a")])
    assert actions(made) == {"a": "forget", "b": "create"}


def test_a_manifest_with_the_task_id_adopts_a_removed_task() -> None:
    made = plan([desired("b", task_id="t-a")], forgotten("a"), seen_again("a"))
    task = only(made)
    assert (task.action, task.reason, task.task_id) == (Action.ADOPT, Reason.TASK_ID, "t-a")


def test_a_task_removed_with_a_state_command_can_be_adopted_again() -> None:
    known = state([record("a", "t-a")])
    taken = fold(known, [Retired(known.records[TaskRef(ORG, "a")].retired(NOW, adoptable=True))])
    assert only(plan([desired("a")], taken, seen_again("a"))).action is Action.ADOPT


def test_a_newer_record_survives_a_second_fold() -> None:
    known = state([record("a", "t-a")])
    event = Retired(known.records[TaskRef(ORG, "a")].retired(NOW, adoptable=False))
    later = state([record("a", "t-new")])
    assert TaskRef(ORG, "a") in fold(later, [event]).records


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_task_that_another_key_has_is_forgotten_for_the_removed_key(*, is_declared: bool) -> None:
    """A state that was edited, for example. The other key's manifest may be none of this run's."""
    known = state([record("a", "t"), record("b", "t")])
    made = plan(
        [desired("b", task_id="t")] if is_declared else [],
        known,
        view([remote("t")]),
        removed=[removal("a")],
    )
    assert actions(made) == {"a": "forget", "b": "unchanged" if is_declared else "orphaned"}
