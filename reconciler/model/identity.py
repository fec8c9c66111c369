"""The identity that a token acts as."""

from __future__ import annotations

from reconciler.model.value import Stored


class Identity(Stored, frozen=True):
    """A token's identity. The login may change: all other fields identify it
    (docs/exactly-once.md)."""

    id: str
    organization: str | None = None
    team: str | None = None
    login: str = ""

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.login or self.id

    def same_as(self, other: Identity | None) -> bool:
        return other is not None and self.proof() == other.proof()

    def proof(self) -> tuple[str, str | None, str | None]:
        return (self.id, self.organization or None, self.team or None)
