"""The table of statuses."""

from __future__ import annotations

from reconciler.apply.report import Result
from reconciler.model.task_state import Progress, TaskState
from reconciler.plan.plan import Action
from reconciler.render.style import Palette


def test_each_status_has_traits() -> None:
    for state in TaskState:
        assert state.traits.exit_code in (0, 1, 2, 3), state


def test_each_color_is_one_of_the_palette() -> None:
    colors = [member.color for kind in (Action, Result) for member in kind]
    for color in (*colors, *(state.traits.color for state in TaskState)):
        assert Palette(on=True).paint(color)("x").endswith("x\x1b[0m")


def test_a_status_that_can_end_well_holds_the_tasks_that_wait_for_it() -> None:
    """Otherwise, a hold would be reported as one that cannot end, or a task would start early."""
    for state in TaskState:
        is_done = state.traits.progress is Progress.DONE
        assert is_done == (state.traits.exit_code == 0), state
        if not state.is_finished:
            assert state.traits.progress is Progress.UNFINISHED, state
