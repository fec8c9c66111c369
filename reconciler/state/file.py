"""The members of a state file, which schemas/state.schema.json describes, and its origin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Raw

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, StateError
from reconciler.model.remarks import Arg
from reconciler.model.value import Stored, field
from reconciler.state.attempt import Baseline, Move, Recovery, Run


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
    recovering: Mapping[str, Recovery] = field(default_factory=dict)
    runs: Mapping[str, Run] = field(default_factory=dict)
    move: Move | None = None
    journal: str = ""
    attempts: Mapping[str, Raw]
    keys: Mapping[str, Raw] = field(default_factory=dict)
    tasks: dict[str, Raw]


class StateSource(NamedTuple):
    """The origin of a state, for messages: its path as shown, and whether it has a backup."""

    file: str
    has_backup: bool = False

    def damaged(
        self, case: str, *, line: int | None = None, column: int | None = None, **facts: Arg
    ) -> StateError:
        """A case of `Code.STATE_DAMAGED`."""
        file, case = self.file, case if self.has_backup else f"{case}.lost"
        facts |= {"file": file, "backup": file + ".backup", "aside": file + ".bad"}
        return StateError.of(Code.STATE_DAMAGED, case, at=Place(file, line, column), **facts)
