"""What reading and applying need of a service; `remote.client` is the real one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import FirstMessage, Identity, RemoteTask


class SendWindow(Protocol):
    """Until when a journaled attempt may be sent; asked right before the first byte leaves."""

    def is_open(self) -> bool:
        """Whether the request may still be sent. Must not block: it is asked once per send."""


@dataclass(frozen=True, slots=True)
class Created:
    """The service answered with the new task's id."""

    task_id: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of the request left this machine, so no task exists. It may be sent again."""

    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The service itself rejected the create, and created nothing. `why` is its message."""

    why: str
    status: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """Everything else: a task may exist, and only a lookup can tell.

    `throttled`: the service is rate limiting creates (429), which does not mean that it created
    nothing. `retry_after` is in seconds, None if the service did not say.
    """

    why: str
    retry_after: float | None = None
    throttled: bool = False


CreateOutcome = Created | NotSent | Refused | Unknown


@dataclass(frozen=True, slots=True)
class TaskPage:
    """One page of an organization's list.

    `problem` says what is unreadable about the page, or that the list is not in the requested
    order: a task may then exist that no page shows, so not being listed proves nothing.
    """

    tasks: tuple[RemoteTask, ...]
    problem: Diagnostic | None = None

    def __iter__(self) -> Iterator[RemoteTask]:
        return iter(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)


class Service(Protocol):
    """The agent task endpoints of one backend, for one token. Safe to use from many threads.

    Every method but `create_task` raises RemoteError, already worded, where the service cannot be
    reached or does not answer as it should; reads were retried before that.
    """

    backend: str

    def identity(self) -> Identity:
        """Who the token speaks for; asked once, then remembered."""

    def service_clock(self) -> datetime | None:
        """The service's clock now, by the `Date` of its responses; None before a plausible one.

        It never runs backwards, and goes on by itself.
        """

    def ignored_date(self) -> Diagnostic | None:
        """A warning about the last `Date` that was ignored as implausible; None without one."""

    def list_tasks(self, org_name: str) -> Iterator[TaskPage]:
        """The organization's tasks, newest first; a page is read when it is asked for."""

    def get_task(self, org_name: str, task_id: str) -> RemoteTask | None:
        """One task; None for 404."""

    def first_message(self, org_name: str, task_id: str) -> FirstMessage | None:
        """What the task was created with; None if there are no such events yet, or for 404.

        RemoteError also for events that are unreadable or not in ascending order.
        """

    def create_task(
        self, org_name: str, body: Mapping[str, Any], window: SendWindow
    ) -> CreateOutcome:
        """Sends one create, once, if `window` is still open when the connection is.

        Never raises for what the network or the service do. NotSent once the window is closed.
        """

    def patch_task(self, org_name: str, task_id: str, changes: Mapping[str, Any]) -> RemoteTask:
        """Changes what can be changed; the task as it is then."""

    def task_url(self, org_name: str, task_id: str) -> str | None:
        """The task's page for a person; None where there are none."""
