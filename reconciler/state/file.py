"""The members of a state file, which schemas/state.schema.json describes."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Raw

from reconciler.model.value import Stored, field
from reconciler.state.attempt import Baseline, Move, Run


class StateFile(Stored, frozen=True, kw_only=True):
    """What is raw is decoded item by item, so that an error names the task."""

    version: int
    checksum: str = ""
    lineage: str
    serial: int
    backend: str
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    latest: Mapping[str, str] = field(default_factory=dict)
    retired: Mapping[str, Raw] = field(default_factory=dict)
    duplicates: Mapping[str, Raw] = field(default_factory=dict)
    runs: Mapping[str, Run] = field(default_factory=dict)
    move: Move | None = None
    journal: str = ""
    attempts: Mapping[str, Raw]
    keys: Mapping[str, Raw] = field(default_factory=dict)
    tasks: dict[str, Raw]
