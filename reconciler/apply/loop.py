"""Applies a plan to its end: does it, looks up what has no outcome, resends what made no task."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from reconciler.apply import records
from reconciler.apply.context import Surroundings
from reconciler.apply.executor import Executor
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.messages.remarks import word
from reconciler.model.diagnostics import Diagnostic, error, warning
from reconciler.model.errors import RemoteError, StateError
from reconciler.model.remarks import remark
from reconciler.model.task import TaskRef
from reconciler.plan.lookup import moved_ref
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.state.model import Attempt

ROUNDS = 3
"""How often one apply sends a create for one key when no outcome can be had."""

LONGEST_GRACE = timedelta(seconds=60)
"""How long past the settle time a look-up that fails is tried again, at the most."""

_DONE = (Result.CREATED, Result.REPLACED, Result.ADOPTED, Result.MOVED)
"""Results that can have an error beside them: the task exists, but something is left to do."""

_FIRST_LOOK, _LAST_LOOK = 0.25, 10.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a person is told while attempts settle; `until` is by this machine's clock."""

    refs: tuple[TaskRef, ...]
    until: datetime
    problem: str | None = None


class Loop:
    """One apply. `replan` reads and plans anew for some keys; `waiting` is told what is awaited."""

    def __init__(
        self,
        around: Surroundings,
        executor: Executor,
        replan: Callable[[Collection[TaskRef]], Plan],
        waiting: Callable[[Waiting], None],
        settle_time: timedelta,
    ) -> None:
        self._around = around
        self._executor = executor
        self._replan = replan
        self._waiting = waiting
        self._settle_time = settle_time
        self._tasks: dict[TaskRef, PlannedTask] = {}
        self._results: dict[TaskRef, TaskResult] = {}
        self._attempts: dict[TaskRef, list[Attempt]] = {}
        self._notes: list[Diagnostic] = []
        self._problem: str | None = None
        self._look = _FIRST_LOOK

    def run(self, plan: Plan) -> ApplyReport:
        """Does what the plan says for each of its tasks that it has something to do for."""
        try:
            self._take(plan.tasks, plan.closed)
            while (open_refs := self._open()) and self._pause(open_refs):
                self._look_again(open_refs)
        except StateError as problem:
            # What was done stays done, and has to be told all the same.
            return self._report(problem.diagnostics)
        return self._report()

    def _look_again(self, open_refs: Collection[TaskRef]) -> None:
        try:
            found = self._replan(open_refs)
        except RemoteError as problem:
            self._problem = str(problem)
        else:
            self._problem = None
            self._take((t for t in found.tasks if t.ref in open_refs), found.closed)

    def _take(self, tasks: Iterable[PlannedTask], closed: Iterable[str]) -> None:
        """Does what can be done now for these, and keeps what they are."""
        taken = [self._within_rounds(task) for task in tasks]
        if marks := list(closed):
            self._close(marks, {task.ref for task in taken if task.creates})
            taken = [self._as_recorded(task) for task in taken]
        for task in taken:
            if task.applies or task.action is Action.UNRESOLVED:
                self._tasks[task.ref] = task
            elif task.ref not in self._results:  # what was open came to nothing
                self._tasks.pop(task.ref, None)
        ready = [t for t in taken if t.applies and t.reason is not Reason.SETTLING]
        if ready:
            self._look = _FIRST_LOOK
            self._results.update(self._executor.run(ready))

    def _close(self, marks: Sequence[str], again: Collection[TaskRef]) -> None:
        """Attempts that made no task; `again` are keys for which another is sent now."""
        state, at = self._around.ledger.state, records.now(self._around)
        for mark in marks:
            attempt = state.attempts.get(mark)
            if attempt is not None and attempt.replaces and attempt.ref not in again:
                ref = attempt.ref
                summary = f"{ref.key}: the attempt of {mark} to replace its task made none"
                detail = (
                    f"It has {attempt.replaces} as before. To replace that one all the same:\n"
                    f"  taskctl apply --replace {ref.key}={attempt.replaces}"
                )
                self._notes.append(warning(summary, detail, file=attempt.file, key=ref.key))
        self._around.ledger.append(*state.settled(marks, "made no task", at))

    def _as_recorded(self, task: PlannedTask) -> PlannedTask:
        """With its record as it is by now: what came of an attempt is told there."""
        known = task.record and self._around.ledger.state.records.get(task.record.ref)
        return replace(task, record=known) if known else task

    def _within_rounds(self, task: PlannedTask) -> PlannedTask:
        if not task.creates or self._executor.sent[task.ref] < ROUNDS:
            return task
        case = "attempt.rounds_replace" if task.action is Action.REPLACE else "attempt.rounds"
        said = remark(case, rounds=ROUNDS, request=f"{task.ref.key}={task.task_id}")
        return replace(task, action=Action.UNRESOLVED, reason=Reason.AMBIGUOUS, remarks=(said,))

    def _open(self) -> set[TaskRef]:
        """Keys with an attempt that time or another look-up may still settle."""
        self._attempts = {}
        for attempt in self._around.ledger.state.attempts.values():
            self._attempts.setdefault(attempt.ref, []).append(attempt)
        if not self._attempts:
            return set()
        now = self._around.clock()
        return {
            ref
            for ref, task in self._tasks.items()
            if self._may_settle(task) and now < self._gives_up(task)
        }

    def _may_settle(self, task: PlannedTask) -> bool:
        if not self._attempts_of(task):
            return False
        if task.reason in (Reason.SETTLING, Reason.UNREADABLE):
            return True
        done = self._results.get(task.ref)
        return task.applies and done is not None and done.result is Result.UNRESOLVED

    def _attempts_of(self, task: PlannedTask) -> list[Attempt]:
        own = self._attempts.get(task.ref, [])
        old = moved_ref(task.desired) if task.desired is not None else None
        return own + self._attempts.get(old, []) if old is not None else own

    def _settles_at(self, task: PlannedTask) -> datetime:
        if task.settled_at is not None:
            return task.settled_at
        latest = max(attempt.started_at for attempt in self._attempts_of(task))
        return latest + self._settle_time

    def _gives_up(self, task: PlannedTask) -> datetime:
        return self._settles_at(task) + min(LONGEST_GRACE, self._settle_time)

    def _pause(self, open_refs: Collection[TaskRef]) -> bool:
        """Waits until another look is worth it; False where apply is to stop."""
        now = self._around.clock()
        times = [self._settles_at(self._tasks[ref]) for ref in open_refs]
        self._waiting(Waiting(tuple(sorted(open_refs)), max(times), self._problem))
        ahead = [(moment - now).total_seconds() for moment in times if moment > now]
        seconds = min([self._look, *(left + 0.02 for left in ahead)])
        self._look = min(_LAST_LOOK, self._look * 2)
        return self._around.wait(seconds)

    def _report(self, problems: Sequence[Diagnostic] = ()) -> ApplyReport:
        results, diagnostics = [], [*problems, *self._notes]
        for ref, task in sorted(self._tasks.items()):
            result = self._result(task)
            if result is None:
                continue
            results.append(result)
            place: dict[str, Any] = {"file": result.file, "line": result.line, "key": ref.key}
            if result.problems and result.result in _DONE:
                words = word(result.problems)
                diagnostics.append(error(f"{ref.key}: {words.note}", words.hint_text(), **place))
            if result.warnings:
                words = word(result.warnings)
                diagnostics.append(warning(f"{ref.key}: {words.note}", words.hint_text(), **place))
        return ApplyReport(tuple(results), tuple(diagnostics))

    def _result(self, task: PlannedTask) -> TaskResult | None:
        """What became of a task; None for one that there was nothing to do for."""
        done = self._results.get(task.ref)
        if done is not None and done.result is not Result.UNRESOLVED:
            return done
        if done is None and task.action is not Action.UNRESOLVED:
            return None
        why = done.problems if done else ()
        if task.action is Action.UNRESOLVED:
            why = task.explanation
        else:
            why = (*why, remark("apply.look_up"))
        if self._problem is not None:
            why = (*why, remark("apply.lookup_failed", why=self._problem))
        return TaskResult(
            ref=task.ref,
            result=Result.UNRESOLVED,
            task_id=None,
            problems=why,
            file=task.file,
            line=task.line,
        )
