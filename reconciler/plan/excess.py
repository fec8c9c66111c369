"""What a plan does beyond the saved plan that was confirmed."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError
from reconciler.plan.plan import Plan, PlannedTask, Reason

_EXCEEDS: dict[str, Callable[[PlannedTask, PlannedTask | None], bool]] = {
    "create": lambda now, saved: now.creates and not (saved and saved.creates),
    "change": lambda now, saved: not now.patch.keys() <= (saved.patch.keys() if saved else set()),
    "cancel": lambda now, saved: now.cancels and not (saved and saved.cancels),
}
"""Whether a task's plan does more than its saved plan, for each kind of change."""


def refuse_more(saved: Plan, plan: Plan, file: str) -> None:
    """TaskctlError if the plan creates, changes or cancels more than the saved one, which was
    confirmed. Tasks that were settling when it was saved may do whatever the options allow."""
    confirmed = {task.ref: task for task in saved.tasks}
    settling = {task.ref for task in saved.tasks if task.reason is Reason.SETTLING}
    for kind, exceeds in _EXCEEDS.items():
        more = tuple(
            task.ref.key
            for task in plan.tasks
            if task.ref not in settling and exceeds(task, confirmed.get(task.ref))
        )
        if more:
            raise TaskctlError.of(Code.PLAN_EXCEEDED, kind, at=Place(file), keys=more)
