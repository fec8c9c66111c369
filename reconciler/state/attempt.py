"""What a state knows beside its records: attempts to create a task, what existed before them, tasks
whose record was taken out, and that it is moved elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from reconciler.model.canonical import digest
from reconciler.model.entry import Generated
from reconciler.model.task import Identity, Inputs, TaskRef

SEND_WINDOW = 10.0
"""Seconds after its journal entry in which a create is sent, or never (contract, section 5)."""


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
"""The outputs of Pulumi's resource: what a record keeps of the task as last read."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to create, made durable before its request left.

    `mark` is the `message.timestamp` that was sent, unique over all attempts of a state.
    `started_at` is the wall clock when it was about to be journaled, `boot` the seconds since the
    boot `boot_id` ("": unknown), `service_clock` the service's clock (None if it had shown none).
    The request left at most `window` seconds later, or never. `baseline` names the newest tasks of
    the organization before it (`State.baselines`; "": unknown). `sensitive`: no report shows its
    prompt. `replaces` is the task that the new one takes the place of. `generated`: what an entry
    made it from.
    """

    JSON_NAMES: ClassVar[Mapping[str, str]] = {"ref": "task"}

    ref: TaskRef
    mark: str
    inputs: Inputs
    digest: str
    identity: Identity
    file: str
    started_at: datetime
    service_clock: datetime | None = None
    sensitive: bool = False
    replaces: str = ""
    boot: float = 0.0
    boot_id: str = ""
    window: float = SEND_WINDOW
    baseline: str = ""
    generated: Generated | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """The newest tasks of an organization at one moment, newest first: none of them was created by
    a later attempt."""

    org_name: str
    ids: tuple[str, ...]

    @property
    def name(self) -> str:
        return digest([self.org_name, self.ids]).removeprefix("sha256:")[:16]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that became of a key: `what` is a word of `HistoryKind`, or of a later taskctl.

    `task_id` is the task that the key had from then on, `mark` the attempt's. `detail` names the
    settings that were updated, the key that it was moved from, the task that was there before, or
    why an attempt made none.
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
"""How many of the latest entries a record keeps."""


@dataclass(frozen=True, slots=True)
class RetiredTask:
    """A task that had a key until its record was taken out `at` some time, by `removed:` in a
    manifest or by hand. `outputs` are as last read. `former` are the tasks that the key had before.

    `adoptable`: by hand, so that a manifest may find it again. Otherwise it is adopted for nothing.
    """

    JSON_NAMES: ClassVar[Mapping[str, str]] = {"ref": "task", "former": "formerTaskIds"}

    ref: TaskRef
    task_id: str
    file: str
    identity: Identity
    at: datetime | None = None
    created_at: datetime | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    sensitive: bool = False
    former: tuple[str, ...] = ()
    adoptable: bool = False


class Stage(StrEnum):
    """How far the move of a state to another place is, as seen from one of them."""

    MOVING_TO = "movingTo"
    MOVED_TO = "movedTo"
    MOVING_FROM = "movingFrom"


@dataclass(frozen=True, slots=True)
class Move:
    """Why nothing but its move may use a state. `place` is the other place, as messages name it."""

    stage: Stage
    place: str


def kept_outputs(task: Mapping[str, Any]) -> dict[str, Any]:
    """What a record keeps of a task as the service shows it: `OUTPUTS`, those that have a value."""
    return {name: task[name] for name in OUTPUTS if task.get(name) is not None}
