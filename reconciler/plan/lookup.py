"""Determines the data that a plan needs from the service. Pure; `app/survey.py` reads it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import NamedTuple

from reconciler.model import glob
from reconciler.model.clock import Clocks
from reconciler.model.fields import DEFAULTS, IDENTIFYING
from reconciler.model.options import PlanOptions
from reconciler.model.service import Identity, RemoteTask
from reconciler.model.task import DesiredTask, Inputs, TaskRef, natural, text_of
from reconciler.model.value import Value, replace
from reconciler.model.work import comparable_text
from reconciler.plan.recovery import AttemptAges, young_keys
from reconciler.plan.view import known_ids
from reconciler.state.attempt import Attempt, Baseline, KeyNotes, RetiredTask
from reconciler.state.model import Record, State

BASELINE_SIZE = 100
"""The number of newest IDs of an organization in a baseline."""

MOST = 10_000
"""The number of tasks of an organization whose first messages are read because they may be
look-alikes; `--adopt` reads them all."""

_OLDEST = 10
"""A lookup ends once half of this many of a baseline's oldest IDs have been seen. The newest IDs
prove nothing: the list can lag, and the clocks of the service's nodes differ."""


def newest_of(org_name: str, listed: Mapping[str, datetime | None], identity: Identity) -> Baseline:
    """The baseline of the tasks that `identity` has listed, newest first, with the times of their
    creation."""
    ids = tuple(islice(listed, BASELINE_SIZE))
    return Baseline(org_name, ids, identity, listed[ids[0]] if ids else None)


class Depth(NamedTuple):
    """The depth to which the list is read: to a baseline's `ids`, or to its end if there are
    none."""

    ids: frozenset[str] = frozenset()
    oldest: tuple[str, ...] = ()

    @classmethod
    def of(cls, baseline: Baseline | None) -> Depth:
        """Down to this baseline."""
        if baseline is None:
            return cls()
        return cls(frozenset(baseline.ids), baseline.ids[-_OLDEST:])

    def excludes(self, task_id: str, seen: Collection[str]) -> bool:
        """Whether a task is in the baseline, or is listed after it and therefore older.

        A baseline that is not full has every older task, so a task that is listed after it is
        newer, and was created by a node with a slow clock.
        """
        is_full = len(self.ids) >= BASELINE_SIZE
        return task_id in self.ids or (is_full and self.is_reached(seen))

    def is_reached(self, seen: Collection[str]) -> bool:
        count = sum(1 for task_id in self.oldest if task_id in seen)
        return bool(self.oldest) and 2 * count >= len(self.oldest)


TO_THE_END = Depth()

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Lookup(Value, frozen=True):
    """The data to read from one organization.

    `ids`: the tasks to read. `first_messages`: the tasks among them whose first messages are
    needed. `known`: the tasks that the list must show to prove that others are absent, newest
    first. `missing`, `attempts`: search the list for tasks that may belong to these, down to all of
    `adopt_depths` and `attempt_depths`. `foreign`: whether attempts of other identities are open.
    Only the newest tasks are searched for their tasks, since their baselines may not be visible.
    `limit`: the maximum number of tasks to read for `missing` alone; None: no limit. `settings`:
    the distinct fixed settings of `missing`; None: of any, as all unrecorded tasks are shown.
    `recorded`: the IDs of tasks that have or had a key, `named` the IDs in manifests.
    `is_selected`: a key of the organization is selected; otherwise, the organization is read only
    to detect a lost state. `creates`: whether a task may be created, so that the list is read even
    if nothing is searched: apply needs its newest tasks. `settled_before`: the time before which a
    task must have been created, by the `settle_time`, for its first message to be complete and the
    task to be listed. `is_final`: an attempt is about to be given up, so messages that were already
    read are read again.
    """

    org_name: str
    ids: frozenset[str] = frozenset()
    known: tuple[str, ...] = ()
    first_messages: frozenset[str] = frozenset()
    is_selected: bool = True
    creates: bool = False
    missing: tuple[DesiredTask, ...] = ()
    settings: tuple[tuple[object, ...], ...] | None = ()
    attempts: tuple[Attempt, ...] = ()
    foreign: bool = False
    attempt_depths: frozenset[Depth] = frozenset()
    adopt_depth: Depth = TO_THE_END
    limit: int | None = MOST
    recorded: Collection[str] = frozenset()
    named: Collection[str] = frozenset()
    settled_before: datetime = _LONG_AGO
    settle_time: timedelta = timedelta()
    is_final: bool = False

    @property
    def compares(self) -> bool:
        """Whether unrecorded tasks are compared with `missing`, or shown."""
        return bool(self.missing) or self.settings is None

    @property
    def searches(self) -> bool:
        return bool(self.compares or self.attempts or self.foreign)

    def is_deep_enough(self, seen: Collection[str]) -> bool:
        """Whether the rest of the list, after the `seen` IDs, is irrelevant."""
        depths = {*self.attempt_depths, *([self.adopt_depth] if self.compares else ())}
        return all(depth.is_reached(seen) for depth in depths)

    def needs_message(self, task: RemoteTask, seen: Collection[str]) -> bool:
        """Whether an attempt may have created this task, or a missing task may adopt it. `seen`
        are the IDs that were listed up to here."""
        if task.id in self.recorded:
            return False
        if task.id in self.first_messages or self.may_be_attempted(task, seen):
            return True
        if task.id in self.named or not self.compares or self.adopt_depth.excludes(task.id, seen):
            return False
        return self.settings is None or _settings(task.raw) in self.settings

    def may_be_attempted(self, task: RemoteTask, seen: Collection[str]) -> bool:
        """Whether one of the attempts may have created this task."""
        if self.foreign and len(seen) <= BASELINE_SIZE:
            return True
        return any(not depth.excludes(task.id, seen) for depth in self.attempt_depths)

    def is_settled(self, task: RemoteTask) -> bool:
        """Whether its first message, read now, is complete."""
        return task.created_at is not None and task.created_at <= self.settled_before


