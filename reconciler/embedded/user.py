"""A user of the embedded service, as known by a token: the same token, the same user."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """A caller: a stable id that does not give the token away, and a name to show."""

    id: str
    login: str

    def info(self) -> dict[str, object]:
        """What others see of a user (`UserInfo` of the API document)."""
        return {"name": self.login, "githubLogin": self.login, "avatarUrl": ""}


def user_of(token: str) -> User:
    digest = hashlib.sha256(b"taskctl identity\0" + token.encode("utf-8", "replace")).hexdigest()
    return User(id=digest[:32], login=f"user-{digest[:6]}")
