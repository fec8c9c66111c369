"""Applies a plan: executes it, resolves unknown outcomes, and retries tasks that were not
created."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from reconciler.apply.context import ApplyContext
from reconciler.apply.duplicates import find_duplicates
from reconciler.apply.executor import Executor
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.model.clock import Clocks
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, RemoteError, StateError, error, warning
from reconciler.model.remarks import Remark, remark
from reconciler.model.service import RemoteTask
from reconciler.model.task import TaskRef, natural
from reconciler.model.value import replace
from reconciler.plan.adoption import duplicate_warnings
from reconciler.plan.lookup import moved_ref
from reconciler.plan.plan import Action, Effect, Plan, PlannedTask, Reason
from reconciler.plan.planned import unresolved
from reconciler.plan.recovery import time_left, waited_totals
from reconciler.state.attempt import Attempt
from reconciler.state.model import Aged

ROUNDS = 3
"""The number of create requests that one apply sends for a key if the outcome stays unknown."""

MAX_GRACE = 60.0
"""The maximum of seconds after the settle time in which a failing lookup is repeated."""

_ABOUT_UNSENT = (Code.INVALID_REPLACE, Code.NOT_MERGED, Code.RETRIES_LEFT)
"""The diagnostics of a later plan about creates that are not sent again."""

_FIRST_LOOK, _LAST_LOOK = 0.25, 10.0

BETWEEN_TOTALS = 15.0
"""Seconds between two journal entries about the time that attempts have been waited for."""


class Waiting(NamedTuple):
    """Progress while attempts settle: the keys, each with the time of its oldest attempt. `until`
    is by the local clock. `why` is the reason for an unknown outcome, `problem` the failure of the
    lookup."""

    attempts: Mapping[TaskRef, datetime]
    until: datetime
    why: tuple[Remark, ...] = ()
    problem: tuple[Remark, ...] = ()


class Loop:
    """One apply. `replan` reads the service and plans again for some keys; `waiting` is called
    while attempts settle. At most `max_creates` keys get a task. `listed` are the tasks that were
    listed at the end, `held` those that are not sent again yet.
    """

    def __init__(
        self,
        ctx: ApplyContext,
        executor: Executor,
        replan: Callable[[Collection[TaskRef]], Plan],
        waiting: Callable[[Waiting], None],
        max_creates: int | None = None,
    ) -> None:
        self._ctx = ctx
        self._executor = executor
        self._replan = replan
        self._waiting = waiting
        self._max_creates = max_creates
        self._deadlines: dict[str, float] = {}
        self.listed: list[RemoteTask] = []
        self.held: dict[TaskRef, PlannedTask] = {}
        self._tasks: dict[TaskRef, PlannedTask] = {}
        self._results: dict[TaskRef, TaskResult] = {}
        self._attempts: dict[TaskRef, list[Attempt]] = {}
        self._notes: list[Diagnostic] = []
        self._problem: tuple[Remark, ...] = ()
        self._asked: set[tuple[TaskRef, str]] = set()
        self._confirmed: Collection[TaskRef] = ()
        self._noted = ctx.clock.boot()
        self._look = _FIRST_LOOK

    def run(self, plan: Plan) -> ApplyReport:
        """Executes the plan, then looks up and retries until no attempt can be resolved further."""
        self._confirmed = {task.ref for task in plan.tasks if task.may_create}
        try:
            self._take(plan.tasks, plan.closed)
            while (open_refs := self._open()) and self._pause(open_refs):
                self._look_again(open_refs)
            self._find_duplicates()
        except StateError as problem:
            # The results must still be reported.
            return self._report(problem.diagnostics)
        return self._report()

    def _find_duplicates(self) -> None:
        """Finds duplicates that no lookup has found. Those of the first plan are its
        diagnostics."""
        creates = self._executor.creates
        known = {d.args["extra"] for d in self._notes if "extra" in d.args}
        if creates.created and self._ctx.wait(0):
            search = find_duplicates(
                self._ctx, creates.created, creates.own_marks, self._executor.parallelism
            )
            self.listed = search.listed
            self._notes += (d for d in search.warnings if d.args.get("extra") not in known)

    def _look_again(self, open_refs: Collection[TaskRef]) -> None:
        try:
            found = self._replan(open_refs)
        except RemoteError as problem:
            self._problem = problem.causes
        else:
            self._problem = ()
            planned = [task for task in found.tasks if task.ref in open_refs]
            self._notes += duplicate_warnings(found.backend, planned)
            new = (d for d in found.diagnostics if d.code in _ABOUT_UNSENT)
            self._notes += (d for d in new if d.case != "unresolved")
            self._take(planned, found.closed)
            for ref in set(open_refs) - {task.ref for task in planned}:
                self._tasks.pop(ref, None)  # in no manifest, and its attempt created no task

    def _take(self, tasks: Iterable[PlannedTask], closed: Iterable[str]) -> None:
        """Executes the tasks that can be executed now, and keeps the others."""
        asked = [self._asked_about(task) for task in tasks]
        taken = self._within_limit([self._as_confirmed(task) for task in asked])
        if marks := list(closed):
            again = {task.ref for task in taken if task.creates or task.action is Action.HELD}
            self._close(marks, again)
        for task in taken:
            if task.applies or task.action is Action.UNRESOLVED:
                self._tasks[task.ref] = task
            elif self._tasks.pop(task.ref, None) and task.action is Action.HELD:
                self.held[task.ref] = task  # its attempt created no task
        ready = [t for t in taken if t.effect not in (Effect.NOTHING, Effect.WAIT)]
        if ready:
            self._look = _FIRST_LOOK
            results = self._executor.run(ready)
            self._results = self._results | results if self._results else results
            self._deadlines.clear()  # it may have taken minutes without a lookup

    def _asked_about(self, task: PlannedTask) -> PlannedTask:
        """The task, adopted if a person says that an attempt has created the candidate. Each
        candidate is asked about once."""
        candidate = task.candidate if task.attempt is not None else None
        if candidate is None or (task.ref, candidate.id) in self._asked:
            return task
        self._asked.add((task.ref, candidate.id))
        if not self._ctx.confirms(task):
            return task
        return replace(
            task,
            action=Action.ADOPT,
            reason=Reason.ATTEMPT,
            remarks=(remark("attempt.chosen", **task.remarks[0].facts),),
            remote=candidate,
            task_id=candidate.id,
        )

    def _close(self, marks: Sequence[str], again: Collection[TaskRef]) -> None:
        """Closes attempts that created no task; `again` are keys for which another attempt is sent
        now, or that are held."""
        state, at = self._ctx.session.state, self._ctx.clocks().moment
        for mark in marks:
            attempt = state.attempts.get(mark)
            if attempt is not None and attempt.replaces and attempt.ref not in again:
                key = attempt.ref.key
                note = warning(
                    Code.REPLACE_MADE_NONE,
                    at=Place(attempt.file, key=key),
                    key=key,
                    mark=mark,
                    task_id=attempt.replaces,
                    request=f"{key}={attempt.replaces}",
                )
                self._notes.append(note)
        self._ctx.session.append(*state.close_attempts(marks, "made no task", at))

    def _as_confirmed(self, task: PlannedTask) -> PlannedTask:
        """The task, unless the plan did not show that it may be created, or it was sent too often.
        A person has confirmed only the tasks of the plan."""
        if not task.creates:
            return task
        if task.ref not in self._confirmed:
            return unresolved(task, remark("attempt.unconfirmed"))
        if self._executor.creates.unknown_outcomes[task.ref] < ROUNDS:
            return task
        case = "attempt.rounds_replace" if task.action is Action.REPLACE else "attempt.rounds"
        explanation = remark(case, rounds=ROUNDS, request=f"{task.ref}={task.task_id}")
        return unresolved(task, explanation)

    def _within_limit(self, tasks: list[PlannedTask]) -> list[PlannedTask]:
        """A lookup can add creates that the plan did not count."""
        if self._max_creates is None:
            return tasks
        left = self._max_creates - len(self._executor.creates.created)
        kept = []
        for task in tasks:
            if task.creates and (left := left - 1) < 0:
                explanation = remark("attempt.limit", limit=self._max_creates)
                kept.append(unresolved(task, explanation))
            else:
                kept.append(task)
        return kept

    def _open(self) -> set[TaskRef]:
        """The keys with an attempt that time or another lookup may still resolve."""
        self._attempts = {}
        for attempt in self._ctx.session.state.attempts.values():
            self._attempts.setdefault(attempt.ref, []).append(attempt)
        if not self._attempts:
            return set()
        clocks = self._ctx.clocks()
        return {
            ref
            for ref, task in self._tasks.items()
            if self._may_settle(task) and clocks.boot < self._deadline(task, clocks)
        }

    def _may_settle(self, task: PlannedTask) -> bool:
        if not self._attempts_of(task) or task.ref in self._executor.unrecorded:
            return False
        if task.reason in (Reason.SETTLING, Reason.UNREADABLE):
            return True
        done = self._results.get(task.ref)
        return task.applies and done is not None and done.result is Result.UNRESOLVED

    def _attempts_of(self, task: PlannedTask) -> list[Attempt]:
        own = self._attempts.get(task.ref, [])
        old = moved_ref(task.desired) if task.desired is not None else None
        return own + self._attempts.get(old, []) if old is not None else own

    def _left(self, task: PlannedTask, clocks: Clocks) -> float:
        """Seconds until all its attempts are old enough."""
        return max(
            time_left(attempt, self._ctx.settle_time, self._ctx.ages, clocks.boot)
            for attempt in self._attempts_of(task)
        )

    def _deadline(self, task: PlannedTask, clocks: Clocks) -> float:
        """The time at which its lookup is given up, in seconds since boot. It is fixed until
        another request is sent, so that no clock and no failing lookup can postpone it. Until the
        service must list the last task that this apply has created, its list may prove nothing."""
        latest = max(self._attempts_of(task), key=lambda a: (a.started_at, a.mark)).mark
        settle = self._ctx.settle_time.total_seconds()
        listed = max(self._ctx.ages.own.values(), default=0.0) + settle
        at = max(clocks.boot + self._left(task, clocks), listed) + min(MAX_GRACE, settle)
        return self._deadlines.setdefault(latest, at)

    def _pause(self, open_refs: Collection[TaskRef]) -> bool:
        """Waits until another lookup may help; False if apply must stop."""
        clocks = self._ctx.clocks()
        left = [self._left(self._tasks[ref], clocks) for ref in open_refs]
        oldest = {
            ref: min(attempt.started_at for attempt in self._attempts_of(self._tasks[ref]))
            for ref in sorted(open_refs)
        }
        done = (self._results[ref].problems for ref in oldest if ref in self._results)
        until = clocks.now + timedelta(seconds=max(left))
        waiting = Waiting(oldest, until, next(done, ()), self._problem)
        seconds = min([self._look, *(some + 0.02 for some in left if some > 0)])
        self._look = min(_LAST_LOOK, self._look * 2)
        while seconds > 0:
            self._ctx.session.check_held()  # results of a lookup could not be recorded
            self._waiting(waiting)
            self._note_totals()
            if not self._ctx.wait(min(seconds, 1.0)):
                return False
            seconds -= 1.0
        return True

    def _note_totals(self) -> None:
        """Journals the time that the attempts have been waited for, so that it counts even if the
        run is killed now."""
        boot = self._ctx.clock.boot()
        if boot - self._noted < BETWEEN_TOTALS:
            return
        self._noted = boot
        attempts = self._ctx.session.state.attempts.values()
        seconds = dict(waited_totals(attempts, self._ctx.settle_time, self._ctx.ages, boot))
        if seconds:
            self._ctx.session.append(Aged(seconds))

    def _report(self, problems: Sequence[Diagnostic] = ()) -> ApplyReport:
        results, diagnostics = [], [*problems, *self._notes]
        for ref, task in sorted(self._tasks.items(), key=lambda item: natural(item[0])):
            result = self._result(task)
            if result is None:
                continue
            results.append(result)
            at = Place(result.file, result.line, key=ref.key)
            if result.result.severity is None and result.problems:  # something is left to do
                facts = {"why": result.problems, "hint": result.problems}
                diagnostics.append(error(Code.TASK_PROBLEM, at=at, key=ref.key, **facts))
        return ApplyReport(tuple(results), tuple(diagnostics))

    def _result(self, task: PlannedTask) -> TaskResult | None:
        """The result for a task; None if there was nothing to do."""
        done = self._results.get(task.ref)
        if done is not None and done.result is not Result.UNRESOLVED:
            return done
        if done is None and task.action is not Action.UNRESOLVED:
            return None
        if task.action is Action.UNRESOLVED:
            why = task.explanation
        else:
            why = (*(done.problems if done else ()), remark("apply.look_up"))
        if self._problem:
            why = (*why, remark("apply.lookup_failed", why=self._problem))
        return self._ctx.result(task, Result.UNRESOLVED, *why)
