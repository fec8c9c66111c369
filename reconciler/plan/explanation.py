"""The tasks that references identify, as values; `plan/explain.py` determines them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from reconciler.model.remarks import Arg, Remark
from reconciler.model.service import RemoteTask
from reconciler.model.task import (
    DesiredTask,
    Generated,
    Recurring,
    TaskId,
    TaskRef,
)
from reconciler.model.value import Value, field
from reconciler.plan.plan import Reason
from reconciler.state.attempt import Attempt
from reconciler.state.model import (
    Event,
    Record,
    State,
)


class Declared(Value, frozen=True):
    """The tasks that the manifests declare, and their entries."""

    tasks: Mapping[TaskRef, DesiredTask] = field(default_factory=dict)
    recurring: Mapping[TaskRef, Recurring] = field(default_factory=dict)
    entries: Collection[TaskRef] = frozenset()

    @classmethod
    def of(cls, tasks: Iterable[DesiredTask], recurring: Mapping[TaskRef, Recurring]) -> Declared:
        known = {task.ref: task for task in tasks}
        entries = {entry for task in known.values() if (entry := task.entry) is not None}
        return cls(known, recurring, frozenset(entries | recurring.keys()))

    def generated(self, ref: TaskRef) -> Generated | None:
        """The entry and the period of a key, even if its row was removed or its period is over."""
        if (task := self.tasks.get(ref)) is not None:
            return task.generated
        name, at, rest = ref.key.partition("@")
        entry = TaskRef(ref.org_name, name)
        if not at or entry not in self.entries:
            return None
        return Generated(name, period=rest.rpartition("@")[2] if entry in self.recurring else None)


class Found(NamedTuple):
    """A task that is recorded because of its reference, and the attempt that created it, if it is
    still open."""

    record: Record
    remote: RemoteTask
    attempt: Attempt | None


class Duplicate(NamedTuple):
    """Another task with a reference that belongs to a key. `is_ours`: a user of this state created
    it."""

    ref: TaskRef
    task_id: str
    file: str
    remote: RemoteTask
    is_ours: bool


class Replaced(NamedTuple):
    """An earlier task of a key that the state did not have."""

    ref: TaskRef
    task_id: str


class Block(NamedTuple):
    """A task that blocks the creation of tasks in its organization. `claimed`: the key in its
    reference, if it could be read. `owner`: the key in another organization to which its reference
    belongs. `login`: its creator, empty if unknown."""

    task: TaskId
    login: str
    why: Arg = ""
    claimed: str = ""
    owner: str = ""


class OtherState(NamedTuple):
    """A state that has created tasks in an organization, by its references. `declared` are those of
    its keys that the manifests declare, or name as the former key of another."""

    id: str
    tasks: int
    newest: datetime | None
    logins: tuple[str, ...]
    keys: tuple[str, ...]
    declared: tuple[str, ...]
    is_own: bool


class Owner(NamedTuple):
    """The key that a reference belongs to, and its current task."""

    ref: TaskRef
    task_id: str
    file: str


class Open(NamedTuple):
    """An attempt with an unknown outcome, and the reason. `seconds`: how long apply waits, for
    SETTLING. `candidate`: the only task that it may have created."""

    reason: Reason
    why: Remark | None = None
    seconds: float = 0.0
    candidate: RemoteTask | None = None


class Explanation(Value, frozen=True):
    """The result of comparing the references of tasks with the state.

    - `events` lead to `state`; they are written before anything is sent. `notes`, about baselines
      and references, are written with them, but do not count as changes.
    - `blocks` and `questions`: why nothing is created in an organization.
    - `attempts`: the open attempts, by number. `closed`: those that created no task.
    - `explained`: the organizations whose tasks were compared.
    - `unkept`: the key of a task of this state that the service shows without its reference, before
      it has shown any.
    """

    state: State
    events: tuple[Event, ...] = ()
    notes: tuple[Event, ...] = ()
    found: tuple[Found, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    replaced: tuple[Replaced, ...] = ()
    blocks: Mapping[str, tuple[Block, ...]] = field(default_factory=dict)
    questions: Mapping[str, tuple[OtherState, ...]] = field(default_factory=dict)
    attempts: Mapping[int, Open] = field(default_factory=dict)
    unkept: str = ""
    closed: tuple[Attempt, ...] = ()
    explained: Collection[str] = frozenset()
