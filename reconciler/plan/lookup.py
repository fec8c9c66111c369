"""Decides what must be read from the service for a plan. Pure; `remote/survey.py` reads it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from reconciler.model.clock import Clocks
from reconciler.model.fields import DEFAULTS, IDENTIFYING
from reconciler.model.options import AdoptScope
from reconciler.model.task import DesiredTask, Identity, Inputs, RemoteTask, TaskRef
from reconciler.plan.age import LockHolder, time_left
from reconciler.plan.options import PlanOptions
from reconciler.plan.recovery import Creator, creator_of
from reconciler.state.attempt import Attempt, Baseline
from reconciler.state.model import Record, State

BASELINE_SIZE = 100
"""The number of newest IDs of an organization in a baseline."""

_OLDEST = 10
"""A lookup ends once half of this many of a baseline's oldest IDs have been seen. The newest prove
nothing: the list can lag, and the clocks of the service's nodes differ."""


class Depth(NamedTuple):
    """How far back the list is read: to a baseline's `ids`, or to its end if there are none."""

    ids: frozenset[str] = frozenset()
    oldest: tuple[str, ...] = ()

    @classmethod
    def of(cls, baselines: Iterable[Baseline]) -> Depth:
        """Down to any of these baselines: the tasks of all of them are accounted for."""
        found = [baseline.ids for baseline in baselines]
        return cls(frozenset().union(*found), max(found, key=len, default=())[-_OLDEST:])

    def is_reached(self, seen: Collection[str]) -> bool:
        count = sum(1 for task_id in self.oldest if task_id in seen)
        return bool(self.oldest) and 2 * count >= len(self.oldest)


@dataclass(frozen=True, slots=True)
class Lookup:
    """What to read from one organization.

    `ids`: the tasks to read.
    `missing`, `attempts`: search the list for tasks that may belong to these, down to all of
    `adopt_depths` and `attempt_depths`.
    `limit`: the maximum number of tasks to read for `missing` alone.
    `settings`: the distinct fixed settings of `missing`.
    `accounted`: the IDs of tasks that have or had a key.
    `probe`: the ID of the newest task with a known mark, and its possible marks. Its first message
    shows whether the service preserves marks.
    `is_final`: an attempt is about to be given up, so first messages that were read while their
    tasks were young are read again.
    """

    org_name: str
    ids: frozenset[str] = frozenset()
    missing: tuple[DesiredTask, ...] = ()
    settings: tuple[tuple[object, ...], ...] = ()
    attempts: tuple[Attempt, ...] = ()
    attempt_depths: frozenset[Depth] = frozenset()
    adopt_depths: frozenset[Depth] = frozenset()
    limit: int = 0
    accounted: frozenset[str] = field(default=frozenset())
    probe: tuple[str, tuple[str, ...]] | None = None
    is_final: bool = False

    @property
    def searches(self) -> bool:
        return bool(self.missing or self.attempts)

    def is_deep_enough(self, seen: Collection[str]) -> bool:
        """Whether the rest of the list, after the `seen` IDs, is irrelevant."""
        return all(depth.is_reached(seen) for depth in self.attempt_depths | self.adopt_depths)

    def needs_message(self, task: RemoteTask, identity: Identity) -> bool:
        """Whether an attempt may have created this task, or a missing task may adopt it."""
        if task.id in self.accounted:
            return False
        if self.may_be_attempted(task):
            return True
        is_alike = is_own(task, identity) and _settings(task.raw) in self.settings
        return is_alike and any(task.id not in depth.ids for depth in self.adopt_depths)

    def may_be_attempted(self, task: RemoteTask) -> bool:
        """Whether one of the attempts may have created this task."""
        return any(task.id not in depth.ids for depth in self.attempt_depths)


def lookups(
    desired: Sequence[DesiredTask],
    state: State,
    identity: Identity,
    options: PlanOptions,
    clocks: Clocks,
    *,
    only: Collection[TaskRef] | None = None,
    holder: LockHolder | None = None,
) -> list[Lookup]:
    """What to read for these tasks, by organization. `only`: the keys the plan is limited to."""
    by_org: dict[str, list[DesiredTask]] = {}
    for task in desired:
        by_org.setdefault(task.org_name or "", []).append(task)
    for attempt in state.attempts.values():
        if only is None or attempt.ref in only:
            by_org.setdefault(attempt.ref.org_name, [])
    accounted = cache(lambda: frozenset(accounted_for(desired, state)))
    return [
        _lookup(org_name, tasks, state, identity, options, clocks, holder, accounted)
        for org_name, tasks in sorted(by_org.items())
    ]


