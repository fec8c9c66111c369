"""A replacement whose attempt is known and whose key's record is not: the state file was lost or is
older than its journal, or `movedFrom` left the manifest. Its old task is there all the same.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.options import AdoptScope
from reconciler.plan.lookup import lookups
from reconciler.plan.options import PlanOptions
from reconciler.plan.plan import Action, Reason
from tests.support.plan_values import (
    ME,
    ago,
    attempt,
    desired,
    message,
    only,
    plan,
    record,
    remote,
    state,
    view,
)
from tests.support.remark_cases import cases, commands

OPEN = attempt("a", ago(minutes=9), replaces="old")


@pytest.mark.parametrize("options", [PlanOptions(), PlanOptions(adopt=AdoptScope.NONE)])
def test_what_was_to_replace_a_task_is_not_sent_as_a_first_one(options: PlanOptions) -> None:
    made = plan([desired("a", "edited")], state(attempts=[OPEN], is_new=True), view(), options)
    task = only(made)
    assert (task.action, task.reason) == (Action.UNRESOLVED, Reason.AMBIGUOUS)
    assert cases(task.remarks) == ["attempt.record_lost"]
    assert "taskctl state resolve acme/a --task-id old" in commands(task.remarks)
    assert made.closed == ()


def test_young_it_is_waited_for_and_found_it_is_the_record() -> None:
    young = attempt("a", ago(seconds=9), replaces="old")
    lost = state(attempts=[young], is_new=True)
    assert only(plan([desired("a")], lost, view())).reason is Reason.SETTLING
    seen = view([remote("new", ago(minutes=8))], {"new": message("work of a", ago(minutes=9))})
    found = only(plan([desired("a")], state(attempts=[OPEN], is_new=True), seen))
    assert (found.action, found.task_id) == (Action.ADOPT, "new")


def test_the_task_that_is_to_be_replaced_is_nobodys() -> None:
    """Not a look-alike of another key, and not what another attempt made."""
    seen = view([remote("old", ago(minutes=10))], {"old": message("work of a", ago(minutes=10))})
    lost = state(attempts=[OPEN], is_new=True)
    made = plan([desired("a"), desired("b", "work of a")], lost, seen)
    assert [t.action for t in made.tasks] == [Action.UNRESOLVED, Action.CREATE]
    named = plan([desired("a"), desired("c", task_id="old")], lost, seen)
    assert [t.action for t in named.tasks] == [Action.UNRESOLVED, Action.UNRESOLVED]
    assert cases(named.tasks[1].remarks) == ["taskID.claimed"]
    again = only(plan([desired("a", task_id="old")], lost, seen))
    assert (again.action, again.reason) == (Action.ADOPT, Reason.TASK_ID)


def test_recorded_for_another_key_it_stays_that_ones() -> None:
    """Replaced under a new key, and then `movedFrom` was taken out: the manifest wants a new one,
    as far as its prompt says that it is."""
    known = state([record("was", "old", "work of a")], [OPEN])
    seen = view([remote("old")])
    same = plan([desired("a")], known, seen)
    assert [t.reason for t in same.tasks] == [Reason.RENAMED, Reason.REMOVED]
    assert same.closed == (OPEN.mark,)
    edited = plan([desired("a", "edited")], known, seen)
    assert [t.action for t in edited.tasks] == [Action.CREATE, Action.ORPHANED]


def test_an_attempt_for_a_first_task_is_sent_again_as_before() -> None:
    first = replace(OPEN, replaces="")
    assert only(plan([desired("a")], state(attempts=[first]), view())).reason is Reason.RETRY


def test_a_resend_looks_for_what_does_the_same_work() -> None:
    task = desired("a", "edited")
    for open_one in (OPEN, replace(OPEN, replaces="")):
        clocks = view().clocks
        (found,) = lookups([task], state(attempts=[open_one]), ME, PlanOptions(), clocks)
        assert found.missing == (task,)
        assert found.is_final
