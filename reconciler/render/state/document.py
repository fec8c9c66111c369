"""The state as a JSON document."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.task import TaskRef, rfc3339
from reconciler.model.wire import console_url
from reconciler.render.document import Document, given, json_document, timestamp
from reconciler.render.state.records import created_at
from reconciler.state.attempt import Attempt, HistoryEntry
from reconciler.state.model import Record, State


def state_document(state: State, refs: Iterable[TaskRef]) -> Document:
    """The document of `state list` and `state show`."""
    return json_document(
        backend=state.backend,
        lineage=state.lineage,
        serial=state.serial,
        tasks=[_state_task(state, ref) for ref in refs],
    )


def _state_task(state: State, ref: TaskRef) -> Document:
    record = state.records.get(ref)
    task_id = record.task_id if record is not None else None
    return {
        "key": ref.key,
        "orgName": ref.org_name,
        "taskId": task_id,
        "url": console_url(state.backend, ref.org_name, task_id) if task_id else None,
        "file": record.file if record is not None else None,
        **state_part(state, ref),
    }


def state_part(state: State, ref: TaskRef) -> Document:
    """What the state knows about a key."""
    record = state.records.get(ref)
    return {
        "recorded": _record(record) if record is not None else None,
        "attempts": [_attempt(attempt) for attempt in state.attempts_for(ref)],
    }


def _record(record: Record) -> Document:
    return {
        "createdAt": timestamp(created_at(record)),
        "marks": list(record.marks),
        "pending": dict(record.pending),
        "inputs": dict(record.inputs),
        "digest": record.digest,
        "outputs": dict(record.outputs),
        "history": [_history_entry(entry) for entry in record.full_history()],
        "formerTaskIds": list(record.former),
    }


def _history_entry(entry: HistoryEntry) -> Document:
    return {
        "what": entry.what,
        "at": timestamp(entry.at),
        "taskId": entry.task_id or None,
        "mark": entry.mark or None,
        "detail": entry.detail,
    }


def _attempt(attempt: Attempt) -> Document:
    return {
        "mark": attempt.mark,
        "startedAt": rfc3339(attempt.started_at),
        **given(replaces=attempt.replaces),
    }
