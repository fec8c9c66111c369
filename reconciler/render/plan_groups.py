"""Groups similar tasks of a plan, so that forty of them fit on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.model.canonical import ABSENT, digest
from reconciler.model.task import Inputs, text_of
from reconciler.plan.plan import Action
from reconciler.render.entry_view import EntryView
from reconciler.render.views import PlannedView

SIMILAR = 4
"""From this number on, similar tasks are one group with one line each."""

_INDIVIDUAL = ("message", "name")
_FEW = 12  # characters


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """Tasks that differ only in key, prompt and name."""

    tasks: tuple[PlannedView, ...]

    @property
    def first(self) -> PlannedView:
        return self.tasks[0]

    @property
    def is_one_prompt(self) -> bool:
        desired = (view.task.desired for view in self.tasks)
        return len({text_of(task.inputs) for task in desired if task is not None}) == 1

    @property
    def common_beginning(self) -> str:
        """The words that all prompts start with, if there are more than a few."""
        prompts = [prompt_line(view) for view in self.tasks if view.task.desired is not None]
        first, last = min(prompts, default=""), max(prompts, default="")
        same = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
        words = first[: first.rfind(" ", 0, same) + 1]
        return words if len(words) > _FEW else ""

    @property
    def inputs(self) -> Inputs | None:
        """The settings that all tasks share, if they are to be created."""
        inputs = self.first.inputs
        return inputs if inputs is None or self.is_one_prompt else _common(inputs)

    @property
    def is_one_diff(self) -> bool:
        return len({digest(_diff(view)) for view in self.tasks}) == 1


def prompt_line(view: PlannedView) -> str:
    """The prompt on one line; empty if there is none."""
    task = view.task.desired
    return " ".join(((text_of(task.inputs) if task else None) or "").split())


def group_similar(items: Sequence[PlannedView | EntryView]) -> list[TaskGroup | EntryView]:
    """The items in order, with similar tasks as one item in the place of the first."""
    alike: dict[str, list[PlannedView]] = {}
    for item in items:
        if isinstance(item, PlannedView):
            settings = _common(item.inputs or {})
            likeness = digest([*item.likeness(), item.unattended, settings])
            alike.setdefault(likeness, []).append(item)
    group_of: dict[int, TaskGroup] = {}
    for tasks in alike.values():
        least = 2 if tasks[0].task.action is Action.UNCHANGED else SIMILAR
        for group in [tasks] if len(tasks) >= least else [[task] for task in tasks]:
            group_of |= dict.fromkeys(map(id, group), TaskGroup(tuple(group)))
    grouped = (group_of[id(item)] if isinstance(item, PlannedView) else item for item in items)
    return list({id(item): item for item in grouped}.values())


def _common(inputs: Inputs) -> dict[str, object]:
    return {name: value for name, value in inputs.items() if name not in _INDIVIDUAL}


def _diff(view: PlannedView) -> list[object]:
    sides = ((c.path, c.before, c.after, c.origin.value) for c in view.diff)
    return [[None if side is ABSENT else side for side in change] for change in sides]
