"""What a plan has to read from the service. Pure; `app/survey.py` reads it.

A list can be valid and lack tasks while its index is rebuilt. The tasks that an identity has listed
before, in its baseline, and those that it has created since are known: a list must show them before
it proves that others are absent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from reconciler.model.clock import Clocks
from reconciler.model.options import PlanOptions
from reconciler.model.service import Identity
from reconciler.model.task import DesiredTask, instant
from reconciler.model.value import Value, replace
from reconciler.plan.keys import matches_key, record_of
from reconciler.state.attempt import Baseline
from reconciler.state.model import Record, State

BASELINE_SIZE = 100
"""The number of newest IDs of an organization in a baseline."""

_OLDEST = 10
"""The number of a baseline's IDs that count as its oldest. Reading ends once a list has shown half
of them. Its newest IDs prove nothing: the list can lag, and the clocks of the service's nodes
differ."""

_BEFORE_BEGINNING = timedelta(days=1)
"""A task created earlier than this before a new state began cannot belong to it, as clocks differ
by less than that."""

_CLOCKS_DIFFER = timedelta(seconds=10)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


def newest_of(org_name: str, listed: Mapping[str, datetime | None], identity: Identity) -> Baseline:
    """The baseline of the tasks that `identity` has listed, newest first, with the times of their
    creation."""
    ids = tuple(islice(listed, BASELINE_SIZE))
    return Baseline(org_name, ids, identity, listed[ids[0]] if ids else None)


class Depth(NamedTuple):
    """How far a list is read: to a baseline's `ids` or to tasks from before `since`; without
    either, to its end."""

    ids: frozenset[str] = frozenset()
    oldest: tuple[str, ...] = ()
    since: datetime = _LONG_AGO

    @classmethod
    def of(cls, state: State, org_name: str, identity: Identity) -> Depth:
        """Down to the baseline of this identity or, if it has none, to the beginning of a new
        state."""
        baseline, provenance = state.baseline(org_name, identity), state.provenance
        if baseline is not None:
            return cls(frozenset(baseline.ids), baseline.ids[-_OLDEST:])
        if provenance.is_new and len(provenance.ids) == 1:
            sent = (attempt.started_at for attempt in state.attempts.values())
            return cls(since=min((provenance.begun_at, *sent)) - _BEFORE_BEGINNING)
        return cls()

    def is_reached(self, task_id: str, created_at: datetime | None) -> bool:
        """Whether this task and the older tasks are explained, so that no further page is read."""
        return task_id in self.ids or (created_at is not None and created_at < self.since)

    def excludes(self, task_id: str, created_at: datetime | None, seen: Collection[str]) -> bool:
        """Whether a listed task is explained; `seen` are the IDs that were listed before it.

        A baseline that is not full has every older task, so a task that is listed after it is
        newer, and was created by a node with a slow clock.
        """
        if self.is_reached(task_id, created_at):
            return True
        if len(self.ids) < BASELINE_SIZE:
            return False
        return 2 * sum(1 for each in self.oldest if each in seen) >= len(self.oldest)


class Need(Value, frozen=True):
    """What to read from one organization.

    - `ids`: the tasks to read.
    - `explains`: whether the list is read down to `depth`, with the first message of each task
      in it that is not in `explained`. The list must show the tasks in `known` (newest first).
    - `shows`: a task whose first message shows whether the service keeps references; or empty.
    - `settled_before`: the time before which a task must have been created for its first message to
      be complete and the task to be listed.
    """

    org_name: str
    ids: frozenset[str] = frozenset()
    explains: bool = False
    depth: Depth = Depth()
    known: tuple[str, ...] = ()
    explained: Collection[str] = frozenset()
    shows: str = ""
    settled_before: datetime = _LONG_AGO


def needs(
    desired: Iterable[DesiredTask],
    state: State,
    identity: Identity,
    options: PlanOptions,
    clocks: Clocks,
    *,
    organizations: Collection[str] | None = None,
    only_own: bool = False,
) -> list[Need]:
    """What to read for these tasks, and for the open attempts in `organizations` (None: all), by
    organization. `only_own`: organizations in which only other identities have a baseline are not
    explained."""
    by_org: dict[str, list[DesiredTask]] = {}
    for task in desired:
        by_org.setdefault(task.org_name or "", []).append(task)
    for attempt in state.attempts.values():
        if organizations is None or attempt.ref.org_name in organizations:
            by_org.setdefault(attempt.ref.org_name, [])
    explained: Collection[str] = ()
    found = []
    settled_before = clocks.moment - options.settle_time
    for org_name, tasks in sorted(by_org.items()):
        named = {task.task_id for task in tasks if task.task_id is not None}
        records = [record for task in tasks if (record := record_of(task, state)) is not None]
        ids = frozenset(named.union(record.task_id for record in records))
        creates = any(_may_create(task, state, options) for task in tasks)
        is_tried = any(attempt.ref.org_name == org_name for attempt in state.attempts.values())
        if not (creates or is_tried) or (only_own and is_anothers(org_name, state, identity)):
            found.append(Need(org_name, ids))
            continue
        explained = explained or known_ids(state)
        found.append(need_to_explain(org_name, state, identity, settled_before, ids, explained))
    return found


def need_to_explain(
    org_name: str,
    state: State,
    identity: Identity,
    settled_before: datetime,
    ids: frozenset[str] = frozenset(),
    explained: Collection[str] = (),
) -> Need:
    """What to read to explain an organization."""
    return Need(
        org_name,
        ids,
        explains=True,
        depth=Depth.of(state, org_name, identity),
        known=_known_tasks(org_name, state, identity, settled_before),
        explained=explained or known_ids(state),
        shows="" if state.provenance.is_kept else _newest_sent(org_name, state),
        settled_before=settled_before,
    )


def is_anothers(org_name: str, state: State, identity: Identity) -> bool:
    """Whether only other identities have a baseline in the organization."""
    baselines = [b for b in state.baselines if b.org_name == org_name]
    return bool(baselines) and not any(identity.same_as(b.identity) for b in baselines)


def known_ids(state: State) -> frozenset[str]:
    """The IDs of the tasks that the state knows: recorded, replaced, removed and dismissed ones. If
    a state was lost with the record, one that an open attempt replaces is not known."""
    dismissed = (text.partition("/")[2] for text in state.dismissed)
    return frozenset({*replace(state, attempts={}).recorded_ids(), *dismissed})


def _may_create(task: DesiredTask, state: State, options: PlanOptions) -> bool:
    """Whether a plan may create this task."""
    if task.task_id is not None:
        return False
    if record_of(task, state) is None:
        return True
    replaced = (text.partition("=")[0] for text in (*options.replace, *options.retry))
    return any(matches_key(name, [task.ref]) for name in (*options.allow_recreate, *replaced))


def _known_tasks(
    org_name: str, state: State, identity: Identity, settled_before: datetime
) -> tuple[str, ...]:
    """The IDs of the tasks that a list must show to this identity, newest first. The list may lack
    tasks younger than the settle time, and those that a person has dismissed."""
    baseline = state.baseline(org_name, identity)
    since = _newest(baseline) if baseline is not None else _LONG_AGO
    listed = dict.fromkeys(baseline.ids if baseline is not None else ())
    created = sorted(
        (
            (at, record.task_id)
            for record in state.records.values()
            if record.ref.org_name == org_name
            and record.reference
            and identity.same_as(record.identity)
            and since < (at := _created_at(record))
            and _is_listed(record, settled_before)
            and record.task_id not in listed
        ),
        reverse=True,
    )
    ids = (*(task_id for _, task_id in created), *listed)
    return tuple(i for i in ids if f"{org_name}/{i}" not in state.dismissed)


def _newest(baseline: Baseline) -> datetime:
    """The time of the newest task in a baseline."""
    if not baseline.ids:
        return _LONG_AGO
    return baseline.newest_at or _NEVER


def _created_at(record: Record) -> datetime:
    """The time of creation that the service shows, which baselines contain, too; until it was read,
    the `Date` of the response to the create request."""
    shown = instant(record.outputs.get("createdAt"))
    return shown or (record.created_at or _LONG_AGO) + _CLOCKS_DIFFER


def _is_listed(record: Record, settled_before: datetime) -> bool:
    """Whether the task is so old that a list must show it."""
    shown = instant(record.outputs.get("createdAt"))
    return (shown or record.created_at or _LONG_AGO) <= settled_before


def _newest_sent(org_name: str, state: State) -> str:
    """A task of this organization that the state has sent; empty if there is none."""
    sent = [r for r in state.records.values() if r.reference and r.ref.org_name == org_name]
    return max(sent, key=lambda record: record.number).task_id if sent else ""


def unlisted_ids(
    known: Sequence[str], listed: Collection[str], *, is_whole: bool
) -> tuple[str, ...]:
    """The known IDs that a list lacks: of all, if it was read to its end, otherwise of those newer
    than the oldest listed task."""
    last = max((n for n, task_id in enumerate(known) if task_id in listed), default=0)
    return tuple(i for i in (known if is_whole else known[:last]) if i not in listed)


def is_between(task_id: str, known: Sequence[str], listed: Collection[str]) -> bool:
    """Whether a list shows both a newer and an older known task than this task."""
    place = known.index(task_id)
    newer, older = known[:place], known[place + 1 :]
    return any(i in listed for i in newer) and any(i in listed for i in older)
