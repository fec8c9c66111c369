"""The parts of a state other than its records: attempts, baselines, history entries, retired tasks
and moves. schemas/state.schema.json describes their fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from reconciler.model import limits
from reconciler.model.canonical import digest
from reconciler.model.service import Identity
from reconciler.model.task import NO_TASK, Generated, Inputs, TaskRef, rfc3339
from reconciler.model.typed_json import encode_json
from reconciler.model.value import Moment, Stored, field

SEND_WINDOW = 10.0
"""Seconds after its journal entry within which a create request may be sent: see
docs/contributing/exactly-once.md."""

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


class Attempt(Stored, frozen=True, kw_only=True):
    """One attempt to create a task, durable before its request was sent.

    `mark` is the `message.timestamp` that was sent, unique among all attempts of a state. `task_id`
    is the task in the response, if the record of the task was lost with its state. For `waited`,
    see `plan/recovery.py`; for `baseline`, `State.baselines`; for `run`, `RecordChange`.
    """

    ref: TaskRef = field(name="task", default=NO_TASK)
    mark: str = ""
    inputs: Inputs
    digest: str
    identity: Identity
    file: str
    started_at: Moment
    task_id: str = ""
    replaces: str = ""
    settle_time: float = 0.0
    window: float = SEND_WINDOW
    waited: float = 0.0
    baseline: str = ""
    generated: Generated | None = None
    run: str = ""

    @property
    def versions(self) -> tuple[Inputs, ...]:
        """The inputs by which its work is recognized."""
        return (self.inputs,)

    def seconds_left(self, at: datetime) -> float:
        """The time in which a person must not say that it created nothing. A clock of the sender
        that was ahead delays the answer, until an apply has waited in its place."""
        if self.waited >= self.settle_time:
            return 0.0
        passed = max(0.0, (at - self.started_at).total_seconds())
        return self.settle_time + self.window - passed

    def created(self) -> RecordChange:
        """The change by its run, if it created a task."""
        what = ChangeKind.REPLACED if self.replaces else ChangeKind.CREATED
        return RecordChange(what.value, self.run)

    def found(self) -> tuple[RecordChange, ...]:
        """The changes of the record of a task that it created and that another run has found."""
        adopted = RecordChange(ChangeKind.ADOPTED.value)
        return (self.created(), adopted) if self.run else (adopted,)


class Baseline(Stored, frozen=True):
    """The newest tasks of an organization at one time, newest first, as `identity` saw them; for
    other identities, it proves nothing. No later attempt created any of them. `newest_at`: the
    creation time of the first, by the service's clock."""

    org_name: str
    ids: tuple[str, ...]
    identity: Identity
    newest_at: Moment | None = None

    @property
    def name(self) -> str:
        return _name_of(self)


@lru_cache(64)
def _name_of(baseline: Baseline) -> str:
    seen = [baseline.org_name, baseline.ids, baseline.identity.proof()]
    return digest(seen).removeprefix("sha256:")[:16]


class HistoryEntry(Stored, frozen=True):
    """An event in the history of a key: `what` is a `HistoryKind`, or comes from a later
    version."""

    what: str
    at: Moment | None = None
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


class Run(Stored, frozen=True):
    """A run that changed records, from `at` on: the token's `user`, if the run asked the service,
    and the person (`actor`) or the job (`url`) behind it."""

    at: Moment
    user: str = ""
    actor: str = ""
    url: str = ""

    @property
    def name(self) -> str:
        return digest([self.at.isoformat(), self.user, self.actor, self.url])[-16:]

    def __str__(self) -> str:
        who = self.actor or self.user or "an unknown user"
        token = f" (token of {self.user})" if self.user not in ("", who) else ""
        url = f", {self.url}" if self.url else ""
        return f"{who}{token}, {rfc3339(self.at)}{url}"


class ChangeKind(StrEnum):
    CREATED = "created"
    ADOPTED = "adopted"
    REPLACED = "replaced"
    UPDATED = "updated"
    ACCEPTED = "accepted"


class RecordChange(Stored, frozen=True):
    """A change of a record by a run: `what` is a `ChangeKind`, `run` its name in `State.runs`.
    Until it is journaled, "" is the run of this process."""

    what: str
    run: str = ""


HISTORY = 50
"""The number of history entries that a record keeps."""


class RetiredTask(Stored, frozen=True, kw_only=True):
    """A task whose record was removed, by `removed:` in a manifest or by hand. If it is
    `adoptable`, it has the inputs of its record."""

    ref: TaskRef = field(name="task")
    task_id: str
    file: str
    identity: Identity
    at: Moment | None = None
    created_at: Moment | None = None
    outputs: Mapping[str, object] = field(default_factory=dict)
    former: tuple[str, ...] = field(name="formerTaskIds", default=())
    adoptable: bool = False
    marks: tuple[str, ...] = ()
    inputs: Inputs = field(default_factory=dict)
    created_inputs: Inputs = field(default_factory=dict)

    @property
    def versions(self) -> tuple[Inputs, ...]:
        """The inputs by which its work is recognized, starting with those it was created with."""
        return (self.created_inputs, self.inputs) if self.created_inputs else (self.inputs,)


class KeyNotes(Stored, frozen=True):
    """The state's notes about a key without a record."""

    marks: tuple[str, ...] = ()
    removed: str = ""
    not_created: bool = False


class Recovery(Stored, frozen=True):
    """The recovery of a lost state in one organization, which lasts until each of the `keys` has a
    task or an answer. None of the `entries` has further tasks."""

    keys: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()

    def joined(self, other: Recovery) -> Recovery:
        """The keys and answers of both."""
        both = ({*self.keys, *other.keys}, {*self.entries, *other.entries})
        return Recovery(*(tuple(sorted(names)) for names in both))


class Stage(StrEnum):
    """The progress of moving a state to another location, in the source or in the target."""

    MOVING_TO = "movingTo"
    MOVED_TO = "movedTo"
    MOVING_FROM = "movingFrom"


class Move(Stored, frozen=True):
    """A move of a state, which may not be used until it is complete."""

    stage: Stage
    place: str


def kept_outputs(task: Mapping[str, object]) -> dict[str, object]:
    """The `OUTPUTS` of a task that have a value; only short values if they are too large
    together."""
    kept = {name: task[name] for name in OUTPUTS if task.get(name) is not None}
    if len(encode_json(kept)) <= limits.OUTPUT_BYTES:
        return kept
    most = limits.OUTPUT_BYTES // len(OUTPUTS) // 2
    return {name: value for name, value in kept.items() if len(encode_json(value)) <= most}
