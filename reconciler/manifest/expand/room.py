"""What the entries of a run may generate, all together. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.manifest.finding import Finding
from reconciler.model import limits
from reconciler.model.codes import Code


@dataclass(slots=True)
class Room:
    """The tasks and the characters that are left."""

    tasks: int = limits.GENERATED_TASKS
    characters: int = limits.GENERATED_CHARACTERS


def too_much_text(name: str) -> Finding:
    """The entry `name` generates more characters than are left."""
    facts = {"limit": limits.GENERATED_CHARACTERS}
    return Finding(Code.TOO_MANY_TASKS, ("tasks", name), "text", facts)
