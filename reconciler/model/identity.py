"""The identity that a token acts as."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from reconciler.model.value import Stored


class Identity(Stored, frozen=True):
    """A token's identity. The login may change: all other fields identify it
    (docs/exactly-once.md)."""

    id: Annotated[
        str,
        Meta(description="The user's ID.", examples=["a1b2c3"], extra_json_schema={"minLength": 1}),
    ]
    organization: Annotated[
        str | None,
        Meta(description="The organization to which the token is limited.", examples=["acme"]),
    ] = None
    team: Annotated[
        str | None,
        Meta(description="The team to which the token is limited.", examples=["platform"]),
    ] = None
    login: Annotated[
        str, Meta(description="The user's login, for display.", examples=["octocat"])
    ] = ""

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.login or self.id

    def same_as(self, other: Identity | None) -> bool:
        return other is not None and self._proof() == other._proof()

    def _proof(self) -> tuple[str, str | None, str | None]:
        return (self.id, self.organization or None, self.team or None)
