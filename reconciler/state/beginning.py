"""Begins states. Their lineages and IDs are random; everything else about a state is pure."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from reconciler.model.reference import state_id
from reconciler.state.attempt import Provenance
from reconciler.state.model import State

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def begin(backend: str, at: datetime = LONG_AGO, *, serial: int = 0, is_new: bool = False) -> State:
    """A state that begins `at` that time, by the service's clock; long ago if it is not known. For
    the embedded service, it counts as new, because that service starts no agents."""
    is_embedded = backend.partition(":")[0] == "local"
    provenance = Provenance((state_id(os.urandom(6)),), at, is_new=is_new or is_embedded)
    return State(os.urandom(16).hex(), serial, backend, provenance)
