"""Holds tasks that must not be created yet: because of `rollout`, `overlap` or `after`. Pure.

The progress of all tasks of an entry counts, in the state and at the service, even if this run is
limited to some of them: `--target` never bypasses a hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, warning
from reconciler.model.expectation import Expectation
from reconciler.model.generated import Generated, Upcoming
from reconciler.model.identity import Identity
from reconciler.model.remarks import remark
from reconciler.model.task import DesiredTask, TaskRef, natural
from reconciler.model.task_state import Progress
from reconciler.model.value import replace
from reconciler.plan.lookup import moved_ref, record_of
from reconciler.plan.periods import is_earlier
from reconciler.plan.plan import Action, PlannedTask, Reason, plan_for
from reconciler.plan.rollout import Member, held
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State

_NAMED = 3
"""The number of keys that a remark names; the plan document has all of them."""


class TaskProgress(NamedTuple):
    """The progress of a recorded task. `is_evaluated`: its result was compared with what is
    expected. For reports: its `state`, and for how many `seconds` it has been in that state (None:
    unknown)."""

    progress: Progress
    state: str = ""
    seconds: int | None = None
    is_evaluated: bool = False


def rollouts(desired: Iterable[DesiredTask]) -> list[list[DesiredTask]]:
    """The tasks of each rollout, in order: those of one entry and one period."""
    groups: dict[object, list[DesiredTask]] = {}
    for task in desired:
        if task.origin is not None and task.origin.rollout is not None:
            made = task.origin.generated
            groups.setdefault((task.file, made.entry, made.period), []).append(task)
    return list(groups.values())


class Series:
    """Generated tasks, grouped by what their keys share across periods: entry and values."""

    def __init__(self, known: Iterable[Record | Attempt | DesiredTask]) -> None:
        self._known: dict[object, list[Record | Attempt | DesiredTask]] = {}
        for each in known:
            if each.generated is not None:
                self._known.setdefault(_series(each.ref, each.generated), []).append(each)

    def earlier(self, task: DesiredTask) -> Iterator[Record | Attempt | DesiredTask]:
        """Those of earlier periods with the same values."""
        made = task.generated
        if made is None or made.period is None:
            return
        for other in self._known.get(_series(task.ref, made), ()):
            period = other.generated.period if other.generated is not None else None
            if period not in (None, made.period) and is_earlier(period, made.period):
                yield other


def _series(ref: TaskRef, made: Generated) -> tuple[str, str]:
    return ref.org_name, ref.key.removesuffix(f"@{made.period}")


def records_to_check(
    desired: Sequence[DesiredTask], state: State, only: Collection[TaskRef] | None
) -> list[Record]:
    """The records of unfinished tasks that a missing task may have to wait for. `only` limits the
    missing tasks to some keys."""
    missing = {
        task.ref
        for task in desired
        if (task.origin is not None or task.after)
        and (only is None or task.ref in only)
        and record_of(task, state) is None
    }
    if not missing:
        return []
    found: dict[TaskRef, Record] = {}
    predecessors = Predecessors(desired, state)
    for task in desired:
        if task.after and task.ref in missing:
            for other in predecessors.of(task):
                record = _unsure(other, state) if isinstance(other, DesiredTask) else other
                if record is not None:
                    found[record.ref] = record
    for tasks in rollouts(desired):
        if any(task.ref in missing for task in tasks):
            found |= {record.ref: record for t in tasks if (record := _unsure(t, state))}
    waiting = [t for t in desired if t.origin is not None and t.origin.waits and t.ref in missing]
    series = Series(state.records.values() if waiting else ())
    for task in waiting:
        earlier = (r for r in series.earlier(task) if isinstance(r, Record))
        found |= {record.ref: record for record in earlier if not record.done}
    return list(found.values())


def _unsure(task: DesiredTask, state: State) -> Record | None:
    """The record of a task that is not known to be done."""
    record = record_of(task, state)
    return None if record is None or is_done(record, task.expect) else record


def is_done(record: Record, expect: Expectation | None) -> bool:
    """Whether a success is recorded for this expectation."""
    return record.done and record.met == (expect.digest if expect is not None else "")


class HoldRules(NamedTuple):
    """The rules for one plan. `tasks` are planned so far. `progress` has the recorded tasks whose
    status was read. `given_up` are the marks of attempts that created no task. `upcoming` are the
    periods of each entry that are not due yet, as in an earlier time zone."""

    desired: Sequence[DesiredTask]
    state: State
    tasks: Mapping[TaskRef, PlannedTask]
    progress: Mapping[TaskRef, TaskProgress]
    identity: Identity
    given_up: Collection[str] = ()
    upcoming: Upcoming = MappingProxyType({})

    def held_tasks(self) -> dict[TaskRef, PlannedTask]:
        """Holds the planned creates that have to wait."""
        missing = {
            ref: task.desired
            for ref, task in self.tasks.items()
            if task.action is Action.CREATE
            and task.desired is not None
            and (task.desired.origin or task.desired.after)
        }
        if not missing:
            return {}
        found = dict(self._overlapping(missing.values()))
        found |= self._following(missing.values())
        for tasks in rollouts(self.desired):
            creatable = {t.ref: t for t in tasks if t.ref in missing and t.ref not in found}
            if creatable:
                found |= self._held_by_rollout(tasks, creatable)
        return self._with_stopped(found)

    def _following(self, tasks: Iterable[DesiredTask]) -> Iterator[tuple[TaskRef, PlannedTask]]:
        """Holds tasks until all tasks that their `after` names are done."""
        waiting = [task for task in tasks if task.after]
        predecessors = Predecessors(self.desired, self.state) if waiting else None
        for task in waiting:
            period = task.generated.period if task.generated is not None else None
            progress = {
                ref: Progress.MISSING
                for ref in (TaskRef(task.ref.org_name, name) for name in task.after)
                if period in self.upcoming.get(ref, ())
            }
            for other in predecessors.of(task) if predecessors is not None else ():
                if isinstance(other, Record):
                    progress[other.ref] = self._recorded(other)
                else:
                    progress[other.ref] = self._progress(other)
            failed = tuple(ref for ref, each in progress.items() if each is Progress.FAILED)
            ahead = tuple(ref for ref, each in progress.items() if each is not Progress.DONE)
            if ahead:
                reason = Reason.STOPPED if failed else Reason.AFTER
                yield task.ref, self._held(task, reason, failed or ahead)

    def _with_stopped(self, found: dict[TaskRef, PlannedTask]) -> dict[TaskRef, PlannedTask]:
        """The held tasks; those that wait for one that has stopped have stopped as well."""
        waiting = {ref: t for ref, t in found.items() if t.reason in (Reason.AFTER, Reason.PILOT)}
        while True:
            more = {
                ref: ahead
                for ref, task in waiting.items()
                if (ahead := tuple(r for r in task.waits_for if _has_stopped(found.get(r))))
            }
            if not more:
                return found
            for ref, ahead in more.items():
                task = waiting.pop(ref)
                if task.desired is not None:
                    found[ref] = self._held(task.desired, Reason.STOPPED, ahead)

    def _held_by_rollout(
        self, tasks: Sequence[DesiredTask], creatable: Mapping[TaskRef, DesiredTask]
    ) -> Iterator[tuple[TaskRef, PlannedTask]]:
        origin = tasks[0].origin
        if origin is None or origin.rollout is None:
            return
        members = [
            Member(t.ref, self._progress(t), is_pilot=t.origin is not None and t.origin.is_pilot)
            for t in tasks
        ]
        for ref, why in held(origin.rollout, members, creatable).items():
            yield ref, self._held(creatable[ref], why.reason, why.waits_for)

    def _progress(self, task: DesiredTask) -> Progress:
        planned = self.tasks.get(task.ref)
        action = planned.action if planned is not None else None
        record = record_of(task, self.state)
        if action is Action.CREATE:
            return Progress.MISSING
        if record is not None and action is not Action.REPLACE:
            is_gone = action is Action.GONE and planned is not None and not planned.creates
            unknown = Progress.FAILED if is_gone else Progress.UNFINISHED
            return self._recorded(record, unknown, sure=is_done(record, task.expect))
        refs, attempts = (task.ref, moved_ref(task)), self.state.attempts.values()
        is_open = any(a.ref in refs and a.mark not in self.given_up for a in attempts)
        return Progress.UNFINISHED if planned is not None or is_open else Progress.MISSING

    def _recorded(
        self, record: Record, unknown: Progress = Progress.UNFINISHED, *, sure: bool = True
    ) -> Progress:
        """The progress of a record. A success stands, unless it was recorded for another
        expectation (`sure` is false) and the task does not meet today's."""
        known = self.progress.get(record.ref)
        progress = known.progress if known else unknown
        if record.done and (sure or known is None or not known.is_evaluated):
            return Progress.DONE
        return progress

    def _held(self, task: DesiredTask, reason: Reason, refs: tuple[TaskRef, ...]) -> PlannedTask:
        named = refs[:_NAMED]
        ahead = tuple(fact for ref in named for fact in (ref.key, *self._status_of(ref)))
        explanation = remark(f"held.{reason}", ahead=ahead, more=len(refs) - len(named))
        return plan_for(task, Action.HELD, reason, explanation, waits_for=refs)

    def _status_of(self, ref: TaskRef) -> tuple[str, str]:
        """The state of a task, and for how many seconds; both are empty if unknown."""
        planned, known = self.tasks.get(ref), self.progress.get(ref)
        if known is not None and known.state:
            return known.state, "" if known.seconds is None else str(known.seconds)
        if planned is not None and planned.action in (Action.GONE, Action.UNRESOLVED):
            return planned.action.value, ""
        is_missing = (planned is not None and planned.creates) or ref not in self.state.records
        return "missing" if is_missing else "", ""

    def _overlapping(self, tasks: Iterable[DesiredTask]) -> Iterator[tuple[TaskRef, PlannedTask]]:
        waiting = [task for task in tasks if task.origin is not None and task.origin.waits]
        if not waiting:
            return
        records, attempts = self.state.records.values(), self.state.attempts.values()
        generated = (task for task in self.desired if task.origin is not None)
        missing = (task for task in generated if self._progress(task) is Progress.MISSING)
        series = Series([*records, *attempts, *missing])  # with `catchUp`, several are missing
        for task in waiting:
            blocking: dict[TaskRef, Record | None] = {}
            for other in series.earlier(task):
                if isinstance(other, Record):
                    if self._recorded(other) not in (Progress.DONE, Progress.FAILED):
                        blocking[other.ref] = other
                elif not (isinstance(other, Attempt) and other.mark in self.given_up):
                    blocking.setdefault(other.ref, None)
            if blocking:
                yield task.ref, self._overlapped(task, blocking)

    def _overlapped(
        self, task: DesiredTask, blocking: Mapping[TaskRef, Record | None]
    ) -> PlannedTask:
        planned = self._held(task, Reason.OVERLAP, tuple(sorted(blocking, key=natural)))
        records = (record for record in blocking.values() if record is not None)
        other = next((r for r in records if not self.identity.same_as(r.identity)), None)
        if other is None:
            return planned
        maker, caller = other.identity.name, self.identity.name
        explanation = remark("held.maker", caller=caller, maker=maker, key=other.ref.key)
        return replace(planned, remarks=(*planned.remarks, explanation))


