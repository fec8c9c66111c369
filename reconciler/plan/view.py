"""The data read from the service for one plan, as a value: planning needs no network.

A list can be valid and lack tasks while its index is rebuilt. The tasks that an identity has listed
before, in a baseline, and those that it has created since are known: a list must show them before
it proves that others are absent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta

from reconciler.model.clock import Clocks
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.remarks import Arg
from reconciler.model.service import FirstMessage, Identity, RemoteTask
from reconciler.model.task import TaskId, TaskRef, instant
from reconciler.model.value import Value, field
from reconciler.state.attempt import Baseline, ChangeKind
from reconciler.state.model import Record, State


class RemoteView(Value, frozen=True):
    """The service as seen by one identity.

    `clocks`: read before the first request. The age of attempts is measured by them, so a lookup
    that began before an attempt was past its age never counts as a lookup after it. `absent`: the
    tasks for which the service returned 404 twice while the list responded. `messages`: the first
    messages that were read (None: the task has none). `unreadable`: why the first messages of other
    tasks could not be read. `ignored_date`: a warning about a `Date` header that cannot be correct.

    By organization: `cut_short`: the organizations whose lookup ended at its limit. `refused`: why
    the organization could not be read. `hidden`: the organizations that this user cannot see.
    `unlisted`: why the organization's list does not prove that a task is absent. `newest`: the
    newest tasks; only of organizations with a valid list. `compared`: the organizations whose list
    was read for look-alikes.
    """

    identity: Identity
    clocks: Clocks
    tasks: Mapping[TaskId, RemoteTask] = field(default_factory=dict)
    absent: Set[TaskId] = frozenset()
    messages: Mapping[TaskId, FirstMessage | None] = field(default_factory=dict)
    unreadable: Mapping[TaskId, Arg] = field(default_factory=dict)
    cut_short: Set[str] = frozenset()
    refused: Mapping[str, Arg] = field(default_factory=dict)
    hidden: Set[str] = frozenset()
    unlisted: Mapping[str, Arg] = field(default_factory=dict)
    newest: Mapping[str, Baseline] = field(default_factory=dict)
    compared: Set[str] = frozenset()
    ignored_date: Diagnostic | None = None

    @property
    def is_complete(self) -> bool:
        """Whether everything could be read."""
        return not (self.cut_short or self.unreadable or self.refused or self.unlisted)

    def find(self, ref: TaskRef, task_id: str) -> RemoteTask | None:
        return self.tasks.get(TaskId(ref.org_name, task_id))


_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)
_CLOCKS_DIFFER = timedelta(seconds=10)
_CREATED = (ChangeKind.CREATED, ChangeKind.REPLACED)


def known_ids(
    org_name: str, baselines: Iterable[Baseline | None], state: State, identity: Identity
) -> tuple[str, ...]:
    """The IDs of the tasks that this identity must find in a list that is read down to these
    baselines (None: to its end), newest first."""
    read = list(baselines)
    found = [*state.baselines.values(), *(each for each in read if each is not None)]
    own = [b for b in found if b.org_name == org_name and identity.same_as(b.identity)]
    if None not in read:
        own = [baseline for baseline in own if baseline in read]
    own.sort(key=_newest, reverse=True)
    since = _LONG_AGO if None in read else min(map(_newest, own), default=_NEVER)
    listed = dict.fromkeys(task_id for baseline in own for task_id in baseline.ids)
    created = sorted(
        (
            (at, record.task_id)
            for record in state.records.values()
            if record.ref.org_name == org_name and _is_created_by(record, identity)
            if (at := _created_at(record)) > since and record.task_id not in listed
        ),
        reverse=True,
    )
    return (*(task_id for _, task_id in created), *listed)


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


def _newest(baseline: Baseline) -> datetime:
    """The newest known tasks; those created later are not in the baseline."""
    if not baseline.ids:
        return _LONG_AGO
    return baseline.newest_at or _NEVER


def _is_created_by(record: Record, identity: Identity) -> bool:
    is_created = bool(record.changes) and record.changes[0].what in _CREATED
    return is_created and identity.same_as(record.identity)


def _created_at(record: Record) -> datetime:
    """The time as shown by the service, like in baselines; until it was read, the `Date` of a
    response."""
    shown = instant(record.outputs.get("createdAt"))
    return shown or (record.created_at or _LONG_AGO) + _CLOCKS_DIFFER
