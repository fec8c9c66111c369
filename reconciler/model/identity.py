"""The identity that a token acts as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Identity:
    """A token's identity. The login may change: all other fields identify it
    (docs/exactly-once.md)."""

    JSON_SHARED: ClassVar[bool] = True  # most records of a state have the same identity

    id: str
    organization: str | None = None
    team: str | None = None
    login: str = ""

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.login or self.id

    def same_as(self, other: Identity | None) -> bool:
        return other is not None and self._proof() == other._proof()

    def _proof(self) -> tuple[str, str | None, str | None]:
        return (self.id, self.organization or None, self.team or None)
