"""What was read of the service for one plan: a plain value, so that planning needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from reconciler.model.task import FirstMessage, Identity, RemoteTask, TaskRef


class TaskId(NamedTuple):
    """A task at the service: ids are looked up within an organization."""

    org_name: str
    id: str


@dataclass(frozen=True, slots=True)
class RemoteView:
    """The service as one identity saw it.

    `now` is this machine's clock before the first read, `service_now` the service's then: an
    attempt's age is taken from them, so that a look-up which began too early cannot count as one
    after the settle time. `absent` are those that answered 404 twice while the organization's list
    answered. `messages` has the first messages that were read, None where a task has none;
    `unreadable` says why one could not be read. `cut_short` are the organizations whose look-up for
    existing tasks ended at its limit.
    """

    identity: Identity
    now: datetime
    service_now: datetime | None = None
    tasks: Mapping[TaskId, RemoteTask] = field(default_factory=dict)
    absent: frozenset[TaskId] = frozenset()
    messages: Mapping[TaskId, FirstMessage | None] = field(default_factory=dict)
    unreadable: Mapping[TaskId, str] = field(default_factory=dict)
    cut_short: frozenset[str] = frozenset()

    def find(self, ref: TaskRef, task_id: str) -> RemoteTask | None:
        return self.tasks.get(TaskId(ref.org_name, task_id))
