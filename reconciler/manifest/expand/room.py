"""What the entries of a run may generate, all together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from sys import getsizeof

from reconciler.manifest.finding import Finding
from reconciler.model import limits
from reconciler.model.codes import Code


@dataclass(slots=True)
class Room:
    """The tasks that are left, and the memory for them in bytes."""

    tasks: int = limits.GENERATED_TASKS
    bytes: int = limits.GENERATED_BYTES

    def take(self, size: int, values: Mapping[str, str]) -> bool:
        """Whether a task of this size with these values fits, counted as stored."""
        self.bytes -= size + getsizeof(values) + sum(map(getsizeof, values.values()))
        return self.bytes >= 0


def too_much_memory(name: str) -> Finding:
    """The tasks of the entry `name` take more memory than is left."""
    facts = {"limit": limits.GENERATED_BYTES >> 20}
    return Finding(Code.TOO_MANY_TASKS, ("tasks", name), "memory", facts)
