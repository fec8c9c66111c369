"""What the entries of a run may generate, all together. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.manifest.finding import Finding
from reconciler.model import limits
from reconciler.model.codes import Code


@dataclass(slots=True)
class Room:
    """The tasks that are left, and the bytes of their JSON and their prompts."""

    tasks: int = limits.TASKS
    bytes: int = limits.GENERATED_BYTES

    def take(self, size: int) -> bool:
        """Whether a task of this size fits."""
        self.bytes -= size
        return self.bytes >= 0


def too_large(name: str) -> Finding:
    """The tasks of the entry `name` are larger than what is left."""
    facts = {"limit": limits.GENERATED_BYTES >> 20}
    return Finding(Code.TOO_MANY_TASKS, ("tasks", name), "size", facts)
