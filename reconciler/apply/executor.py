"""Does what a plan says, so that whatever happens no task is made twice.

The order is the promise: the attempt is durable before its request leaves, the id before anybody
is told (contract, section 5, point 2). What comes between is settled by `plan.recovery`.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.apply import records
from reconciler.apply.context import Surroundings
from reconciler.apply.patches import Patches
from reconciler.apply.report import Result, TaskResult
from reconciler.apply.throttle import Throttle
from reconciler.model.canonical import digest
from reconciler.model.errors import StateError
from reconciler.model.remarks import Remark, remark
from reconciler.model.service import Created, CreateOutcome, NotSent, Refused, Unknown
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.wire import create_body, patch_after_create
from reconciler.plan.lookup import moved_ref
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.state.model import (
    Attempt,
    Attempted,
    Closed,
    Forgotten,
    Record,
    Recorded,
    State,
)

STALE_AFTER = 5.0
"""Seconds after which an attempt that was journalled and not sent is given up for a new one: its
age counts from when it was journalled, and a machine may sleep in between."""

TRIES = 5
"""How often a create that never left is tried."""

LONGEST_PAUSE = 300.0
"""Seconds that a create may be put off by the service, in all, before it fails."""

PAYMENT_REQUIRED = 402
"""What the service answers a create with whose organization or user has no Neo tokens left."""


class Executor:
    """Carries out planned tasks, `parallelism` requests at once. `sent` counts, for each key, the
    creates that may have reached the service; `own_marks` are those of this apply's attempts.

    A worker holds a place from before its attempt is noted until the answer is there. So there are
    twice as many workers: while one waits for the disk to keep an answer, another asks. One request
    at once has one worker, and so an order.
    """

    def __init__(self, around: Surroundings, parallelism: int) -> None:
        self._around = around
        self._workers = 1 if parallelism == 1 else 2 * parallelism
        self._places = threading.BoundedSemaphore(parallelism)
        self._patches = Patches(around, self._places)
        self._throttle = Throttle(around.monotonic, around.wait)
        self._out_of_reach = threading.Event()
        self._count = threading.Lock()
        self._open: dict[TaskRef | None, list[str]] = {}
        self.sent: Counter[TaskRef] = Counter()
        self.own_marks: set[str] = set()

    def run(self, tasks: Iterable[PlannedTask]) -> dict[TaskRef, TaskResult]:
        """A result for each of these; others go on when one fails."""
        tasks = list(tasks)
        self._open = _open_marks(self._around.ledger.state)
        remote = [t for t in tasks if t.creates or self._talks(t)]
        local = [t for t in tasks if not (t.creates or self._talks(t))]
        results = {t.ref: self._told(t, self._note) for t in local}
        if remote:
            left, count = deque(remote), min(self._workers, len(remote))
            with ThreadPoolExecutor(count, "apply") as pool:
                for worker in [pool.submit(self._work, left, results) for _ in range(count)]:
                    worker.result()
        return results

    def _work(self, left: deque[PlannedTask], results: dict[TaskRef, TaskResult]) -> None:
        """One worker: the next that is left, until none is. Whatever is raised ends all of them."""
        try:
            while (task := _next_of(left)) is not None:
                results[task.ref] = self._told(task, self._talk)
        except BaseException:
            left.clear()
            raise

    def _talks(self, task: PlannedTask) -> bool:
        if task.reason is Reason.UNFINISHED or task.patch or task.cancels:
            return True
        return task.reason is Reason.ATTEMPT and bool(patch_after_create(records.made_from(task)))

    def _told(self, task: PlannedTask, do: Callable[[PlannedTask], TaskResult]) -> TaskResult:
        try:
            result = do(task)
        except StateError as problem:
            result = self._result(task, Result.FAILED, remark("apply.state", why=str(problem)))
        self._around.ended(result)
        return result

    def _note(self, task: PlannedTask) -> TaskResult:
        """Adopting, moving and what is agreed already change the ledger alone."""
        record = task.record
        if task.action is Action.MOVE and record is not None:
            return self._moved(task, record)
        if task.action is Action.UPDATE and record is not None:
            return self._updated(task, record, Result.UPDATED)
        adopted = records.adopted(task, self._around)
        self._record(task, adopted)
        return self._result(task, self._adopted_as(task), task_id=adopted.task_id)

    def _talk(self, task: PlannedTask) -> TaskResult:
        if not self._around.wait(0):
            return self._result(task, Result.NOT_STARTED)
        if task.creates:
            return self._create(task)
        record = task.record
        if task.action is Action.MOVE and record is not None:
            return self._moved(task, record)
        if task.action is Action.UPDATE and record is not None:
            return self._updated(task, record, Result.UPDATED)
        if task.reason is Reason.UNFINISHED and record is not None:
            return self._finish(task, record, Result.CREATED)
        adopted = records.adopted(task, self._around)
        self._record(task, adopted)
        return self._finish(task, adopted, self._adopted_as(task))

    def _record(self, task: PlannedTask, record: Record) -> None:
        """Its key's record, which may have been another key's (`movedFrom`)."""
        old = task.record.ref if task.record is not None else task.ref
        self._around.ledger.append(Recorded(record), *([Forgotten(old)] if old != task.ref else ()))

    def _moved(self, task: PlannedTask, old: Record) -> TaskResult:
        record = records.moved(task, old, self._around)
        self._record(task, record)
        if task.update:
            return self._updated(task, record, Result.MOVED)
        return self._result(task, Result.MOVED, task_id=record.task_id)

    def _updated(self, task: PlannedTask, record: Record, result: Result) -> TaskResult:
        """First at the service, then in the record: what dies in between, the next plan finds
        agreed, and only records it."""
        done, problems = self._patches.update(task, record)
        if problems and result is Result.UPDATED:
            result = Result.FAILED
        told = self._result(task, result, *problems, task_id=record.task_id)
        return replace(told, updated=done)

    # Creating

    def _create(self, task: PlannedTask) -> TaskResult:
        desired = task.desired
        if desired is None:  # a plan creates from manifests only
            return self._result(task, Result.FAILED, remark("apply.no_manifest"))
        refs = (task.ref, moved_ref(desired))
        earlier = [mark for ref in refs for mark in self._open.get(ref, ())]
        over, waited, tries = list(earlier), 0.0, 0
        while True:
            with self._places:
                if self._out_of_reach.is_set() or not self._throttle.pass_through():
                    self._close(task, over)
                    why = [remark("apply.unreachable")] if self._out_of_reach.is_set() else []
                    return self._result(task, Result.NOT_STARTED, *why)
                attempt = self._attempt(task, desired, over)
                outcome = self._send(attempt)
            if not isinstance(outcome, NotSent):
                return self._settled(task, attempt, outcome, earlier)
            tries += 1
            pause = float(0.25 * 2.0**tries)
            waited += pause
            if waited > LONGEST_PAUSE or tries >= TRIES:
                return self._give_up(task, attempt, outcome)
            self._throttle.pause(pause)
            over = [attempt.mark]

    def _attempt(self, task: PlannedTask, desired: DesiredTask, over: Iterable[str]) -> Attempt:
        """A new durable attempt that takes the place of those `over`."""
        around = self._around
        now = around.clock()
        attempt = Attempt(
            ref=desired.ref,
            mark=around.ledger.next_mark(now),
            inputs=desired.inputs,
            digest=digest(desired.inputs),
            identity=around.identity,
            file=desired.file,
            started_at=now,
            service_clock=around.service.service_clock(),
            sensitive=desired.sensitive,
            replaces=(task.task_id or "") if task.action is Action.REPLACE else "",
        )
        closed = [Closed(mark, "superseded") for mark in over]
        around.ledger.append(*closed, Attempted(attempt))
        with self._count:
            self.own_marks.add(attempt.mark)
        return attempt

    def _send(self, attempt: Attempt) -> CreateOutcome:
        around = self._around
        window = _Window(around.clock, attempt.started_at)
        if not window.is_open():
            return NotSent("this machine took too long to note the attempt; it was not sent")
        around.started(attempt.ref)
        body = create_body(attempt.inputs, attempt.mark)
        return around.service.create_task(attempt.ref.org_name, body, window)

    def _settled(
        self,
        task: PlannedTask,
        attempt: Attempt,
        outcome: Created | Refused | Unknown,
        earlier: Sequence[str],
    ) -> TaskResult:
        match outcome:
            case Created(task_id):
                return self._created(task, attempt, task_id, earlier)
            case Refused(why, status):
                self._settle(task, [attempt.mark], f"refused: {status}")
                used_up = [remark("apply.used_up")] if status == PAYMENT_REQUIRED else []
                refused = remark("apply.refused", why=why, status=status)
                return self._result(task, Result.FAILED, refused, *used_up)
            case Unknown(why):
                if outcome.throttled:
                    self._throttle.pause(outcome.retry_after or 1.0)
                with self._count:
                    self.sent[task.ref] += not outcome.throttled
                return self._result(task, Result.UNRESOLVED, remark("apply.unknown", why=why))

    def _created(
        self, task: PlannedTask, attempt: Attempt, task_id: str, earlier: Sequence[str]
    ) -> TaskResult:
        record = records.created(task, attempt, task_id, earlier, self._around)
        try:
            self._record(task, record)
        except StateError as problem:
            # Its id must not be shown before it is durable; the attempt is, and leads back to it.
            why = remark("apply.not_recorded", why=str(problem))
            return self._result(task, Result.UNRESOLVED, why)
        made = Result.REPLACED if task.action is Action.REPLACE else Result.CREATED
        return self._finish(task, record, made)

    def _finish(self, task: PlannedTask, record: Record, result: Result) -> TaskResult:
        """The name and the sharing, which a create cannot carry; then what was there before."""
        problems = self._patches.finish(record) if record.pending else ()
        told = self._result(task, result, *problems, task_id=record.task_id)
        if not task.cancels or task.record is None:
            return told
        return replace(told, warnings=self._around.cancel(task.record))

    def _give_up(self, task: PlannedTask, attempt: Attempt, outcome: NotSent) -> TaskResult:
        self._out_of_reach.set()
        self._close(task, [attempt.mark])
        return self._result(task, Result.FAILED, remark("apply.not_sent", why=outcome.why))

    def _close(self, task: PlannedTask, marks: Iterable[str]) -> None:
        """Attempts of this apply that never left; those of earlier ones stay open for a look-up."""
        self._settle(task, [mark for mark in marks if mark in self.own_marks], "not sent")

    def _settle(self, task: PlannedTask, marks: Sequence[str], why: str) -> None:
        """What its key has already tells it ever after."""
        if marks and task.record is not None:
            at = records.now(self._around)
            self._around.ledger.append(*self._around.ledger.state.settled(marks, why, at))
        elif marks:
            self._around.ledger.append(*(Closed(mark, why) for mark in marks))

    # What comes of it

    def _adopted_as(self, task: PlannedTask) -> Result:
        attempt = task.attempt
        if attempt is None or attempt.mark not in self.own_marks:
            return Result.ADOPTED
        return Result.REPLACED if attempt.replaces else Result.CREATED

    def _result(
        self,
        task: PlannedTask,
        result: Result,
        *problems: Remark,
        task_id: str | None = None,
    ) -> TaskResult:
        url = self._around.service.task_url(task.ref.org_name, task_id) if task_id else None
        return TaskResult(
            ref=task.ref,
            result=result,
            task_id=task_id,
            url=url,
            problems=problems,
            file=task.file,
            line=task.line,
            replaced=_replaced_by(task) if task_id else None,
        )


def _next_of(left: deque[PlannedTask]) -> PlannedTask | None:
    try:
        return left.popleft()
    except IndexError:
        return None


def _replaced_by(task: PlannedTask) -> str | None:
    if task.action is Action.REPLACE:
        return task.task_id
    return task.attempt.replaces or None if task.attempt is not None else None


def _open_marks(state: State) -> dict[TaskRef | None, list[str]]:
    marks: dict[TaskRef | None, list[str]] = {}
    for mark, attempt in sorted(state.attempts.items()):
        marks.setdefault(attempt.ref, []).append(mark)
    return marks


@dataclass(frozen=True, slots=True)
class _Window:
    clock: Callable[[], datetime]
    started_at: datetime

    def is_open(self) -> bool:
        return (self.clock() - self.started_at).total_seconds() <= STALE_AFTER