def lookups(
    desired: Sequence[DesiredTask],
    state: State,
    identity: Identity,
    options: PlanOptions,
    clocks: Clocks,
    *,
    only: Collection[TaskRef] | None = None,
    ages: AttemptAges | None = None,
) -> list[Lookup]:
    """The data to read for these tasks, by organization. `only`: the keys that the plan is limited
    to."""
    by_org: dict[str, list[DesiredTask]] = {}
    for task in desired:
        by_org.setdefault(task.org_name or "", []).append(task)
    for attempt in state.attempts.values():
        if only is None or attempt.ref in only:
            by_org.setdefault(attempt.ref.org_name, [])
    recorded = cache(lambda: frozenset(state.recorded_ids()))
    named = frozenset(task.task_id for task in desired if task.task_id is not None)
    young = young_keys(state, options.settle_time, ages, clocks.boot)
    needs = (
        _lookup(org_name, tasks, state, identity, options, young, recorded)
        for org_name, tasks in sorted(by_org.items())
    )
    settle = options.settle_time
    before = clocks.moment - settle
    return [
        replace(lookup, named=named, settled_before=before, settle_time=settle) for lookup in needs
    ]


def _lookup(
    org_name: str,
    tasks: Sequence[DesiredTask],
    state: State,
    identity: Identity,
    options: PlanOptions,
    young: Collection[TaskRef],
    recorded: Callable[[], frozenset[str]],
) -> Lookup:
    named = {task.task_id for task in tasks if task.task_id is not None}
    records = [record_of(task, state) for task in tasks]
    ids = named.union(record.task_id for record in records if record is not None)
    attempts = [a for a in state.attempts.values() if a.ref.org_name == org_name]
    own = [attempt for attempt in attempts if identity.same_as(attempt.identity)]
    new = _new(zip(tasks, records, strict=True), options)
    missing = [
        task
        for task in new
        if task.ref not in young and moved_ref(task) not in young and is_comparable(task, state)
    ]
    removed = _removed_ids(missing, state)
    by_response = {attempt.task_id for attempt in attempts if attempt.task_id}
    ids |= removed | by_response
    before = adopt_baseline(org_name, state, identity, options)
    read_to = [*map(state.baseline_of, own), *([before] if missing else ())]
    if not read_to and before is not None and new:
        read_to = [before]
    known_tasks = known_ids(org_name, read_to, state, identity) if read_to else ()
    lookup = Lookup(org_name, frozenset(ids), known=known_tasks, creates=bool(new))
    recovery = state.recovering.get(org_name)
    is_shown = recovery is not None and bool(missing or recovery.keys)
    if not (missing or attempts or removed or is_shown):
        return lookup
    is_shown |= options.adopt and bool(missing)
    with_key = recorded()
    claimed = named - with_key if attempts else set()  # may be the tasks of attempts
    return replace(
        lookup,
        first_messages=frozenset(removed | by_response | claimed),
        missing=tuple(missing),
        settings=None if is_shown else tuple({_settings(task.inputs) for task in missing}),
        attempts=tuple(own),
        foreign=len(own) < len(attempts),
        attempt_depths=frozenset(Depth.of(state.baseline_of(attempt)) for attempt in own),
        adopt_depth=Depth.of(before),
        limit=None if options.adopt else MOST,
        recorded=with_key,
        is_final=any(attempt.ref not in young for attempt in own),
    )


