"""The tasks in `after`, which must be done before another task is created. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from reconciler.model.task import DesiredTask, Expectation, Recurring, TaskRef
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State


class Absence(StrEnum):
    """The reason why a period has no task: it is not due yet, or over."""

    NOT_DUE = "notDue"
    OVER = "over"


class Followed(NamedTuple):
    """A recorded task that others depend on, and the expected result."""

    record: Record
    expect: Expectation | None


def waiting_key(task: DesiredTask) -> tuple[str, tuple[str, ...], str | None]:
    """A key that is equal for tasks that wait for the same tasks."""
    period = task.generated.period if task.generated is not None else None
    return task.ref.org_name, task.after, period


Predecessor = DesiredTask | Record | Attempt | Absence


class Predecessors:
    """Finds the tasks that a task waits for: keys, generated keys, or entries, and for an entry
    that recurs its tasks of the same period. A past task counts by its record or attempt."""

    def __init__(
        self,
        desired: Collection[DesiredTask],
        state: State,
        recurring: Mapping[TaskRef, Recurring] = MappingProxyType({}),
    ) -> None:
        self._recurring = recurring
        self._found: dict[tuple[str, tuple[str, ...], str | None], dict[TaskRef, Predecessor]] = {}
        self._desired, self._state = desired, state

    def expected_of(self, record: Record) -> Expectation | None:
        """The expectation of the entry of a task of a past period."""
        made, org_name = record.generated, record.ref.org_name
        entry = self._recurring.get(TaskRef(org_name, made.entry)) if made is not None else None
        return entry.expect if entry is not None else None

    @cached_property
    def _known(self) -> dict[TaskRef, Record | Attempt]:
        attempts = {attempt.ref: attempt for attempt in self._state.attempts.values()}
        return {**attempts, **self._state.records}

    @cached_property
    def _tasks(self) -> dict[TaskRef, DesiredTask]:
        return {task.ref: task for task in self._desired}

    @cached_property
    def _entries(self) -> dict[TaskRef, list[DesiredTask]]:
        entries: dict[TaskRef, list[DesiredTask]] = {}
        for task in self._desired:
            if task.generated is not None:
                name = TaskRef(task.ref.org_name, task.generated.entry)
                entries.setdefault(name, []).append(task)
        return entries

    def of(self, task: DesiredTask) -> dict[TaskRef, Predecessor]:
        """The tasks that must be done before this one is created, by key. Tasks that wait for the
        same names share one value: otherwise, an entry that waits for another would take quadratic
        space."""
        same = waiting_key(task)
        if same not in self._found:
            named = (pair for name in task.after for pair in self._named(task, name))
            self._found[same] = dict(named)
        return self._found[same]

    def _named(self, task: DesiredTask, name: str) -> Iterator[tuple[TaskRef, Predecessor]]:
        ref = TaskRef(task.ref.org_name, name)
        own = task.generated.period if task.generated is not None else None
        if ref in self._tasks:
            yield ref, self._tasks[ref]
        elif ref in self._recurring:
            yield from self._of_period(ref, own)
        elif ref in self._entries:
            yield from ((other.ref, other) for other in self._entries[ref])
        elif ref in self._known:
            yield ref, self._known[ref]
        elif "@" in name:
            entry, _, rest = name.partition("@")
            recurs = self._recurring.get(TaskRef(ref.org_name, entry))
            is_ahead = recurs is not None and rest.rpartition("@")[2] in recurs.upcoming
            yield ref, Absence.NOT_DUE if is_ahead else Absence.OVER

    def _of_period(
        self, entry: TaskRef, period: str | None
    ) -> Iterator[tuple[TaskRef, Predecessor]]:
        """The tasks of an entry that recurs, for one period."""
        recurs, name = self._recurring[entry], TaskRef(entry.org_name, f"{entry.key}@{period}")
        tasks = [
            task
            for task in self._entries.get(entry, ())
            if task.generated is not None and task.generated.period == period
        ]
        if tasks:
            yield from ((task.ref, task) for task in tasks)
        elif period is None or not recurs.includes(period):
            return
        elif period in recurs.upcoming:
            yield name, Absence.NOT_DUE
        else:
            past = [
                (ref, known)
                for ref, known in self._known.items()
                if (made := known.generated) is not None
                and (ref.org_name, made.entry, made.period) == (*entry, period)
            ]
            yield from past or ((name, Absence.OVER),)
