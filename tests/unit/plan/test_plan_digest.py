"""The digest of a plan: equal if and only if apply would do the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.messages.commands import AS_WRITTEN
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import remark
from reconciler.model.service import Identity
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.plan.digest import (
    SavedPlan,
    differences,
    is_digest,
    plan_digest,
    refuse_unexpected,
)
from reconciler.plan.plan import Action, Change, Plan, PlannedTask, Reason
from reconciler.render import view_of
from tests.support import plan_strategies as some
from tests.support.diagnostics import explanation, summary, warning
from tests.support.plan_sample import PLAN, ROTATE, desired
from tests.support.plan_values import NOW, attempt, only, plan, record, state
from tests.support.plan_values import desired as desired_task

SAMPLE = replace(PLAN, lineage="line", scope=("a", "tasks"))
SOON = datetime(2026, 11, 24, tzinfo=UTC)


def changed(key: str, **changes: Any) -> Plan:
    """The sample with one task changed."""
    tasks = (replace(t, **changes) if t.ref.key == key else t for t in SAMPLE.tasks)
    return replace(SAMPLE, tasks=tuple(tasks))


@given(some.plans())
def test_the_document_contains_the_digest(plan: Plan) -> None:
    assert view_of(plan).document(AS_WRITTEN)["digest"] == plan_digest(plan)
    assert is_digest(plan_digest(plan))


@given(some.plans(), st.randoms())
def test_the_order_of_tasks_and_scope_does_not_matter(plan: Plan, random: Any) -> None:
    tasks, scope = list(plan.tasks), list(plan.scope)
    random.shuffle(tasks)
    random.shuffle(scope)
    other = replace(plan, tasks=tuple(tasks), scope=tuple(scope))
    assert plan_digest(other) == plan_digest(plan)


@given(some.plans(), st.lists(some.planned_tasks(), max_size=3, unique_by=lambda t: t.ref))
def test_tasks_without_an_action_do_not_change_the_digest(
    plan: Plan, others: list[PlannedTask]
) -> None:
    known = {task.ref for task in plan.tasks}
    idle = [t for t in others if not (t.applies or t.may_follow) and t.ref not in known]
    assert plan_digest(replace(plan, tasks=(*plan.tasks, *idle))) == plan_digest(plan)


def test_the_digest_is_the_same_on_every_machine_and_in_every_release() -> None:
    """If this fails, reviewed plans are rejected: raise `VERSION`, and mention it in the
    changelog."""
    assert plan_digest(SAMPLE) == (
        "sha256:18f859c92f3e9ea86a0e50919e603139fd0abe4ae99f5478fbe8668953f5cfc6"
    )


@pytest.mark.parametrize(
    "other",
    [
        changed("rotate-iam-keys", file="other.yaml", line=99, remarks=()),
        changed("drift-report", remarks=(remark("adopt.date", date="x"),)),
        changed("cost-review", diff=()),
        changed("same", action=Action.ORPHANED, reason=Reason.REMOVED),
        replace(SAMPLE, identity=Identity("user-1", organization="", login="ada-renamed")),
        replace(SAMPLE, diagnostics=(warning("look"),), complete=False),
    ],
)
def test_informational_fields_do_not_change_the_digest(other: Plan) -> None:
    assert plan_digest(other) == plan_digest(SAMPLE)


def without(key: str) -> Plan:
    return replace(SAMPLE, tasks=tuple(t for t in SAMPLE.tasks if t.ref.key != key))


def more(task: PlannedTask) -> Plan:
    return replace(SAMPLE, tasks=(*SAMPLE.tasks, task))


@pytest.mark.parametrize(
    "other",
    [
        without("rotate-iam-keys"),
        more(replace(ROTATE, ref=TaskRef("acme", "another"))),
        changed("rotate-iam-keys", ref=TaskRef("other-org", "rotate-iam-keys")),
        changed("rotate-iam-keys", desired=desired("rotate-iam-keys", "Another prompt.")),
        changed("rotate-iam-keys", action=Action.ADOPT, reason=Reason.REFERENCE, task_id="t-1"),
        changed("drift-report", task_id="t-other"),
        changed("narrow-iam", moved_from=TaskRef("acme", "yet-another")),
        changed("old-incident", reason=Reason.RECREATE),
        changed("cost-review", reason=Reason.UNFINISHED),
        changed("tag-buckets", action=Action.CREATE, reason=Reason.RETRY),
        replace(SAMPLE, backend="http://127.0.0.1:8765"),
        replace(SAMPLE, identity=Identity("user-2", login="ada")),
        replace(SAMPLE, identity=Identity("user-1", organization="acme", login="ada")),
        replace(SAMPLE, identity=None),
        replace(SAMPLE, scope=("tasks",)),
        replace(SAMPLE, lineage="other"),
        replace(SAMPLE, closed=("a/9 babab-babab-babab",)),
        changed("rotate-iam-keys", record=record("rotate-iam-keys", "t-9")),
        changed("rotate-iam-keys", attempt=attempt("rotate-iam-keys", NOW)),
        replace(SAMPLE, options=PlanOptions(max_creates=9)),
    ],
)
def test_other_actions_change_the_digest(other: Plan) -> None:
    assert plan_digest(other) != plan_digest(SAMPLE)


def test_the_replaced_task_and_updated_settings_change_the_digest() -> None:
    def other(**changes: Any) -> Plan:
        return changed("cost-review", **changes)

    asked = {"action": Action.REPLACE, "reason": Reason.ASKED}
    update = {"action": Action.UPDATE, "reason": Reason.IN_PLACE}
    finish = {"action": Action.CHANGED, "reason": Reason.UNFINISHED}
    unfinished = [record("cost-review", "t", pending={"name": name}) for name in ("x", "y")]
    updates = [
        other(patch={"name": "x"}, **update),
        other(patch={"role": "x"}, **update),
        other(only_recorded=("name",), **update),
        other(patch={"name": "x"}, diff=(Change("name", "y", "x"),), **update),
        *(other(record=pending, **change) for change in (update, finish) for pending in unfinished),
        *(other(task_id=task_id, **asked) for task_id in ("t-1", "t-2")),
        *(other(record=record("cost-review", task_id), **asked) for task_id in ("t-1", "t-2")),
    ]
    assert len({plan_digest(plan) for plan in updates}) == len(updates)


@pytest.mark.parametrize("key", ["cost-review", "narrow-iam"])
def test_unfinished_settings_that_an_update_or_a_move_also_sets_change_the_digest(key: str) -> None:
    action = {"action": Action.UPDATE, "reason": Reason.IN_PLACE} if key == "cost-review" else {}
    known = record(key, "t-1")
    unfinished = [
        changed(
            key, record=replace(known, pending=pending), patch={"approvalMode": "auto"}, **action
        )
        for pending in ({}, {"name": "x"}, {"name": "y"})
    ]
    assert len({plan_digest(plan) for plan in unfinished}) == 3


def test_the_task_that_is_created_again_changes_the_digest() -> None:
    """Otherwise a saved plan would create a third task once the second is gone, too."""
    anew = {"reason": Reason.RECREATE}
    lost = [
        changed("old-incident", record=record("old-incident", task_id), **anew)
        for task_id in ("t-1", "t-2")
    ]
    assert plan_digest(lost[0]) != plan_digest(lost[1])


def test_an_unexpected_digest_is_rejected_naming_both() -> None:
    refuse_unexpected(SAMPLE, plan_digest(SAMPLE))
    other = f"sha256:{'0' * 64}"
    with pytest.raises(TaskctlError) as refused:
        refuse_unexpected(SAMPLE, other)
    (found,) = refused.value.diagnostics
    assert "nothing was sent" in summary(found)
    assert other in explanation(found)
    assert plan_digest(SAMPLE) in explanation(found)


BASE = replace(
    PLAN, scope=("tasks",), tasks=(only(plan([desired_task("a")])),), lineage="line", closed=("m",)
)
ANOTHER = only(plan([desired_task("b")]))


@pytest.mark.parametrize(
    ("now", "case", "facts"),
    [
        ({"lineage": "other"}, "state", {}),
        ({"backend": "local"}, "backend", {"then": "https://api.pulumi.com", "now": "local"}),
        ({"identity": Identity("u-2", login="bob")}, "identity", {"then": "ada", "now": "bob"}),
        ({"identity": None}, "identity", {"then": "ada", "now": "unknown"}),
        ({"scope": ()}, "scope", {"then": "tasks", "now": "all"}),
        ({"options": PlanOptions(max_creates=1)}, "options", {"flags": ("--max-creates",)}),
        ({"tasks": (*BASE.tasks, ANOTHER)}, "more", {"keys": ("acme/b",)}),
        ({"tasks": ()}, "less", {"keys": ("acme/a",)}),
        ({"tasks": (only(plan([desired_task("a", "x")])),)}, "other", {"keys": ("acme/a",)}),
        ({"closed": ()}, "attempts", {}),
    ],
)
def test_each_difference_from_a_saved_plan_is_explained(
    now: dict[str, Any], case: str, facts: dict[str, Any]
) -> None:
    found = list(differences(SavedPlan.of(BASE), SavedPlan.of(replace(BASE, **now))))
    assert found == [(case, facts)]


def test_all_differences_are_explained_at_once() -> None:
    other = replace(BASE, lineage="other", scope=(), tasks=())
    found = differences(SavedPlan.of(BASE), SavedPlan.of(other))
    assert [case for case, _ in found] == ["state", "scope", "less"]


@given(some.plans(), some.plans())
def test_a_plan_has_differences_if_its_digest_differs(one: Plan, other: Plan) -> None:
    is_same = plan_digest(one) == plan_digest(other)
    assert is_same is not any(differences(SavedPlan.of(one), SavedPlan.of(other)))


def test_a_state_that_was_never_saved_has_no_lineage() -> None:
    """It is random until then: each command would make another one."""
    new = replace(state(), serial=0)
    assert [plan([], replace(new, lineage=name)).lineage for name in "xy"] == ["", ""]
    assert plan([], replace(new, serial=1)).lineage == "lineage"


MANGLED: list[Callable[[str], str]] = [
    lambda _: "",
    lambda whole: whole[7:],
    lambda whole: whole.upper(),
    lambda whole: f"{whole}\n",
    lambda whole: whole[: len("sha256:") + 15],
    lambda whole: f"{whole}0",
]


@pytest.mark.parametrize("mangled", MANGLED)
def test_a_digest_is_recognized_by_its_form(mangled: Callable[[str], str]) -> None:
    whole = json.loads(json.dumps(plan_digest(SAMPLE)))
    assert is_digest(whole)
    assert is_digest(whole[: len("sha256:") + 16])
    assert not is_digest(mangled(whole))
