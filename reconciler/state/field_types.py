"""Types of fields of records, attempts and retired tasks, with their descriptions for
schemas/state.schema.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from reconciler.model.generated import Generated
from reconciler.model.identity import Identity
from reconciler.model.task import Inputs, TaskRef
from reconciler.model.value import Moment

FILLED = {"minLength": 1}
POSITIVE = {"minimum": 0}
"""For the schema only: `state/codec.py` reports other values in words."""

A_MARK = "2026-11-24T14:44:49.123456Z"
A_TASK = "0192f0c4-5a1e-7c33-9d58-1f2e3d4c5b6a"
A_BASELINE = "0a1b2c3d4e5f6071"
A_REF = "acme/rotate-iam-keys"

Task = Annotated[TaskRef, Meta(description="The key, as ORGANIZATION/KEY.", examples=[A_REF])]
TaskID = Annotated[
    str, Meta(description="The task ID.", examples=[A_TASK], extra_json_schema=FILLED)
]
File = Annotated[
    str,
    Meta(
        description="The manifest that declares, or declared, the task.",
        examples=["tasks/iam.yaml"],
    ),
]
CreatedWith = Annotated[
    Inputs,
    Meta(
        description="The settings with which the task was created, named as in a manifest, and the "
        "message as an object. For an adopted task, the settings in the manifest at that time.",
        examples=[{"message": {"content": "Rotate every IAM access key."}, "planMode": True}],
    ),
]
Digest = Annotated[
    str,
    Meta(
        description="The SHA-256 digest of the inputs, as JSON with sorted keys and no whitespace.",
        examples=["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
        extra_json_schema=FILLED,
    ),
]
Maker = Annotated[
    Identity,
    Meta(
        description="The user whose token created the task. Another user may not see it, so its "
        "absence is evidence only for this user.",
        examples=[{"id": "a1b2c3", "login": "octocat"}],
    ),
]
Sensitive = Annotated[
    bool,
    Meta(
        description="Whether reports show only a digest of the prompt. This file contains the "
        "prompt. Absent: false.",
        examples=[True],
    ),
]
GeneratedBy = Annotated[
    Generated | None,
    Meta(
        description="The entry (`forEach`, `every`) that generated the task. Absent: the manifest "
        "declares the task itself.",
        examples=[{"entry": "cost-review", "period": "2026-11"}],
    ),
]
CreatedAt = Annotated[
    Moment | None,
    Meta(
        description="When the create request was answered, or the task was adopted, by the "
        "service's clock if it was known.",
        examples=[A_MARK],
    ),
]
Marks = Annotated[
    tuple[str, ...],
    Meta(
        description="The marks of all attempts for the key. A task with one of them belongs to no "
        "other key.",
        examples=[[A_MARK]],
    ),
]
Outputs = Annotated[
    Mapping[str, object],
    Meta(
        description="The outputs of the task as last read. They are refreshed only in a write that "
        "is needed for another reason, so they may be old. A field without a value is absent.",
        examples=[{"tokensUsed": 51200}],
    ),
]
Former = Annotated[
    tuple[str, ...],
    Meta(
        description="The tasks that the key had before. They are never adopted for another key.",
        examples=[[A_TASK]],
    ),
]
Pending = Annotated[
    Mapping[str, object],
    Meta(
        description="Settings that still have to be set after creation. Absent: none.",
        examples=[{"name": "Rotate IAM keys"}],
    ),
]
Duplicates = Annotated[
    tuple[str, ...],
    Meta(
        description="Other tasks with a mark of this key: a request that was delivered twice. "
        "Absent: none.",
        examples=[[A_TASK]],
    ),
]
Met = Annotated[
    str,
    Meta(
        description="The digest of the expectation that it met when it was done. Absent: none.",
        examples=["sha256:1d2c"],
    ),
]
Done = Annotated[
    bool,
    Meta(
        description="Whether the task has been done, which rollouts and `after` remember. "
        "Absent: unknown.",
        examples=[True],
    ),
]
Expects = Annotated[
    bool,
    Meta(
        description="Whether its manifest had an expectation at the last apply.",
        examples=[True],
    ),
]
EVENTS = Meta(
    description="The latest 50 events of the key. Absent: it was only created or adopted.",
    examples=[[{"what": "created"}, {"what": "replaced"}]],
)
CANCELLATIONS = Meta(
    description="Cancellations that were requested and that the service has not accepted "
    "yet. Absent: none.",
    examples=[[{"taskId": "t-1", "identity": {"id": "a1b2c3"}}]],
)
