"""The result of an apply as a JSON document."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from reconciler.apply.report import ApplyReport, TaskResult
from reconciler.messages.remarks import word_remarks
from reconciler.render.parts import (
    Budgets,
    CommandDocument,
    Count,
    File,
    Hints,
    Line,
    Part,
    TaskID,
    TaskPart,
    Url,
    budget_part,
    diagnostic_items,
    given,
    hint_items,
)
from reconciler.render.wait.document import Waited


class ApplySummary(Part, kw_only=True):
    """The number of tasks for each result, including zeros."""

    created: Annotated[Count, Meta(description="Tasks that were created.")]
    adopted: Annotated[Count, Meta(description="Existing tasks that were recorded.")]
    moved: Annotated[Count, Meta(description="Records that were moved to another key.")]
    updated: Annotated[Count, Meta(description="Tasks whose settings were changed.")]
    replaced: Annotated[
        Count, Meta(description="Tasks that were created in place of existing tasks.")
    ]
    forgotten: Annotated[Count, Meta(description="Tasks that were removed from the state.")]
    cancelled: Annotated[Count, Meta(description="Tasks that were cancelled.")]
    held: Annotated[Count, Meta(description="Tasks that must not be created yet.")]
    failed: Annotated[Count, Meta(description="Tasks that failed.")]
    unresolved: Annotated[Count, Meta(description="Tasks that may or may not exist.")]
    not_started: Annotated[Count, Meta(description="Tasks that apply did not start.")]


class AppliedTask(TaskPart, kw_only=True):
    """A task that required action, and its outcome."""

    result: Annotated[
        str,
        Meta(
            description="The outcome. More may be added.",
            examples=[
                "created",
                "replaced",
                "adopted",
                "moved",
                "updated",
                "forgotten",
                "cancelled",
                "failed",
                "unresolved",
                "notStarted",
            ],
        ),
    ]
    task_id: TaskID
    url: Url
    error: Annotated[
        str | None,
        Meta(
            description="Why the task failed or is unresolved, or what is left to do although it "
            "exists."
        ),
    ]
    file: File
    line: Line
    replaced: Annotated[
        str | UnsetType, Meta(description="The ID of the task that it replaced.")
    ] = UNSET
    cancelled: Annotated[
        str | UnsetType, Meta(description="The ID of the task that was cancelled.")
    ] = UNSET
    updated: Annotated[
        list[str] | UnsetType,
        Meta(description="The settings that were changed.", examples=[["approvalMode"]]),
    ] = UNSET
    hints: Hints | UnsetType = UNSET


class ApplyDocument(CommandDocument, kw_only=True):
    """The outcome of each task that required action.

    Within a formatVersion, fields and values may be added: ignore those that are unknown.
    """

    summary: Annotated[ApplySummary, Meta(description="The number of tasks for each result.")]
    budget: Annotated[
        Budgets | UnsetType, Meta(description="The token budgets, before anything was created.")
    ] = UNSET
    tasks: Annotated[
        list[AppliedTask],
        Meta(description="The tasks, sorted by organization and key; numbers in keys as numbers."),
    ]
    wait: Annotated[
        Waited | UnsetType,
        Meta(description="With `--wait`: the status of the tasks when the wait ended."),
    ] = UNSET


def apply_document(report: ApplyReport, wait: Waited | UnsetType = UNSET) -> ApplyDocument:
    """`wait`: how waiting for the tasks ended."""
    numbers = {_snake(name): number for name, number in report.summary().items()}
    return ApplyDocument(
        diagnostics=diagnostic_items(report.diagnostics),
        summary=ApplySummary(**numbers),
        budget=budget_part(report.budgets) if report.budgets else UNSET,
        tasks=[_applied_task(task) for task in report.tasks],
        wait=wait,
    )


def _applied_task(task: TaskResult) -> AppliedTask:
    words = word_remarks(task.problems)
    return AppliedTask(
        key=task.key,
        org_name=task.org_name,
        result=task.result.value,
        task_id=task.task_id,
        url=task.url,
        error=words.note or None,
        file=task.file,
        line=task.line,
        replaced=given(task.replaced),
        cancelled=given(task.cancelled),
        updated=given(list(task.updated)),
        hints=hint_items(words),
    )


def _snake(name: str) -> str:
    return "not_started" if name == "notStarted" else name
