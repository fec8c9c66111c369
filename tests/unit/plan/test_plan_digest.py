"""The digest of a plan: equal if and only if apply would do the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.diagnostics import TaskctlError
from reconciler.model.identity import Identity
from reconciler.model.remarks import remark
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.plan.codec import (
    SavedPlan,
    basis_of,
    encode_saved_plan,
    options_json,
    read_saved_plan,
)
from reconciler.plan.digest import is_digest, plan_digest, refuse_unexpected
from reconciler.plan.options import PlanOptions
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.render import view_of
from reconciler.state.model import State
from tests.support import plan_strategies as some
from tests.support.diagnostics import explanation, summary, warning
from tests.support.plan_sample import PLAN, ROTATE, desired

SAMPLE = replace(PLAN, options=options_json(PlanOptions()), scope=("a", "tasks"))
SOON = datetime(2026, 11, 24, tzinfo=UTC)


def changed(key: str, **changes: Any) -> Plan:
    """The sample with one task changed."""
    tasks = (replace(t, **changes) if t.ref.key == key else t for t in SAMPLE.tasks)
    return replace(SAMPLE, tasks=tuple(tasks))


@given(some.plans())
def test_a_saved_plan_keeps_its_digest(plan: Plan) -> None:
    kept = SavedPlan(plan, basis_of(plan, [], State("line", 1, plan.backend)))
    read = read_saved_plan(encode_saved_plan(kept), "plan.taskctl").plan
    assert plan_digest(read) == plan_digest(plan) or "\\ud800" in ascii(plan)
    assert view_of(plan).document()["digest"] == plan_digest(plan)
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
    idle = [t for t in others if not t.applies and t.ref not in known]
    assert plan_digest(replace(plan, tasks=(*plan.tasks, *idle))) == plan_digest(plan)


def test_the_digest_is_the_same_on_every_machine_and_in_every_release() -> None:
    """If this fails, reviewed plans are rejected: raise `VERSION`, and mention it in the
    changelog."""
    assert plan_digest(SAMPLE) == (
        "sha256:4d34723f0b58aab5b8050557d752fdc3dd00b401d3812f980d5dce2208a22ea8"
    )


@pytest.mark.parametrize(
    "other",
    [
        changed("rotate-iam-keys", file="other.yaml", line=99, remarks=()),
        changed("rotate-iam-keys", reason=Reason.RETRY),
        changed("drift-report", remarks=(remark("adopt.age", seconds=9),)),
        changed("cost-review", diff=()),
        changed("same", action=Action.ORPHANED, reason=Reason.REMOVED),
        replace(SAMPLE, identity=Identity("user-1", organization="", login="ada-renamed")),
        replace(SAMPLE, diagnostics=(warning("look"),), closed=("mark",), complete=False),
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
        changed("rotate-iam-keys", action=Action.ADOPT, reason=Reason.LOOK_ALIKE, task_id="t-1"),
        changed("drift-report", task_id="t-other"),
        changed("narrow-iam", moved_from=TaskRef("acme", "yet-another")),
        changed("old-incident", reason=Reason.RECREATE),
        changed("cost-review", reason=Reason.UNFINISHED),
        changed("tag-buckets", action=Action.CREATE, reason=Reason.RETRY),
        changed("drift-report", cancels=True),
        replace(SAMPLE, backend="http://127.0.0.1:8765"),
        replace(SAMPLE, identity=Identity("user-2", login="ada")),
        replace(SAMPLE, identity=Identity("user-1", organization="acme", login="ada")),
        replace(SAMPLE, identity=None),
        replace(SAMPLE, scope=("tasks",)),
        replace(SAMPLE, options=options_json(PlanOptions(max_creates=9))),
    ],
)
def test_other_actions_change_the_digest(other: Plan) -> None:
    assert plan_digest(other) != plan_digest(SAMPLE)


def test_the_replaced_task_and_updated_settings_change_the_digest() -> None:
    asked = {"action": Action.REPLACE, "reason": Reason.ASKED}
    one, other = (changed("cost-review", task_id=i, **asked) for i in ("t-1", "t-2"))
    assert plan_digest(one) != plan_digest(other)
    update = {"action": Action.UPDATE, "reason": Reason.IN_PLACE}
    one, other = (changed("cost-review", patch={n: "x"}, **update) for n in ("name", "role"))
    assert plan_digest(one) != plan_digest(other)


def test_recreating_a_gone_task_has_the_digest_of_a_create() -> None:
    """Its old ID does not affect what apply would do."""
    anew = {"reason": Reason.RECREATE}
    assert plan_digest(changed("old-incident", **anew)) == plan_digest(
        changed("old-incident", task_id="t-older", **anew)
    )


def test_an_unexpected_digest_is_rejected_naming_both() -> None:
    refuse_unexpected(SAMPLE, plan_digest(SAMPLE))
    other = f"sha256:{'0' * 64}"
    with pytest.raises(TaskctlError) as refused:
        refuse_unexpected(SAMPLE, other)
    (found,) = refused.value.diagnostics
    assert "nothing was sent" in summary(found)
    assert other in explanation(found)
    assert plan_digest(SAMPLE) in explanation(found)


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
