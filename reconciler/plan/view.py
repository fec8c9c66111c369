"""What was read of the service for one plan: a plain value, so that planning needs no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.model.clock import Clocks
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import FirstMessage, Identity, RemoteTask, TaskRef


class TaskId(NamedTuple):
    """A task at the service: ids are looked up within an organization."""

    org_name: str
    id: str


@dataclass(frozen=True, slots=True)
class RemoteView:
    """The service as one identity saw it.

    `clocks` were read before the first request: an attempt's age is taken from them, so that a
    lookup which began too early cannot count as one after the settle time. `absent` are the tasks
    that answered 404 twice while the organization's list responded. `messages` has the first
    messages that were read, None if a task has none; `unreadable` says why one could not be read.

    By organization: `cut_short` are those whose lookup for existing tasks ended at its limit,
    `refused` says why one could not be read at all, `unlisted` why its list proves nothing absent,
    `marks_preserved` are those known to show marks as they were sent, and `newest` has the newest
    task ids, in order, as far as the list was read. `ignored_date` is a warning about a `Date` that
    cannot be correct.
    """

    identity: Identity
    clocks: Clocks
    tasks: Mapping[TaskId, RemoteTask] = field(default_factory=dict)
    absent: frozenset[TaskId] = frozenset()
    messages: Mapping[TaskId, FirstMessage | None] = field(default_factory=dict)
    unreadable: Mapping[TaskId, str] = field(default_factory=dict)
    cut_short: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    unlisted: Mapping[str, str] = field(default_factory=dict)
    marks_preserved: frozenset[str] = frozenset()
    newest: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignored_date: Diagnostic | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for could be read to the end."""
        return not (self.cut_short or self.unreadable or self.refused or self.unlisted)

    def find(self, ref: TaskRef, task_id: str) -> RemoteTask | None:
        return self.tasks.get(TaskId(ref.org_name, task_id))
