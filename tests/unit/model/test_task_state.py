"""The table of statuses."""

from __future__ import annotations

from reconciler.model.task_state import TRAITS, Progress, TaskState
from reconciler.render.style import Palette


def test_each_status_has_traits() -> None:
    assert list(TRAITS) == list(TaskState)
    for state, traits in TRAITS.items():
        assert traits.exit_code in (0, 1, 2, 3), state
        assert callable(getattr(Palette(), traits.color)), state


def test_a_status_that_can_end_well_holds_the_tasks_that_wait_for_it() -> None:
    """Otherwise, a hold would be reported as one that cannot end, or a task would start early."""
    for state in TaskState:
        is_done = state.traits.progress is Progress.DONE
        assert is_done == (state.traits.exit_code == 0), state
        if not state.is_finished:
            assert state.traits.progress is Progress.UNFINISHED, state
