"""The dependencies of an apply: the service, the state, the clock, and callbacks for progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from reconciler.apply.report import Result, TaskResult
from reconciler.model.clock import Clock, Clocks
from reconciler.model.reference import Reference
from reconciler.model.remarks import Arg, Remark
from reconciler.model.service import Identity, Service
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.value import Value, field
from reconciler.plan.ages import AttemptAges
from reconciler.plan.plan import Action, PlannedTask
from reconciler.state.attempt import SEND_WINDOW
from reconciler.state.model import Event, Record, State

if TYPE_CHECKING:
    from reconciler.manifest.expand.periods import Recurrence


class StateSession(Protocol):
    """The locked state of this run, and its journal; `state.session.Session` outside tests."""

    @property
    def state(self) -> State: ...

    def closed(self, ref: TaskRef) -> tuple[str, ...]: ...

    def record(self, ref: TaskRef) -> Record | None: ...

    def next_reference(self, key: str) -> Reference: ...

    def append(self, *events: Event) -> None: ...

    def check_lock(self) -> None:
        """Raises StateError if lock, journal or state are no longer those of this run. Call it
        before each request that changes anything."""


class ApplyContext(Value, frozen=True):
    """The dependencies of a run.

    `wait` sleeps for at most that many seconds, and returns False if apply must stop. `paused` is
    called with the duration of a pause of create requests, and the unknown outcome that causes it.
    `ages` records when this apply's attempts are sent. `listed` are the IDs that existed before the
    attempts, by organization. Nothing is created in other organizations. `settle_time` is journaled
    with each attempt. `recurrences` come from the manifests, by file and entry.
    """

    service: Service
    session: StateSession
    identity: Identity
    clock: Clock
    wait: Callable[[float], bool]
    ended: Callable[[TaskResult], None]
    ages: AttemptAges
    settle_time: timedelta
    paused: Callable[[float, Arg], None] = lambda *_: None
    listed: dict[str, set[str]] = field(default_factory=dict)
    recurrences: Mapping[tuple[str, str], Recurrence] = MappingProxyType({})

    @property
    def window(self) -> float:
        """The time in seconds, after its journal entry, within which a create request is sent."""
        return min(SEND_WINDOW, self.settle_time.total_seconds())

    def clocks(self) -> Clocks:
        return Clocks(self.clock.now(), self.clock.boot(), self.service.service_clock())

    def is_due(self, task: DesiredTask) -> bool:
        """Whether a task may be created now. A recurring task whose period has ended since the plan
        is never created."""
        made = task.generated
        if made is None or made.period is None:
            return True
        now = self.clock.now()
        now = min(now, self.service.service_clock() or now)
        recurrence = self.recurrences.get((task.file, made.entry))
        return recurrence is not None and made.period == recurrence.due_name(now)

    def result(
        self, task: PlannedTask, result: Result, *problems: Remark, task_id: str | None = None
    ) -> TaskResult:
        """The result for a planned task; `task_id` is the current task of its key."""
        replaced = task.attempt.replaces or None if task.attempt is not None else None
        if task.action is Action.REPLACE:
            replaced = task.task_id
        elif task.attempt is None and task.action is Action.ADOPT and task.record is not None:
            replaced = next(reversed(task.record.former), None)  # it is already recorded
        return TaskResult(
            ref=task.ref,
            result=result,
            task_id=task_id,
            url=self.service.task_url(task.ref.org_name, task_id) if task_id else None,
            problems=problems,
            file=task.file,
            line=task.line,
            replaced=replaced if task_id else None,
            unfinished=task.unfinished,
        )
