"""Groups similar tasks of a plan, so that forty of them fit on one screen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.model.absent import ABSENT
from reconciler.model.canonical import digest
from reconciler.model.task import Inputs, text_of
from reconciler.plan.plan import Action, PlannedTask

SIMILAR = 4
"""From this number on, similar tasks are one group with one line each."""

_OF_ITS_OWN = ("message", "name")
_FEW = 12  # characters


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """Tasks that differ only in key, prompt and name."""

    tasks: tuple[PlannedTask, ...]

    @property
    def first(self) -> PlannedTask:
        return self.tasks[0]

    @property
    def is_one_prompt(self) -> bool:
        texts = {text_of(t.desired.inputs) for t in self.tasks if t.desired is not None}
        return len(texts) == 1

    @property
    def common_beginning(self) -> str:
        """The words that all prompts start with, if there are more than a few."""
        texts = [prompt_line(text_of(t.desired.inputs)) for t in self.tasks if t.desired]
        first, last = min(texts, default=""), max(texts, default="")
        same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
        words = first[: first.rfind(" ", 0, same) + 1]
        return words if len(words) > _FEW else ""

    @property
    def is_one_diff(self) -> bool:
        return len({digest(_diff(task)) for task in self.tasks}) == 1


def prompt_line(text: str | None) -> str:
    return " ".join((text or "").split())


def task_groups(tasks: Iterable[PlannedTask]) -> list[TaskGroup]:
    """The tasks in order, grouped by similarity."""
    found: dict[str, list[PlannedTask]] = {}
    for task in tasks:
        found.setdefault(digest(_likeness(task)), []).append(task)
    made = []
    for alike in found.values():
        if len(alike) >= SIMILAR or (len(alike) > 1 and alike[0].action is Action.UNCHANGED):
            made.append(TaskGroup(tuple(alike)))
        else:
            made += [TaskGroup((task,)) for task in alike]
    return made


def common(inputs: Inputs) -> dict[str, object]:
    """The settings that all tasks of a group share."""
    return {name: value for name, value in inputs.items() if name not in _OF_ITS_OWN}


def _likeness(task: PlannedTask) -> list[object]:
    is_new = task.creates and not task.diff and task.desired is not None
    settings = common(task.desired.inputs) if is_new and task.desired is not None else {}
    return [
        task.action.value,
        task.reason.value,
        task.unattended,
        [remark.case for remark in task.remarks],
        settings,
        sorted({change.path.partition(".")[0].partition("[")[0] for change in task.diff}),
    ]


def _diff(task: PlannedTask) -> list[object]:
    sides = ((c.path, c.before, c.after, c.origin.value) for c in task.diff)
    return [[None if side is ABSENT else side for side in change] for change in sides]
