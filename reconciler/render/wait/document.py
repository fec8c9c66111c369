"""The result of a wait as a JSON document."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from reconciler.render.parts import (
    FORMAT_VERSION,
    Diagnostics,
    FormatVersion,
    Part,
    diagnostic_items,
    given,
)
from reconciler.render.plan.document import PlanTask, plan_task
from reconciler.render.status.document import (
    ReadAt,
    StatusSummary,
    StatusTask,
    read_at,
    status_counts,
    status_task,
)
from reconciler.render.wait.report import WaitedReport

Ended = Annotated[
    str,
    Meta(
        description="Why the wait ended. `finished`: no task is running or waiting for a person. "
        "`waiting`: no task is running, and `--stop-on waiting` was given.",
        examples=["finished", "waiting", "timeout", "interrupted"],
    ),
]
Tasks = Annotated[list[StatusTask], Meta(description="The tasks, those that need a person first.")]


class Waited(Part, kw_only=True):
    """The result of waiting for the tasks of an apply."""

    end: Ended
    read_at: ReadAt
    summary: StatusSummary
    tasks: Tasks
    held: Annotated[
        list[PlanTask] | UnsetType,
        Meta(description="The tasks that were not created, as in the plan."),
    ] = UNSET


class WaitDocument(Part, kw_only=True):
    """The status of the tasks when the wait ended.

    Within a formatVersion, fields and values may be added: ignore those that are unknown.
    """

    format_version: FormatVersion = FORMAT_VERSION
    end: Ended
    diagnostics: Diagnostics
    read_at: ReadAt
    summary: StatusSummary
    tasks: Tasks


def wait_document(report: WaitedReport) -> WaitDocument:
    return WaitDocument(
        end=report.end.value,
        diagnostics=diagnostic_items(report.diagnostics),
        read_at=read_at(report.read_at),
        summary=status_counts(report.statuses),
        tasks=[status_task(status) for status in report.statuses],
    )


def waited(report: WaitedReport) -> Waited:
    """The member `wait` of the document of `apply --wait`."""
    return Waited(
        end=report.end.value,
        read_at=read_at(report.read_at),
        summary=status_counts(report.statuses),
        tasks=[status_task(status) for status in report.statuses],
        held=given([plan_task(task) for task in report.held_tasks]),
    )
