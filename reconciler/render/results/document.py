"""What came out of each task, as a JSON document and as CSV."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.app.results import ResultsReport
from reconciler.model.canonical import ABSENT
from reconciler.model.task import rfc3339
from reconciler.render.csv_text import csv_text
from reconciler.render.document import Document, diagnostic_items, json_document
from reconciler.render.status.document import status_counts
from reconciler.render.task_view import pull_requests_text
from reconciler.tasks.results import first_line, result_of
from reconciler.tasks.status import TaskStatus

_COLUMNS = ("orgName", "key", "status", "pullRequests", "answer", "error", "taskId", "url")


def results_document(report: ResultsReport) -> Document:
    return json_document(
        report.diagnostics,
        readAt=rfc3339(report.read_at),
        summary=status_counts(report.statuses),
        notCreated=report.missing,
        tasks=[_task(status) for status in report.statuses],
    )


def _task(status: TaskStatus) -> Document:
    result = result_of(status)
    return {
        "key": status.ref.key,
        "orgName": status.ref.org_name,
        "status": status.state.value,
        "taskId": status.task_id,
        "url": status.url,
        "file": status.file,
        "answer": result.answer,
        **({"data": result.data} if result.data is not ABSENT else {}),
        "pullRequests": [
            {
                "number": request.number,
                "merged": request.is_merged,
                "repo": dict(request.repo),
                "url": request.url,
            }
            for request in result.pull_requests
        ],
        "error": result.error,
        "unmet": diagnostic_items(status.unmet),
    }


def results_csv(statuses: Sequence[TaskStatus]) -> str:
    """A row per task, without the data."""
    return csv_text([_COLUMNS, *map(_row, statuses)])


def _row(status: TaskStatus) -> tuple[str, ...]:
    result = result_of(status)
    return (
        status.ref.org_name,
        status.ref.key,
        status.state.value,
        pull_requests_text(result.pull_requests),
        first_line(result.answer),
        " ".join(result.error.split()),
        status.task_id or "",
        status.url or "",
    )
