"""What must be read of the service before one can plan: pure, so that reading stays dumb."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

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
"""How many of the newest ids of an organization a baseline has."""

_OLDEST = 10
"""A lookup ends once half of that many of a baseline's oldest ids were seen. Its newest alone prove
nothing: the list can lag, and the clocks of the service's nodes differ."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How far back the list is read: to the baseline `ids` (empty: to its end)."""

    ids: frozenset[str] = frozenset()
    oldest: tuple[str, ...] = ()

    @classmethod
    def of(cls, baselines: Iterable[Baseline]) -> Depth:
        """Whichever of these is reached first: the tasks of all of them are accounted for."""
        found = tuple(baselines)
        ids = frozenset(task_id for baseline in found for task_id in baseline.ids)
        return cls(ids, max((b.ids for b in found), key=len, default=())[-_OLDEST:])

    def is_reached(self, seen: Collection[str]) -> bool:
        count = sum(1 for task_id in self.oldest if task_id in seen)
        return bool(self.oldest) and 2 * count >= len(self.oldest)


@dataclass(frozen=True, slots=True)
class Lookup:
    """What to read of one organization.

    `ids` are tasks to be read themselves. `attempts` and `missing` ask for tasks that may belong to
    them: down to `depths`, each, and at most `limit` for the sake of `missing`, whose settings that
    never change are `settings`, each once. Tasks in `accounted` belong to a key already.
    `probe` is the newest task whose mark is known, with the marks that it may show: it tells
    whether the service preserves them. `is_final`: what was read while tasks were young is read
    once more, since an attempt is about to be given up.
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
        """Whether nothing below what was `seen` of the list can matter."""
        return all(depth.is_reached(seen) for depth in self.attempt_depths | self.adopt_depths)

    def needs_message(self, task: RemoteTask, identity: Identity) -> bool:
        """Whether the first message of this task can matter."""
        if task.id in self.accounted:
            return False
        return self.may_be_attempted(task) or self._may_adopt(task, identity)

    def may_be_attempted(self, task: RemoteTask) -> bool:
        """Whether one of the attempts can have created this task."""
        return any(task.id not in depth.ids for depth in self.attempt_depths)

    def _may_adopt(self, task: RemoteTask, identity: Identity) -> bool:
        if not is_own(task, identity) or _settings(task.raw) not in self.settings:
            return False
        return any(task.id not in depth.ids for depth in self.adopt_depths)


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
    """What to read for these tasks, by organization. `only`: the keys that the plan is about."""
    by_org: dict[str, list[DesiredTask]] = {}
    for task in desired:
        by_org.setdefault(task.org_name or "", []).append(task)
    for attempt in state.attempts.values():
        if only is None or attempt.ref in only:
            by_org.setdefault(attempt.ref.org_name, [])
    accounted = frozenset(accounted_for(desired, state)) if by_org else frozenset()
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
    accounted: frozenset[str],
) -> Lookup:
    ids = {task.task_id for task in tasks if task.task_id is not None}
    ids.update(record.task_id for task in tasks if (record := record_of(task, state)))
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
    missing = _missing(tasks, state, options, young)
    files = {task.file for task in missing}
    return Lookup(
        org_name,
        ids=frozenset(ids),
        missing=tuple(missing),
        settings=tuple({_settings(task.inputs) for task in missing}),
        attempts=tuple(attempts),
        attempt_depths=frozenset(_depth_of(attempt, state) for attempt in attempts),
        adopt_depths=frozenset(adopt_depth(f, org_name, state, options) for f in files),
        limit=options.adopt_limit,
        accounted=accounted if missing or attempts else frozenset(),
        probe=_probe(org_name, state, identity) if attempts else None,
        is_final=any(attempt.ref not in young for attempt in attempts),
    )


def _missing(
    tasks: Iterable[DesiredTask], state: State, options: PlanOptions, young: set[TaskRef]
) -> list[DesiredTask]:
    """Tasks that this plan may create, so that an unrecorded task may be theirs already. `young`:
    keys with an attempt that is not old enough to be followed by another create."""
    if options.adopt is AdoptScope.NONE:
        return []
    again = {*options.allow_recreate, *(text.partition("=")[0] for text in options.replace)}
    return [
        task
        for task in tasks
        if task.adopt
        and task.task_id is None
        and (
            record_of(task, state) is None
            or (again and not again.isdisjoint(("*", task.key, str(task.ref))))
        )
        and young.isdisjoint((task.ref, moved_ref(task)))
    ]


def _depth_of(attempt: Attempt, state: State) -> Depth:
    baseline = state.baseline_of(attempt)
    return Depth.of([baseline] if baseline is not None else ())


def adopt_depth(file: str, org_name: str, state: State, options: PlanOptions) -> Depth:
    """How far back look-alikes of that manifest file are looked for: to what the last apply that
    looked for all of them has read. All that exists on a new state, whose file may be lost."""
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
    """Ids of tasks that have a key, or had one: no attempt created them, and no key adopts them.

    A `taskID` that was added while an attempt for the same key is open may be what that created.
    """
    tried = {attempt.ref for attempt in state.attempts.values()}
    named = (
        task.task_id
        for task in desired
        if task.task_id is not None and tried.isdisjoint((task.ref, moved_ref(task)))
    )
    return {*state.recorded_ids(), *named}


def record_of(task: DesiredTask, state: State) -> Record | None:
    """The task's record: under its own key, else under the one it was moved from."""
    record = state.records.get(task.ref)
    if record is None and (moved := moved_ref(task)) is not None:
        return state.records.get(moved)
    return record


def moved_ref(task: DesiredTask) -> TaskRef | None:
    return TaskRef(task.ref.org_name, task.moved_from) if task.moved_from else None


def is_own(task: RemoteTask, identity: Identity) -> bool:
    """Whether this identity made the task, as far as the service tells: it names the login only."""
    return creator_of(task, identity.login) is Creator.OURS


def settings_agree(inputs: Inputs, task: RemoteTask) -> bool:
    """Whether what the service shows of the settings fixed at creation is what the inputs ask for.

    What can be patched is not compared: it may have been changed since.
    """
    return _settings(task.raw) == _settings(inputs)


def _settings(values: Mapping[str, object]) -> tuple[object, ...]:
    found = ((values.get(name), DEFAULTS.get(name)) for name in IDENTIFYING)
    return tuple(default if value is None else value for value, default in found)
