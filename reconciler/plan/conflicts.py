"""A `taskID` in a manifest that does not fit what is recorded. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.task import DesiredTask, TaskRef
from reconciler.plan import decisions
from reconciler.plan.lookup import moved_ref, record_of
from reconciler.plan.plan import PlannedTask
from reconciler.state.model import State


def conflicting(
    task: DesiredTask, state: State, recorded: Mapping[str, TaskRef]
) -> PlannedTask | None:
    """A taskID that is recorded otherwise; None if it is not. `recorded` are the known ids. A task
    whose record was taken out is free for a key that names it."""
    if task.task_id is None:
        return None
    record = record_of(task, state)
    if record is not None:
        same = record.task_id == task.task_id
        return None if same else decisions.other_id(task, record.task_id)
    owner = recorded.get(task.task_id)
    if owner is None or owner in (task.ref, moved_ref(task)) or state.is_retired(task.task_id):
        return None
    if owner not in state.records:
        return decisions.claimed_id(task, owner)
    replaced = state.records[owner].task_id != task.task_id
    return decisions.former_id(task, owner) if replaced else decisions.owned_id(task, owner)
