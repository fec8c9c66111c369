"""Tasks that entries generate and that must not be created yet: `rollout` and `overlap`. Pure.

What decides is how the entry's tasks stand, in the state and at the service, whatever this run was
asked to do: `--target` never bypasses a rollout.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, warning
from reconciler.model.entry import Generated
from reconciler.model.remarks import remark
from reconciler.model.task import DesiredTask, Identity, TaskRef
from reconciler.plan.lookup import moved_ref, record_of
from reconciler.plan.periods import is_earlier, series_of
from reconciler.plan.plan import Action, PlannedTask, Reason, plan_for
from reconciler.plan.rollout import Hold, Member, Progress, held
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State

_NAMED = 3
"""Keys that a remark names; the plan document has all of them."""


class Standing(NamedTuple):
    """How a task stands that others wait for: `state` and, for a reader, for how many `seconds`."""

    progress: Progress
    state: str = ""
    seconds: int | None = None


Standings = Mapping[TaskRef, Standing]
"""Of recorded tasks, by the keys of their records, as far as the service was asked."""

_REASONS = {
    Hold.STOPPED: Reason.STOPPED,
    Hold.PILOT: Reason.PILOT,
    Hold.AT_ONCE: Reason.AT_ONCE,
}


def rollouts(desired: Iterable[DesiredTask]) -> list[list[DesiredTask]]:
    """The tasks that one rollout is about, those of an entry and a period, in their order."""
    groups: dict[object, list[DesiredTask]] = {}
    for task in desired:
        if task.origin is not None and task.origin.rollout is not None:
            made = task.origin.generated
            groups.setdefault((task.file, made.entry, made.period), []).append(task)
    return list(groups.values())


class Series:
    """The tasks of all periods that are recorded or may exist, by what their keys share."""

    def __init__(self, state: State | None) -> None:
        self._known: dict[tuple[str, str], list[Record | Attempt]] = {}
        everything: list[Record | Attempt] = []
        if state is not None:
            everything += [*state.records.values(), *state.attempts.values()]
        for known in everything:
            if known.generated is not None:
                self._known.setdefault(_series(known.ref, known.generated), []).append(known)

    def earlier(self, task: DesiredTask) -> Iterator[Record | Attempt]:
        """What is known of earlier periods of the same values."""
        made = task.generated
        for known in self._known.get(_series(task.ref, made), ()) if made is not None else ():
            if is_before(known.generated, made):
                yield known


def is_before(one: Generated | None, made: Generated | None) -> bool:
    """Whether one period is before another."""
    if one is None or made is None or one.period is None or made.period is None:
        return False
    return one.period != made.period and is_earlier(one.period, made.period)


def _series(ref: TaskRef, made: Generated) -> tuple[str, str]:
    return ref.org_name, series_of(ref.key, made)


def to_be_asked(
    desired: Sequence[DesiredTask], state: State, only: Collection[TaskRef] | None
) -> list[Record]:
    """The records of unfinished tasks whose status may hold a missing one."""
    missing = {
        task.ref
        for task in desired
        if task.origin is not None
        and (only is None or task.ref in only)
        and record_of(task, state) is None
    }
    asked: dict[TaskRef, Record] = {}
    for tasks in rollouts(desired) if missing else ():
        if any(task.ref in missing for task in tasks):
            records = (record_of(task, state) for task in tasks)
            asked |= {record.ref: record for record in records if record is not None}
    waiting = [t for t in desired if t.ref in missing and t.origin is not None and t.origin.waits]
    series = Series(state if waiting else None)
    for task in waiting:
        asked |= {r.ref: r for r in series.earlier(task) if isinstance(r, Record)}
    return [record for record in asked.values() if not record.done]


@dataclass(frozen=True, slots=True)
class Holds:
    """`tasks` are those planned so far; `given_up` the marks of attempts that made no task."""

    desired: Sequence[DesiredTask]
    state: State
    tasks: Mapping[TaskRef, PlannedTask]
    standing: Standings
    identity: Identity
    given_up: Collection[str] = ()

    def find(self) -> dict[TaskRef, PlannedTask]:
        """The tasks that would be created and have to wait."""
        missing = {
            ref: task.desired
            for ref, task in self.tasks.items()
            if task.action is Action.CREATE and task.desired is not None and task.desired.origin
        }
        if not missing:
            return {}
        found = dict(self._overlapping(missing.values()))
        for tasks in rollouts(self.desired):
            asked = {t.ref: t for t in tasks if t.ref in missing and t.ref not in found}
            if asked:
                found |= self._rolled_out(tasks, asked)
        return found

    def _rolled_out(
        self, tasks: Sequence[DesiredTask], asked: Mapping[TaskRef, DesiredTask]
    ) -> Iterator[tuple[TaskRef, PlannedTask]]:
        origin = tasks[0].origin
        if origin is None or origin.rollout is None:
            return
        members = [
            Member(t.ref, self._progress(t), is_pilot=t.origin is not None and t.origin.is_pilot)
            for t in tasks
        ]
        for ref, why in held(origin.rollout, members, asked).items():
            yield ref, self._held(asked[ref], _REASONS[why.hold], why.waits_for)

    def _progress(self, task: DesiredTask) -> Progress:
        """How a task of this plan, or beside it, stands."""
        planned = self.tasks.get(task.ref)
        action = planned.action if planned is not None else None
        record = record_of(task, self.state)
        if action is Action.CREATE:
            return Progress.MISSING
        if record is not None and action is not Action.REPLACE:
            is_gone = action is Action.GONE and planned is not None and not planned.creates
            return self._recorded(record, Progress.FAILED if is_gone else Progress.UNFINISHED)
        if planned is not None or self._is_attempted(task):
            return Progress.UNFINISHED
        return Progress.MISSING

    def _recorded(self, record: Record, unknown: Progress = Progress.UNFINISHED) -> Progress:
        known = self.standing.get(record.ref)
        return Progress.DONE if record.done else known.progress if known else unknown

    def _held(self, task: DesiredTask, reason: Reason, refs: tuple[TaskRef, ...]) -> PlannedTask:
        named = refs[:_NAMED]
        ahead = tuple(fact for ref in named for fact in (ref.key, *self._stands(ref)))
        said = remark(f"held.{reason}", ahead=ahead, more=len(refs) - len(named))
        return plan_for(task, Action.HELD, reason, said, waits_for=refs)

    def _stands(self, ref: TaskRef) -> tuple[str, str]:
        """How a task stands, and for how many seconds; empty where that is not known."""
        planned, known = self.tasks.get(ref), self.standing.get(ref)
        if known is not None and known.state:
            return known.state, "" if known.seconds is None else str(known.seconds)
        if planned is not None and planned.action in (Action.GONE, Action.UNRESOLVED):
            return planned.action.value, ""
        is_missing = (planned is not None and planned.creates) or ref not in self.state.records
        return "missing" if is_missing else "", ""

    def _is_attempted(self, task: DesiredTask) -> bool:
        refs = (task.ref, moved_ref(task))
        return any(a.ref in refs for a in self._open_attempts())

    def _open_attempts(self) -> Iterator[Attempt]:
        return (a for a in self.state.attempts.values() if a.mark not in self.given_up)

    def _overlapping(self, tasks: Iterable[DesiredTask]) -> Iterator[tuple[TaskRef, PlannedTask]]:
        waiting = [task for task in tasks if task.origin is not None and task.origin.waits]
        if not waiting:
            return
        known, planned = Series(self.state), self._missing_series()
        for task in waiting:
            blocking: dict[TaskRef, Record | None] = {}
            for other in known.earlier(task):
                if isinstance(other, Record):
                    if self._recorded(other) not in (Progress.DONE, Progress.FAILED):
                        blocking[other.ref] = other
                elif other.mark not in self.given_up:
                    blocking.setdefault(other.ref, None)
            made = task.generated
            for other_task in planned.get(_series(task.ref, made), ()) if made is not None else ():
                if is_before(other_task.generated, made):
                    blocking.setdefault(other_task.ref, None)
            if blocking:
                yield task.ref, self._overlapped(task, blocking)

    def _missing_series(self) -> dict[tuple[str, str], list[DesiredTask]]:
        """The tasks that this plan wants (`catchUp`) and that are missing."""
        found: dict[tuple[str, str], list[DesiredTask]] = {}
        for task in self.desired:
            made = task.generated
            if made is not None and self._progress(task) is Progress.MISSING:
                found.setdefault(_series(task.ref, made), []).append(task)
        return found

    def _overlapped(
        self, task: DesiredTask, blocking: Mapping[TaskRef, Record | None]
    ) -> PlannedTask:
        planned = self._held(task, Reason.OVERLAP, tuple(sorted(blocking)))
        makers = (record for record in blocking.values() if record is not None)
        other = next((r for r in makers if not self.identity.same_as(r.identity)), None)
        if other is None:
            return planned
        facts = {"maker": other.identity.login or other.identity.id, "key": other.ref.key}
        said = remark("held.maker", caller=self.identity.login or self.identity.id, **facts)
        return replace(planned, remarks=(*planned.remarks, said))


def stopped(tasks: Iterable[PlannedTask]) -> Iterator[Diagnostic]:
    """A warning for each entry whose rollout failures have stopped."""
    entries: dict[tuple[str, str], list[PlannedTask]] = {}
    for task in tasks:
        if task.reason is Reason.STOPPED and task.generated is not None:
            entries.setdefault((task.file, task.generated.entry), []).append(task)
    for (file, entry), held_tasks in entries.items():
        first = held_tasks[0]
        failed = tuple(ref.key for ref in first.waits_for)
        at = Place(file, first.line, key=entry)
        yield warning(
            Code.ROLLOUT_STOPPED, at=at, entry=entry, count=len(held_tasks), failed=failed
        )
