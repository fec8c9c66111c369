"""What came out of each task, as a JSON document and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from reconciler.model.canonical import ABSENT
from reconciler.render.csv_text import csv_text
from reconciler.render.parts import (
    CommandDocument,
    Count,
    File,
    Part,
    TaskID,
    TaskPart,
    Url,
    diagnostic_items,
)
from reconciler.render.status.document import (
    ReadAt,
    StatusSummary,
    Unmet,
    read_at,
    status_counts,
)
from reconciler.render.task_view import pull_requests_text
from reconciler.render.wait.report import WaitedReport
from reconciler.tasks.results import first_line, result_of
from reconciler.tasks.status import TaskStatus

_COLUMNS = ("orgName", "key", "status", "pullRequests", "answer", "error", "taskId", "url")


class PullRequestItem(Part, kw_only=True):
    """A pull request as the service lists it."""

    number: Annotated[int, Meta(description="The number.")]
    merged: Annotated[
        bool,
        Meta(
            description="Whether the service knows that it was merged. If not, its state is "
            "unknown."
        ),
    ]
    repo: Annotated[dict[str, Any], Meta(description="The repository, as the service returns it.")]
    url: Annotated[
        str | None, Meta(description="The URL of its page; null if the forge is not known.")
    ]


class ResultTask(TaskPart, kw_only=True):
    """A task and its result."""

    status: Annotated[
        str,
        Meta(
            description="The status, as in the output of `taskctl status`.",
            examples=["done", "unmet", "failed", "running"],
        ),
    ]
    task_id: TaskID
    url: Url
    file: File
    answer: Annotated[
        str,
        Meta(
            description="The last message of a task that has finished, at most 1 MiB; empty while "
            "it works. An agent wrote it."
        ),
    ]
    data: Annotated[
        Any,
        Meta(
            description="The JSON value in the last block of the answer with the info word `json`, "
            "or the whole answer if it is an object or a list. Absent if there is none."
        ),
    ] = UNSET
    pull_requests: Annotated[
        list[PullRequestItem],
        Meta(description="The pull requests of the task, without those that a message added."),
    ]
    error: Annotated[str, Meta(description="The reason that the agent gave when it failed.")]
    unmet: Unmet


class ResultsDocument(CommandDocument, kw_only=True):
    """The results of the selected tasks.

    Within a formatVersion, fields and values may be added: ignore those that are unknown.
    """

    read_at: ReadAt
    summary: StatusSummary
    not_created: Annotated[
        Count | None,
        Meta(
            description="The number of declared tasks that are not created yet; null if only some "
            "tasks were selected, or if a manifest has errors."
        ),
    ]
    tasks: Annotated[
        list[ResultTask],
        Meta(description="The tasks in the order of the manifests, orphaned ones last."),
    ]


def results_document(report: WaitedReport) -> ResultsDocument:
    return ResultsDocument(
        diagnostics=diagnostic_items(report.diagnostics),
        read_at=read_at(report.read_at),
        summary=status_counts(report.statuses),
        not_created=report.missing,
        tasks=[_task(status) for status in report.statuses],
    )


def _task(status: TaskStatus) -> ResultTask:
    result = result_of(status)
    data: Any | UnsetType = UNSET if result.data is ABSENT else result.data
    return ResultTask(
        key=status.ref.key,
        org_name=status.ref.org_name,
        status=status.state.value,
        task_id=status.task_id,
        url=status.url,
        file=status.file,
        answer=result.answer,
        data=data,
        pull_requests=[
            PullRequestItem(
                number=each.number, merged=each.is_merged, repo=dict(each.repo), url=each.url
            )
            for each in result.pull_requests
        ],
        error=result.error,
        unmet=diagnostic_items(status.unmet),
    )


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
