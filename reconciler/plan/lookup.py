"""What must be read of the service before one can plan: pure, so that reading stays dumb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from reconciler.model.fields import DEFAULTS, IDENTIFYING
from reconciler.model.options import AdoptScope, PlanOptions
from reconciler.model.task import DesiredTask, Identity, Inputs, RemoteTask, TaskRef
from reconciler.plan.recovery import earliest, may_be_of
from reconciler.state.model import Attempt, Record, State


@dataclass(frozen=True, slots=True)
class Lookup:
    """What to read of one organization.

    `ids` are tasks to be seen themselves. `missing` and `attempts` ask for tasks that may belong to
    them: all of them not older than `since` (None: however old), `limit` at most for the sake of
    `missing`, whose settings that never change are `settings`, each once.
    """

    org_name: str
    ids: frozenset[str] = frozenset()
    missing: tuple[DesiredTask, ...] = ()
    settings: tuple[tuple[object, ...], ...] = ()
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
        return _settings(task.raw) in self.settings


def lookups(
    desired: Sequence[DesiredTask],
    state: State,
    identity: Identity,
    options: PlanOptions,
    now: datetime,
) -> list[Lookup]:
    """What to read for these tasks, by organization; `now` is the service's clock."""
    recorded = cache(lambda: frozenset(state.recorded_ids()))
    tried = {attempt.ref for attempt in state.attempts.values() if not attempt.replaces}
    by_org: dict[str, list[DesiredTask]] = {}
    for task in desired:
        by_org.setdefault(task.org_name or "", []).append(task)
    for attempt in state.attempts.values():
        by_org.setdefault(attempt.ref.org_name, [])
    found = []
    for org_name, tasks in sorted(by_org.items()):
        ids: list[str] = []
        missing: list[DesiredTask] = []
        for task in tasks:
            record = record_of(task, state)
            if task.task_id is not None:
                ids.append(task.task_id)
            elif record is None and task.adopt and task.ref not in tried:
                missing.append(task)
            if record is not None:
                ids.append(record.task_id)
        if options.adopt is AdoptScope.NONE:
            missing = []
        files = {task.file for task in missing}
        since = [adopt_since(file, state, options, now) for file in files]
        attempts = [a for a in state.attempts.values() if a.ref.org_name == org_name]
        found.append(
            Lookup(
                org_name,
                ids=frozenset(ids),
                missing=tuple(missing),
                settings=tuple({_settings(task.inputs) for task in missing}),
                attempts=tuple(a for a in attempts if identity.same_as(a.identity)),
                adopt_since=None if None in since else now - options.adopt_since,
                limit=options.adopt_limit,
                recorded=recorded() if missing or attempts else frozenset(),
            )
        )
    return found


def adopt_since(file: str, state: State, options: PlanOptions, now: datetime) -> datetime | None:
    """No task older than this is adopted for one of that manifest file; None: however old.

    All that exists on a new state (its file may be lost), else what is recent.
    """
    scope = options.adopt or (AdoptScope.ALL if state.is_new_for(file) else AdoptScope.RECENT)
    return None if scope is AdoptScope.ALL else now - options.adopt_since


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
    login = task.creator_login
    return login is None or not identity.login or login == identity.login


def settings_agree(inputs: Inputs, task: RemoteTask) -> bool:
    """Whether what the service shows of the settings fixed at creation is what the inputs ask for.

    What can be patched is not compared: it may have been changed since.
    """
    return _settings(task.raw) == _settings(inputs)


def _settings(values: Mapping[str, object]) -> tuple[object, ...]:
    found = ((values.get(name), DEFAULTS.get(name)) for name in IDENTIFYING)
    return tuple(default if value is None else value for value, default in found)
