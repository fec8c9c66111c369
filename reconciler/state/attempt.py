"""The parts of a state other than its records: attempts, baselines, history entries, retired tasks,
and moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from reconciler.memory import value
from reconciler.model.canonical import digest
from reconciler.model.generated import Generated
from reconciler.model.identity import Identity
from reconciler.model.task import Inputs, TaskRef

SEND_WINDOW = 10.0
"""Seconds after its journal entry within which a create may be sent (docs/exactly-once.md)."""

OUTPUTS = (
    "asyncTriggerType",
    "contextCompactionThresholdPercent",
    "contextUsedTokens",
    "contextWindowTokens",
    "createdAt",
    "createdBy",
    "entities",
    "isShared",
    "lastHeartbeat",
    "name",
    "runtimePhase",
    "sharedAt",
    "sourceAutomationID",
    "status",
    "taskType",
    "tokensUsed",
)
"""The outputs of Pulumi's resource, which a record keeps as last read."""


@value(frozen=True, slots=True)
class Attempt:
    """One attempt to create a task, durable before its request was sent.

    - `mark`: the `message.timestamp` that was sent, unique among all attempts of a state.
    - `started_at`: the wall clock just before it was journaled, for people. The request was sent at
      most `window` seconds later, or never. `settle_time`, in seconds, is the one it was sent with.
    - `waited`: for how many seconds, in total, runs have waited for its outcome (`plan/age.py`).
    - `sensitive`: reports hide its prompt.
    - `replaces`: the ID of the task to be replaced, which `cancels` asks to cancel afterwards.
    - `baseline`: the name of the baseline read before it (`State.baselines`; "": unknown).
    - `generated`: the entry it was generated from.
    """

    JSON_NAMES: ClassVar[Mapping[str, str]] = {"ref": "task"}

    ref: TaskRef
    mark: str
    inputs: Inputs
    digest: str
    identity: Identity
    file: str
    started_at: datetime
    sensitive: bool = False
    replaces: str = ""
    cancels: bool = False
    settle_time: float = 0.0
    window: float = SEND_WINDOW
    waited: float = 0.0
    baseline: str = ""
    generated: Generated | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """The newest tasks of an organization at one time, newest first. No later attempt created any
    of them."""

    org_name: str
    ids: tuple[str, ...]

    @property
    def name(self) -> str:
        return digest([self.org_name, self.ids]).removeprefix("sha256:")[:16]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """An event in the history of a key: `what` is a `HistoryKind`, or comes from a later version.

    `task_id` is the key's task from then on, and `mark` the attempt's mark. `detail` has the
    settings that were updated, the key that the task was moved from, the task that was replaced, or
    why an attempt created no task.
    """

    what: str
    at: datetime | None = None
    task_id: str = ""
    mark: str = ""
    detail: str = ""


class HistoryKind(StrEnum):
    CREATED = "created"
    ADOPTED = "adopted"
    MOVED = "moved"
    UPDATED = "updated"
    REPLACED = "replaced"
    RECREATED = "recreated"
    NOT_CREATED = "notCreated"


HISTORY = 50
"""The number of history entries that a record keeps."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A cancellation that `identity` asked for and that the service has not accepted yet."""

    task_id: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class RetiredTask:
    """A task whose record was removed at the time `at`, by `removed:` in a manifest or by hand.

    `outputs` are as last read; `former` are the IDs of the key's earlier tasks, `marks` those of
    its attempts. Only an `adoptable` task, removed by hand, may be adopted again by a manifest;
    `inputs` are those that it was created with.
    """

    JSON_NAMES: ClassVar[Mapping[str, str]] = {"ref": "task", "former": "formerTaskIds"}

    ref: TaskRef
    task_id: str
    file: str
    identity: Identity
    at: datetime | None = None
    created_at: datetime | None = None
    outputs: Mapping[str, object] = field(default_factory=dict)
    sensitive: bool = False
    former: tuple[str, ...] = ()
    adoptable: bool = False
    marks: tuple[str, ...] = ()
    inputs: Inputs = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyNotes:
    """What the state remembers about a key without a record.

    - `marks`: the marks of its closed attempts. A task with one of them belongs to no other key.
    - `removed`: the ID of the task that `state rm` removed from the key last.
    - `not_created`: a person has said that no task of the key exists (`state resolve
      --not-created`), so its next attempt needs no look-alikes.
    """

    marks: tuple[str, ...] = ()
    removed: str = ""
    not_created: bool = False


class Stage(StrEnum):
    """The progress of moving a state to another place, in the source or in the target."""

    MOVING_TO = "movingTo"
    MOVED_TO = "movedTo"
    MOVING_FROM = "movingFrom"


@dataclass(frozen=True, slots=True)
class Move:
    """A move of a state, which may not be used until it is complete. `place` is the name of the
    other place in messages."""

    stage: Stage
    place: str


def kept_outputs(task: Mapping[str, object]) -> dict[str, object]:
    """The `OUTPUTS` of a task that have a value."""
    return {name: task[name] for name in OUTPUTS if task.get(name) is not None}
