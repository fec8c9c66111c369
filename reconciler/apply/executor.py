"""Executes planned tasks. No task is ever created twice.

The guarantee depends on the order: the attempt is durable before its request is sent, and the ID is
durable before it is shown (docs/exactly-once.md). `plan/explain.py` finds the tasks of attempts
that are left open in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import assert_never

from reconciler.apply import records
from reconciler.apply.context import ApplyContext
from reconciler.apply.creates import TaskCreator
from reconciler.apply.report import Result, TaskResult
from reconciler.apply.throttle import Throttle
from reconciler.model.canonical import ABSENT
from reconciler.model.diagnostics import RemoteError, StateError
from reconciler.model.remarks import Remark, remark
from reconciler.model.service import RemoteTask
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.model.wire import patch_after_create
from reconciler.plan.diff import at_service, is_same_setting
from reconciler.plan.plan import Action, Effect, PlannedTask, Reason
from reconciler.state.model import Record, Recorded
from reconciler.tasks.delivery import Refusal, delivery_error


class Executor:
    """Executes planned tasks with `parallelism` concurrent requests. `creates` knows the created
    tasks; `unrecorded` are keys whose request was sent but whose outcome cannot be recorded.

    A worker acquires a slot before journaling its attempt and releases it when the response
    arrives. There are twice as many workers as slots: while one writes to the disk, another can
    send. With parallelism 1, execution is sequential.
    """

    def __init__(self, ctx: ApplyContext, parallelism: int) -> None:
        self._ctx = ctx
        self.parallelism = parallelism
        self._workers = 1 if parallelism == 1 else 2 * parallelism
        self._throttle = Throttle(parallelism, ctx.clock.boot, ctx.wait, ctx.paused)
        self._patches = TaskPatcher(ctx, self._throttle)
        self.creates = TaskCreator(ctx, self._throttle)
        self.unrecorded: set[TaskRef] = set()

    def run(self, tasks: Iterable[PlannedTask]) -> dict[TaskRef, TaskResult]:
        """Executes the tasks and returns a result for each. If a task fails, the others
        continue."""
        tasks = list(tasks)
        for task in tasks:  # before any request, whose response may repeat these IDs
            if task.effect is Effect.ADOPT:
                self.creates.note(task.task_id or "")
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
        """Executes one task with its current record, which may have changed since the plan, for
        example when an attempt was closed."""
        task = replace(task, record=self._ctx.session.record(task.recorded_as))
        try:
            result = self._outcome(task)
        except StateError as problem:
            why = remark("apply.state", why=problem.causes)
            if self.creates.may_exist(task):
                self.unrecorded.add(task.ref)
                result = self._ctx.result(task, Result.UNRESOLVED, why)
            elif self._still_locked():
                result = self._ctx.result(task, Result.FAILED, why)
            else:
                result = self._ctx.result(task, Result.NOT_STARTED)
        self._ctx.ended(result)
        return result

    def _outcome(self, task: PlannedTask) -> TaskResult:
        if _needs_service(task) and not self._ctx.wait(0):
            return self._ctx.result(task, Result.NOT_STARTED)
        match task.effect:
            case Effect.CREATE:
                return self._create(task)
            case Effect.ADOPT:
                return self._adopt(task)
            case Effect.MOVE:
                return self._move(task, _record_of(task))
            case Effect.UPDATE:
                return self._update(task, _record_of(task), Result.UPDATED)
            case Effect.FORGET:
                return self._forget(task, _record_of(task))
            case Effect.FINISH:
                return self._finish_later(task, _record_of(task))
            case Effect.NOTHING | Effect.WAIT:
                raise ValueError(f"{task.ref}: nothing to execute")
        assert_never(task.effect)

    def _create(self, task: PlannedTask) -> TaskResult:
        made = self.creates.create(task)
        if isinstance(made, TaskResult):
            return made
        replaced = task.action is Action.REPLACE
        return self._finish(task, made, Result.REPLACED if replaced else Result.CREATED)

    def _adopt(self, task: PlannedTask) -> TaskResult:
        """A task that was found by its reference is already recorded."""
        if task.reason is Reason.REFERENCE:
            return self._finish(task, _record_of(task), self._found_as(task))
        record = records.named_record(task, self._ctx)
        self._ctx.session.append(*records.recorded_events(task, record))
        return self._ctx.result(task, Result.ADOPTED, task_id=record.task_id)

    def _still_locked(self) -> bool:
        """Whether lock, journal and state are still those of this run. If not, saving the state
        reports why, once."""
        try:
            self._ctx.session.check_lock()
        except StateError:
            return False
        return True

    def _move(self, task: PlannedTask, old: Record) -> TaskResult:
        record = records.moved_record(task, old, self._ctx)
        self._ctx.session.append(*records.recorded_events(task, record))
        if task.updated:
            return self._update(task, record, Result.MOVED)
        return self._ctx.result(task, Result.MOVED, task_id=record.task_id)

    def _update(self, task: PlannedTask, record: Record, result: Result) -> TaskResult:
        """Updates the service first, then the record. If apply is killed in between, the next plan
        finds that the service has the desired value, and only records it."""
        done, problems = self._patches.update(task, record)
        if problems and result is Result.UPDATED:
            result = Result.FAILED
        reported = self._ctx.result(task, result, *problems, task_id=record.task_id)
        return replace(reported, updated=done)

    def _forget(self, task: PlannedTask, record: Record) -> TaskResult:
        """Removes the record, unless the key has an open attempt, which may still create a task."""
        session = self._ctx.session
        if session.state.attempts_for(record.ref):
            return self._ctx.result(task, Result.UNRESOLVED, remark("apply.look_up"))
        session.append(records.retired_event(record, self._ctx))
        return self._ctx.result(task, Result.FORGOTTEN, task_id=record.task_id)

    def _finish(self, task: PlannedTask, record: Record, result: Result) -> TaskResult:
        """Sets name and sharing, which a create request cannot contain and only the task's creator
        can set."""
        is_own = self._ctx.identity.same_as(record.identity)
        is_sent = record.pending and is_own
        problems = self._patches.finish(record) if is_sent else ()
        return self._ctx.result(task, result, *problems, task_id=record.task_id)

    def _finish_later(self, task: PlannedTask, record: Record) -> TaskResult:
        """Sets name and sharing of a task that an earlier apply created."""
        finished = self._finish(task, record, Result.UPDATED)
        if finished.problems:
            return replace(finished, result=Result.FAILED)
        return replace(finished, updated=tuple(sorted(record.pending)))

    def _found_as(self, task: PlannedTask) -> Result:
        """The result for a found task: created if an attempt of this apply created it, otherwise
        adopted."""
        attempt = task.attempt
        if attempt is None or attempt.number not in self.creates.own:
            return Result.ADOPTED
        self.creates.count(task.ref)
        return Result.REPLACED if attempt.replaces else Result.CREATED


def _record_of(task: PlannedTask) -> Record:
    if task.record is None:
        raise ValueError(f"{task.ref}: no record")
    return task.record


def _needs_service(task: PlannedTask) -> bool:
    """Whether a task needs requests. Adoptions and moves, for example, only change the state."""
    match task.effect:
        case Effect.CREATE | Effect.FINISH | Effect.FORGET:
            return True
        case Effect.ADOPT | Effect.MOVE | Effect.UPDATE | Effect.NOTHING | Effect.WAIT:
            tried = task.attempt
            is_left = tried is not None and bool(patch_after_create(tried.inputs))
            return bool(task.patch) or is_left


def _next_of(left: deque[PlannedTask]) -> PlannedTask | None:
    try:
        return left.popleft()
    except IndexError:
        return None


class TaskPatcher:
    """Patches tasks within the slots of the executor. A change is recorded only after it was
    made."""

    def __init__(self, ctx: ApplyContext, slots: AbstractContextManager[None]) -> None:
        self._ctx = ctx
        self._slots = slots

    def finish(self, record: Record) -> tuple[Remark, ...]:
        """Sets name and sharing after creation. Returns the failures."""
        try:
            self._patch(record, record.pending)
            self._ctx.session.append(Recorded(replace(record, pending={})))
        except (RemoteError, StateError) as failed:
            names = tuple(sorted(record.pending))
            return (remark("patch.unfinished", names=names, why=failed.causes),)
        return ()

    def update(
        self, task: PlannedTask, record: Record
    ) -> tuple[tuple[str, ...], tuple[Remark, ...]]:
        """Makes the planned changes. Returns the settings that were set, and the reasons why others
        were not."""
        patch = {**record.pending, **task.patch}
        patch = {name: value for name, value in patch.items() if name not in task.only_recorded}
        try:
            remote = self._patch(record, patch) if patch else task.remote
        except RemoteError as failed:
            return (), (self._why(record, failed),)
        except StateError as failed:
            return (), (remark("patch.failed", why=failed.causes),)
        ignored = tuple(
            n for n in sorted(patch) if remote is not None and _differs(n, patch, remote)
        )
        declared = task.desired.inputs if task.desired is not None else {}
        done = {name: value for name, value in patch.items() if name not in ignored}
        recorded = {name: declared.get(name, ABSENT) for name in task.only_recorded}
        problems = (remark("patch.ignored", names=ignored),) if ignored else ()
        if done or recorded:
            updated = records.updated_record(record, done | recorded, remote, self._ctx)
            try:
                self._ctx.session.append(Recorded(updated))
            except StateError as failed:  # the next plan detects the change
                problems = (*problems, remark("apply.state", why=failed.causes))
        return tuple(sorted(done)), problems

    def _patch(self, record: Record, values: Mapping[str, object]) -> RemoteTask:
        with self._slots:
            self._ctx.session.check_lock()
            return self._ctx.service.patch_task(record.ref.org_name, record.task_id, dict(values))

    def _why(self, record: Record, failed: RemoteError) -> Remark:
        """The reason for a failure: 404 means that a task is gone or belongs to another
        identity."""
        caller = self._ctx.identity
        mine = caller.same_as(record.identity)
        if failed.status not in (403, 404) or (mine and failed.status == 403):
            return remark("patch.failed", why=failed.causes)
        refusal = Refusal(failed.status, failed.causes)
        why = delivery_error(refusal, record, caller, "the change").cause
        return remark("patch.failed", why=why)


def _differs(name: str, values: Mapping[str, object], shown: RemoteTask) -> bool:
    """Whether the service returns a different value from the value that was sent."""
    present = at_service(name, shown)
    return present is not ABSENT and not is_same_setting(values[name], present)
