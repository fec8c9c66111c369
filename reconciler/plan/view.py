"""What was read from the service for one plan, as a value: planning needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.model.clock import Clocks
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import FirstMessage, Identity, RemoteTask, TaskRef


class TaskId(NamedTuple):
    """A task at the service, which finds IDs within an organization."""

    org_name: str
    id: str


@dataclass(frozen=True, slots=True)
class RemoteView:
    """The service as seen by one identity.

    `clocks` were read before the first request: the age of attempts is measured by them, so a
    lookup that began before the settle time never counts as one after it. `absent` are the tasks
    for which the service returned 404 twice while the organization's list responded. `messages` are
    the first messages that were read (None: the task has none), `unreadable` the reasons why others
    could not be read.

    By organization: `cut_short` are those whose lookup ended at its limit, `refused` has the reason
    why one could not be read at all, `unlisted` why its list proves nothing absent,
    `marks_preserved` are those known to return marks as sent, and `newest` has the newest task IDs,
    in order. `ignored_date` is a warning about a `Date` that cannot be correct.
    """

    identity: Identity
    clocks: Clocks
    tasks: Mapping[TaskId, RemoteTask] = field(default_factory=dict)
    absent: Set[TaskId] = frozenset()
    messages: Mapping[TaskId, FirstMessage | None] = field(default_factory=dict)
    unreadable: Mapping[TaskId, str] = field(default_factory=dict)
    cut_short: Set[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    unlisted: Mapping[str, str] = field(default_factory=dict)
    marks_preserved: Set[str] = frozenset()
    newest: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignored_date: Diagnostic | None = None

    @property
    def is_complete(self) -> bool:
        """Whether everything could be read."""
        return not (self.cut_short or self.unreadable or self.refused or self.unlisted)

    def find(self, ref: TaskRef, task_id: str) -> RemoteTask | None:
        return self.tasks.get(TaskId(ref.org_name, task_id))
