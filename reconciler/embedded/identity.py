"""Who a token speaks for. Each token is an identity of its own, known by a digest of it alone."""

from __future__ import annotations

import hmac

from reconciler.embedded.user import User, user_of
from reconciler.embedded.wsgi import ApiError, JsonObject

_SCHEMES = ("token", "bearer")


def authenticate(header: str | None, expected: str | None) -> User:
    """The caller of an `Authorization` header (`token X`, or `Bearer X`); else ApiError 401.

    `expected` None: any token is taken.
    """
    scheme, _, token = (header or "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() not in _SCHEMES or not token:
        raise ApiError(401, "Unauthorized: no access token was sent")
    if expected is not None and not hmac.compare_digest(_bytes(token), _bytes(expected)):
        raise ApiError(401, "Unauthorized: the access token is not valid here")
    return user_of(token)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


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
