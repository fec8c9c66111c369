"""The tasks that others wait for, and their progress, from the state and the service. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from reconciler.model.task import DesiredTask, Expectation, Recurring, Removal, TaskRef
from reconciler.model.task_state import Progress, TaskState
from reconciler.plan.keys import moved_ref, record_of
from reconciler.plan.periods import Series
from reconciler.plan.plan import Action, PlannedTask
from reconciler.plan.rollout import Rollouts
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
        """For a task of a past period, the expectation of its entry."""
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


class TaskProgress(NamedTuple):
    """The state of a recorded task as read and, for reports, the seconds that it has been in that
    state (None: unknown)."""

    state: TaskState
    seconds: int | None = None

    @property
    def progress(self) -> Progress:
        return self.state.traits.progress


class Success(StrEnum):
    """The success that is recorded for a task: none, for the current expectation, or for
    another."""

    NONE = "none"
    CURRENT = "current"
    OTHER = "other"


def recorded_success(record: Record, expect: Expectation | None) -> Success:
    """The recorded success, given the current expectation."""
    if not record.done:
        return Success.NONE
    is_current = record.met == (expect.digest if expect is not None else "")
    return Success.CURRENT if is_current else Success.OTHER


class Standing:
    """The progress of all tasks for one plan. `tasks` are planned so far, `read` has the recorded
    tasks whose state was read. Only the `organizations` are read; None for all."""

    def __init__(
        self,
        desired: Iterable[DesiredTask],
        state: State,
        tasks: Mapping[TaskRef, PlannedTask],
        read: Mapping[TaskRef, TaskProgress],
        organizations: Collection[str] | None = None,
    ) -> None:
        self._state, self._tasks, self._read = state, tasks, read
        self._organizations = organizations
        self._open = {attempt.ref for attempt in state.attempts.values()}
        self._moved = {t.ref: r.ref for t in desired if t.moved_from and (r := record_of(t, state))}

    def of(self, task: DesiredTask) -> Progress:
        """The progress of a desired task. A task that this plan replaces or creates again counts as
        the new task."""
        planned, record = self._tasks.get(task.ref), record_of(task, self._state)
        action = planned.action if planned is not None else None
        if action is Action.CREATE:
            return Progress.MISSING
        is_new = planned is not None and planned.creates
        if record is None:
            is_open = not self._open.isdisjoint((task.ref, moved_ref(task)))
            return Progress.UNFINISHED if planned is not None or is_open else Progress.MISSING
        if is_new:
            return Progress.UNFINISHED
        success = recorded_success(record, task.expect)
        if action is Action.GONE and record.ref not in self._read and success is Success.NONE:
            return Progress.FAILED
        return self.of_record(record, success)

    def of_record(self, record: Record, success: Success | None = None) -> Progress:
        """The progress of a record. A recorded success counts, unless it is for another expectation
        and the task was evaluated (or is in an organization that is not read). By default, any
        success counts."""
        progress = self._read.get(record.ref)
        is_evaluated = progress is not None and progress.state.is_judged
        may_be_void = is_evaluated or is_elsewhere(record.ref, self._organizations)
        if record.done and not (success is Success.OTHER and may_be_void):
            return Progress.DONE
        return progress.progress if progress is not None else Progress.UNFINISHED

    def is_to_merge(self, ref: TaskRef) -> bool:
        """Whether a task has finished, except that its pull requests have to be merged."""
        progress = self._read.get(ref)
        return progress is not None and progress.state is TaskState.TO_MERGE

    def is_hidden(self, task: DesiredTask) -> bool:
        """Whether this user cannot see the recorded task, and no success of it is recorded."""
        planned, record = self._tasks.get(task.ref), record_of(task, self._state)
        if record is None or (planned is not None and planned.creates):
            return False
        progress = self._read.get(record.ref)
        is_hidden = progress is not None and progress.state is TaskState.NOT_VISIBLE
        return is_hidden and self.of(task) is not Progress.DONE

    def status_of(self, ref: TaskRef) -> tuple[str, str]:
        """The state of a task, and its duration in seconds; both are empty if unknown."""
        planned, ref_read = self._tasks.get(ref), self._moved.get(ref, ref)
        progress = self._read.get(ref_read)
        if progress is not None and not (planned is not None and planned.creates):
            return progress.state.value, "" if progress.seconds is None else str(progress.seconds)
        if planned is not None and planned.action in (Action.GONE, Action.UNRESOLVED):
            return planned.action.value, ""
        is_missing = (planned is not None and planned.creates) or not (
            ref_read in self._state.records or ref in self._open
        )
        return "missing" if is_missing else "", ""


def records_to_check(
    desired: Sequence[DesiredTask],
    state: State,
    selected: Collection[TaskRef] | None,
    removed: Sequence[Removal] = (),
    predecessors: Predecessors | None = None,
    again: Collection[TaskRef] = (),
    organizations: Collection[str] | None = None,
) -> list[Record]:
    """The records of unfinished tasks that a missing task, or a task to create `again`, may have to
    wait for. `selected` limits the missing tasks to some keys. `organizations` are those whose
    tasks are read: a record elsewhere counts as it is, so missing tasks elsewhere count, too, even
    if they are not selected."""
    missing = {
        task.ref
        for task in desired
        if (task.origin is not None or task.after)
        and (selected is None or task.ref in selected or is_elsewhere(task.ref, organizations))
        and record_of(task, state) is None
    }
    if not missing and not again:
        return []
    rollouts = Rollouts(desired, state, removed)
    waiting = [task for task in desired if task.ref in missing]
    # Tasks of a pilot that are held otherwise count, also if the plan is limited to others.
    waiting += [task for task in rollouts.beside(missing) if record_of(task, state) is None]
    records: list[Record | None] = []
    predecessors = predecessors or Predecessors(desired, state)
    named = {waiting_key(task): predecessors.of(task) for task in waiting if task.after}
    for other in (other for group in named.values() for other in group.values()):
        if isinstance(other, DesiredTask):
            records.append(_unsure(other, state))
        elif isinstance(other, Record):
            records.append(other)
    records += _of_rollouts(rollouts, {*missing, *again}, state)
    if overlapping := [task for task in waiting if task.origin is not None and task.origin.waits]:
        series = Series(state)
        earlier = (known for task in overlapping for known in series.earlier(task))
        records += [known for known in earlier if isinstance(known, Record) and not known.done]
    read = (r for r in records if r is not None and not is_elsewhere(r.ref, organizations))
    return list({record.ref: record for record in read}.values())


def is_elsewhere(ref: TaskRef, organizations: Collection[str] | None) -> bool:
    """Whether a key is outside of the organizations that a run is limited to (None: all)."""
    return organizations is not None and ref.org_name not in organizations


def _of_rollouts(
    rollouts: Rollouts, missing: Collection[TaskRef], state: State
) -> Iterator[Record | None]:
    for (file, entry), tasks in rollouts.entries.items():
        if not any(task.ref in missing for task in tasks):
            continue
        yield from (_unsure(task, state) for task in tasks)
        origin = tasks[0].origin
        if origin is not None and origin.rollout is not None and origin.rollout.at_once:
            others = (r for r in rollouts.others(file, entry) if isinstance(r, Record))
            yield from (record for record in others if not record.done)


def _unsure(task: DesiredTask, state: State) -> Record | None:
    """The record of a task that is not known to meet the current expectation."""
    record = record_of(task, state)
    if record is None or recorded_success(record, task.expect) is Success.CURRENT:
        return None
    return record
