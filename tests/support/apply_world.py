"""In-memory dependencies of the executor and the loop, with simulated time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reconciler.apply.context import ApplyContext
from reconciler.apply.executor import Executor
from reconciler.apply.report import TaskResult
from reconciler.apply.run import Run, RunCallbacks
from reconciler.apply.settling import Waiting
from reconciler.manifest.expand.periods import Recurrence
from reconciler.model.diagnostics import Diagnostic, RemoteError, StateError
from reconciler.model.reference import Reference
from reconciler.model.remarks import Arg
from reconciler.model.service import (
    Created,
    CreateOutcome,
    FirstMessage,
    Identity,
    NotSent,
    RemoteTask,
    SendWindow,
    TaskPage,
    Unknown,
)
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.plan.ages import AttemptAges
from reconciler.plan.confirmed import Confirmed
from reconciler.plan.plan import Plan, PlannedTask
from reconciler.state.ledger import fold
from reconciler.state.model import Event, Record, State
from tests.support.diagnostics import failed
from tests.support.plan_values import BOOT, ME, NOW, ORG, STATE_ID, plan, state
from tests.support.references import without_reference

Effect = CreateOutcome | Callable[[], CreateOutcome]


@dataclass
class CallLog:
    """Everything in the order in which it happened: `append`, `create`, `patch`, `reported`."""

    entries: list[tuple[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def record(self, kind: str, value: Any) -> None:
        with self.lock:
            self.entries.append((kind, value))

    def of(self, kind: str) -> list[Any]:
        return [value for found, value in self.entries if found == kind]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.entries]


class FakeSession:
    """A journal in memory. `full` decides whether the next append fails."""

    def __init__(self, known: State, calls: CallLog) -> None:
        self.state = known
        self.calls = calls
        self.full: Callable[[tuple[Event, ...]], bool] = lambda events: False
        self.slow: Callable[[], None] = lambda: None
        self.lost = False
        self.numbers = 0
        self._lock = threading.Lock()

    def closed(self, ref: TaskRef) -> tuple[str, ...]:
        return self.state.closed.get(ref, ())

    def record(self, ref: TaskRef) -> Record | None:
        return self.state.records.get(ref)

    def next_reference(self, key: str) -> Reference:
        self.numbers = max(self.numbers, self.state.provenance.counter) + 1
        return Reference(key, self.numbers, STATE_ID)

    def check_lock(self) -> None:
        if self.lost:
            raise failed(StateError, "the lock file was removed", "Run again.")

    def append(self, *events: Event) -> None:
        self.slow()
        with self._lock:
            if self.full(events):
                raise failed(StateError, "the journal cannot be written: no space", "Make room.")
            self.calls.record("append", events)
            self.state = fold(self.state, events)


class Service:
    """Responds to creates with `outcomes`, by the last word of the prompt, and then with `then`."""

    backend = "https://api.example.com"

    def __init__(self, calls: CallLog) -> None:
        self.calls = calls
        self.outcomes: dict[str, list[Effect]] = {}
        self.then: Effect | None = None
        self.refuses_patches = False
        self.clock: datetime | None = NOW
        self.listed: list[RemoteTask] = []
        self.page_size = 1000
        self.visible: dict[str, RemoteTask] = {}
        self.list_problem: Diagnostic | None = None
        self._count = 0
        self._lock = threading.Lock()

    def identity(self) -> Identity:
        return ME

    def service_clock(self) -> datetime | None:
        return self.clock

    def ignored_date(self) -> Diagnostic | None:
        return None

    def list_tasks(self, org_name: str) -> Iterator[TaskPage]:
        self.calls.record("list", org_name)
        for first in range(0, max(1, len(self.listed)), self.page_size):
            page = self.listed[first : first + self.page_size]
            yield TaskPage(tuple(page), self.list_problem)

    def get_task(self, org_name: str, task_id: str) -> RemoteTask | None:
        return self.visible.get(task_id)

    def first_message(self, org_name: str, task_id: str) -> FirstMessage | None:
        raise AssertionError(org_name, task_id)

    def create_task(
        self, org_name: str, body: Mapping[str, Any], window: SendWindow
    ) -> CreateOutcome:
        key = without_reference(str(body["message"]["content"])).split()[-1]
        if not window.is_open():
            return NotSent("too late")
        self.calls.record("create", (key, body))
        with self._lock:
            self._count += 1
            queue = self.outcomes.get(key, [])
            effect = queue.pop(0) if queue else self.then or Created(f"id-{key}")
        return effect() if callable(effect) else effect

    def patch_task(self, org_name: str, task_id: str, changes: Mapping[str, Any]) -> RemoteTask:
        self.calls.record("patch", (task_id, dict(changes)))
        if self.refuses_patches:
            raise failed(RemoteError, "not allowed")
        return RemoteTask(org_name, task_id, {"id": task_id, **changes})

    def task_url(self, org_name: str, task_id: str) -> str:
        return f"{self.backend}/{org_name}/{task_id}"


@dataclass
class Clock:
    """`passed` is in seconds. `set_by` is how far the wall clock was set since."""

    passed: float = 0.0
    set_by: timedelta = timedelta()
    boot_id: str = "boot-1"

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed) + self.set_by

    def boot(self) -> float:
        return BOOT + self.passed


class World:
    """Time passes only when something waits. `stopped` ends the apply."""

    def __init__(
        self, known: State | None = None, parallelism: int = 1, settle: float = 150.0
    ) -> None:
        self.calls = CallLog()
        self.session = FakeSession(known or state(), self.calls)
        self.service = Service(self.calls)
        self.clock = Clock()
        self.stopped = False
        self.recurrences: dict[tuple[str, str], Recurrence] = {}
        self.waits: list[float] = []
        self.paused: list[tuple[float, Arg]] = []
        self.awaited: list[Waiting] = []
        self.ctx = ApplyContext(
            service=self.service,
            session=self.session,
            identity=ME,
            clock=self.clock,
            wait=self._wait,
            ended=lambda result: self.calls.record("reported", result),
            paused=lambda seconds, why: self.paused.append((seconds, why)),
            ages=AttemptAges(self.clock.boot(), self.session.state.attempts.values()),
            settle_time=timedelta(seconds=settle),
            recurrences=self.recurrences,
            listed={ORG: set()},
        )
        self.executor = Executor(self.ctx, parallelism)

    @property
    def passed(self) -> float:
        return self.clock.passed

    @passed.setter
    def passed(self, seconds: float) -> None:
        self.clock.passed = seconds

    def now(self) -> datetime:
        return self.clock.now()

    def _wait(self, seconds: float) -> bool:
        if seconds > 0:
            self.waits.append(seconds)
            self.passed += seconds
        return not self.stopped

    def run(self, *tasks: PlannedTask) -> dict[str, TaskResult]:
        """The results of those tasks that apply acts on."""
        done = self.executor.run(task for task in tasks if task.applies)
        return {ref.key: result for ref, result in done.items()}

    def run_of(self, plan: Plan, callbacks: RunCallbacks, max_creates: int | None = None) -> Run:
        return self.run_confirmed(replace(Confirmed.of(plan), max_creates=max_creates), callbacks)

    def run_confirmed(self, confirmed: Confirmed, callbacks: RunCallbacks) -> Run:
        return Run(self.ctx, self.executor, callbacks, self.awaited.append, confirmed)

    def planned(self, *declared: Any, **more: Any) -> tuple[PlannedTask, ...]:
        return plan(declared, self.session.state, **more).tasks


def lost() -> CreateOutcome:
    return Unknown("504: gateway timeout")
