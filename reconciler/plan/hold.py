"""Holds tasks that must not be created yet: because of `rollout`, `overlap` or `after`, or because
the state is full. Pure.

The progress of all tasks of an entry counts, in the state and at the service, even if this run is
limited to some of them: `--target` never bypasses a hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, Severity, warning
from reconciler.model.remarks import remark
from reconciler.model.service import Identity
from reconciler.model.task import DesiredTask, Recurring, Removal, TaskRef, natural
from reconciler.model.task_state import Progress, TaskState
from reconciler.model.typed_json import encode_json
from reconciler.model.value import replace
from reconciler.plan.periods import Series
from reconciler.plan.plan import Action, Effect, HoldReason, Plan, PlannedTask, Reason
from reconciler.plan.planned import plan_for
from reconciler.plan.progress import (
    Absence,
    Predecessor,
    Predecessors,
    Standing,
    TaskProgress,
    waiting_key,
)
from reconciler.plan.rollout import Member, Rollouts, held
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State

_NAMED = 3
"""The number of keys in a remark; the plan document has all of them."""

_INPUT_COPIES = 4
"""The number of copies of a new task's inputs in the journal and the state."""

_RECORD_BYTES = 4096
"""The bytes of a new task's record without its inputs."""


class PlanUser(NamedTuple):
    """The user of a plan. `may_apply`: the configuration lets this user apply."""

    identity: Identity
    may_apply: bool


