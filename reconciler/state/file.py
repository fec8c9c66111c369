"""The members of a state file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Raw

from reconciler.model.value import Stored, field
from reconciler.state.attempt import Baseline, Move
from reconciler.state.field_types import A_BASELINE, A_REF, FILLED, POSITIVE


class StateFile(Stored, frozen=True, kw_only=True):
    """schemas/state.schema.json is generated from it. What is raw is decoded item by item, so that
    an error names the task."""

    version: Annotated[
        int,
        Meta(
            description="The version of this format. Older versions of taskctl reject a newer one.",
            examples=[1],
        ),
    ]
    checksum: Annotated[
        str,
        Meta(
            description="CRC-32 of the rest of the file: damage to a key would make a task look "
            "missing. After merging or editing the file manually, delete the line; the next apply "
            "writes it again.",
            examples=["893be2eb"],
            extra_json_schema={"pattern": "^[0-9a-f]{8}$"},
        ),
    ] = ""
    lineage: Annotated[
        str,
        Meta(
            description="A random ID that the state keeps. Two files with the same ID are versions "
            "of one state, and a journal belongs to the state with its ID.",
            examples=["5f0c1b9de2a74a6f8f3b7d1c9a04e6b2"],
            extra_json_schema=FILLED,
        ),
    ]
    serial: Annotated[
        int,
        Meta(
            description="The number of times the state was written.",
            examples=[12],
            extra_json_schema=POSITIVE,
        ),
    ]
    backend: Annotated[
        str,
        Meta(
            description="The service on which the tasks run. A run with another backend rejects "
            "the state.",
            examples=["https://api.pulumi.com"],
            extra_json_schema=FILLED,
        ),
    ]
    is_new: Annotated[
        bool,
        Meta(
            description="True until an apply of all manifests has compared every key. Until then, "
            "unrecorded tasks of any age may exist. Absent: false.",
            examples=[True],
        ),
    ] = False
    baselines: Annotated[
        Mapping[str, Baseline],
        Meta(
            description="The newest tasks of an organization at one moment, by name. No later "
            "attempt created any of them. Absent: none.",
            examples=[{A_BASELINE: {"orgName": "acme", "ids": ["t-2", "t-1"]}}],
        ),
    ] = field(default_factory=dict)
    latest: Annotated[
        Mapping[str, str],
        Meta(
            description="The name of the baseline that the last apply of all manifests has read, "
            "by organization. Its tasks were compared with every key. Absent: none.",
            examples=[{"acme": A_BASELINE}],
        ),
    ] = field(default_factory=dict)
    retired: Annotated[
        Mapping[str, Raw],
        Meta(
            description="Tasks whose record was removed, by task ID. Absent: none.", examples=[{}]
        ),
    ] = field(default_factory=dict)
    move: Annotated[
        Move | None,
        Meta(
            description="Why only `taskctl state migrate` may use this state. Absent: it is in "
            "use.",
            examples=[{"stage": "movedTo", "place": "git:origin#refs/taskctl/state/default"}],
        ),
    ] = None
    journal: Annotated[
        str,
        Meta(
            description="The ID of the journal that was folded in last. Absent: none.",
            examples=[A_BASELINE],
        ),
    ] = ""
    attempts: Annotated[
        Mapping[str, Raw],
        Meta(
            description="Attempts to create a task whose outcome is unknown, by their marks: the "
            "times sent with their messages, in UTC with microseconds, unique in the state.",
            examples=[{}],
        ),
    ]
    keys: Annotated[
        Mapping[str, Raw],
        Meta(
            description="Information about keys without a task, by ORGANIZATION/KEY. Absent: none.",
            examples=[{A_REF: {"removed": "t-1"}}],
        ),
    ] = field(default_factory=dict)
    tasks: Annotated[
        dict[str, Raw],
        Meta(description="The recorded tasks, by ORGANIZATION/KEY.", examples=[{}]),
    ]