def _new(
    tasks: Iterable[tuple[DesiredTask, Record | None]], options: PlanOptions
) -> list[DesiredTask]:
    """The tasks that this plan may create."""
    replaced = (text.partition("=")[0] for text in (*options.replace, *options.retry))
    again = [*options.allow_recreate, *replaced]
    return [
        task
        for task, record in tasks
        if (record is None or (again and any(matches_key(name, [task.ref]) for name in again)))
        and task.task_id is None
    ]


def matches_key(pattern: str, known: Iterable[TaskRef]) -> bool:
    """Whether KEY, ORG/KEY, or a glob of either matches one of the `known` keys."""
    full = TaskRef.has_org(pattern)
    return any(glob.matches(pattern, str(ref) if full else ref.key) for ref in known)


def is_comparable(task: DesiredTask, state: State) -> bool:
    """Whether existing tasks are compared before a task is created: no person has said that it is
    new."""
    return task.adopt and not is_answered(task.ref, notes_of(task, state), state)


def is_answered(ref: TaskRef, notes: KeyNotes, state: State) -> bool:
    """Whether a person has said that the key, or all of its entry, has no task. The answer for an
    entry is not about a task that `state rm` removed."""
    entry, at, _ = ref.key.partition("@")
    recovery = state.recovering.get(ref.org_name)
    is_of_entry = recovery is not None and bool(at) and entry in recovery.entries
    return notes.not_created or (is_of_entry and not notes.removed)


def notes_of(task: DesiredTask, state: State) -> KeyNotes:
    """The state's notes about the task's key, or else about its `movedFrom`."""
    if not state.keys:
        return KeyNotes()
    moved = moved_ref(task)
    if task.ref in state.keys or moved is None:
        return state.notes_on(task.ref)
    return state.notes_on(moved)


def removed_tasks(
    desired: Iterable[DesiredTask], state: State, claimed: Container[str]
) -> dict[TaskRef, RetiredTask]:
    """The task that `state rm` removed last from each key without a record, or from its
    `movedFrom`. If several keys qualify, the task belongs to the key that had it last; the
    `claimed` IDs belong to none."""
    free = {i: t for i, t in state.retired.items() if i not in claimed}
    known = [
        (free[notes_of(task, state).removed], task.ref)
        for task in desired
        if notes_of(task, state).removed in free
        and task.task_id is None
        and record_of(task, state) is None
        and is_comparable(task, state)
    ]
    known.sort(key=lambda pair: (pair[0].ref != pair[1], natural(pair[1])))
    return {ref: free.pop(task.task_id) for task, ref in known if task.task_id in free}


def _removed_ids(missing: Iterable[DesiredTask], state: State) -> set[str]:
    """The IDs of the tasks that `state rm` removed from one of the `missing` keys last, or from any
    key if they were created with the text of a missing key."""
    if not state.retired:
        return set()
    recorded = state.recorded_ids()
    last = {notes_of(task, state).removed for task in missing}
    texts = {(task.ref.org_name, comparable_text(text_of(task.inputs) or "")) for task in missing}
    return (last & state.retired.keys() - recorded.keys()) | {
        other.task_id
        for other in state.retired.values()
        if other.adoptable and other.task_id not in recorded
        for inputs in other.versions
        if (other.ref.org_name, comparable_text(text_of(inputs) or "")) in texts
    }


def adopt_baseline(
    org_name: str, state: State, identity: Identity, options: PlanOptions
) -> Baseline | None:
    """The depth of the search for look-alikes: to the list that this identity read in the last
    apply that compared every key, or to the end."""
    read = state.compared(org_name)
    is_own = read is not None and identity.same_as(read.identity)
    return read if is_own and not options.adopt else None


def record_of(task: DesiredTask, state: State) -> Record | None:
    """The task's record, under its own key or else under `movedFrom`."""
    record = state.records.get(task.ref)
    if record is None and (moved := moved_ref(task)) is not None:
        return state.records.get(moved)
    return record


def moved_ref(task: DesiredTask) -> TaskRef | None:
    return TaskRef(task.ref.org_name, task.moved_from) if task.moved_from else None


def settings_agree(inputs: Inputs, task: RemoteTask) -> bool:
    """Whether the settings that are fixed at creation agree. Settings that can be patched may have
    been changed since."""
    return _settings(task.raw) == _settings(inputs)


def _settings(values: Mapping[str, object]) -> tuple[object, ...]:
    found = ((values.get(name), DEFAULTS.get(name)) for name in IDENTIFYING)
    return tuple(default if value is None else value for value, default in found)
