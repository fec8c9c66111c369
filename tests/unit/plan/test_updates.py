"""`--update` sets what the manifest declares, whoever changed it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.canonical import ABSENT
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import remark
from reconciler.model.service import RemoteTask
from reconciler.model.task import DesiredTask
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Change, Origin, Plan, PlannedTask, Reason
from reconciler.plan.updates import less_restricted, restriction_warning
from reconciler.state.model import Record
from tests.support.diagnostics import explanation, summary
from tests.support.plan_values import ME, SOMEONE, desired, facts, only, plan, record, remote, state
from tests.support.remark_cases import cases, commands

UPDATE = PlanOptions(update=True)
VALUES: dict[str, list[Any]] = {
    "approvalMode": ["manual", "auto", "balanced"],
    "permissionMode": ["default", "read-only"],
    "role": ["r-1", "r-2", "r-3"],
    "name": ["one", "two", "three"],
    "isShared": [True, False],
}
SETTINGS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in VALUES.items()}
)


def made(known: Record, declared: DesiredTask, shown: RemoteTask | None, **more: Any) -> Plan:
    seen = facts([shown] if shown is not None else [], **more)
    return plan([declared], state([known]), seen, UPDATE)


def updated(known: Record, declared: DesiredTask, shown: RemoteTask) -> PlannedTask:
    return only(made(known, declared, shown))


def test_manifest_changes_are_patched_with_update_and_shown_without_it() -> None:
    known = record("a", "t", approvalMode="manual", name="N")
    declared = desired("a", approvalMode="auto", name="N")
    seen = facts([remote("t", approvalMode="manual", name="N")])
    task = only(plan([declared], state([known]), seen, UPDATE))
    assert (task.action, task.reason) == (Action.UPDATE, Reason.IN_PLACE)
    assert task.patch == {"approvalMode": "auto"}
    assert task.applies
    assert not task.creates
    left = plan([declared], state([known]), seen)
    assert only(left).action is Action.CHANGED
    assert commands(only(left).remarks) == ["taskctl apply --update"]
    assert not left.has_changes()
    assert plan([declared], state([known]), seen, UPDATE).has_changes()


def test_a_remote_change_is_reverted() -> None:
    known = record("a", "t", name="N", approvalMode="manual", isShared=False)
    declared = desired("a", name="N", approvalMode="auto", isShared=False)
    shown = remote("t", name="Theirs", approvalMode="manual", isShared=True)
    task = updated(known, declared, shown)
    assert task.patch == {"approvalMode": "auto", "name": "N", "isShared": False}
    left = only(plan([declared], state([known]), facts([shown])))
    assert (left.action, commands(left.remarks)) == (Action.CHANGED, ["taskctl apply --update"])


def test_a_setting_changed_on_both_sides_gets_the_value_of_the_manifest() -> None:
    known = record("a", "t", name="N")
    found = made(known, desired("a", name="Ours"), remote("t", name="Theirs"))
    assert only(found).patch == {"name": "Ours"}
    assert [change.origin for change in only(found).diff] == [Origin.BOTH]
    assert found.diagnostics == ()


@pytest.mark.parametrize("update", [True, False])
def test_a_move_says_what_is_set_only_if_it_is(update: bool) -> None:
    known = record("was", "t", approvalMode="manual")
    declared = desired("a", "work of was", moved_from="was", approvalMode="auto")
    seen = facts([remote("t", approvalMode="manual")])
    task = only(plan([declared], state([known]), seen, PlanOptions(update=update)))
    said = ["moved.from", *["update.set"] * update]
    assert (task.action, cases(task.remarks)) == (Action.MOVE, said)


def test_a_setting_removed_from_the_manifest_is_only_recorded() -> None:
    known, shown = record("a", "t", approvalMode="manual"), remote("t", approvalMode="auto")
    task = updated(known, desired("a"), shown)
    assert (task.action, task.patch) == (Action.UPDATE, {})
    assert task.only_recorded == ("approvalMode",)
    assert task.diff == (Change("approvalMode", "auto", ABSENT, Origin.BOTH),)
    assert not task.diff[0].in_place
    left = only(plan([desired("a")], state([known]), facts([shown])))
    assert left.action is Action.CHANGED
    assert left.remarks == (remark("update.removed", names=("approvalMode",)),)


def test_a_setting_that_the_response_lacks_is_compared_with_the_record() -> None:
    known = record("a", "t", isShared=True, role="r-1")
    assert updated(known, desired("a", isShared=True, role="r-1"), remote("t")).diff == ()
    nulls = remote("t", isShared=None, role=None)
    assert updated(known, desired("a", isShared=True, role="r-2"), nulls).patch == {"role": "r-2"}


def test_a_name_that_the_service_trimmed_is_the_same() -> None:
    known, declared = record("a", "t", name=" N "), desired("a", name=" N ")
    assert updated(known, declared, remote("t", name="N")).action is Action.UNCHANGED
    task = updated(known, desired("a", name="N "), remote("t", name="N"))
    assert (task.patch, task.only_recorded) == ({}, ("name",))


def test_a_task_of_another_user_is_not_updated() -> None:
    known = record("a", "t", name="N", identity=SOMEONE)
    found = made(known, desired("a", name="M"), remote("t", name="N", isShared=True))
    assert only(found).action is Action.CHANGED
    assert cases(only(found).remarks) == ["update.foreign"]
    (said,) = found.diagnostics
    assert "belongs to another user" in summary(said)
    assert "someone" in explanation(said)


def test_a_moving_task_is_also_updated() -> None:
    known = record("old", "t", "work of a", approvalMode="manual")
    declared = desired("a", moved_from="old", approvalMode="auto")
    task = only(made(known, declared, remote("t", approvalMode="manual")))
    assert (task.action, task.patch) == (Action.MOVE, {"approvalMode": "auto"})


@pytest.mark.parametrize("text", ["work of a", "another prompt"])
def test_a_prompt_needs_a_new_task_and_the_plan_names_the_command(text: str) -> None:
    known = record("a", "t", "work of a", approvalMode="manual")
    declared = desired("a", text, approvalMode="auto")
    task = only(plan([declared], state([known]), facts([remote("t", approvalMode="manual")])))
    ways = commands(task.remarks)
    assert ways[0] == "taskctl apply --update"
    if text == "another prompt":
        assert ways[1:] == ["taskctl state accept acme/a", "taskctl apply --replace acme/a"]
    assert [c.in_place for c in task.diff] == ([True, False] if ways[1:] else [True])


@given(SETTINGS, SETTINGS, SETTINGS, st.sets(st.sampled_from(["name", "isShared"])))
def test_an_update_ends_with_what_the_manifest_declares(
    recorded: dict[str, Any], declared: dict[str, Any], there: dict[str, Any], pending: set[str]
) -> None:
    """One update suffices, whatever was changed before, and by whom."""
    waiting = {name: recorded[name] for name in pending if name in recorded}
    known, task = record("a", "t", pending=waiting, **recorded), desired("a", **declared)
    usual: dict[str, Any] = {"name": "made up", "isShared": False, "permissionMode": "default"}
    shown = remote("t", **usual | there)
    first = updated(known, task, shown)
    assert dict(first.patch).items() <= declared.items()
    for name, value in declared.items():
        assert first.patch.get(name) == value or shown.raw.get(name, recorded.get(name)) == value
    values: dict[str, Any] = {**shown.raw, **first.patch}
    after = remote("t", **values)
    # The patch was sent, but its response was lost: what can be seen is not sent again.
    assert set(updated(known, task, after).patch) <= {"role", "approvalMode"} - after.raw.keys()
    kept = {n: declared.get(n) for n in first.updated} if first.updated else {}
    inputs = {n: v for n, v in {**recorded, **kept}.items() if v is not None}
    settled = updated(record("a", "t", **inputs), task, after)
    assert (settled.action, settled.diff) == (Action.UNCHANGED, ())


def test_a_pending_setting_may_be_changed_before_it_is_set() -> None:
    """The service shows a value that was never requested, because a create cannot carry it."""
    known = record("a", "t", name="One", pending={"name": "One"})
    task = updated(known, desired("a", name="Two"), remote("t", name="made up"))
    assert task.patch == {"name": "Two"}


def test_a_task_that_is_not_visible_is_not_patched() -> None:
    known = record("a", "t", approvalMode="manual")
    task = only(made(known, desired("a", approvalMode="auto"), None))
    assert task.action is Action.CHANGED
    assert not task.updated


def test_a_setting_that_the_service_leaves_out_has_its_default() -> None:
    task = updated(record("a", "t"), desired("a", permissionMode="read-only"), remote("t"))
    (change,) = less_restricted(replace(task, patch={}))
    assert (change.path, change.before) == ("permissionMode", ABSENT)
    warned = restriction_warning(replace(task, patch={}), ME)
    assert warned.args["settings"] == ("permissionMode=default",)


def test_a_move_without_update_patches_nothing() -> None:
    known = record("was", "t", "work of a", approvalMode="manual")
    declared = desired("a", moved_from="was", approvalMode="auto")
    seen = facts([remote("t", approvalMode="manual")])
    assert not only(plan([declared], state([known]), seen)).updated
    assert only(plan([declared], state([known]), seen, UPDATE)).patch == {"approvalMode": "auto"}


def test_a_task_with_a_task_id_is_not_replaced() -> None:
    declared = desired("a", "edited", task_id="t")
    task = only(plan([declared], state([record("a", "t")]), facts([remote("t")])))
    assert task.action is Action.CHANGED
    assert commands(task.remarks) == []
