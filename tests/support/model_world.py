"""Runs apply on the embedded service in simulated time, with kills and lost responses.

Everything is real (session, journal, client, survey, planner, executor, loop, service) except the
clock, which only advances in waits, and death, an exception that no code catches: after it, every
journal write and every request of that run fails.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from reconciler.app.survey import Survey, message_cache
from reconciler.apply.context import ApplyContext
from reconciler.apply.executor import Executor
from reconciler.apply.loop import Loop
from reconciler.apply.report import ApplyReport, Result
from reconciler.embedded.app import App
from reconciler.model.canonical import digest
from reconciler.model.diagnostics import StateError
from reconciler.model.options import PlanOptions
from reconciler.model.task import DesiredTask, Due, Removal, TaskRef
from reconciler.model.value import replace
from reconciler.plan.plan import Plan
from reconciler.plan.planner import PlanInputs, lookups_of, make_plan
from reconciler.plan.recovery import AttemptAges, waited_totals
from reconciler.plan.view import RemoteView
from reconciler.remote.client import Client
from reconciler.remote.transport import Transport
from reconciler.state import edit
from reconciler.state.attempt import Baseline, KeyNotes
from reconciler.state.engines import Pace
from reconciler.state.held_head import HeldHead
from reconciler.state.local import LocalState
from reconciler.state.location import Claim, HeldState
from reconciler.state.lock import Declared
from reconciler.state.model import Aged, Event, Record, State
from reconciler.state.session import Outcome, Session, read_state
from reconciler.state.shared import SharedState
from reconciler.system.cache import UserCache
from tests.support.plan_values import NOW
from tests.support.state_engines import Served

BACKEND = "local"
SETTLE = timedelta(seconds=150)
OPTIONS = PlanOptions(settle_time=SETTLE)
PACE = Pace(heartbeat=20, takeover=80)


class KilledError(BaseException):
    """The process was killed. A BaseException, so that no code handles it."""


class Clock:
    """Time that passes only when something waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._passed = 0.0
        self.set_by = timedelta()
        self.booted = 1000.0
        self.boot_id = "boot-1"

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self._passed) + self.set_by

    def boot(self) -> float:
        return self.booted + self._passed

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._passed += max(seconds, 0.001)


@dataclass
class Fate:
    """The faults of one apply: `answers` to its creates, in order (`ok`, `lost` after the commit,
    `late`: lost, and committed after LATE seconds, `unsent` before it, `slow down`; then `ok`), the
    number of journal writes and requests after which it is killed (None: never), and the seconds of
    waiting after which it is interrupted."""

    answers: list[str] = field(default_factory=list)
    dies_after: int | None = None
    stops_after: float | None = None
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


class _KilledSession:
    """A session that is killed with its run, before a write or right after it."""

    def __init__(self, session: Session, fate: Fate) -> None:
        self._session, self._fate = session, fate

    @property
    def state(self) -> State:
        return self._session.state

    def notes_on(self, ref: TaskRef) -> KeyNotes:
        return self._session.notes_on(ref)

    def record(self, ref: TaskRef) -> Record | None:
        return self._session.record(ref)

    def next_mark(self, now: datetime) -> str:
        return self._session.next_mark(now)

    def check_held(self) -> None:
        self._session.check_held()

    def append(self, *events: Event) -> None:
        self._fate.step()
        self._session.append(*events)
        self._fate.step()


LATE = 20.0
"""Seconds until a late create is committed: less than every settle time."""


