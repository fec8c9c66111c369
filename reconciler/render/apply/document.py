"""The result of an apply as a JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.apply.report import ApplyReport, TaskResult
from reconciler.messages.remarks import word_remarks
from reconciler.render.document import (
    Document,
    budget_part,
    given,
    hint_items,
    json_document,
)
from reconciler.render.plan.document import plan_task
from reconciler.render.status.document import statuses_part

if TYPE_CHECKING:
    from reconciler.app.apply import ApplyWaitReport


def apply_wait_document(report: ApplyWaitReport) -> Document:
    """The document of an apply, with the end of the wait after it."""
    wait = {
        "end": report.end.value,
        **statuses_part(report.statuses, report.read_at),
        **given(held=[plan_task(task) for task in report.held_tasks]),
    }
    return {**apply_document(report), "wait": wait}


def apply_document(report: ApplyReport) -> Document:
    return json_document(
        report.diagnostics,
        summary=report.summary(),
        **given(budget=budget_part(report.budgets)),
        tasks=[_applied_task(task) for task in report.tasks],
    )


def _applied_task(task: TaskResult) -> Document:
    words = word_remarks(task.problems)
    return {
        "key": task.key,
        "orgName": task.org_name,
        "result": task.result.value,
        "taskId": task.task_id,
        "url": task.url,
        "error": words.note or None,
        "file": task.file,
        "line": task.line,
        **given(
            replaced=task.replaced,
            cancelled=task.cancelled,
            updated=list(task.updated),
            hints=hint_items(words),
        ),
    }
