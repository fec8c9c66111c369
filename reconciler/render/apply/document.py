"""The result of an apply as a JSON document."""

from __future__ import annotations

from reconciler.apply.report import ApplyReport, TaskResult
from reconciler.messages.remarks import word_remarks
from reconciler.render.document import (
    Document,
    budget_part,
    given,
    hint_items,
    json_document,
)


def apply_document(report: ApplyReport, wait: Document | None = None) -> Document:
    """`wait`: how waiting for the tasks ended."""
    return json_document(
        report.diagnostics,
        summary=report.summary(),
        **given(budget=budget_part(report.budgets)),
        tasks=[_applied_task(task) for task in report.tasks],
        **given(wait=wait),
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
