"""The state as a JSON document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from reconciler.model.task import TaskRef, rfc3339
from reconciler.model.wire import console_url
from reconciler.render.parts import (
    CommandDocument,
    Count,
    File,
    Part,
    TaskID,
    TaskPart,
    Time,
    Url,
    timestamp,
)
from reconciler.render.state.records import created_at
from reconciler.state.attempt import Attempt, HistoryEntry
from reconciler.state.model import Record, State


class HistoryItem(Part, kw_only=True):
    """An event in the history of a key."""

    what: Annotated[
        str,
        Meta(
            description="The kind of event. More may be added.",
            examples=[
                "created",
                "adopted",
                "moved",
                "updated",
                "replaced",
                "recreated",
                "notCreated",
            ],
        ),
    ]
    at: Annotated[Time | None, Meta(description="When it happened.")]
    task_id: Annotated[str | None, Meta(description="The task that the key has had since then.")]
    mark: Annotated[str | None, Meta(description="The mark of the attempt.")]
    detail: Annotated[
        str,
        Meta(
            description="The settings that were updated, the key from which it was moved, the task "
            "that it replaced, or why an attempt created none."
        ),
    ]


class AttemptItem(Part, kw_only=True):
    """An attempt to create a task whose outcome is unknown."""

    mark: Annotated[str, Meta(description="The mark of the attempt.")]
    started_at: Annotated[Time, Meta(description="When it started, by the machine's clock.")]
    replaces: Annotated[
        str | UnsetType, Meta(description="The ID of the task that the new task replaces.")
    ] = UNSET


class RecordItem(Part):
    """The record of a task in the state."""

    created_at: Annotated[Time | None, Meta(description="When the service created the task.")]
    marks: Annotated[list[str], Meta(description="The marks of the attempts for the key.")]
    pending: Annotated[
        dict[str, Any], Meta(description="Settings that still have to be set after creation.")
    ]
    inputs: Annotated[
        dict[str, Any], Meta(description="The settings with which the task was created.")
    ]
    digest: Annotated[str, Meta(description="The SHA-256 digest of the inputs.")]
    outputs: Annotated[
        dict[str, Any],
        Meta(description="The outputs of the task as last recorded. They may be old."),
    ]
    history: Annotated[list[HistoryItem], Meta(description="The latest 50 events, oldest first.")]
    former_task_ids: Annotated[
        list[str], Meta(description="The IDs of the tasks that the key had before.")
    ]


Recorded = Annotated[
    RecordItem | None, Meta(description="The recorded task; null if there are only attempts.")
]
Attempts = Annotated[list[AttemptItem], Meta(description="The attempts whose outcome is unknown.")]


class StateTask(TaskPart, kw_only=True):
    """A key in the state."""

    task_id: TaskID
    url: Url
    file: File
    recorded: Recorded
    attempts: Attempts


class StateDocument(CommandDocument, kw_only=True):
    """The recorded tasks, and the attempts whose outcome is unknown.

    Within a formatVersion, fields and values may be added: ignore those that are unknown.
    """

    backend: Annotated[
        str,
        Meta(
            description="The service to which the state belongs.",
            examples=["https://api.pulumi.com"],
        ),
    ]
    lineage: Annotated[
        str, Meta(description="Random ID of the state. Versions of one state have the same ID.")
    ]
    serial: Annotated[Count, Meta(description="The number of times the state was written.")]
    tasks: Annotated[list[StateTask], Meta(description="The keys, in order.")]


def state_document(state: State, refs: Iterable[TaskRef]) -> StateDocument:
    """The document of `state list` and `state show`."""
    return StateDocument(
        diagnostics=[],
        backend=state.backend,
        lineage=state.lineage,
        serial=state.serial,
        tasks=[_state_task(state, ref) for ref in refs],
    )


def _state_task(state: State, ref: TaskRef) -> StateTask:
    record = state.records.get(ref)
    task_id = record.task_id if record is not None else None
    return StateTask(
        key=ref.key,
        org_name=ref.org_name,
        task_id=task_id,
        url=console_url(state.backend, ref.org_name, task_id) if task_id else None,
        file=record.file if record is not None else None,
        recorded=record_item(record),
        attempts=attempt_items(state, ref),
    )


def record_item(record: Record | None) -> RecordItem | None:
    if record is None:
        return None
    return RecordItem(
        created_at=timestamp(created_at(record)),
        marks=list(record.marks),
        pending=dict(record.pending),
        inputs=dict(record.inputs),
        digest=record.digest,
        outputs=dict(record.outputs),
        history=[_history_item(entry) for entry in record.full_history()],
        former_task_ids=list(record.former),
    )


def attempt_items(state: State, ref: TaskRef) -> list[AttemptItem]:
    return [_attempt_item(attempt) for attempt in state.attempts_for(ref)]


def _history_item(entry: HistoryEntry) -> HistoryItem:
    return HistoryItem(
        what=entry.what,
        at=timestamp(entry.at),
        task_id=entry.task_id or None,
        mark=entry.mark or None,
        detail=entry.detail,
    )


def _attempt_item(attempt: Attempt) -> AttemptItem:
    return AttemptItem(
        mark=attempt.mark,
        started_at=rfc3339(attempt.started_at),
        replaces=attempt.replaces or UNSET,
    )
