"""Tasks and their first messages, as the service returns them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from reconciler.model.service import Identity
from reconciler.model.task import instant
from reconciler.model.value import Stored


class RemoteTask(Stored, frozen=True):
    """A task as the service returns it. `raw` is the whole response, with unknown fields."""

    org_name: str
    id: str
    raw: Mapping[str, object]

    @property
    def name(self) -> str:
        return str(self.raw.get("name") or "")

    @property
    def created_at(self) -> datetime | None:
        return instant(self.raw.get("createdAt"))

    @property
    def creator_login(self) -> str | None:
        creator = self.raw.get("createdBy")
        login = creator.get("githubLogin") if isinstance(creator, Mapping) else None
        return login if isinstance(login, str) and login else None

    def is_of(self, caller: Identity) -> bool:
        """Whether this user created the task; the service returns only the login."""
        return bool(caller.login) and self.creator_login == caller.login

    def may_be_of(self, caller: Identity) -> bool:
        """Whether this user created the task, or its creator is unknown."""
        return self.creator_login is None or not caller.login or self.is_of(caller)

    def owner(self, caller: Identity) -> Identity:
        """The creator, as seen by this user. Other users get an identity that matches no other, so
        that a 404 proves nothing (docs/exactly-once.md)."""
        login = self.creator_login
        if login is None or self.may_be_of(caller):
            return caller
        return Identity(id=f"login:{login}", login=login)


class FirstMessage(Stored, frozen=True):
    """The message that a task was created with, from its events; `mark` is as returned."""

    mark: str
    text: str
    entities: tuple[Mapping[str, object], ...] = ()

    @property
    def instant(self) -> datetime | None:
        return instant(self.mark)
