"""Runs plans: executes what is planned, and waits until the outcome of each attempt is known, or
waiting longer would not reveal it. Nothing is planned here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from reconciler.apply.context import ApplyContext
from reconciler.apply.executor import Executor
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.apply.settling import Settling, Waiting
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, RemoteError, error, warning
from reconciler.model.remarks import Remark, remark
from reconciler.model.service import RemoteTask
from reconciler.model.task import TaskRef, natural
from reconciler.plan.adoption import why_open
from reconciler.plan.confirmed import Confirmed
from reconciler.plan.explanation import Explanation, Found
from reconciler.plan.keys import moved_ref
from reconciler.plan.plan import Action, Effect, Plan, PlannedTask, Reason
from reconciler.state.attempt import Attempt

_ABOUT_CREATES = (Code.INVALID_REPLACE, Code.NOT_MERGED, Code.RETRIES_LEFT)
"""Diagnostics of a later plan about tasks that are not created again."""

_FIRST_LOOK, _LAST_LOOK = 0.25, 10.0


class RunCallbacks(NamedTuple):
    """The functions that a run needs. `explain` reads the service and records the tasks that it
    finds; it raises RemoteError. `found` plans the recording of a found task. `confirms` asks a
    person whether the attempt created this task and, if so, records it."""

    explain: Callable[[], Explanation]
    found: Callable[[Found], PlannedTask]
    confirms: Callable[[Attempt, RemoteTask], bool]


class Left(NamedTuple):
    """The keys that must be planned again: those whose attempts created no task, and those whose
    task was found, but whose record moves to another key (`movedFrom`). `closed` are the attempts
    that created no task."""

    refs: frozenset[TaskRef]
    closed: tuple[Attempt, ...]


class Run:
    """One wave of an apply, which creates only what was confirmed. `waiting` is called while
    attempts settle. `held` are the keys whose create requests are not sent again yet."""

    def __init__(
        self,
        ctx: ApplyContext,
        executor: Executor,
        callbacks: RunCallbacks,
        waiting: Callable[[Waiting], None],
        confirmed: Confirmed,
    ) -> None:
        self._ctx, self._executor, self._callbacks = ctx, executor, callbacks
        self._settling, self._confirmed = Settling(ctx, waiting), confirmed
        self.held: dict[TaskRef, PlannedTask] = {}
        self._tasks: dict[TaskRef, PlannedTask] = {}
        self._results: dict[TaskRef, TaskResult] = {}
        self._why: dict[TaskRef, tuple[Remark, ...]] = {}
        self._notes: list[Diagnostic] = []
        self._problem: tuple[Remark, ...] = ()
        self._reasons: dict[int, Reason] = {}
        self._asked: set[str] = set()
        self._moving: set[TaskRef] = set()

    def start(self, plan: Plan, explanation: Explanation) -> Left:
        """Executes a plan, except for tasks to create that were not confirmed."""
        tasks = list(self._confirmed.cut(plan.tasks))
        self._execute(tasks)
        self._learn(explanation)
        self._warn_of_failed_replacements(explanation.closed, tasks)
        return self._settled()

    def resume(self, left: Left, plan: Plan, explanation: Explanation) -> Left:
        """Executes a later plan for the keys in `left`, except for tasks to create that were not
        confirmed."""
        self._problem = ()
        self._record(each for each in explanation.found if each.record.ref not in left.refs)
        self._learn(explanation)
        self._notes += (d for d in plan.diagnostics if d.code in _ABOUT_CREATES)
        creates = self._executor.creates
        tasks = self._confirmed.cut(plan.tasks, len(creates.created), creates.unknown_outcomes)
        found = {task.ref: task for task in tasks if task.ref in left.refs}
        for ref in left.refs - found.keys():
            self._forget(ref)  # no longer in a manifest
        for ref, task in found.items():
            if not (task.applies or task.action is Action.UNRESOLVED):
                self._forget(ref)
                if task.action is Action.HELD:
                    self.held[ref] = task
        self._warn_of_failed_replacements(left.closed, found.values())
        self._execute(found.values())
        return self._settled(a for a in explanation.closed if a.ref not in left.refs)

    def give_up(self, left: Left, problem: RemoteError) -> Left:
        """Reports the keys in `left` as not started, because they cannot be planned again."""
        self._problem = problem.causes
        self._results |= {  # no task was created for them
            ref: self._ctx.result(task, Result.NOT_STARTED)
            for ref, task in self._tasks.items()
            if ref in left.refs and task.creates
        }
        return self._settled()

    def _execute(self, tasks: Iterable[PlannedTask]) -> None:
        tasks = [task for task in tasks if task.applies or task.action is Action.UNRESOLVED]
        self._tasks |= {task.ref: task for task in tasks}
        ready = [t for t in tasks if t.effect not in (Effect.NOTHING, Effect.WAIT)]
        if ready:
            self._results |= self._executor.run(ready)
            self._settling.restart()

    def _warn_of_failed_replacements(
        self, closed: Iterable[Attempt], tasks: Iterable[PlannedTask]
    ) -> None:
        """Warns about replacements that created no task and are not sent again."""
        again = {t.ref for t in tasks if t.creates or t.action is Action.HELD}
        self._notes += (_failed_replacement(a) for a in closed if a.replaces and a.ref not in again)

    def _forget(self, ref: TaskRef) -> None:
        self._tasks.pop(ref, None)
        self._results.pop(ref, None)

    # Attempts with an unknown outcome

    def _settled(self, closed: Iterable[Attempt] = ()) -> Left:
        """The keys to plan again, once the outcomes of this run's open attempts are known or cannot
        be determined. `closed` are further attempts that created no task."""
        closed = (*closed, *self._settle())
        refs = {attempt.ref for attempt in closed} | self._moving
        refs |= {ref for ref, task in self._tasks.items() if self._former(task) in refs}
        self._moving = set()
        return Left(frozenset(refs), closed)

    def _settle(self) -> list[Attempt]:
        """Reads and explains until the outcomes of this run's open attempts are known or cannot be
        determined. Returns the attempts that created no task."""
        closed: list[Attempt] = []
        look = _FIRST_LOOK
        while (attempts := self._open()) and self._settling.pause(
            attempts, look, self._problems_of, self._problem
        ):
            look = min(_LAST_LOOK, look * 2)
            try:
                explanation = self._callbacks.explain()
            except RemoteError as problem:
                self._problem = problem.causes
                continue
            self._problem = ()
            closed += explanation.closed
            self._record(explanation.found)
            self._learn(explanation)
        return closed

    def _learn(self, explanation: Explanation) -> None:
        """Stores the reasons why the outcomes of attempts are unknown."""
        attempts = self._open_attempts()
        self._reasons = {n: verdict.reason for n, verdict in explanation.attempts.items()}
        self._why = {each.ref: self._why_open(each, explanation) for each in attempts}

    def _record(self, found: Iterable[Found]) -> None:
        """Finishes the tasks that were found, which are already recorded. If the key of one moves
        (`movedFrom`), it is planned again."""
        formers = {self._former(task) for task in self._tasks.values()}
        found = list(found)
        self._moving |= {each.record.ref for each in found if each.record.ref in formers}
        planned = [self._callbacks.found(each) for each in found if each.record.ref not in formers]
        if planned:
            self._tasks |= {task.ref: task for task in planned}
            self._results |= self._executor.run(planned)

    def _why_open(self, attempt: Attempt, explanation: Explanation) -> tuple[Remark, ...]:
        """Why the outcome of an attempt is unknown; asks a person about the only candidate once."""
        verdict = explanation.attempts.get(attempt.number)
        if verdict is None or verdict.reason is Reason.SETTLING:
            return ()
        candidate = verdict.candidate
        if candidate is not None and candidate.id not in self._asked:
            self._asked.add(candidate.id)
            if self._callbacks.confirms(attempt, candidate):
                self._chosen(attempt, candidate)
        return tuple(why_open(attempt, verdict))

    def _chosen(self, attempt: Attempt, candidate: RemoteTask) -> None:
        record = self._ctx.session.record(attempt.ref)
        if record is not None:
            self._record([Found(record, candidate, attempt)])

    def _open_attempts(self) -> list[Attempt]:
        """The open attempts of the tasks of this run."""
        attempts = self._ctx.session.state.attempts.values()
        if not attempts:
            return []
        refs = {ref for task in self._tasks.values() for ref in (task.ref, self._former(task))}
        return [attempt for attempt in attempts if attempt.ref in refs]

    @staticmethod
    def _former(task: PlannedTask) -> TaskRef | None:
        return moved_ref(task.desired) if task.desired is not None else None

    def _open(self) -> list[Attempt]:
        """The open attempts whose outcome more time or another lookup may determine."""
        return [
            attempt
            for attempt in self._open_attempts()
            if attempt.ref not in self._executor.unrecorded
            and self._reasons.get(attempt.number, Reason.SETTLING).passes
            and not self._settling.is_over(attempt)
        ]

    def _problems_of(self, ref: TaskRef) -> tuple[Remark, ...] | None:
        done = self._results.get(ref)
        return done.problems if done is not None else None

    # The report

    def report(self, problems: Sequence[Diagnostic] = ()) -> ApplyReport:
        """The results so far. `problems` are the errors that ended the run."""
        results, diagnostics = [], [*problems, *self._notes]
        for ref, task in sorted(self._tasks.items(), key=lambda item: natural(item[0])):
            result = self._result(task)
            if result is None:
                continue
            results.append(result)
            at = Place(result.file, result.line, key=ref.key)
            # Created, but its name could not be set, for example.
            if result.result.severity is None and result.problems:
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
        why = self._why.get(task.ref) or self._why.get(self._former(task) or task.ref)
        if done is not None:
            is_planned = task.action is Action.UNRESOLVED  # a later plan has explained it
            left = task.explanation if is_planned else why or (remark("apply.look_up"),)
            why = (*done.problems, *left)
        elif why is None or not task.remarks:
            why = task.explanation
        else:
            why = (task.remarks[0], *why)
        if self._problem:
            why = (*why, remark("apply.lookup_failed", why=self._problem))
        return self._ctx.result(task, Result.UNRESOLVED, *why)


def _failed_replacement(attempt: Attempt) -> Diagnostic:
    """A warning about a replacement that created no task and is not sent again."""
    key = attempt.ref.key
    return warning(
        Code.REPLACE_MADE_NONE,
        at=Place(attempt.file, key=key),
        key=key,
        reference=attempt.reference,
        task_id=attempt.replaces,
        request=f"{key}={attempt.replaces}",
    )
