"""Creates tasks: each attempt is journaled, sent within its window, and recorded before the ID is
shown."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from reconciler.apply import records
from reconciler.apply.context import ApplyContext
from reconciler.apply.report import Result, TaskResult
from reconciler.apply.throttle import Throttle
from reconciler.model.canonical import digest
from reconciler.model.clock import Clock
from reconciler.model.diagnostics import StateError
from reconciler.model.reference import Reference
from reconciler.model.remarks import Remark, remark
from reconciler.model.service import Created, CreateOutcome, NotSent, Refused, Unknown
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.wire import create_body
from reconciler.plan.keys import moved_ref
from reconciler.plan.plan import Action, PlannedTask
from reconciler.state.attempt import Attempt
from reconciler.state.model import Attempted, Closed, Record

TRIES = 5
"""The number of tries for a create request that could not be sent."""

PAYMENT_REQUIRED = 402
"""The organization or the user has no Neo tokens left."""


class TaskCreator:
    """Creates tasks. Thread-safe.

    `unknown_outcomes` counts, by key, the requests with an unknown outcome other than a rate limit.
    `created` are the keys that got a task, `own` the numbers of this apply's attempts.
    """

    def __init__(self, ctx: ApplyContext, throttle: Throttle) -> None:
        self._ctx = ctx
        self._throttle = throttle
        self._cannot_send: Remark | None = None
        self._lock = threading.Lock()
        self._known_ids = {*ctx.session.state.recorded_ids()}
        self._used_up: set[str] = set()
        self._never_left: set[int] = set()
        self.unknown_outcomes: Counter[TaskRef] = Counter()
        self.created: set[TaskRef] = set()
        self.own: set[int] = set()

    def count(self, ref: TaskRef) -> None:
        """Counts a key whose task this apply created, but found only by a lookup."""
        with self._lock:
            self.created.add(ref)

    def note(self, *task_ids: str) -> None:
        """Remembers the IDs of tasks that have a key. A response with one of them does not describe
        a new task."""
        with self._lock:
            self._known_ids.update(task_ids)

    def may_exist(self, task: PlannedTask) -> bool:
        """Whether the task may exist already: an attempt of this apply or another is still open."""
        state, old = self._ctx.session.state, moved_ref(task.desired) if task.desired else None
        attempts = (*state.attempts_for(task.ref), *(state.attempts_for(old) if old else ()))
        return any(attempt.number not in self._never_left for attempt in attempts)

    def create(self, task: PlannedTask) -> Record | TaskResult:
        """Creates a task. Returns its durable record, or the result if it was not created."""
        ctx, desired = self._ctx, task.desired
        if desired is None:  # plans create only desired tasks
            return ctx.result(task, Result.FAILED, remark("apply.no_manifest"))
        if desired.ref.org_name not in ctx.listed:  # a lost response could not be looked up
            return ctx.result(task, Result.FAILED, remark("apply.no_list"))
        unsent: list[int] = []
        late: Remark | None = None
        why = remark("apply.not_sent", why="")
        for tries in range(1, TRIES + 1):
            generation = self._throttle.enter()
            if generation is None or self._is_over(task.ref) or not ctx.is_due(desired):
                if generation is not None:
                    self._throttle.leave()
                self._close(task, unsent, "not sent")
                return ctx.result(task, Result.NOT_STARTED, *self._why_not_started(desired))
            window = Window(ctx.clock, ctx.window, ctx.session.check_lock)
            try:
                attempt, outcome = self._send(task, desired, window, unsent)
                self._adjust_to(task.ref, outcome, generation)
            finally:
                self._throttle.leave()
            if not isinstance(outcome, NotSent):
                return self._outcome(task, attempt, outcome)
            unsent, late = [attempt.number], window.why_late()
            why = late or remark("apply.not_sent", why=outcome.why)
            if window.is_hopeless:
                break
            self._throttle.pause(0.25 * 2.0**tries)
        self._cannot_send = late or remark("apply.unreachable")
        self._close(task, unsent, "not sent")
        return ctx.result(task, Result.FAILED, why)

    def _is_over(self, ref: TaskRef) -> bool:
        return self._cannot_send is not None or ref.org_name in self._used_up

    def _why_not_started(self, task: DesiredTask) -> Iterable[Remark]:
        if self._cannot_send is not None:
            yield self._cannot_send
        elif task.org_name in self._used_up:
            yield remark("apply.used_up")
        elif self._throttle.is_outage:
            yield remark("apply.outage", why=self._throttle.why)
        elif not self._ctx.is_due(task):
            yield remark("apply.period_over")

    def _send(
        self,
        task: PlannedTask,
        desired: DesiredTask,
        window: Window,
        unsent: Iterable[int],
    ) -> tuple[Attempt, CreateOutcome]:
        """Journals an attempt, which replaces attempts that were not sent, and sends it within its
        window."""
        ctx = self._ctx
        reference = ctx.session.next_reference(desired.ref.key)
        attempt = self._attempt(task, desired, reference)
        closed = [Closed(number, "superseded", was_sent=False) for number in unsent]
        ctx.ages.sending(attempt.number)
        ctx.session.append(*closed, Attempted(attempt))
        window.note_journaled()
        with self._lock:
            self.own.add(attempt.number)
        body = create_body(attempt.inputs, reference, attempt.started_at)
        try:
            outcome = ctx.service.create_task(attempt.ref.org_name, body, window)
        finally:
            ctx.ages.ended(attempt.number, ctx.clock.boot())
        if isinstance(outcome, NotSent):
            self._never_left.add(attempt.number)
            if window.problem is not None:
                raise window.problem
        if isinstance(outcome, Created) and not self._is_new(attempt.ref, outcome.task_id):
            # The service never reuses an ID, so a proxy repeated another response.
            return attempt, Unknown(remark("apply.known_id", task_id=outcome.task_id))
        return attempt, outcome

    def _attempt(self, task: PlannedTask, desired: DesiredTask, reference: Reference) -> Attempt:
        ctx, now = self._ctx, self._ctx.clock.now()
        return Attempt(
            ref=desired.ref,
            reference=str(reference),
            inputs=desired.inputs,
            digest=digest(desired.inputs),
            identity=ctx.identity,
            file=desired.file,
            started_at=now,
            replaces=(task.task_id or "") if task.action is Action.REPLACE else "",
            settle_time=ctx.settle_time.total_seconds(),
            window=ctx.window,
            generated=desired.generated,
        )

    def _adjust_to(self, ref: TaskRef, outcome: CreateOutcome, generation: int) -> None:
        """Reacts to an outcome: changes the rate of later create requests or, if the organization
        has no tokens left, stops them."""
        match outcome:
            case Created() | Refused():
                self._throttle.known(generation)
            case Unknown(why, retry_after):
                self._throttle.unknown(generation, retry_after, why)
            case NotSent():
                pass
        if isinstance(outcome, Refused) and outcome.status == PAYMENT_REQUIRED:
            with self._lock:
                self._used_up.add(ref.org_name)

    def _outcome(
        self,
        task: PlannedTask,
        attempt: Attempt,
        outcome: Created | Refused | Unknown,
    ) -> Record | TaskResult:
        match outcome:
            case Created(task_id):
                return self._record(task, attempt, task_id)
            case Refused(why, status):
                self._close(task, [attempt.number], f"refused: {status}")
                used_up = [remark("apply.used_up")] if status == PAYMENT_REQUIRED else []
                refused = remark("apply.refused", why=why, status=status)
                return self._ctx.result(task, Result.FAILED, refused, *used_up)
            case Unknown(why, throttled=throttled):
                with self._lock:
                    self.unknown_outcomes[task.ref] += not throttled
                return self._ctx.result(task, Result.UNRESOLVED, remark("apply.unknown", why=why))

    def _is_new(self, ref: TaskRef, task_id: str) -> bool:
        """Whether no key has had this task so far, and it was not listed before the attempt."""
        listed = self._ctx.listed[ref.org_name]
        with self._lock:
            is_new = task_id not in self._known_ids and task_id not in listed
            self._known_ids.add(task_id)
        return is_new

    def _record(self, task: PlannedTask, attempt: Attempt, task_id: str) -> Record | TaskResult:
        record = records.created_record(task, attempt, task_id, self._ctx)
        try:
            self._ctx.session.append(*records.recorded_events(task, record))
        except StateError as problem:
            # The ID must not be shown before it is durable. The attempt is durable, so
            # the next apply finds the task.
            why = remark("apply.not_recorded", why=problem.causes)
            return self._ctx.result(task, Result.UNRESOLVED, why)
        self.count(task.ref)
        return record

    def _close(self, task: PlannedTask, numbers: Sequence[int], why: str) -> None:
        """Closes attempts that were not sent, or were refused: their references cannot appear. If
        the key has a record, its history keeps them."""
        session = self._ctx.session
        if numbers and task.record is not None:
            at = self._ctx.clocks().moment
            session.append(*session.state.close_attempts(numbers, why, at, was_sent=False))
        elif numbers:
            session.append(*(Closed(number, why, was_sent=False) for number in numbers))


class Window:
    """The time in which a journaled attempt may be sent: `seconds` from now. To be opened before
    the journal write begins.

    The age of an attempt counts from its journal entry, so a request that is sent much later could
    arrive after the attempt has been given up. The later of two clocks counts: the wall clock can
    be set, and the monotonic clock may stop while a virtual machine is suspended.

    `check_lock` raises StateError if lock, journal or state are no longer those of this run. Then
    the window is closed, and `problem` is the error. `is_hopeless`: the storage alone takes longer
    than the window.
    """

    def __init__(self, clock: Clock, seconds: float, check_lock: Callable[[], None]) -> None:
        self._clock, self._seconds, self._check_lock = clock, seconds, check_lock
        self._now, self._boot = clock.now(), clock.boot()
        self._storage = 0.0
        self._is_late = False
        self.problem: StateError | None = None

    def note_journaled(self) -> None:
        """Call it when the journal write has ended."""
        self._storage = self._passed()

    def is_open(self) -> bool:
        before = self._passed()
        try:
            self._check_lock()  # before reading the clock, because this check may take long
        except StateError as problem:
            self.problem = problem
            return False
        passed = self._passed()
        self._storage += passed - before
        self._is_late = passed >= self._seconds
        return not self._is_late

    @property
    def is_hopeless(self) -> bool:
        return self._is_late and self._storage >= self._seconds

    def why_late(self) -> Remark | None:
        """The reason why the window has closed, unless it was the connection."""
        if not self._is_late or 2 * self._storage < self._seconds:
            return None
        return remark("apply.slow_storage", seconds=f"{self._storage:.1f}")

    def _passed(self) -> float:
        by_wall = (self._clock.now() - self._now).total_seconds()
        return max(by_wall, self._clock.boot() - self._boot)
