"""What apply may do with a saved plan, and what exceeds it."""

from __future__ import annotations

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.plan.excess import refuse_more
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason

IDLE = PlannedTask(TaskRef("acme", "a"), Action.CHANGED, Reason.CHANGED, "tasks/a.yaml")
CREATES = replace(IDLE, action=Action.REPLACE, reason=Reason.ASKED)
CANCELS = replace(CREATES, cancels=True)
PATCHES = replace(IDLE, action=Action.UPDATE, reason=Reason.IN_PLACE, patch={"name": "N"})
SETTLES = replace(IDLE, action=Action.UNRESOLVED, reason=Reason.SETTLING)


def plan(task: PlannedTask) -> Plan:
    return Plan("local", (), (task,))


@pytest.mark.parametrize(
    ("confirmed", "found", "case"),
    [
        (IDLE, CREATES, "create"),
        (IDLE, PATCHES, "change"),
        (replace(PATCHES, patch={}), PATCHES, "change"),
        (CREATES, CANCELS, "cancel"),
    ],
)
def test_more_actions_than_confirmed_are_rejected(
    confirmed: PlannedTask, found: PlannedTask, case: str
) -> None:
    with pytest.raises(TaskctlError) as caught:
        refuse_more(plan(confirmed), plan(found), "saved")
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.case) == (Code.PLAN_EXCEEDED, case)
    assert problem.args["keys"] == ("a",)
    for other in (found, SETTLES):  # an attempt that was settling may have this outcome
        refuse_more(plan(other), plan(found), "saved")
    refuse_more(plan(found), plan(IDLE), "saved")
