"""What a task must deliver."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.canonical import digest
from reconciler.model.diagnostics import NOWHERE, Place
from reconciler.model.value import Stored


class Expectation(Stored, frozen=True):
    """What a task must deliver: at least that many pull requests (`merged`: that are merged), and
    data in its answer that satisfies the JSON Schema `data` (None: no data is needed). `at` is its
    place in a manifest."""

    pull_requests: int = 0
    data: Mapping[str, object] | None = None
    merged: bool = False
    at: Place = NOWHERE

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expectation) and self._asks() == other._asks()

    def __hash__(self) -> int:
        return hash(self.digest)

    def _asks(self) -> tuple[object, ...]:
        """Everything but its place."""
        return self.pull_requests, self.data, self.merged

    @property
    def digest(self) -> str:
        """The digest that a recorded success has."""
        return digest(list(self._asks()))
