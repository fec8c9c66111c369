"""The interface of a service, implemented by `remote/client.py`, and the values that it returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from reconciler.model.diagnostics import Diagnostic
from reconciler.model.reference import Reference
from reconciler.model.remarks import Arg
from reconciler.model.task import instant
from reconciler.model.value import Stored, Value


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
        """Whether `caller` created the task. Compares logins: the service returns nothing else."""
        return bool(caller.login) and self.creator_login == caller.login

    def may_be_of(self, caller: Identity) -> bool:
        """Whether `caller` created the task, or its creator is unknown."""
        return self.creator_login is None or not caller.login or self.is_of(caller)

    def owner(self, caller: Identity) -> Identity:
        """`caller`, if `may_be_of`; else an identity for the creator that equals no real identity,
        so that a 404 proves nothing (docs/exactly-once.md)."""
        login = self.creator_login
        if login is None or self.may_be_of(caller):
            return caller
        return Identity(id=f"login:{login}", login=login)


class FirstMessage(Stored, frozen=True):
    """The message that a task was created with, from its events: the prompt without its last line
    if that is a `reference`."""

    text: str
    entities: tuple[Mapping[str, object], ...] = ()
    reference: Reference | None = None


class Identity(Stored, frozen=True):
    """The user of a token, and the organization or team to which the token is limited. The login
    may change, so it is not part of the `proof` (docs/exactly-once.md)."""

    id: str
    organization: str | None = None
    team: str | None = None
    login: str = ""

    @property
    def name(self) -> str:
        """The name of the identity in messages."""
        return self.login or self.id

    def same_as(self, other: Identity | None) -> bool:
        return other is not None and self.proof() == other.proof()

    def proof(self) -> tuple[str, str | None, str | None]:
        return (self.id, self.organization or None, self.team or None)


class SendWindow(Protocol):
    """The time within which a journaled attempt may be sent; checked before the first byte."""

    def is_open(self) -> bool:
        """Whether the request may still be sent. May take long: a shared state may have to check
        over the network that it is still locked. The time is checked after that."""


class Created(NamedTuple):
    """The service responded with the new task's ID."""

    task_id: str


class NotSent(NamedTuple):
    """No byte was sent, so no task was created, and the request may be sent again."""

    why: Arg


class Refused(NamedTuple):
    """The service itself rejected the request, and created nothing. `why` is its message."""

    why: Arg
    status: int


class Unknown(NamedTuple):
    """Any other outcome: a task may exist, and only a lookup can determine that.

    `retry_after` is in seconds, if known. `throttled`: the status was 429, which does not prove
    that nothing was created.
    """

    why: Arg
    retry_after: float | None = None
    throttled: bool = False


CreateOutcome = Created | NotSent | Refused | Unknown


class TaskPage(Value, frozen=True):
    """A page of an organization's task list.

    With a `problem` (an unreadable entry, the wrong order), pages may not list all tasks.
    """

    tasks: tuple[RemoteTask, ...]
    problem: Diagnostic | None = None

    def __iter__(self) -> Iterator[RemoteTask]:
        return iter(self.tasks)


class Service(Protocol):
    """The agent task endpoints of one backend for one token. Thread-safe.

    All methods but `create_task` raise RemoteError if the service is unreachable or responds
    unexpectedly, after retries of reads.
    """

    backend: str

    def identity(self) -> Identity:
        """The token's identity; requested once."""

    def service_clock(self) -> datetime | None:
        """The service's clock, from the `Date` of its responses; None before a plausible date. It
        advances between responses and never runs backwards."""

    def ignored_date(self) -> Diagnostic | None:
        """A warning about the last `Date` that was ignored as implausible, if any."""

    def list_tasks(self, org_name: str) -> Iterator[TaskPage]:
        """The organization's tasks, newest first; pages are read as needed."""

    def get_task(self, org_name: str, task_id: str) -> RemoteTask | None:
        """The task, or None for a 404 of the service itself."""

    def first_message(self, org_name: str, task_id: str) -> FirstMessage | None:
        """The message that the task was created with; None if no event contains it. Raises
        RemoteError for a 404, for unreadable events, and for events in descending order."""

    def create_task(
        self, org_name: str, body: Mapping[str, object], window: SendWindow
    ) -> CreateOutcome:
        """Sends a create request once, if `window` is still open when the connection is ready;
        otherwise, returns NotSent. Network and service failures are outcomes, never exceptions."""

    def patch_task(self, org_name: str, task_id: str, changes: Mapping[str, object]) -> RemoteTask:
        """Changes settings; returns the task afterwards."""

    def task_url(self, org_name: str, task_id: str) -> str | None:
        """The task's web page, if any."""
