"""What was read from the service for one plan, as a value: planning needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Set

from reconciler.model.clock import Clocks
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.remarks import Arg
from reconciler.model.service import FirstMessage, Identity, RemoteTask
from reconciler.model.task import TaskId, TaskRef
from reconciler.model.value import Value, field
from reconciler.state.attempt import Baseline


class RemoteView(Value, frozen=True):
    """The service as seen by one identity.

    `clocks`: read before the first request. The age of attempts is measured by them, so a lookup
    that began before an attempt was past its age never counts as a lookup after it.
    `absent`: the tasks for which the service returned 404 twice while the list responded.
    `messages`: the first messages that were read (None: the task has none).
    `unreadable`: why the first messages of other tasks could not be read.
    `ignored_date`: a warning about a `Date` header that cannot be correct.

    By organization:
    `cut_short`: the organizations whose lookup ended at its limit.
    `refused`: why the organization could not be read at all.
    `hidden`: the organizations that this user cannot see.
    `unlisted`: why the organization's list does not prove that a task is absent.
    `newest`: the newest tasks; only of organizations with a valid list.
    `compared`: the organizations whose list was read for look-alikes.
    """

    identity: Identity
    clocks: Clocks
    tasks: Mapping[TaskId, RemoteTask] = field(default_factory=dict)
    absent: Set[TaskId] = frozenset()
    messages: Mapping[TaskId, FirstMessage | None] = field(default_factory=dict)
    unreadable: Mapping[TaskId, Arg] = field(default_factory=dict)
    cut_short: Set[str] = frozenset()
    refused: Mapping[str, Arg] = field(default_factory=dict)
    hidden: Set[str] = frozenset()
    unlisted: Mapping[str, Arg] = field(default_factory=dict)
    newest: Mapping[str, Baseline] = field(default_factory=dict)
    compared: Set[str] = frozenset()
    ignored_date: Diagnostic | None = None

    @property
    def is_complete(self) -> bool:
        """Whether everything could be read."""
        return not (self.cut_short or self.unreadable or self.refused or self.unlisted)

    def find(self, ref: TaskRef, task_id: str) -> RemoteTask | None:
        return self.tasks.get(TaskId(ref.org_name, task_id))
