"""The keys of desired and recorded tasks. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.glob import matches
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.state.model import Record, State


def matches_key(pattern: str, known: Iterable[TaskRef]) -> bool:
    """Whether KEY, ORG/KEY, or a glob of either matches one of the `known` keys."""
    full = TaskRef.has_org(pattern)
    return any(matches(pattern, str(ref) if full else ref.key) for ref in known)


def record_of(task: DesiredTask, state: State) -> Record | None:
    """The task's record, under its own key or under `movedFrom`; of both, the one with the higher
    number."""
    record = state.records.get(task.ref)
    if task.moved_from is None:
        return record
    old = state.records.get(TaskRef(task.ref.org_name, task.moved_from))
    if record is None or (old is not None and old.number > record.number):
        return old
    return record


def moved_ref(task: DesiredTask) -> TaskRef | None:
    return TaskRef(task.ref.org_name, task.moved_from) if task.moved_from else None
