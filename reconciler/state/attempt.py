"""The parts of a state other than its records: attempts, baselines, history entries, retired tasks,
and moves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from reconciler.model.canonical import digest
from reconciler.model.task import NO_TASK
from reconciler.model.value import Moment, Stored, field
from reconciler.state.field_types import (
    A_BASELINE,
    A_MARK,
    A_TASK,
    FILLED,
    POSITIVE,
    CreatedAt,
    CreatedWith,
    Digest,
    File,
    Former,
    GeneratedBy,
    Maker,
    Marks,
    Outputs,
    Sensitive,
    Task,
    TaskID,
)

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


class Attempt(Stored, frozen=True, kw_only=True):
    """One attempt to create a task, durable before its request was sent.

    `mark` is the `message.timestamp` that was sent, unique among all attempts of a state. For
    `waited`, see `plan/age.py`; for `baseline`, `State.baselines`.
    """

    ref: Task = field(name="task", default=NO_TASK)
    mark: str = ""
    inputs: CreatedWith
    digest: Digest
    identity: Maker
    file: File
    started_at: Annotated[
        Moment,
        Meta(description="When the attempt started, by the machine's clock.", examples=[A_MARK]),
    ]
    sensitive: Sensitive = False
    replaces: Annotated[
        str,
        Meta(description="The task that the new task replaces. Absent: none.", examples=[A_TASK]),
    ] = ""
    cancels: Annotated[
        bool,
        Meta(
            description="Whether `--cancel-replaced` asked to cancel the replaced task. Absent: "
            "false.",
            examples=[True],
        ),
    ] = False
    settle_time: Annotated[
        float,
        Meta(
            description="The settle time in seconds with which the request was sent.",
            examples=[150],
            extra_json_schema=POSITIVE,
        ),
    ] = 0.0
    window: Annotated[
        float,
        Meta(
            description="The request was sent within this many seconds of its journal entry, or "
            "never. Absent: 10.",
            examples=[1],
            extra_json_schema=POSITIVE,
        ),
    ] = SEND_WINDOW
    waited: Annotated[
        float,
        Meta(
            description="The total seconds for which applies have waited for its outcome. Absent: "
            "0.",
            examples=[45],
            extra_json_schema=POSITIVE,
        ),
    ] = 0.0
    baseline: Annotated[
        str,
        Meta(
            description="The name of the baseline that was read before it.", examples=[A_BASELINE]
        ),
    ] = ""
    generated: GeneratedBy = None


class Baseline(Stored, frozen=True):
    """The newest tasks of an organization at one time, newest first. No later attempt created any
    of them."""

    org_name: Annotated[
        str,
        Meta(description="The organization.", examples=["acme"], extra_json_schema=FILLED),
    ]
    ids: Annotated[
        tuple[str, ...], Meta(description="Task IDs, newest first.", examples=[["t-2", "t-1"]])
    ]

    @property
    def name(self) -> str:
        return digest([self.org_name, self.ids]).removeprefix("sha256:")[:16]


class HistoryEntry(Stored, frozen=True):
    """An event in the history of a key: `what` is a `HistoryKind`, or comes from a later
    version."""

    what: Annotated[
        str,
        Meta(
            description="`created`, `adopted`, `moved` (to this key), `updated` (settings, in "
            "place), `replaced` (requested), `recreated` (the previous task was gone) or "
            "`notCreated` (an attempt that created no task). More may be added.",
            examples=["created"],
            extra_json_schema=FILLED,
        ),
    ]
    at: Annotated[
        Moment | None,
        Meta(
            description="When it happened, by the service's clock if it was known.",
            examples=[A_MARK],
        ),
    ] = None
    task_id: Annotated[
        str,
        Meta(description="The task that the key has had since then.", examples=[A_TASK]),
    ] = ""
    mark: Annotated[str, Meta(description="The mark of the attempt.", examples=[A_MARK])] = ""
    detail: Annotated[
        str,
        Meta(
            description="The settings that were updated, the key from which it was moved, the task "
            "that was replaced, or why an attempt created no task.",
            examples=["approvalMode, name"],
        ),
    ] = ""


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


class Owed(Stored, frozen=True):
    """A cancellation that `identity` asked for and that the service has not accepted yet."""

    task_id: TaskID
    identity: Maker


class RetiredTask(Stored, frozen=True):
    """A task whose record was removed, by `removed:` in a manifest or by hand."""

    ref: Task = field(name="task")
    task_id: TaskID
    file: File
    identity: Maker
    at: Annotated[
        Moment | None,
        Meta(description="When the record was removed. Absent: unknown.", examples=[A_MARK]),
    ] = None
    created_at: CreatedAt = None
    outputs: Outputs = field(default_factory=dict)
    sensitive: Sensitive = False
    former: Former = field(name="formerTaskIds", default=())
    adoptable: Annotated[
        bool,
        Meta(
            description="Whether a manifest may adopt the task again, because it was removed "
            "manually. Absent: false.",
            examples=[True],
        ),
    ] = False
    marks: Marks = ()
    inputs: CreatedWith = field(default_factory=dict)


class KeyNotes(Stored, frozen=True):
    """What the state remembers about a key without a record."""

    marks: Marks = ()
    removed: Annotated[
        str,
        Meta(
            description="The last task that `state rm` removed from the key. Absent: none.",
            examples=["t-1"],
        ),
    ] = ""
    not_created: Annotated[
        bool,
        Meta(
            description="Whether a person said that no task of the key exists (`state resolve "
            "--not-created`), so that its next attempt is not compared with existing tasks. "
            "Absent: false.",
            examples=[True],
        ),
    ] = False


class Stage(StrEnum):
    """The progress of moving a state to another place, in the source or in the target."""

    MOVING_TO = "movingTo"
    MOVED_TO = "movedTo"
    MOVING_FROM = "movingFrom"


class Move(Stored, frozen=True):
    """A move of a state, which may not be used until it is complete."""

    stage: Annotated[
        Stage,
        Meta(
            description="`movingTo`: the move was interrupted, and this state is complete. "
            "`movedTo`: the state is at the other location. `movingFrom`: this state is not in use "
            "yet.",
            examples=["movedTo"],
        ),
    ]
    place: Annotated[
        str,
        Meta(
            description="The other location.",
            examples=["git:origin#refs/taskctl/state/default"],
            extra_json_schema=FILLED,
        ),
    ]


def kept_outputs(task: Mapping[str, object]) -> dict[str, object]:
    """The `OUTPUTS` of a task that have a value."""
    return {name: task[name] for name in OUTPUTS if task.get(name) is not None}
