"""Executes planned tasks; whatever happens, no task is created twice.

The guarantee depends on the order: the attempt is durable before its request is sent, and the ID is
durable before it is shown (docs/exactly-once.md). `plan.recovery` resolves what is left
open in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from reconciler.apply import records
from reconciler.apply.context import ApplyContext
from reconciler.apply.creates import Creates
from reconciler.apply.patches import Patches
from reconciler.apply.report import Result, TaskResult
from reconciler.apply.throttle import Throttle
from reconciler.messages import word
from reconciler.model.diagnostics import StateError, TaskctlError
from reconciler.model.remarks import Remark, remark
from reconciler.model.task import TaskRef
from reconciler.model.wire import patch_after_create
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.state.model import Record


class Executor:
    """Executes planned tasks with `parallelism` concurrent requests. `creates` knows what was
    created; `given_up` are keys whose create was sent but whose outcome cannot be recorded.

    A worker acquires a slot before journaling its attempt and releases it when the response
    arrives. There are twice as many workers as slots: while one waits for the disk, another sends.
    With parallelism 1, execution is sequential.
    """

    def __init__(self, ctx: ApplyContext, parallelism: int) -> None:
        self._ctx = ctx
        self._workers = 1 if parallelism == 1 else 2 * parallelism
        self._throttle = Throttle(parallelism, ctx.clock.boot, ctx.wait, ctx.held)
        self._patches = Patches(ctx, self._throttle)
        self.creates = Creates(ctx, self._throttle)
        self.given_up: set[TaskRef] = set()

    def run(self, tasks: Iterable[PlannedTask]) -> dict[TaskRef, TaskResult]:
        """A result for each task. If one fails, the others continue."""
        tasks = list(tasks)
        self.creates.supersede(self._ctx.log.state)
        results = {t.ref: self._execute(t) for t in tasks if not _needs_service(t)}
        left = deque(task for task in tasks if _needs_service(task))
        if left:
            count = min(self._workers, len(left))
            with ThreadPoolExecutor(count, "apply") as pool:
                for worker in [pool.submit(self._work, left, results) for _ in range(count)]:
                    worker.result()
        return results

    def _work(self, left: deque[PlannedTask], results: dict[TaskRef, TaskResult]) -> None:
        """A worker: executes tasks until none is left. An exception stops all workers."""
        try:
            while (task := _next_of(left)) is not None:
                results[task.ref] = self._execute(task)
        except BaseException:
            left.clear()
            raise

    def _execute(self, task: PlannedTask) -> TaskResult:
        try:
            result = self._outcome(task)
        except StateError as problem:
            why = remark("apply.state", why=str(problem))
            if self.creates.may_exist(task):
                self.given_up.add(task.ref)
                result = self._ctx.result(task, Result.UNRESOLVED, why)
            else:
                result = self._ctx.result(task, Result.FAILED, why)
        self._ctx.ended(result)
        return result

    def _outcome(self, task: PlannedTask) -> TaskResult:
        if _needs_service(task) and not self._ctx.wait(0):
            return self._ctx.result(task, Result.NOT_STARTED)
        if task.creates:
            made = self.creates.create(task)
            if isinstance(made, TaskResult):
                return made
            replaced = task.action is Action.REPLACE
            return self._finish(task, made, Result.REPLACED if replaced else Result.CREATED)
        record = task.record
        if record is not None:
            if task.action is Action.MOVE:
                return self._moved(task, record)
            if task.action is Action.UPDATE:
                return self._updated(task, record, Result.UPDATED)
            if task.action is Action.FORGET:
                return self._forgotten(task, record)
            if task.reason is Reason.UNFINISHED:
                return self._finish(task, record, Result.CREATED)
        adopted = records.adopted(task, self._ctx)
        self._ctx.log.append(*records.recorded(task, adopted))
        return self._finish(task, adopted, self._adopted_as(task))

    def _moved(self, task: PlannedTask, old: Record) -> TaskResult:
        record = records.moved_record(task, old, self._ctx)
        self._ctx.log.append(*records.recorded(task, record))
        if task.update:
            return self._updated(task, record, Result.MOVED)
        return self._ctx.result(task, Result.MOVED, task_id=record.task_id)

    def _updated(self, task: PlannedTask, record: Record, result: Result) -> TaskResult:
        """First at the service, then in the record: if apply dies in between, the next plan finds
        that both agree and only records it."""
        done, problems = self._patches.update(task, record)
        if problems and result is Result.UPDATED:
            result = Result.FAILED
        reported = self._ctx.result(task, result, *problems, task_id=record.task_id)
        return replace(reported, updated=done)

    def _forgotten(self, task: PlannedTask, record: Record) -> TaskResult:
        """Cancels first: if apply dies in between, the next one finds the record and does both. The
        record of a key with an attempt stays, since the attempt may still create a task."""
        log = self._ctx.log
        if log.state.attempts_for(record.ref):
            return self._ctx.result(task, Result.UNRESOLVED, remark("apply.look_up"))
        cancelled, problems = self._cancel(record) if task.cancels else (None, ())
        if problems:
            return self._ctx.result(task, Result.FAILED, *problems, task_id=record.task_id)
        log.append(records.retired(record, self._ctx))
        reported = self._ctx.result(task, Result.FORGOTTEN, task_id=record.task_id)
        return replace(reported, cancelled=cancelled)

    def _finish(self, task: PlannedTask, record: Record, result: Result) -> TaskResult:
        """Sets the name and sharing, which a create cannot carry, then cancels the old task."""
        problems = self._patches.finish(record) if record.pending else ()
        reported = self._ctx.result(task, result, *problems, task_id=record.task_id)
        if not task.cancels or task.record is None:
            return reported
        cancelled, warnings = self._cancel(task.record)
        return replace(reported, warnings=warnings, cancelled=cancelled)

    def _cancel(self, record: Record) -> tuple[str | None, tuple[Remark, ...]]:
        """The task ID unless the task had already ended, and what failed."""
        self._ctx.log.check_held()
        try:
            return record.task_id if self._ctx.cancel(record) else None, ()
        except TaskctlError as problem:
            why = word(problem.diagnostics[0]).summary
            facts = {"old": record.task_id, "why": why, "ref": str(record.ref)}
            return None, (Remark("apply.not_cancelled", facts),)

    def _adopted_as(self, task: PlannedTask) -> Result:
        """A task that an attempt of this apply created counts as created, not as adopted."""
        attempt = task.attempt
        if attempt is None or attempt.mark not in self.creates.own_marks:
            return Result.ADOPTED
        self.creates.count(task.ref)
        return Result.REPLACED if attempt.replaces else Result.CREATED


def _needs_service(task: PlannedTask) -> bool:
    """Whether it takes requests; adoptions and moves, for example, only change the state."""
    if task.creates or task.reason is Reason.UNFINISHED or task.action is Action.FORGET:
        return True
    if task.patch or task.cancels:
        return True
    return task.reason is Reason.ATTEMPT and bool(patch_after_create(records.created_with(task)))


def _next_of(left: deque[PlannedTask]) -> PlannedTask | None:
    try:
        return left.popleft()
    except IndexError:
        return None
