"""The create requests that a person has confirmed, and the tasks of later plans within them.
Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from reconciler.model.remarks import remark
from reconciler.model.task import TaskRef
from reconciler.model.value import Value
from reconciler.plan.plan import Action, Effect, Plan, PlannedTask
from reconciler.plan.planned import unresolved

SENDS = 3
"""The number of create requests that one wave sends for a key if the outcome stays unknown."""

Create: TypeAlias = tuple[TaskRef, str | None]
"""The key to create a task for, and the ID of the task that the new task replaces."""


class Confirmed(Value, frozen=True):
    """The create requests that a plan shows: those to send now, and those to send if an attempt
    turns out to have created no task. `followers` are the tasks that later waves create. Each wave
    creates at most `max_creates` tasks."""

    creates: frozenset[Create]
    followers: tuple[TaskRef, ...] = ()
    max_creates: int | None = None

    @classmethod
    def of(cls, plan: Plan) -> Confirmed:
        followers = frozenset(plan.followers)
        shown = {each for task in plan.tasks for each in _creates_of(task)}
        shown |= {(task.ref, task.task_id) for task in plan.tasks if task.ref in followers}
        return cls(frozenset(shown), plan.followers, plan.options.max_creates)

    def cut(
        self,
        tasks: Iterable[PlannedTask],
        created: int = 0,
        unknown: Mapping[TaskRef, int] | None = None,
    ) -> Iterator[PlannedTask]:
        """The tasks of a later plan. A task to create becomes unresolved if it was not confirmed,
        was sent too often, or exceeds the limit. `created` is the number of tasks that this wave
        has created, `unknown` the number of its requests with an unknown outcome, by key."""
        left = None if self.max_creates is None else self.max_creates - created
        for task in tasks:
            if not task.creates:
                yield task
            elif self.creates.isdisjoint(_creates_of(task)):
                yield unresolved(task, task.reason, remark("attempt.unconfirmed"))
            elif unknown is not None and unknown.get(task.ref, 0) >= SENDS:
                is_replaced = task.action is Action.REPLACE
                case = "attempt.rounds_replace" if is_replaced else "attempt.rounds"
                why = remark(case, rounds=SENDS, request=f"{task.ref}={task.task_id}")
                yield unresolved(task, task.reason, why)
            elif left is not None and (left := left - 1) < 0:
                why = remark("attempt.limit", limit=self.max_creates)
                yield unresolved(task, task.reason, why)
            else:
                yield task


def _creates_of(task: PlannedTask) -> Iterator[Create]:
    """The create requests that a planned task may lead to. If its open attempt created no task, the
    request is repeated, either as a first task or as a replacement."""
    if task.creates:
        yield task.ref, task.task_id
    elif task.effect is Effect.WAIT:
        replaced = task.attempt.replaces if task.attempt is not None else ""
        yield from ((task.ref, None), (task.ref, replaced or None))
