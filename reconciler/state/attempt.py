"""The parts of a state other than its records: its provenance, attempts, baselines, history
entries, retired tasks and moves. schemas/state.schema.json describes their fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from reconciler.model import limits
from reconciler.model.canonical import digest
from reconciler.model.reference import Reference
from reconciler.model.service import Identity
from reconciler.model.task import NO_TASK, Generated, Inputs, TaskRef, rfc3339
from reconciler.model.typed_json import encode_json
from reconciler.model.value import Moment, Stored, field, replace

SEND_WINDOW = 10.0
"""Seconds after its journal entry within which a create request may be sent: see
docs/contributing/exactly-once.md."""

IMPLAUSIBLE = 10**12
"""Numbers from here on are implausible: no state has sent so many requests."""

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
"""The outputs of Pulumi's resource; a record keeps their last values."""


class Attempt(Stored, frozen=True, kw_only=True):
    """One attempt to create a task, durable before its request was sent.

    `reference` is the last line of the prompt that was sent. For `waited`, see `plan/ages.py`; for
    `run`, `RecordChange`.
    """

    ref: TaskRef = field(name="task", default=NO_TASK)
    reference: str
    inputs: Inputs
    digest: str
    identity: Identity
    file: str
    started_at: Moment
    replaces: str = ""
    settle_time: float = 0.0
    window: float = SEND_WINDOW
    waited: float = 0.0
    generated: Generated | None = None
    run: str = ""

    @property
    def number(self) -> int:
        """The number of its request, which identifies it in a state."""
        return number_of(self.reference)

    def created(self) -> RecordChange:
        """The change to record if this attempt created the task."""
        what = ChangeKind.REPLACED if self.replaces else ChangeKind.CREATED
        return RecordChange(what.value, self.run)

    def found(self) -> tuple[RecordChange, ...]:
        """The changes to record if this attempt created the task, and another run found it."""
        adopted = RecordChange(ChangeKind.ADOPTED.value)
        return (self.created(), adopted) if self.run else (adopted,)


def number_of(reference: str) -> int:
    """The number of a stored reference; 0 for a task without one."""
    parsed = Reference.parse(reference)
    return parsed.number if parsed is not None else 0


class Baseline(Stored, frozen=True):
    """The newest tasks of an organization, newest first, as `identity` saw them: these and all
    older tasks are explained. It proves nothing for another identity. `newest_at`: the creation
    time of the first, by the service's clock."""

    org_name: str
    ids: tuple[str, ...]
    identity: Identity
    newest_at: Moment | None = None

    def is_of(self, org_name: str, identity: Identity) -> bool:
        return self.org_name == org_name and identity.same_as(self.identity)


class Provenance(Stored, frozen=True):
    """Where a state comes from, so that a lost state file can continue from its journal.

    - `ids`: its own ID, and those of the lost states that it continues.
    - `counter`: the highest number that it has used, or seen in a reference of its own.
    - `begun_at`: when it began, by the service's clock; long ago if that was not known. Never by
      the clock of a machine, which may be ahead: tasks from before are not read.
    - `is_new`: a person has confirmed that it does not replace a lost state.
    - `answered`: the IDs of states that a person has seen when it continued others.
    - `explained`: the organizations whose tasks were all explained once.
    - `is_kept`: the service has shown one of its references.
    """

    ids: tuple[str, ...]
    begun_at: Moment
    counter: int = 0
    is_new: bool = False
    answered: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    is_kept: bool = False

    @property
    def id(self) -> str:
        """The ID in its own references."""
        return self.ids[0]

    def counted(self, number: int) -> Provenance:
        """The provenance after a number was used or seen. Implausibly high numbers were written by
        a person. They are ignored, because they would leave no higher numbers to use."""
        if number <= self.counter or number >= IMPLAUSIBLE:
            return self
        return replace(self, counter=number)

    def seen(self, references: Iterable[str]) -> Provenance:
        """The provenance after these references were used or seen."""
        known = filter(None, map(Reference.parse, references))
        own = (each.number for each in known if each.state == self.id)
        return self.counted(max((n for n in own if n < IMPLAUSIBLE), default=0))

    def joined(self, other: Provenance) -> Provenance:
        """This provenance, combined with that of another state."""
        return replace(
            self,
            counter=max(self.counter, other.counter),
            begun_at=min(self.begun_at, other.begun_at),
            is_new=self.is_new or other.is_new,
            ids=tuple(dict.fromkeys((*self.ids, *other.ids))),
            answered=_union(self.answered, other.answered),
            explained=_union(self.explained, other.explained),
            is_kept=self.is_kept or other.is_kept,
        )


def _union(some: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*some, *others}))


class HistoryEntry(Stored, frozen=True):
    """An event in the history of a key: `what` is a `HistoryKind`, or comes from a later
    version."""

    what: str
    at: Moment | None = None
    task_id: str = ""
    number: int = 0
    detail: str = ""


class HistoryKind(StrEnum):
    CREATED = "created"
    ADOPTED = "adopted"
    MOVED = "moved"
    UPDATED = "updated"
    REPLACED = "replaced"
    RECREATED = "recreated"
    NOT_CREATED = "notCreated"


class Author(Stored, frozen=True):
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
    """A task whose record was removed, by `removed:` in a manifest or by hand. For `spent`, see
    `Record`."""

    ref: TaskRef = field(name="task")
    task_id: str
    file: str
    identity: Identity
    at: Moment | None = None
    created_at: Moment | None = None
    outputs: Mapping[str, object] = field(default_factory=dict)
    former: tuple[str, ...] = field(name="formerTaskIds", default=())
    reference: str = ""
    spent: tuple[str, ...] = ()


class Stage(StrEnum):
    """The progress of moving a state to another location, in the source or in the target."""

    MOVING_TO = "movingTo"
    MOVED_TO = "movedTo"
    MOVING_FROM = "movingFrom"


class Move(Stored, frozen=True):
    """A move of a state. The state must not be used until the move is complete."""

    stage: Stage
    place: str


def kept_outputs(task: Mapping[str, object]) -> dict[str, object]:
    """The `OUTPUTS` of a task that have a value. If they are too large in total, only short
    values."""
    kept = {name: task[name] for name in OUTPUTS if task.get(name) is not None}
    if len(encode_json(kept)) <= limits.OUTPUT_BYTES:
        return kept
    most = limits.OUTPUT_BYTES // len(OUTPUTS) // 2
    return {name: value for name, value in kept.items() if len(encode_json(value)) <= most}
