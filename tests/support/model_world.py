"""taskctl's apply on the embedded service, in simulated time, with kills and lost answers.

Everything is the real thing (session, journal, client, survey, planner, executor, loop, service)
but the clock, which only passes when something waits, and death, which is an exception that
nothing catches: from it on every journal write and every request of that run fails.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from reconciler.apply.context import Surroundings
from reconciler.apply.executor import Executor
from reconciler.apply.loop import Loop
from reconciler.apply.report import ApplyReport
from reconciler.embedded.app import App
from reconciler.model.options import PlanOptions
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.plan.lookup import lookups
from reconciler.plan.plan import Plan
from reconciler.plan.planner import Sides, make_plan
from reconciler.remote.client import Client
from reconciler.remote.message_cache import MessageCache
from reconciler.remote.survey import Survey
from reconciler.state.model import Event, State
from reconciler.state.session import Session, read_state
from tests.support.worlds import NOW

BACKEND = "local"
SETTLE = timedelta(seconds=150)
OPTIONS = PlanOptions(settle_time=SETTLE)


class KilledError(BaseException):
    """The process is gone. No Exception, so that nothing handles it."""


class Clock:
    """Time that passes only when something waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._passed = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._passed += max(seconds, 0.001)

    def wait(self, seconds: float) -> bool:
        """What the executor waits with; it is never told to stop."""
        self.sleep(seconds)
        return True


@dataclass
class Fate:
    """What befalls one apply: `answers` of its creates, in order (`ok`, `lost` after the commit,
    `unsent` before it, `slow down`; `ok` when they run out), and after how many journal writes and
    requests it is killed (None: it lives)."""

    answers: list[str] = field(default_factory=list)
    dies_after: int | None = None
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def step(self) -> None:
        with self.lock:
            self.done += 1
            if self.dies_after is not None and self.done > self.dies_after:
                raise KilledError

    def answer(self) -> str:
        with self.lock:
            return self.answers.pop(0) if self.answers else "ok"


class _Ledger:
    """A session that dies when its run does: before a write, or between it and what follows."""

    def __init__(self, session: Session, fate: Fate) -> None:
        self._session, self._fate = session, fate

    @property
    def state(self) -> State:
        return self._session.state

    def next_mark(self, now: datetime) -> str:
        return self._session.next_mark(now)

    def append(self, *events: Event) -> None:
        self._fate.step()
        self._session.append(*events)
        self._fate.step()


class World:
    """One service, one repository with one state, and who applies."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder = folder
        self.state_path = folder / "state.json"
        self.app = App(folder / "service.db", now=self.clock.now)

    def close(self) -> None:
        self.app.close()

    def _client(self, token: str, fate: Fate) -> Client:
        return Client(
            BACKEND,
            token,
            app=_failing(self.app, fate),
            sleep=self.clock.sleep,
            clock=self.clock.monotonic,
        )

    def apply(
        self,
        desired: Iterable[DesiredTask],
        fate: Fate,
        token: str = "me",
        options: PlanOptions = OPTIONS,
    ) -> ApplyReport | None:
        """One apply; None if it was killed."""
        desired = tuple(desired)
        session = Session.open(
            self.state_path, backend=BACKEND, lock_timeout=timedelta(), purpose="apply"
        )
        try:
            report, complete = self._run(session, desired, fate, token, options)
        except KilledError:
            # What a dead process leaves: no save, the lock free, the journal as it is.
            session._lock.release()
            session._journal.shut()
            return None
        if complete:
            session.established()
        session.close()
        return report

    def _run(
        self,
        session: Session,
        desired: tuple[DesiredTask, ...],
        fate: Fate,
        token: str,
        options: PlanOptions,
    ) -> tuple[ApplyReport, bool]:
        client = self._client(token, fate)
        ledger = _Ledger(session, fate)

        def replan(only: Collection[TaskRef] | None) -> Plan:
            return self._plan(client, desired, ledger.state, options, only)

        around = Surroundings(
            service=client,
            ledger=ledger,
            identity=client.identity(),
            clock=self.clock.now,
            monotonic=self.clock.monotonic,
            wait=self.clock.wait,
            started=lambda ref: None,
            ended=lambda result: None,
            cancel=lambda record: (),
        )
        loop = Loop(around, Executor(around, 2), replan, lambda waiting: None, SETTLE)
        plan = replan(None)
        return loop.run(plan), plan.complete

    def plan(self, desired: Iterable[DesiredTask], token: str = "me") -> Plan:
        state = read_state(self.state_path, backend=BACKEND)
        client = self._client(token, Fate())
        return self._plan(client, tuple(desired), state, OPTIONS, None)

    def _plan(
        self,
        client: Client,
        desired: tuple[DesiredTask, ...],
        state: State,
        options: PlanOptions,
        only: Collection[TaskRef] | None,
    ) -> Plan:
        survey = Survey(
            client,
            MessageCache(self.folder / "cache", BACKEND),
            parallelism=2,
            settle_time=SETTLE,
            clock=self.clock.now,
        )
        asked = [task for task in desired if only is None or task.ref in only]
        view = survey.read(lambda who, now: lookups(asked, state, who, options, now))
        return make_plan(Sides(desired, state, view, options, only=only))

    def prompts(self) -> dict[str, list[str]]:
        """Ids of all tasks that exist, by prompt, whoever made them."""
        found: dict[str, list[str]] = {}
        for token in ("me", "someone"):
            client = self._client(token, Fate())
            for page in client.list_tasks("acme"):
                for task in page:
                    message = client.first_message("acme", task.id)
                    if message is not None and task.id not in found.get(message.text, []):
                        found.setdefault(message.text, []).append(task.id)
        return found

    def recorded(self) -> dict[str, str]:
        """The task of each key, as far as it is known."""
        if not self.state_path.exists() and not list(self.folder.glob("state.json.journal")):
            return {}
        records = read_state(self.state_path, backend=BACKEND).records
        return {ref.key: record.task_id for ref, record in records.items()}

    def has_ended(self) -> bool:
        """Whether an apply has ended well on the state that there is."""
        if not self.state_path.exists():
            return False
        return not read_state(self.state_path, backend=BACKEND).is_new

    def lose_state(self) -> None:
        for path in self.folder.glob("state.json*"):
            path.unlink()


def _failing(app: App, fate: Fate) -> Callable[..., Iterable[bytes]]:
    """The service behind a network that does to creates what fate has in store."""

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        fate.step()
        is_create = environ["REQUEST_METHOD"] == "POST"
        answer = fate.answer() if is_create else "ok"
        if answer == "slow down":
            return _answer(start_response, "429 Too Many Requests")
        if answer == "unsent":
            return _answer(start_response, "502 Bad Gateway")
        if answer == "lost":
            b"".join(app(dict(environ), _ignore))
            return _answer(start_response, "504 Gateway Timeout")
        body = list(app(environ, start_response))
        fate.step()
        return body

    return call


def _answer(start_response: Callable[..., Any], status: str) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [b'{"code": 0, "message": "injected"}']


def _ignore(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], None]:
    del status, headers, more
    return lambda data: None
