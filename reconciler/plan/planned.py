"""Makes planned tasks."""

from __future__ import annotations

from typing import TypedDict, Unpack

from reconciler.model.remarks import Remark
from reconciler.model.service import RemoteTask
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Change, PlannedTask, Reason
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record


class PlannedFields(TypedDict, total=False):
    """Fields of PlannedTask."""

    file: str
    line: int | None
    desired: DesiredTask
    task_id: str | None
    diff: tuple[Change, ...]
    record: Record | None
    remote: RemoteTask | None
    attempt: Attempt
    description: tuple[Remark, ...]
    moved_from: TaskRef | None
    candidate: RemoteTask | None
    waits_for: tuple[TaskRef, ...]
    unfinished: bool


def is_left(state: TaskState | None) -> bool:
    """Whether a task that is replaced or forgotten may still be running. None: its state could not
    be read."""
    return state is None or not (state.has_ended or state is TaskState.GONE)


def plan_for(
    subject: DesiredTask | Record | Attempt,
    action: Action,
    reason: Reason,
    *remarks: Remark,
    **fields: Unpack[PlannedFields],
) -> PlannedTask:
    """A planned task at the location of its manifest, record or attempt. The task ID defaults to
    that of the record or the remote task."""
    if isinstance(subject, DesiredTask):
        fields["desired"], fields["line"] = subject, subject.line
    elif isinstance(subject, Record):
        fields["record"] = subject
    else:
        fields["attempt"] = subject
    if "task_id" not in fields:
        record, remote = fields.get("record"), fields.get("remote")
        fields["task_id"] = record.task_id if record else remote.id if remote else None
    fields.setdefault("file", subject.file)
    return PlannedTask(subject.ref, action, reason, remarks=remarks, **fields)


def unresolved(task: PlannedTask, reason: Reason, *remarks: Remark) -> PlannedTask:
    """The task as unresolved: `reason` says why it is not created."""
    return replace(
        task, action=Action.UNRESOLVED, reason=reason, remarks=remarks, diff=(), unfinished=False
    )
