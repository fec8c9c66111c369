"""Runs apply on the embedded service in simulated time, with kills and lost responses.

Everything is real (session, journal, client, survey, planner, executor, rounds, service) except the
clock, which only advances in waits, and death, an exception that no code catches: after it, every
journal write and every request of that run fails.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
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
from reconciler.apply.report import ApplyReport
from reconciler.apply.rounds import run_in_rounds
from reconciler.apply.run import Run, RunCallbacks
from reconciler.embedded.app import App
from reconciler.model.canonical import digest
from reconciler.model.diagnostics import RemoteError, StateError
from reconciler.model.options import PlanOptions
from reconciler.model.reference import Reference
from reconciler.model.task import DesiredTask, Due, Removal, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.plan.adoption import adopt_found
from reconciler.plan.ages import AttemptAges, waited_totals
from reconciler.plan.confirmed import Confirmed
from reconciler.plan.explain import explain
from reconciler.plan.explanation import Explanation, Found
from reconciler.plan.facts import Facts
from reconciler.plan.needs import Depth, need_to_explain, needs
from reconciler.plan.plan import Plan, PlannedTask
from reconciler.plan.steps import Inputs, make_plan
from reconciler.remote.client import Client
from reconciler.remote.transport import Transport
from reconciler.state import edit
from reconciler.state.beginning import begin
from reconciler.state.engines import Pace
from reconciler.state.local import LocalState
from reconciler.state.location import Claim, LockedState
from reconciler.state.lock import LastApply
from reconciler.state.locked_head import LockedHead
from reconciler.state.model import Aged, Event, Learned, Record, State
from reconciler.state.session import Session, read_state
from reconciler.state.shared import SharedState
from reconciler.system.cache import UserCache
from tests.support.plan_values import NOW, ORG
from tests.support.state_engines import Served

BACKEND = "https://api.example.com"
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

    def closed(self, ref: TaskRef) -> tuple[str, ...]:
        return self._session.closed(ref)

    def record(self, ref: TaskRef) -> Record | None:
        return self._session.record(ref)

    def next_reference(self, key: str) -> Reference:
        return self._session.next_reference(key)

    def check_lock(self) -> None:
        self._session.check_lock()

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
        self.declared: LastApply | None = None
        self.digests: list[str] = []
        self._no_heartbeats = patch.object(LockedHead, "start_heartbeat", lambda _: None)
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
        assert place.create(begin(BACKEND))
        return place

    def _die(self, held: LockedState) -> None:
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
        follows: LastApply | None = None,
    ) -> ApplyReport | None:
        """Runs one apply; None if it was killed. StateError for a later wave, which `follows` what
        the one before has left with the lock, if it may not continue."""
        desired = tuple(desired)
        declares = digest([[t.key, t.inputs, t.moved_from, t.task_id] for t in desired])
        claim = Claim(BACKEND, "apply", digest=declares, follows=follows)
        taken = self.place.take(claim)
        self.declared = taken.locked.declared
        self.digests.append(declares)
        session = Session(taken)
        try:
            run = _Run(self, self._client(token, fate), session, fate, desired, options, removed)
            report = run.apply()
        except KilledError:
            self._die(taken.locked)
            return None
        except BaseException:
            session.close()
            raise
        session.close()
        return report

    def plan(self, desired: Iterable[DesiredTask], token: str = "me") -> Plan:
        state = read_state(self.place, backend=BACKEND)
        inputs = Inputs(tuple(desired), state, OPTIONS, due=self.due)
        facts = read(self.survey(self._client(token, Fate())), inputs)
        return make_plan(inputs, facts, explained(inputs, facts))

    def continue_state(self, state_id: str, token: str = "me") -> None:
        """`state init --continue`, confirmed."""
        survey = self.survey(self._client(token, Fate()))
        identity, clocks = survey.begin()
        with Session(self.place.take(Claim(BACKEND, "state"))) as session:
            state = session.state
            settled = clocks.moment - SETTLE
            need = need_to_explain(ORG, state, identity, settled)
            facts = survey.read(identity, clocks, [replace(need, depth=Depth())])
            ids = tuple(dict.fromkeys((*state.provenance.ids, state_id)))
            joined = replace(state.provenance, ids=ids)
            inputs = Inputs((), replace(state, provenance=joined), OPTIONS)
            found = explain(inputs.state, facts, inputs.declared, SETTLE, continues=True)
            assert not found.blocks
            session.append(Learned(joined), *found.events, *found.notes)

    def assign(self, key: str, task_id: str, token: str = "me") -> None:
        """`state assign`."""
        client = self._client(token, Fate())
        task = client.get_task(ORG, task_id)
        assert task is not None
        message = client.first_message(ORG, task_id)
        with Session(self.place.take(Claim(BACKEND, "state"))) as session:
            ref, number = TaskRef(ORG, key), session.next_reference(key).number
            caller, at = client.identity(), self.clock.now()
            session.append(
                *edit.assign(
                    session.state,
                    ref,
                    task,
                    caller=caller,
                    number=number,
                    at=at,
                    message=message,
                )
            )

    def survey(self, client: Client) -> Survey:
        return Survey(
            client,
            message_cache(UserCache(self.folder / "cache"), BACKEND, client.identity()),
            parallelism=2,
            clock=self.clock,
        )

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
            for page in client.list_tasks(ORG):
                for task in page:
                    message = client.first_message(ORG, task.id)
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

    def is_saved(self) -> bool:
        """Whether an apply has saved the current state."""
        if isinstance(self.place, SharedState):
            return read_state(self.place, backend=BACKEND).serial > 0
        return self.state_path.exists()

    def lose_state(self) -> str:
        """The ID of the state that is lost."""
        lost = read_state(self.place, backend=BACKEND).provenance.id
        if isinstance(self.place, SharedState):
            self.place.close()
            self.place = self._new_place()
        for path in self.folder.glob("state.json*"):
            path.unlink()
        return lost


class _Run:
    """One apply, as in `app/wave.py`."""

    def __init__(
        self,
        world: World,
        client: Client,
        session: Session,
        fate: Fate,
        desired: Sequence[DesiredTask],
        options: PlanOptions,
        removed: Sequence[Removal],
    ) -> None:
        self._world, self._client, self._fate = world, client, fate
        self._session = _KilledSession(session, fate)
        self._survey = world.survey(client)
        self._ages = AttemptAges(world.clock.boot(), session.state.attempts.values())
        self._inputs = Inputs(
            tuple(desired),
            session.state,
            options,
            ages=self._ages,
            due=world.due,
            removed=removed,
        )
        self._listed: dict[str, set[str]] = {}
        self._begun = world.clock.monotonic()

    def apply(self) -> ApplyReport:
        facts = read(self._survey, self._inputs)
        self._learn(facts)
        explanation = explained(self._inputs, facts)
        plan = make_plan(self._inputs, facts, explanation)
        self._append(*explanation.events, *explanation.notes)
        options, clock = self._inputs.options, self._world.clock
        ctx = ApplyContext(
            service=self._client,
            session=self._session,
            identity=self._client.identity(),
            clock=clock,
            wait=self._wait,
            ended=lambda result: None,
            ages=self._ages,
            settle_time=options.settle_time,
            listed=self._listed,
        )
        executor = Executor(ctx, 2)
        callbacks = RunCallbacks(self._explain, self._planned, lambda attempt, task: False)
        run = Run(ctx, executor, callbacks, lambda waiting: None, Confirmed.of(plan))
        report = run_in_rounds(run, plan, explanation, self._plan)
        if executor.creates.created:
            with suppress(RemoteError):
                self._explain_all()
        attempts = self._session.state.attempts.values()
        totals = waited_totals(attempts, options.settle_time, self._ages, clock.boot())
        if seconds := dict(totals):
            self._session.append(Aged(seconds))
        return report

    def _wait(self, seconds: float) -> bool:
        clock, stops_after = self._world.clock, self._fate.stops_after
        clock.sleep(seconds)
        return stops_after is None or clock.monotonic() - self._begun < stops_after

    def _learn(self, facts: Facts) -> None:
        for org_name, listing in facts.lists.items():
            known = {*listing.unknown, *listing.newest.ids}
            self._listed.setdefault(org_name, set()).update(known)

    def _append(self, *events: Event) -> None:
        if events:
            self._session.append(*events)

    def _now(self) -> Inputs:
        return replace(self._inputs, state=self._session.state)

    def _explained(self, inputs: Inputs, facts: Facts) -> Explanation:
        self._learn(facts)
        found = explained(inputs, facts)
        self._append(*found.events, *(found.notes if found.events else ()))
        return found

    def _explain(self) -> Explanation:
        inputs = self._now()
        identity, clocks = self._survey.begin()
        asked = needs((), inputs.state, identity, inputs.options, clocks)
        return self._explained(inputs, self._survey.read(identity, clocks, asked))

    def _explain_all(self) -> None:
        inputs = self._now()
        identity, clocks = self._survey.begin()
        settled = clocks.moment - inputs.options.settle_time
        need = need_to_explain(ORG, inputs.state, identity, settled)
        found = explained(inputs, self._survey.read(identity, clocks, [need]))
        self._append(*found.events, *found.notes)

    def _plan(self, only: Collection[TaskRef]) -> tuple[Plan, Explanation]:
        inputs = replace(self._now(), selection=self._inputs.selection.within(only))
        facts = read(self._survey, inputs)
        explanation = self._explained(inputs, facts)
        return make_plan(
            replace(inputs, state=self._session.state), facts, explanation
        ), explanation

    def _planned(self, found: Found) -> PlannedTask:
        desired = self._inputs.declared.tasks.get(found.record.ref)
        return adopt_found(found, desired, None, BACKEND)


def read(survey: Survey, inputs: Inputs) -> Facts:
    """The facts for a plan; all recorded tasks are done."""
    identity, clocks = survey.begin()
    asked = needs(inputs.selected, inputs.state, identity, inputs.options, clocks)
    facts = survey.read(identity, clocks, asked)
    return replace(facts, left=dict.fromkeys(inputs.state.records, TaskState.DONE))


def explained(inputs: Inputs, facts: Facts) -> Explanation:
    settle = inputs.options.settle_time
    return explain(inputs.state, facts, inputs.declared, settle, inputs.ages)


def _answer(start_response: Callable[..., Any], status: str) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [b'{"code": 0, "message": "injected"}']


def _ignore(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], None]:
    del status, headers, more
    return lambda data: None
