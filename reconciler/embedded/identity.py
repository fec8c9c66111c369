"""The callers of the embedded service. Every token is a user of its own.

Only a digest of a token is ever stored or shown.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from reconciler.embedded.wsgi import ApiError, JsonObject

_SCHEMES = ("token", "bearer")


@dataclass(frozen=True, slots=True)
class User:
    """A caller: a stable id that does not reveal the token, and a name to display."""

    id: str
    login: str

    def info(self) -> JsonObject:
        """The part of a user that others can see (`UserInfo` of the API document)."""
        return {"name": self.login, "githubLogin": self.login, "avatarUrl": ""}


NOBODY = User(id="", login="")
"""The caller of a public route."""


def user_of(token: str) -> User:
    digest = hashlib.sha256(b"taskctl identity\0" + _bytes(token)).hexdigest()
    return User(id=digest[:32], login=f"user-{digest[:6]}")


def authenticate(header: str | None, expected: str | None) -> User:
    """The caller named by an `Authorization` header (`token X` or `Bearer X`).

    `expected` is the only valid token; with None, every token is valid. Raises ApiError 401.
    """
    scheme, _, token = (header or "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() not in _SCHEMES or not token:
        raise ApiError(401, "Unauthorized: an access token is required")
    if expected is not None and not hmac.compare_digest(_bytes(token), _bytes(expected)):
        raise ApiError(401, "Unauthorized: invalid access token")
    return user_of(token)


def profile(user: User, organization: str) -> JsonObject:
    """The caller's own profile (`User` of the API document), a member of `organization`."""
    membership = {
        "name": organization,
        "githubLogin": organization,
        "avatarUrl": "",
        "role": "member",
    }
    return {
        "id": user.id,
        **user.info(),
        "email": "",
        "hasMFA": False,
        "identities": [],
        "isManagedByMultiOrg": False,
        "isOrgManaged": False,
        "organizations": [membership],
        "tokenInfo": {"name": user.login, "organization": "", "team": ""},
    }


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
