"""What was read from the service for one plan, as a value: planning needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Set
from types import MappingProxyType

from reconciler.model.clock import Clocks
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.remarks import Arg
from reconciler.model.service import FirstMessage, Identity, RemoteTask
from reconciler.model.task import TaskId, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value, field
from reconciler.plan.progress import TaskProgress
from reconciler.state.attempt import Baseline


class Listing(Value, frozen=True):
    """The list of an organization, read to explain its tasks.

    - `unknown`: the listed tasks that the state does not know, oldest first.
    - `newest`: the baseline once they are explained.
    - `unproven`: why the list does not prove that a task is absent; None if it does.
    - `reads`: the number of first messages that had to be requested.
    - `is_part`: newer tasks are still to be explained.
    """

    unknown: tuple[str, ...]
    newest: Baseline
    unproven: Arg | None = None
    reads: int = 0
    is_part: bool = False


class Facts(Value, frozen=True):
    """The service as seen by one identity.

    - `clocks`: read before the first request, so that a lookup that began before an attempt was
      past its age never counts as a lookup after it.
    - `absent`: the tasks for which the service returned 404 twice while the list responded.
    - `messages`: the first messages that were read (None: the task certainly has none).
      `unreadable`: why those of other tasks could not be read. `failed`: the unreadable tasks that
      are older than the settle time, and that the service did not refuse to show.
    - `lists`: the organizations whose tasks are explained, by name.
    - `refused`: why an organization could not be read. `hidden`: those of them that the service
      does not show to this identity.
    - `progress`: of recorded tasks that others may wait for. `left`: the states of tasks that may
      be left running. `done`: the tasks that are done, by ID, with the digests of the expectations
      that they met.
    - `ignored_date`: a warning about a `Date` header that cannot be correct.
    """

    identity: Identity
    clocks: Clocks
    tasks: Mapping[TaskId, RemoteTask] = field(default_factory=dict)
    absent: Set[TaskId] = frozenset()
    messages: Mapping[TaskId, FirstMessage | None] = field(default_factory=dict)
    unreadable: Mapping[TaskId, Arg] = field(default_factory=dict)
    failed: Set[TaskId] = frozenset()
    lists: Mapping[str, Listing] = field(default_factory=dict)
    refused: Mapping[str, Arg] = field(default_factory=dict)
    hidden: Set[str] = frozenset()
    progress: Mapping[TaskRef, TaskProgress] = MappingProxyType({})
    left: Mapping[TaskRef, TaskState] = MappingProxyType({})
    done: Mapping[str, str] = MappingProxyType({})
    ignored_date: Diagnostic | None = None

    @property
    def is_complete(self) -> bool:
        """Whether everything could be read."""
        unproven = any(each.unproven is not None for each in self.lists.values())
        return not (self.unreadable or self.refused or unproven)

    def find(self, ref: TaskRef, task_id: str) -> RemoteTask | None:
        return self.tasks.get(TaskId(ref.org_name, task_id))
