"""What a task must deliver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.canonical import digest
from reconciler.model.diagnostics import NOWHERE, Place


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a task must deliver: at least that many pull requests, and data in its answer that
    satisfies the JSON Schema `data` (None: no data is needed). `at` is its place in a manifest."""

    pull_requests: int = 0
    data: Mapping[str, object] | None = None
    at: Place = field(default=NOWHERE, compare=False)

    @property
    def digest(self) -> str:
        """The digest that a recorded success has."""
        return digest([self.pull_requests, self.data])
