"""How one task ended, as a report has it."""

from __future__ import annotations

from reconciler.apply.context import ApplyContext
from reconciler.apply.report import Result, TaskResult
from reconciler.model.remarks import Remark
from reconciler.plan.plan import Action, PlannedTask


def result_of(
    ctx: ApplyContext,
    task: PlannedTask,
    result: Result,
    *problems: Remark,
    task_id: str | None = None,
) -> TaskResult:
    """`task_id` is the task that the key has now."""
    return TaskResult(
        ref=task.ref,
        result=result,
        task_id=task_id,
        url=ctx.service.task_url(task.ref.org_name, task_id) if task_id else None,
        problems=problems,
        file=task.file,
        line=task.line,
        replaced=_replaced_by(task) if task_id else None,
    )


def _replaced_by(task: PlannedTask) -> str | None:
    if task.action is Action.REPLACE:
        return task.task_id
    return task.attempt.replaces or None if task.attempt is not None else None
