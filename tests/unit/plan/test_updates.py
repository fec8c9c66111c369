"""`--update` patches only what the manifest changed, never what someone changed at the service."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.codes import Code
from reconciler.model.fields import PATCHED
from reconciler.model.remarks import remark
from reconciler.model.remote_task import RemoteTask
from reconciler.model.task import DesiredTask
from reconciler.plan.options import PlanOptions
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.plan.updates import update_of
from reconciler.state.model import Record
from tests.support.diagnostics import explanation, summary
from tests.support.plan_values import SOMEONE, desired, only, plan, record, remote, state, view
from tests.support.remark_cases import commands

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
    seen = view([shown] if shown is not None else [], **more)
    return plan([declared], state([known]), seen, UPDATE)


def updated(known: Record, declared: DesiredTask, shown: RemoteTask) -> PlannedTask:
    return only(made(known, declared, shown))


def test_manifest_changes_are_patched_with_update_and_shown_without_it() -> None:
    known = record("a", "t", approvalMode="manual", name="N")
    declared = desired("a", approvalMode="auto", name="N")
    seen = view([remote("t", approvalMode="manual", name="N")])
    task = only(plan([declared], state([known]), seen, UPDATE))
    assert (task.action, task.reason) == (Action.UPDATE, Reason.IN_PLACE)
    assert task.patch == {"approvalMode": "auto"}
    assert task.applies
    assert not task.creates
    left = plan([declared], state([known]), seen)
    assert only(left).action is Action.CHANGED
    assert commands(only(left).remarks) == ["taskctl apply --update"]
    assert not left.has_changes()
    assert not left.has_changes()
    assert plan([declared], state([known]), seen, UPDATE).has_changes()


def test_a_remote_change_of_name_or_sharing_is_kept() -> None:
    known = record("a", "t", name="N", approvalMode="manual", isShared=False)
    declared = desired("a", name="N", approvalMode="auto", isShared=False)
    shown = remote("t", name="Theirs", approvalMode="manual", isShared=True)
    task = updated(known, declared, shown)
    assert task.patch == {"approvalMode": "auto"}
    still = updated(known, desired("a", name="N", approvalMode="manual", isShared=False), shown)
    assert still.action is Action.CHANGED
    assert commands(still.remarks) == []


def test_a_setting_changed_on_both_sides_is_kept_and_explained() -> None:
    known = record("a", "t", name="N", approvalMode="manual")
    declared = desired("a", name="Ours", approvalMode="auto")
    found = made(known, declared, remote("t", name="Theirs", approvalMode="manual"))
    assert only(found).patch == {"approvalMode": "auto"}
    (said,) = found.diagnostics
    assert said.severity == "warning"
    assert said.line == 3
    assert (said.code, said.case) == (Code.NOT_UPDATED, "both")
    assert plan([declared], state([known]), view([remote("t", name="Theirs")])).diagnostics == ()


def test_a_setting_removed_from_the_manifest_is_kept_and_explained() -> None:
    known = record("a", "t", approvalMode="manual")
    found = made(known, desired("a"), remote("t", approvalMode="manual"))
    assert only(found).action is Action.CHANGED
    assert not only(found).diff[0].in_place
    assert only(found).remarks == (remark("update.removed", names=("approvalMode",)),)
    (said,) = found.diagnostics
    assert "approvalMode no longer in the manifest" in summary(said)
    assert "taskctl state accept acme/a" in explanation(said)


def test_several_settings_are_listed_in_one_sentence() -> None:
    settings: dict[str, Any] = {"approvalMode": "manual", "name": "N", "isShared": True}
    known = record("a", "t", **settings)
    (said,) = made(known, desired("a"), remote("t", **settings)).diagnostics
    assert "name, approvalMode and isShared no longer in the manifest" in summary(said)


def test_a_value_that_the_service_already_has_is_only_recorded() -> None:
    known = record("a", "t", name="N")
    declared, shown = desired("a", name="M"), remote("t", name="M")
    task = updated(known, declared, shown)
    assert (task.action, task.update, task.patch) == (Action.UPDATE, {"name": "M"}, {})
    assert only(plan([declared], state([known]), view([shown]))).action is Action.UNCHANGED


def test_a_task_of_another_user_is_not_updated() -> None:
    known = record("a", "t", name="N", identity=SOMEONE)
    found = made(known, desired("a", name="M"), remote("t", name="N", isShared=True))
    assert only(found).action is Action.CHANGED
    assert commands(only(found).remarks) == []
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
    task = only(plan([declared], state([known]), view([remote("t", approvalMode="manual")])))
    ways = commands(task.remarks)
    assert ways[0] == "taskctl apply --update"
    if text == "another prompt":
        assert ways[1] == "taskctl apply --replace a"
    assert [c.in_place for c in task.diff] == ([True, False][: len(ways)])


@given(SETTINGS, SETTINGS, SETTINGS, st.sets(st.sampled_from(["name", "isShared"])))
def test_each_setting_that_changed_in_the_manifest_is_patched_or_reported(
    recorded: dict[str, Any], declared: dict[str, Any], there: dict[str, Any], pending: set[str]
) -> None:
    waiting = {name: recorded[name] for name in pending if name in recorded}
    known = record("a", "t", pending=waiting, **recorded)
    usual: dict[str, Any] = {"name": "made up", "isShared": False, "permissionMode": "default"}
    shown = remote("t", **usual | there)
    found = update_of(known, desired("a", **declared), shown)
    told = {*found.values, *found.conflicts, *found.removed}
    moved = {name for name in PATCHED if recorded.get(name) != declared.get(name)}
    assert told == moved
    assert set(found.removed) == {name for name in moved if name not in declared}
    for name in found.values:
        assert found.values[name] == declared[name]
        if name in found.agreed:
            assert shown.raw[name] == declared[name]
        elif name in recorded and name not in waiting and name != "role" and name in shown.raw:
            assert shown.raw[name] == recorded[name], "somebody's change would be reverted"
    for name in found.conflicts:
        assert len({str(recorded[name]), str(declared[name]), str(shown.raw[name])}) > 1
        assert shown.raw[name] != recorded[name]


@given(SETTINGS, SETTINGS, SETTINGS)
def test_an_applied_update_is_not_planned_again(
    recorded: dict[str, Any], declared: dict[str, Any], there: dict[str, Any]
) -> None:
    """Whether the patch was recorded or not, it is not sent twice."""
    known, task = record("a", "t", **recorded), desired("a", **declared)
    shown = remote("t", **there)
    first = updated(known, task, shown)
    after = remote("t", **there | first.patch)
    unrecorded = updated(known, task, after)
    assert set(unrecorded.patch) <= {"role"}  # the service may return another value
    kept = record("a", "t", **recorded | dict(first.update))
    assert not updated(kept, task, after).update


def test_a_pending_setting_may_be_changed_before_it_is_set() -> None:
    """The service shows a value that was never requested, because a create cannot carry it."""
    known = record("a", "t", name="One", pending={"name": "One"})
    task = updated(known, desired("a", name="Two"), remote("t", name="made up"))
    assert task.patch == {"name": "Two"}


def test_a_task_that_is_not_visible_is_not_patched() -> None:
    known = record("a", "t", approvalMode="manual")
    task = only(made(known, desired("a", approvalMode="auto"), None))
    assert task.action is Action.CHANGED
    assert not task.update


def test_a_move_without_update_patches_nothing() -> None:
    known = record("was", "t", "work of a", approvalMode="manual")
    declared = desired("a", moved_from="was", approvalMode="auto")
    seen = view([remote("t", approvalMode="manual")])
    assert not only(plan([declared], state([known]), seen)).update
    assert only(plan([declared], state([known]), seen, UPDATE)).patch == {"approvalMode": "auto"}


def test_a_task_with_a_task_id_is_not_replaced() -> None:
    declared = desired("a", "edited", task_id="t")
    task = only(plan([declared], state([record("a", "t")]), view([remote("t")])))
    assert task.action is Action.CHANGED
    assert commands(task.remarks) == []
