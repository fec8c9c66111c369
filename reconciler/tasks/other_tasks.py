"""The tasks of keys besides their current ones: replaced or removed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from reconciler.model.task import TaskRef, natural
from reconciler.model.value import Value, field
from reconciler.state.model import State


class Former(StrEnum):
    """Why a task is not the current one of its key."""

    REPLACED = "replaced"
    REMOVED = "removed"


class OtherTask(Value, frozen=True):
    """A task that a key had. `outputs` are current or as last read."""

    ref: TaskRef
    state: Former
    task_id: str
    file: str
    outputs: Mapping[str, object] = field(default_factory=dict)


def other_tasks(state: State, refs: Collection[TaskRef]) -> tuple[OtherTask, ...]:
    """The other tasks of these keys, each once."""
    found: list[OtherTask] = []
    for ref, record in state.records.items():
        found += [OtherTask(ref, Former.REPLACED, each, record.file) for each in record.former]
    for task in state.retired.values():
        found.append(OtherTask(task.ref, Former.REMOVED, task.task_id, task.file, task.outputs))
        found += [OtherTask(task.ref, Former.REPLACED, each, task.file) for each in task.former]
    current = {record.task_id for record in state.records.values()}
    chosen = {
        other.task_id: other
        for other in reversed(found)
        if other.ref in refs and other.task_id not in current
    }
    return tuple(sorted(chosen.values(), key=lambda other: (natural(other.ref), other.task_id)))