class HoldRules:
    """The rules for one plan. `tasks` are planned so far."""

    def __init__(
        self,
        desired: Sequence[DesiredTask],
        state: State,
        tasks: Mapping[TaskRef, PlannedTask],
        standing: Standing,
        user: PlanUser,
        recurring: Mapping[TaskRef, Recurring],
        removed: Sequence[Removal],
    ) -> None:
        self._desired, self._state, self._tasks = desired, state, tasks
        self._standing, self._user = standing, user
        self._recurring, self._removed = recurring, removed
        self._over: set[TaskRef] = set()

    def held_tasks(self, retried: Collection[TaskRef] = ()) -> dict[TaskRef, PlannedTask]:
        """Holds the planned tasks that must not be created yet. Only generated tasks and tasks with
        `after` are considered. `retried`: keys that get another task because their task has
        failed."""
        missing = {
            ref: task.desired
            for ref, task in self._tasks.items()
            if (task.action is Action.CREATE or ref in retried)
            and task.desired is not None
            and (task.desired.origin or task.desired.after)
        }
        if not missing:
            return {}
        first = [task for ref, task in missing.items() if ref not in retried]
        # Also if the plan leaves them out, as in `records_to_check`.
        beside = self._rollouts.beside(missing)
        first += [task for task in beside if self._standing.of(task) is Progress.MISSING]
        by_others = dict(self._overlapping(first))
        by_others |= self._following(first)
        while True:  # a task that is stopped can stop others
            found = self._with_stopped({**by_others, **self._rolled_out(missing, by_others)})
            stopped = {ref: task for ref, task in found.items() if ref in by_others}
            if stopped == by_others:
                return {ref: task for ref, task in found.items() if ref in missing}
            by_others = stopped

    @cached_property
    def _rollouts(self) -> Rollouts:
        return Rollouts(self._desired, self._state, self._removed)

    def _following(self, tasks: Iterable[DesiredTask]) -> Iterator[tuple[TaskRef, PlannedTask]]:
        """Holds each task until all tasks listed in its `after` are done."""
        waiting = [task for task in tasks if task.after]
        predecessors = Predecessors(self._desired if waiting else (), self._state, self._recurring)
        why: dict[object, tuple[HoldReason, tuple[TaskRef, ...]]] = {}
        for task in waiting:
            same = waiting_key(task)
            if same not in why:
                why[same] = self._unfinished(predecessors.of(task))
            reason, refs = why[same]
            if refs:
                yield task.ref, self._held(task, reason, refs)

    def _unfinished(
        self, named: Mapping[TaskRef, Predecessor]
    ) -> tuple[HoldReason, tuple[TaskRef, ...]]:
        """The unfinished tasks among these, and the reason for which they hold other tasks."""
        progress = {ref: self._progress_of(other) for ref, other in named.items()}
        self._over.update(ref for ref, other in named.items() if other is Absence.OVER)
        failed = tuple(ref for ref, each in progress.items() if each.is_lost)
        ahead = tuple(ref for ref, each in progress.items() if each is not Progress.DONE)
        return (Reason.STOPPED, failed) if failed else (Reason.AFTER, ahead)

    def _progress_of(self, known: Predecessor) -> Progress:
        match known:
            case DesiredTask():
                return self._standing.of(known)
            case Record():
                return self._standing.of_record(known)
            case Attempt():
                return Progress.UNFINISHED
            case Absence.NOT_DUE:
                return Progress.MISSING
            case Absence.OVER:  # it will not be created
                return Progress.FAILED

    def _with_stopped(self, found: dict[TaskRef, PlannedTask]) -> dict[TaskRef, PlannedTask]:
        """The held tasks. A task whose `after` refers to a stopped task is stopped, too."""
        waiting = {
            ref: (task.desired, task.waits_for)
            for ref, task in found.items()
            if task.reason is Reason.AFTER and task.desired is not None
        }
        while True:
            names = {waiting_key(task): refs for task, refs in waiting.values()}
            over = {
                same: tuple(ref for ref in refs if _has_stopped(found.get(ref)))
                for same, refs in names.items()
            }
            more = {ref: task for ref, (task, _) in waiting.items() if over[waiting_key(task)]}
            if not more:
                return found
            for ref, task in more.items():
                del waiting[ref]
                found[ref] = self._held(task, Reason.STOPPED, over[waiting_key(task)])

    def _rolled_out(
        self, missing: Mapping[TaskRef, DesiredTask], by_others: Mapping[TaskRef, PlannedTask]
    ) -> dict[TaskRef, PlannedTask]:
        """Holds tasks because of their rollout; tasks that are held for other reasons take no
        slot."""
        planned: dict[TaskRef, PlannedTask] = {}
        rollouts = self._rollouts
        for (file, entry), tasks in rollouts.entries.items():
            origin = tasks[0].origin
            if (
                origin is None
                or origin.rollout is None
                or missing.keys().isdisjoint(task.ref for task in tasks)
            ):
                continue
            members = [self._member(task, missing, by_others) for task in tasks]
            others = [Member(k.ref, self._progress_of(k)) for k in rollouts.others(file, entry)]
            for ref, why in held(origin.rollout, members, others).items():
                planned[ref] = self._held(missing[ref], why.reason, why.waits_for)
                if (record := self._tasks[ref].record) is not None:
                    planned[ref] = replace(planned[ref], record=record, task_id=record.task_id)
        return planned

    def _member(
        self,
        task: DesiredTask,
        missing: Mapping[TaskRef, DesiredTask],
        by_others: Mapping[TaskRef, PlannedTask],
    ) -> Member:
        return Member(
            task.ref,
            self._standing.of(task),
            is_pilot=task.origin is not None and task.origin.is_pilot,
            is_selected=task.ref in missing,
            is_again=task.ref in missing and self._tasks[task.ref].action is Action.REPLACE,
            is_held=task.ref in by_others,
            is_stuck=_has_stopped(by_others.get(task.ref))
            or (self._user.may_apply and self._standing.is_hidden(task)),
        )

    def _held(
        self, task: DesiredTask, reason: HoldReason, refs: tuple[TaskRef, ...]
    ) -> PlannedTask:
        named = refs[:_NAMED]
        own = task.ref
        ahead = tuple(f for ref in named for f in (ref.seen_from(own), *self._status_of(ref)))
        explanation = remark(f"held.{reason}", ahead=ahead, more=len(refs) - len(named))
        return plan_for(task, Action.HELD, reason, explanation, waits_for=refs)

    def _status_of(self, ref: TaskRef) -> tuple[str, str]:
        return (Absence.OVER.value, "") if ref in self._over else self._standing.status_of(ref)

    def _overlapping(self, tasks: Iterable[DesiredTask]) -> Iterator[tuple[TaskRef, PlannedTask]]:
        waiting = [task for task in tasks if task.origin is not None and task.origin.waits]
        if not waiting:
            return
        series = Series(self._state)
        for task in waiting:
            ahead = {
                other.ref: other for other in series.earlier(task) if not self._has_ended(other)
            }
            if ahead:
                yield task.ref, self._overlapped(task, ahead)

    def _has_ended(self, known: Record | Attempt) -> bool:
        """Whether its agent has finished its work."""
        if isinstance(known, Record) and self._standing.is_to_merge(known.ref):
            return True
        progress = self._progress_of(known)
        return progress is Progress.DONE or progress.is_lost

    def _overlapped(
        self, task: DesiredTask, blocking: Mapping[TaskRef, Record | Attempt]
    ) -> PlannedTask:
        planned = self._held(task, Reason.OVERLAP, tuple(sorted(blocking, key=natural)))
        records = (known for known in blocking.values() if isinstance(known, Record))
        other = next((r for r in records if not self._user.identity.same_as(r.identity)), None)
        if other is None:
            return planned
        maker, caller = other.identity.name, self._user.identity.name
        explanation = remark("held.maker", caller=caller, maker=maker, key=other.ref.key)
        return replace(planned, remarks=(*planned.remarks, explanation))


