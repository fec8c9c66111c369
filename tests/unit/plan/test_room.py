"""Creates are held if the state has no room for what they add to it."""

from __future__ import annotations

import pytest

from reconciler.model.codes import Code
from reconciler.model.options import PlanOptions
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.typed_json import encode_json
from reconciler.model.value import replace
from reconciler.plan.hold import with_room
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from tests.support.plan_values import NOW, actions, attempt, desired, state

NEW, NEXT = desired("new"), desired("next", "other work")


def need(*tasks: DesiredTask) -> int:
    return sum(4 * len(encode_json(task.inputs)) + 4096 for task in tasks)


def planned(task: DesiredTask, action: Action, reason: Reason) -> PlannedTask:
    return PlannedTask(task.ref, action, reason, task.file, desired=task)


def roomy(room: int | None, *tasks: PlannedTask, wait: bool = True) -> tuple[Plan, list[int]]:
    """The plan in a state with so much room, and how many tasks each warning counts."""
    plan = Plan("b", (), tasks, options=PlanOptions(wait=wait))
    found = with_room(plan, replace(state(), room=room))
    assert {d.code for d in found.diagnostics} <= {Code.STATE_FULL}
    return found, [int(str(d.args["count"])) for d in found.diagnostics]


CREATE = planned(NEW, Action.CREATE, Reason.NEW)
LATER = replace(planned(NEXT, Action.HELD, Reason.AFTER), waits_for=(TaskRef("acme", "new"),))
ADOPT = planned(NEXT, Action.ADOPT, Reason.TASK_ID)


@pytest.mark.parametrize(
    ("room", "reasons", "full"),
    [
        (need(NEW, NEXT), [Reason.NEW, Reason.AFTER], []),
        (need(NEW, NEXT) - 1, [Reason.NEW, Reason.FULL], [1]),
        (need(NEW), [Reason.NEW, Reason.FULL], [1]),
        (need(NEW) - 1, [Reason.FULL, Reason.FULL], [2]),
        (None, [Reason.NEW, Reason.AFTER], []),
    ],
)
def test_creates_that_do_not_fit_are_held(
    room: int | None, reasons: list[Reason], full: list[int]
) -> None:
    plan, counts = roomy(room, CREATE, LATER)
    assert [task.reason for task in plan.tasks] == reasons
    assert counts == full
    assert all(t.waits_for == () for t in plan.tasks if t.reason is Reason.FULL)


def test_held_tasks_need_room_only_if_they_are_waited_for() -> None:
    assert roomy(need(NEW), CREATE, LATER, wait=False)[1] == []


def test_adopted_tasks_are_recorded_in_any_state_and_need_room() -> None:
    plan, counts = roomy(need(NEW, NEXT) - 1, CREATE, ADOPT)
    assert (actions(plan), counts) == ({"new": "held", "next": "adopt"}, [1])
    assert roomy(0, ADOPT) == (roomy(None, ADOPT)[0], [])


def test_a_found_task_needs_room_even_if_its_attempt_is_known() -> None:
    found = replace(ADOPT, reason=Reason.REFERENCE)
    tried = replace(found, attempt=attempt("next", NOW))
    for task in (found, tried):
        assert roomy(need(NEW, NEXT), CREATE, task)[1] == []
        assert roomy(need(NEW, NEXT) - 1, CREATE, task)[1] == [1]
