"""What an apply is given of the world: the service, the attempt log, the clock, whom to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from reconciler.apply.report import TaskResult
from reconciler.model.clock import Clock, Clocks
from reconciler.model.remarks import Remark
from reconciler.model.service import Service
from reconciler.model.task import Identity, TaskRef
from reconciler.plan.age import LockHolder
from reconciler.state.attempt import SEND_WINDOW, Baseline
from reconciler.state.model import Event, Record, State


class AttemptLog(Protocol):
    """Where attempts and outcomes are kept; `state.session.Session` is the real one."""

    @property
    def state(self) -> State: ...

    def next_mark(self, now: datetime) -> str: ...

    def append(self, *events: Event) -> None: ...

    def check_held(self) -> None:
        """Before each request that changes anything. StateError if the log is not this run's."""


@dataclass(frozen=True, slots=True)
class ApplyContext:
    """What the executor and the loop use of the world.

    `wait` sleeps so many seconds, or less: False once apply is to stop. `held` is told how long
    creates are held back by a rate limit. `cancel` cancels the task of a record that was replaced;
    it returns what went wrong. `holder` collects when the exchanges of this apply's attempts ended;
    `baselines` those that it read, by organization. `window`: seconds after its journal entry in
    which a create is sent.
    """

    service: Service
    log: AttemptLog
    identity: Identity
    clock: Clock
    wait: Callable[[float], bool]
    started: Callable[[TaskRef], None]
    ended: Callable[[TaskResult], None]
    cancel: Callable[[Record], tuple[Remark, ...]]
    holder: LockHolder
    held: Callable[[float], None] = lambda _: None
    baselines: dict[str, Baseline] = field(default_factory=dict)
    window: float = SEND_WINDOW

    def clocks(self) -> Clocks:
        """What the clocks show now."""
        clock = self.clock
        return Clocks(clock.now(), clock.boot(), clock.boot_id, self.service.service_clock())
