"""What an apply is given of the world: the service, the ledger, the clocks, whom to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reconciler.apply.report import TaskResult
from reconciler.model.remarks import Remark
from reconciler.model.service import Service
from reconciler.model.task import Identity, TaskRef
from reconciler.state.model import Event, Record, State


class Ledger(Protocol):
    """Where attempts and outcomes are kept; `state.session.Session` is the real one."""

    @property
    def state(self) -> State: ...

    def next_mark(self, now: datetime) -> str: ...

    def append(self, *events: Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the executor is given of the world. `wait` sleeps so many seconds, or less: it answers
    False once apply is to stop. `cancel` asks the task of a record that another took the place
    of to stop, and gives what is to be known if that failed."""

    service: Service
    ledger: Ledger
    identity: Identity
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    wait: Callable[[float], bool]
    started: Callable[[TaskRef], None]
    ended: Callable[[TaskResult], None]
    cancel: Callable[[Record], tuple[Remark, ...]]