def _has_stopped(task: PlannedTask | None) -> bool:
    return task is not None and task.reason is Reason.STOPPED


def stopped(tasks: Iterable[PlannedTask]) -> Iterator[Diagnostic]:
    """A warning for each task or entry that cannot continue, because of failures."""
    entries: dict[tuple[str, str], list[PlannedTask]] = {}
    for task in tasks:
        if task.reason is Reason.STOPPED:
            name = task.generated.entry if task.generated is not None else task.ref.key
            entries.setdefault((task.file, name), []).append(task)
    for (file, entry), held_tasks in entries.items():
        first = held_tasks[0]
        failed = tuple(ref.seen_from(first.ref) for ref in first.waits_for)
        at = Place(file, first.line, key=entry)
        yield warning(
            Code.ROLLOUT_STOPPED, at=at, entry=entry, count=len(held_tasks), failed=failed
        )


def merges(
    tasks: Iterable[PlannedTask], progress: Mapping[TaskRef, TaskProgress]
) -> Iterator[Diagnostic]:
    """A note with each task that others wait for until its pull requests are merged."""
    awaited = {ref for task in tasks if task.action is Action.HELD for ref in task.waits_for}
    refs = [ref for ref in sorted(awaited, key=natural) if _is_to_merge(progress.get(ref))]
    if refs:
        seconds = ((ref, progress[ref].seconds) for ref in refs)
        each = ((str(r), TaskState.TO_MERGE.value, "" if s is None else str(s)) for r, s in seconds)
        ahead = tuple(chain.from_iterable(each))
        yield Diagnostic(
            Code.NOT_MERGED, Severity.NOTE, "awaited", {"count": len(refs), "ahead": ahead}
        )


def _is_to_merge(progress: TaskProgress | None) -> bool:
    return progress is not None and progress.state is TaskState.TO_MERGE


def with_held(plan: Plan, held: Mapping[TaskRef, PlannedTask]) -> Plan:
    """The plan with the tasks that apply held instead of sending their create requests again."""
    tasks = tuple(held.get(task.ref, task) for task in plan.tasks)
    return replace(plan, tasks=tasks, diagnostics=recounted(plan.diagnostics, tasks))


def recounted(
    diagnostics: Iterable[Diagnostic], tasks: Collection[PlannedTask]
) -> tuple[Diagnostic, ...]:
    """The diagnostics, with new warnings about held tasks for these tasks."""
    counts = ((Code.ROLLOUT_STOPPED, ""), (Code.STATE_FULL, "planned"))
    others = (d for d in diagnostics if (d.code, d.case) not in counts)
    return (*others, *stopped(tasks), *_full(tasks))


def _full(tasks: Iterable[PlannedTask]) -> Iterator[Diagnostic]:
    if count := sum(task.reason is Reason.FULL for task in tasks):
        yield warning(Code.STATE_FULL, "planned", count=count)


def with_room(plan: Plan, state: State) -> Plan:
    """The plan, without tasks to create if the state has no room for all of them. If only the tasks
    of later waves do not fit, only these are held."""
    followers = frozenset(plan.followers)
    now = [task for task in plan.tasks if task.creates]
    later = [task for task in plan.tasks if task.ref in followers]
    adopted = [t for t in plan.tasks if t.effect is Effect.ADOPT]
    if state.room is None or _needed([*adopted, *now, *later]) <= state.room:
        return plan
    full = later if now and _needed([*adopted, *now]) <= state.room else [*now, *later]
    if not full:
        return plan
    refs = {task.ref for task in full}
    tasks = tuple(
        replace(task, action=Action.HELD, reason=Reason.FULL, remarks=(), waits_for=())
        if task.ref in refs
        else task
        for task in plan.tasks
    )
    return replace(plan, tasks=tasks, diagnostics=(*plan.diagnostics, *_full(tasks)))


def _needed(tasks: Sequence[PlannedTask]) -> int:
    return sum(
        _INPUT_COPIES * len(encode_json(task.desired.inputs)) + _RECORD_BYTES
        for task in tasks
        if task.desired is not None
    )
