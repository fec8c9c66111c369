"""`removed` in a manifest: which records are removed, and that nothing adopts their tasks."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.codes import Code
from reconciler.model.options import PlanOptions
from reconciler.model.task import Removal, TaskRef
from reconciler.plan.digest import plan_digest
from reconciler.plan.plan import Action, Reason
from reconciler.plan.selection import is_in, select
from reconciler.state.ledger import fold
from reconciler.state.model import Record, Retired, State
from tests.support.plan_values import (
    NOW,
    ORG,
    actions,
    attempt,
    decision,
    desired,
    facts,
    message,
    only,
    plan,
    record,
    reference,
    remote,
    state,
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


@pytest.mark.parametrize(
    ("path", "expected"),
    [("tasks", {"a": "forget"}), ("other", {"a": "forget"}), ("elsewhere", {})],
)
def test_only_records_of_the_given_paths_are_removed(path: str, expected: dict[str, str]) -> None:
    """Those of a manifest in the PATHs, or listed in one."""
    known, removed = state([record("a", "t", file="other/b.yaml")]), [removal("*")]
    found = select(PlanOptions(), [], known, lambda file: is_in(file, [path]), removed)
    assert actions(plan([], known, only=found.refs, removed=removed)) == expected


def test_declared_and_moving_tasks_are_not_forgotten() -> None:
    known = state([record("a", "t"), record("b", "u")])
    seen = facts([remote("t"), remote("u")])
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
    known = state([sent(key) for key in keys])
    events = [Retired(r.retired(NOW)) for r in known.records.values()]
    return fold(fold(known, events), events)


def sent(key: str) -> Record:
    return record(key, f"t-{key}", reference=str(reference(key)), number=1)


def test_a_removed_key_that_returns_is_a_new_task() -> None:
    made = plan([desired("a")], forgotten("a"), facts())
    assert decision(only(made)) == (Action.CREATE, Reason.NEW)
    assert made.diagnostics == ()


def test_a_second_task_of_a_removed_key_is_a_duplicate() -> None:
    """Its create request was delivered twice. The key returns as a new task anyway."""
    seen = facts([remote("u")], {"u": message("work of a", reference("a"))})
    made = plan([desired("a")], forgotten("a"), seen)
    assert decision(only(made)) == (Action.CREATE, Reason.NEW)
    assert [(d.code, d.args["ids"]) for d in made.diagnostics] == [
        (Code.DUPLICATE_REMOTE_TASK, ("t-a", "u"))
    ]


def test_a_new_key_with_the_prompt_of_a_removed_key_is_created() -> None:
    made = plan([desired("b", "work of a")], forgotten("a"), facts())
    assert only(made).action is Action.CREATE


def test_a_new_key_with_the_prompt_of_a_removed_one_is_not_a_rename() -> None:
    known = state([record("a", "t-a")])
    made = plan([desired("b", "work of a")], known, facts(), removed=[removal("a")])
    assert actions(made) == {"a": "forget", "b": "create"}


def test_a_manifest_with_the_task_id_adopts_a_removed_task() -> None:
    made = plan([desired("b", task_id="t-a")], forgotten("a"), facts([remote("t-a")]))
    task = only(made)
    assert (task.action, task.reason, task.task_id) == (Action.ADOPT, Reason.TASK_ID, "t-a")


def test_a_newer_record_survives_a_second_fold() -> None:
    known = state([record("a", "t-a")])
    event = Retired(known.records[TaskRef(ORG, "a")].retired(NOW))
    later = state([record("a", "t-new")])
    assert TaskRef(ORG, "a") in fold(later, [event]).records


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_task_that_another_key_has_is_forgotten_for_the_removed_key(*, is_declared: bool) -> None:
    """A state that was edited, for example. The other key's manifest may be none of this run's."""
    known = state([record("a", "t"), record("b", "t")])
    made = plan(
        [desired("b", task_id="t")] if is_declared else [],
        known,
        facts([remote("t")]),
        removed=[removal("a")],
    )
    assert actions(made) == {"a": "forget", "b": "unchanged" if is_declared else "orphaned"}
