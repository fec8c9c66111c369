"""Executes planned tasks so that, whatever happens, no task is created twice.

The order is the promise: the attempt is durable before its request leaves, and the id before it is
shown (contract, section 5, point 2). What is open in between is resolved by `plan.recovery`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from reconciler.apply import records
from reconciler.apply.context import ApplyContext
from reconciler.apply.creates import Creates
from reconciler.apply.patches import Patches
from reconciler.apply.report import Result, TaskResult
from reconciler.apply.results import result_of
from reconciler.apply.throttle import Throttle
from reconciler.model.errors import StateError
from reconciler.model.remarks import Remark, remark
from reconciler.model.task import TaskRef
from reconciler.model.wire import patch_after_create
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.state.model import (
    Record,
)


class Executor:
    """Executes planned tasks, `parallelism` requests at once. `creates` knows what was created;
    `given_up` are keys whose create was sent, but the state takes nothing about it any more.

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
        """A result for each of these; others go on when one fails."""
        tasks = list(tasks)
        self.creates.supersede(self._ctx.log.state)
        remote = [t for t in tasks if t.creates or self._needs_service(t)]
        local = [t for t in tasks if not (t.creates or self._needs_service(t))]
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

    def _needs_service(self, task: PlannedTask) -> bool:
        if task.reason is Reason.UNFINISHED or task.patch or task.cancels:
            return True
        if task.action is Action.FORGET:
            return True
        return task.reason is Reason.ATTEMPT and bool(patch_after_create(records.made_from(task)))

    def _told(self, task: PlannedTask, do: Callable[[PlannedTask], TaskResult]) -> TaskResult:
        try:
            result = do(task)
        except StateError as problem:
            why = remark("apply.state", why=str(problem))
            if self.creates.may_exist(task):
                self.given_up.add(task.ref)
                result = self._result(task, Result.UNRESOLVED, why)
            else:
                result = self._result(task, Result.FAILED, why)
        self._ctx.ended(result)
        return result

    def _note(self, task: PlannedTask) -> TaskResult:
        """Adopting, moving, and accepting what agrees already change the state alone."""
        record = task.record
        if task.action is Action.MOVE and record is not None:
            return self._moved(task, record)
        if task.action is Action.UPDATE and record is not None:
            return self._updated(task, record, Result.UPDATED)
        adopted = records.adopted(task, self._ctx)
        self._record(task, adopted)
        return self._result(task, self._adopted_as(task), task_id=adopted.task_id)

    def _talk(self, task: PlannedTask) -> TaskResult:
        if not self._ctx.wait(0):
            return self._result(task, Result.NOT_STARTED)
        if task.creates:
            made = self.creates.create(task)
            if isinstance(made, TaskResult):
                return made
            replaced = task.action is Action.REPLACE
            return self._finish(task, made, Result.REPLACED if replaced else Result.CREATED)
        record = task.record
        if task.action is Action.MOVE and record is not None:
            return self._moved(task, record)
        if task.action is Action.UPDATE and record is not None:
            return self._updated(task, record, Result.UPDATED)
        if task.action is Action.FORGET and record is not None:
            return self._forgotten(task, record)
        if task.reason is Reason.UNFINISHED and record is not None:
            return self._finish(task, record, Result.CREATED)
        adopted = records.adopted(task, self._ctx)
        self._record(task, adopted)
        return self._finish(task, adopted, self._adopted_as(task))

    def _record(self, task: PlannedTask, record: Record) -> None:
        self._ctx.log.append(*records.recorded(task, record))

    def _moved(self, task: PlannedTask, old: Record) -> TaskResult:
        record = records.moved_record(task, old, self._ctx)
        self._record(task, record)
        if task.update:
            return self._updated(task, record, Result.MOVED)
        return self._result(task, Result.MOVED, task_id=record.task_id)

    def _updated(self, task: PlannedTask, record: Record, result: Result) -> TaskResult:
        """First at the service, then in the record: if apply dies in between, the next plan finds
        both in agreement and only records it."""
        done, problems = self._patches.update(task, record)
        if problems and result is Result.UPDATED:
            result = Result.FAILED
        told = self._result(task, result, *problems, task_id=record.task_id)
        return replace(told, updated=done)

    def _forgotten(self, task: PlannedTask, record: Record) -> TaskResult:
        """Cancelled first: if apply dies in between, the next one finds the record and does both.
        A key with an attempt keeps its record, since that may still make a task."""
        log = self._ctx.log
        if log.state.attempts_for(record.ref):
            return self._result(task, Result.UNRESOLVED, remark("apply.look_up"))
        if task.cancels and (problems := self._cancel(record)):
            return self._result(task, Result.FAILED, *problems, task_id=record.task_id)
        log.append(records.retired(record, self._ctx))
        return self._result(task, Result.FORGOTTEN, task_id=record.task_id)

    def _finish(self, task: PlannedTask, record: Record, result: Result) -> TaskResult:
        """The name and the sharing, which a create cannot carry; then what was there before."""
        problems = self._patches.finish(record) if record.pending else ()
        told = self._result(task, result, *problems, task_id=record.task_id)
        if not task.cancels or task.record is None:
            return told
        return replace(told, warnings=self._cancel(task.record))

    def _cancel(self, record: Record) -> tuple[Remark, ...]:
        self._ctx.log.check_held()
        return self._ctx.cancel(record)

    def _adopted_as(self, task: PlannedTask) -> Result:
        attempt = task.attempt
        if attempt is None or attempt.mark not in self.creates.own_marks:
            return Result.ADOPTED
        self.creates.count(task.ref)
        return Result.REPLACED if attempt.replaces else Result.CREATED

    def _result(
        self, task: PlannedTask, result: Result, *problems: Remark, task_id: str | None = None
    ) -> TaskResult:
        return result_of(self._ctx, task, result, *problems, task_id=task_id)


def _next_of(left: deque[PlannedTask]) -> PlannedTask | None:
    try:
        return left.popleft()
    except IndexError:
        return None