class World:
    """One service, and one repository with one state. `due` are the periods that may be created.
    `digests` are those of the manifests of all applies, `declared` is what the last one has left
    with the lock.
    The state is a file, or is stored in an engine; no lock is renewed by a thread, which would wait
    in real time: on a slow machine, somebody would look alive who is not."""

    def __init__(self, folder: Path, served: Served | None = None) -> None:
        self.clock = Clock()
        self.folder = folder
        self.state_path = folder / "state.json"
        self.due: Due = {}
        self.app = App(folder / "service.db", now=self.clock.now)
        self.served = served
        self.late: list[tuple[float, dict[str, Any], bytes]] = []
        self.declared: Declared | None = None
        self.digests: list[str] = []
        self._no_heartbeats = patch.object(HeldHead, "start_heartbeat", lambda _: None)
        self._no_heartbeats.start()
        self.place: LocalState | SharedState = self._new_place()

    def close(self) -> None:
        self._no_heartbeats.stop()
        self.app.close()
        if isinstance(self.place, SharedState):
            self.place.close()

    def _new_place(self) -> LocalState | SharedState:
        if self.served is None:
            return LocalState(self.state_path)
        engine = self.served.runner(f"s{secrets.token_hex(4)}").engine()
        engine.pace = PACE  # type: ignore[misc]
        place = SharedState(engine, self.clock, wait=self.clock.sleep)
        assert place.create(State(secrets.token_hex(16), 0, BACKEND))
        return place

    def _die(self, held: HeldState) -> None:
        """Leaves what a killed process leaves: no save, a free lock, and the journal."""
        if isinstance(self.place, SharedState):
            self.place.unlock(self.place.head().epoch)  # its further writes are rejected
            with suppress(StateError):
                held.release()
        else:
            held.release()

    def _client(self, token: str, fate: Fate) -> Client:
        app, clock = self._failing(fate), self.clock
        return Client(Transport(BACKEND, token, app=app, sleep=clock.sleep, clock=clock.monotonic))

    def apply(
        self,
        desired: Iterable[DesiredTask],
        fate: Fate,
        token: str = "me",
        options: PlanOptions = OPTIONS,
        removed: Sequence[Removal] = (),
        follows: Declared | None = None,
    ) -> ApplyReport | None:
        """Runs one apply; None if it was killed. StateError for a later wave, which `follows` what
        the one before has left with the lock, if it may not continue."""
        desired = tuple(desired)
        declares = digest([[t.key, t.inputs, t.moved_from, t.task_id] for t in desired])
        claim = Claim(BACKEND, "apply", digest=declares, follows=follows)
        taken = self.place.take(claim)
        self.declared = taken.held.declared
        self.digests.append(declares)
        session = Session(taken)
        try:
            report, baselines = self._run(session, desired, fate, token, options, removed)
        except KilledError:
            self._die(taken.held)
            return None
        except BaseException:
            session.close()
            raise
        session.close(Outcome(compared=baselines or {}))
        return report

    def _run(
        self,
        session: Session,
        desired: tuple[DesiredTask, ...],
        fate: Fate,
        token: str,
        options: PlanOptions,
        removed: Sequence[Removal],
    ) -> tuple[ApplyReport, Mapping[str, Baseline] | None]:
        """The report, and the baselines that it read if everything is accounted for."""
        client = self._client(token, fate)
        killed = _KilledSession(session, fate)

        ages = AttemptAges(self.clock.boot(), session.state.attempts.values())
        survey = self._survey(client)

        baselines: dict[str, Baseline] = {}

        def replan(only: Collection[TaskRef] | None) -> tuple[Plan, RemoteView]:
            state = killed.state
            plan, view = self._plan(survey, desired, state, options, only, ages, removed)
            baselines.update({**view.newest, **baselines})
            return plan, view

        begun = self.clock.monotonic()

        def wait(seconds: float) -> bool:
            """The wait of the executor and the loop."""
            self.clock.sleep(seconds)
            passed = self.clock.monotonic() - begun
            return fate.stops_after is None or passed < fate.stops_after

        plan, view = replan(None)
        ctx = ApplyContext(
            service=client,
            session=killed,
            identity=client.identity(),
            clock=self.clock,
            wait=wait,
            ended=lambda result: None,
            ages=ages,
            known=survey.known,
            settle_time=options.settle_time,
            baselines=baselines,
        )
        settle = options.settle_time
        loop = Loop(ctx, Executor(ctx, 2), lambda only: replan(only)[0], lambda waiting: None)
        report = loop.run(plan)
        attempts = killed.state.attempts.values()
        if seconds := dict(waited_totals(attempts, settle, ages, self.clock.boot())):
            killed.append(Aged(seconds))
        counts = report.summary()
        is_open = counts[Result.UNRESOLVED] or counts[Result.NOT_STARTED]
        compared = {org: view.newest[org] for org in view.compared}
        return report, None if is_open or not plan.complete else compared

    def plan(self, desired: Iterable[DesiredTask], token: str = "me") -> Plan:
        state = read_state(self.place, backend=BACKEND)
        client = self._client(token, Fate())
        return self._plan(self._survey(client), tuple(desired), state, OPTIONS, None, None)[0]

    def _survey(self, client: Client) -> Survey:
        return Survey(
            client,
            message_cache(UserCache(self.folder / "cache"), BACKEND, client.identity()),
            parallelism=2,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def _plan(
        self,
        survey: Survey,
        desired: tuple[DesiredTask, ...],
        state: State,
        options: PlanOptions,
        only: Collection[TaskRef] | None,
        ages: AttemptAges | None,
        removed: Sequence[Removal] = (),
    ) -> tuple[Plan, RemoteView]:
        inputs = PlanInputs(
            desired, state, options, limit=only, ages=ages, due=self.due, removed=removed
        )
        identity, clocks = survey.begin()
        lookups = lookups_of(inputs, identity, clocks)
        view = survey.read(identity, clocks, lookups)
        return make_plan(inputs, view), view

    def edit(self, change: Callable[[State], Iterable[Event]]) -> None:
        """Runs a `state` command, which may be rejected."""
        with Session(self.place.take(Claim(BACKEND, "state"))) as session, suppress(StateError):
            session.append(*change(session.state))

    def state(self) -> State:
        return read_state(self.place, backend=BACKEND)

    def push(self, given: State) -> None:
        """`state push`, which may be rejected."""
        with Session(self.place.take(Claim(BACKEND, "state"))) as session, suppress(StateError):
            newer = replace(given, serial=session.state.serial + 1)
            session.put(edit.push(session.state, newer))

    def prompts(self) -> dict[str, list[str]]:
        """The IDs of all existing tasks by prompt, whoever created them."""
        self._deliver_late()
        found: dict[str, list[str]] = {}
        for token in ("me", "someone"):
            client = self._client(token, Fate())
            for page in client.list_tasks("acme"):
                for task in page:
                    message = client.first_message("acme", task.id)
                    if message is not None and task.id not in found.get(message.text, []):
                        found.setdefault(message.text, []).append(task.id)
        return found

    def _failing(self, fate: Fate) -> Callable[..., Iterable[bytes]]:
        """The service behind a network with the faults of `fate` for creates."""

        def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            fate.step()
            self._deliver_late()
            is_create = environ["REQUEST_METHOD"] == "POST"
            answer = fate.answer() if is_create else "ok"
            if answer == "slow down":
                return _answer(start_response, "429 Too Many Requests")
            if answer == "unsent":
                return _answer(start_response, "502 Bad Gateway")
            if answer == "late":
                body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
                self.late.append((self.clock.monotonic() + LATE, dict(environ), body))
                return _answer(start_response, "504 Gateway Timeout")
            if answer == "lost":
                b"".join(self.app(dict(environ), _ignore))
                return _answer(start_response, "504 Gateway Timeout")
            body = list(self.app(environ, start_response))
            fate.step()
            return body

        return call

    def _deliver_late(self) -> None:
        """Commits the creates that are due."""
        now = self.clock.monotonic()
        due = [late for late in self.late if late[0] <= now]
        self.late = [late for late in self.late if late[0] > now]
        for _, environ, body in due:
            b"".join(self.app({**environ, "wsgi.input": BytesIO(body)}, _ignore))

    def recorded(self) -> dict[str, str]:
        """The recorded task ID of each key."""
        is_shared = isinstance(self.place, SharedState)
        if not is_shared and not list(self.folder.glob("state.json*")):
            return {}
        records = read_state(self.place, backend=BACKEND).records
        return {ref.key: record.task_id for ref, record in records.items()}

    def has_ended(self) -> bool:
        """Whether an apply has succeeded on the current state."""
        return self.is_saved() and bool(read_state(self.place, backend=BACKEND).latest)

    def is_saved(self) -> bool:
        """Whether an apply has saved the current state."""
        if isinstance(self.place, SharedState):
            return read_state(self.place, backend=BACKEND).serial > 0
        return self.state_path.exists()

    def lose_state(self) -> None:
        if isinstance(self.place, SharedState):
            self.place.close()
            self.place = self._new_place()
        for path in self.folder.glob("state.json*"):
            path.unlink()


def _answer(start_response: Callable[..., Any], status: str) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [b'{"code": 0, "message": "injected"}']


def _ignore(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], None]:
    del status, headers, more
    return lambda data: None