def _has_stopped(task: PlannedTask | None) -> bool:
    return task is not None and task.reason is Reason.STOPPED


class Predecessors:
    """The tasks that a task's `after` names: keys, generated keys, or entries, and for an entry
    that recurs its tasks of the same period. A past task counts by its record."""

    def __init__(self, desired: Iterable[DesiredTask], state: State) -> None:
        self._records = state.records
        self._tasks: dict[TaskRef, DesiredTask] = {}
        self._entries: dict[TaskRef, list[DesiredTask]] = {}
        for task in desired:
            self._tasks[task.ref] = task
            if task.generated is not None:
                name = TaskRef(task.ref.org_name, task.generated.entry)
                self._entries.setdefault(name, []).append(task)

    def of(self, task: DesiredTask) -> Iterator[DesiredTask | Record]:
        """The tasks that must be done before this one is created."""
        period = task.generated.period if task.generated is not None else None
        for name in task.after:
            ref = TaskRef(task.ref.org_name, name)
            if ref in self._tasks:
                yield self._tasks[ref]
                continue
            listed = self._entries.get(ref, ())
            recurs = any(t.generated and t.generated.period for t in listed)
            same = [
                t for t in listed if not recurs or (t.generated and t.generated.period == period)
            ]
            yield from same
            if ref in self._records:
                yield self._records[ref]
            elif not same and period is not None:
                yield from self._past(ref, period)

    def _past(self, entry: TaskRef, period: str) -> Iterator[Record]:
        """The recorded tasks of an entry for a period in which it creates none now."""
        for ref, record in self._records.items():
            made = record.generated
            own = made and (ref.org_name, made.entry, made.period)
            if own == (entry.org_name, entry.key, period):
                yield record


def stopped(tasks: Iterable[PlannedTask]) -> Iterator[Diagnostic]:
    """A warning for each task or entry that cannot continue, because of failures."""
    entries: dict[tuple[str, str], list[PlannedTask]] = {}
    for task in tasks:
        if task.reason is Reason.STOPPED:
            name = task.generated.entry if task.generated is not None else task.ref.key
            entries.setdefault((task.file, name), []).append(task)
    for (file, entry), held_tasks in entries.items():
        first = held_tasks[0]
        failed = tuple(ref.key for ref in first.waits_for)
        at = Place(file, first.line, key=entry)
        yield warning(
            Code.ROLLOUT_STOPPED, at=at, entry=entry, count=len(held_tasks), failed=failed
        )