def _lookup(
    org_name: str,
    tasks: Sequence[DesiredTask],
    state: State,
    identity: Identity,
    options: PlanOptions,
    clocks: Clocks,
    holder: LockHolder | None,
    accounted: Callable[[], frozenset[str]],
) -> Lookup:
    ids = {task.task_id for task in tasks if task.task_id is not None}
    records = [record_of(task, state) for task in tasks]
    ids.update(record.task_id for record in records if record is not None)
    attempts = [
        attempt
        for attempt in state.attempts.values()
        if attempt.ref.org_name == org_name and identity.same_as(attempt.identity)
    ]
    young = {
        attempt.ref
        for attempt in attempts
        if time_left(attempt, clocks, options.settle_time, holder) != 0
    }
    missing = _missing(zip(tasks, records, strict=True), options, young)
    files = {task.file for task in missing}
    return Lookup(
        org_name,
        ids=frozenset(ids),
        missing=tuple(missing),
        settings=tuple({_settings(task.inputs) for task in missing}),
        attempts=tuple(attempts),
        attempt_depths=frozenset(
            Depth.of([baseline] if (baseline := state.baseline_of(attempt)) is not None else ())
            for attempt in attempts
        ),
        adopt_depths=frozenset(adopt_depth(f, org_name, state, options) for f in files),
        limit=options.adopt_limit,
        accounted=accounted() if missing or attempts else frozenset(),
        probe=_probe(org_name, state, identity) if attempts else None,
        is_final=any(attempt.ref not in young for attempt in attempts),
    )


def _missing(
    tasks: Iterable[tuple[DesiredTask, Record | None]], options: PlanOptions, young: set[TaskRef]
) -> list[DesiredTask]:
    """The tasks that this plan may create, for which an unrecorded task may exist. `young`: keys
    with an attempt that is too young to be followed by another create."""
    if options.adopt is AdoptScope.NONE:
        return []
    again = {*options.allow_recreate, *(text.partition("=")[0] for text in options.replace)}
    return [
        task
        for task, record in tasks
        if (record is None or (again and not again.isdisjoint(("*", task.key, str(task.ref)))))
        and task.adopt
        and task.task_id is None
        and young.isdisjoint((task.ref, moved_ref(task)))
    ]


def adopt_depth(file: str, org_name: str, state: State, options: PlanOptions) -> Depth:
    """How far back to search for look-alikes of a manifest file's tasks: to what was read by the
    last apply that searched for all of them; on a new state, whose file may be lost, to the end."""
    if options.adopt is AdoptScope.ALL:
        return Depth()
    return Depth.of(state.baselines_for(file, org_name))


def _probe(org_name: str, state: State, identity: Identity) -> tuple[str, tuple[str, ...]] | None:
    own = (
        record
        for ref, record in state.records.items()
        if ref.org_name == org_name and record.marks and identity.same_as(record.identity)
    )
    newest = max(own, key=lambda record: record.marks[-1], default=None)
    return (newest.task_id, newest.marks) if newest is not None else None


def accounted_for(desired: Iterable[DesiredTask], state: State) -> set[str]:
    """The IDs of tasks that have or had a key: no attempt created them, and no key adopts them.

    A `taskID` next to an open attempt for its key does not count: the attempt may have created it.
    """
    tried = {attempt.ref for attempt in state.attempts.values()}
    named = (
        task.task_id
        for task in desired
        if task.task_id is not None and tried.isdisjoint((task.ref, moved_ref(task)))
    )
    return {*state.recorded_ids(), *named}


def record_of(task: DesiredTask, state: State) -> Record | None:
    """The task's record, under its own key or else under `movedFrom`."""
    record = state.records.get(task.ref)
    if record is None and (moved := moved_ref(task)) is not None:
        return state.records.get(moved)
    return record


def moved_ref(task: DesiredTask) -> TaskRef | None:
    return TaskRef(task.ref.org_name, task.moved_from) if task.moved_from else None


def is_own(task: RemoteTask, identity: Identity) -> bool:
    """Whether this identity may have created the task; the service returns only the login."""
    return creator_of(task, identity.login) is Creator.OURS


def settings_agree(inputs: Inputs, task: RemoteTask) -> bool:
    """Whether the settings that are fixed at creation agree. Settings that can be patched may have
    been changed since."""
    return _settings(task.raw) == _settings(inputs)


def _settings(values: Mapping[str, object]) -> tuple[object, ...]:
    found = ((values.get(name), DEFAULTS.get(name)) for name in IDENTIFYING)
    return tuple(default if value is None else value for value, default in found)
