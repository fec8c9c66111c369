"""Tasks selected by ID, including tasks that no key has any more."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.service import Identity
from reconciler.model.shell import is_task_id
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.state.attempt import HistoryEntry, RetiredTask
from reconciler.state.model import Record, State


def with_named_ids(state: State, selectors: Sequence[str]) -> State:
    """The state with a record for each selector that is an `ID` or `ORG/ID`, with the ID as its
    key; also for a task that was replaced, or whose key was removed."""
    found = dict(state.records)
    for selector in selectors:
        org_name, _, task_id = selector.rpartition("/")
        record = _with_id(state, task_id) if is_task_id(task_id) else None
        if record is not None and org_name in ("", record.ref.org_name):
            ref = TaskRef(record.ref.org_name, task_id)
            found.setdefault(ref, replace(record, ref=ref))
    return state if len(found) == len(state.records) else replace(state, records=found)


def _with_id(state: State, task_id: str) -> Record | None:
    for record in state.records.values():
        if task_id == record.task_id:
            return record
        if task_id in record.former:
            return replace(record, task_id=task_id, history=(), outputs={})
    for task in state.retired.values():
        if task_id == task.task_id or task_id in task.former:
            return record_of_retired(task, task_id)
    return None


def record_of_retired(task: RetiredTask, task_id: str) -> Record:
    """A record for the task of a removed key, or for a former task of a key."""
    return Record(
        ref=task.ref,
        task_id=task_id,
        file=task.file,
        inputs={},
        digest="",
        identity=task.identity,
        created_at=task.created_at,
        outputs=task.outputs if task_id == task.task_id else {},
        history=(HistoryEntry("removed", task.at, task_id),),
    )


def record_of_id(org_name: str, task_id: str, creator: Identity) -> Record:
    """A record for a task that the state does not know, with its ID as the key."""
    ref = TaskRef(org_name, task_id)
    return Record(ref=ref, task_id=task_id, file="", inputs={}, digest="", identity=creator)
