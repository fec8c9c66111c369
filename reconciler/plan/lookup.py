"""What must be read of the service before one can plan: pure, so that reading stays dumb."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.model import DesiredTask, Identity, Inputs, RemoteTask, TaskRef
from reconciler.plan.recovery import earliest, may_be_of
from reconciler.settings import AdoptScope, PlanOptions
from reconciler.state.model import Attempt, State

_SERVICE_DEFAULTS = {"planMode": False, "source": "api", "toolExecutionMode": "cloud"}
"""What the API document says of settings that were left out, of those that never change later."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """What to read of one organization.

    `ids` are tasks to be seen themselves. `missing` and `attempts` ask for tasks that may belong to
    them: all of them not older than `since` (None: however old), `limit` at most for the sake of
    `missing`.
    """

    org_name: str
    ids: frozenset[str] = frozenset()
    missing: tuple[DesiredTask, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    adopt_since: datetime | None = None
    limit: int = 0
    recorded: frozenset[str] = field(default=frozenset())

    @property
    def searches(self) -> bool:
        return bool(self.missing or self.attempts)

    def goes_back_to(self) -> datetime | None:
        """No task older than this, by the service's clock, is of interest; None: all are."""
        starts = [earliest(attempt) for attempt in self.attempts]
        if self.missing:
            if self.adopt_since is None:
                return None
            starts.append(self.adopt_since)
        return min(starts, default=None)

    def wants_message(self, task: RemoteTask, identity: Identity) -> bool:
        """Whether the first message of this task can matter."""
        if task.id in self.recorded:
            return False
        return self.may_be_attempted(task) or self._may_adopt(task, identity)

    def may_be_attempted(self, task: RemoteTask) -> bool:
        """Whether one of the attempts can have made this task."""
        return any(may_be_of(attempt, task) for attempt in self.attempts)

    def _may_adopt(self, task: RemoteTask, identity: Identity) -> bool:
        if not is_own(task, identity):
            return False
        created = task.created_at
        if self.adopt_since is not None and created is not None and created < self.adopt_since:
            return False
        return any(settings_agree(wanted.inputs, task) for wanted in self.missing)


def lookups(
    desired: Sequence[DesiredTask],
    state: State,
    identity: Identity,
    options: PlanOptions,
    now: datetime,
) -> list[Lookup]:
    """What to read for these tasks, by organization; `now` is the service's clock."""
    recorded = frozenset(state.recorded_ids())
    tried = {attempt.ref for attempt in state.attempts.values()}
    by_org: dict[str, list[DesiredTask]] = {}
    for task in desired:
        by_org.setdefault(task.org_name or "", []).append(task)
    for attempt in state.attempts.values():
        by_org.setdefault(attempt.ref.org_name, [])
    found = []
    for org_name, tasks in sorted(by_org.items()):
        missing: list[DesiredTask] = []
        if options.adopt is not AdoptScope.NONE:
            missing = [t for t in tasks if may_be_adopted(t, state) and t.ref not in tried]
        since = [adopt_since(task.file, state, options, now) for task in missing]
        attempts = [a for a in state.attempts.values() if a.ref.org_name == org_name]
        found.append(
            Lookup(
                org_name,
                ids=frozenset(_ids(tasks, state)),
                missing=tuple(missing),
                attempts=tuple(a for a in attempts if identity.same_as(a.identity)),
                adopt_since=None if None in since else now - options.adopt_since,
                limit=options.adopt_limit,
                recorded=recorded,
            )
        )
    return found


def adopt_since(file: str, state: State, options: PlanOptions, now: datetime) -> datetime | None:
    """No task older than this is adopted for one of that manifest file; None: however old.

    All that exists on a new state (its file may be lost), else what is recent.
    """
    scope = options.adopt or (AdoptScope.ALL if state.is_new_for(file) else AdoptScope.RECENT)
    return None if scope is AdoptScope.ALL else now - options.adopt_since


def may_be_adopted(task: DesiredTask, state: State) -> bool:
    """Whether an unrecorded task at the service may be taken for this one."""
    return task.adopt and task.task_id is None and record_ref(task, state) is None


def record_ref(task: DesiredTask, state: State) -> TaskRef | None:
    """The key under which the task is recorded: its own, else the one it was moved from."""
    ref = task.ref
    if ref in state.records:
        return ref
    moved = moved_ref(task)
    return moved if moved in state.records else None


def moved_ref(task: DesiredTask) -> TaskRef | None:
    return TaskRef(task.ref.org_name, task.moved_from) if task.moved_from else None


def is_own(task: RemoteTask, identity: Identity) -> bool:
    """Whether this identity made the task, as far as the service tells: it names the login only."""
    login = task.creator_login
    return login is None or not identity.login or login == identity.login


def settings_agree(inputs: Inputs, task: RemoteTask) -> bool:
    """Whether what the service shows of the settings fixed at creation is what the inputs ask for.

    What can be patched is not compared: it may have been changed since.
    """
    return all(_setting(task.raw, name) == _setting(inputs, name) for name in _SERVICE_DEFAULTS)


def _setting(values: Mapping[str, object], name: str) -> object:
    value = values.get(name)
    return _SERVICE_DEFAULTS[name] if value is None else value


def _ids(tasks: Iterable[DesiredTask], state: State) -> Iterable[str]:
    for task in tasks:
        ref = record_ref(task, state)
        if ref is not None:
            yield state.records[ref].task_id
        if task.task_id is not None:
            yield task.task_id
