"""Waiting until tasks are done; for `wait` and `apply --wait`."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.app.context import Context
from reconciler.app.task_sessions import TaskSessions, select_refs
from reconciler.messages.notes import Note
from reconciler.model.codes import Code
from reconciler.model.diagnostics import error
from reconciler.model.errors import RemoteError, TaskctlError
from reconciler.remote.retries import RETRIED
from reconciler.render.reports import FailureReport
from reconciler.render.wait import End, WaitedReport, waited_after
from reconciler.tasks.status import SETTLED, TaskState, by_state

if TYPE_CHECKING:
    from reconciler.app.ui import Stop, Watch
    from reconciler.apply.report import ApplyReport
    from reconciler.model.task import TaskRef
    from reconciler.state.model import State
    from reconciler.tasks.status import TaskStatus

SHORTEST_PAUSE = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class WaitOptions:
    """How long to wait at most, how often to look, and whether a task that waits for a person
    ends the wait."""

    timeout: timedelta = timedelta(minutes=30)
    interval: timedelta = timedelta(seconds=2)
    stop_on_waiting: bool = False


def wait(
    ctx: Context, words: Sequence[str], options: WaitOptions
) -> tuple[WaitedReport, int | None]:
    """Waits for the tasks that `words` select. The report, and the exit code of a signal.
    TaskctlError."""
    tasks = TaskSessions.open(ctx, words)
    refs = select_refs(ctx, tasks.state, words)
    last = FailureReport((error(Code.INTERRUPTED, "waiting"),))
    with ctx.ui.interruptible(Note.STOPPED_WAITING, last) as stop:
        found, end = TaskWait(ctx, tasks, refs, options).run(stop)
    if end is End.TIMEOUT:
        ctx.ui.note(Note.TIMED_OUT)
    return WaitedReport((), statuses=found, end=end, read_at=ctx.now()), stop.exit_code


def wait_after(
    ctx: Context,
    state: State,
    refs: Sequence[TaskRef],
    options: WaitOptions,
    report: ApplyReport,
    fresh: Collection[TaskRef],
    patience: float,
) -> tuple[ApplyReport, int | None]:
    """Waits for the tasks of an apply: its report with how they ended, or with why that is not
    known, and the exit code of a signal."""
    with ctx.ui.interruptible(Note.STOPPED_WAITING, report) as stop:
        try:
            tasks = TaskSessions(ctx, state)
            found, end = TaskWait(ctx, tasks, refs, options, fresh, patience).run(stop)
        except TaskctlError as problem:
            told = (*report.diagnostics, *problem.diagnostics)
            return replace(report, diagnostics=told), stop.exit_code
    if end is End.TIMEOUT:
        ctx.ui.note(Note.TIMED_OUT)
    return waited_after(report, found, end, ctx.now()), stop.exit_code


class TaskWait:
    """Waits for `refs`. The service may not know `fresh` ones, created a moment ago, for
    `patience` seconds."""

    def __init__(
        self,
        ctx: Context,
        tasks: TaskSessions,
        refs: Sequence[TaskRef],
        options: WaitOptions,
        fresh: Collection[TaskRef] = (),
        patience: float = 0,
    ) -> None:
        self._ctx, self._tasks, self._refs, self._options = ctx, tasks, refs, options
        self._fresh, self._patience = fresh, patience
        self._begun = time.monotonic()
        self._lost: RemoteError | None = None

    def run(self, stop: Stop) -> tuple[tuple[TaskStatus, ...], End]:
        """How the tasks are in the end, and why the wait ended. RemoteError."""
        watch = self._ctx.ui.watch()
        found: tuple[TaskStatus, ...] | None = None
        try:
            while True:
                found = self._look() if found is None else self._again(found, watch)
                watch.show(found, self._ctx.now())
                if self._is_over(found):
                    return found, End.SETTLED
                waited = time.monotonic() - self._begun
                left = self._options.timeout.total_seconds() - waited
                if left <= 0 and self._lost is not None:
                    raise self._lost
                if left <= 0:
                    return found, End.TIMEOUT
                pause = max(SHORTEST_PAUSE, self._options.interval.total_seconds())
                if not stop.wait(min(left, pause)):
                    watch.leave()
                    return found, End.INTERRUPTED
        finally:
            watch.close()

    def _is_over(self, found: Sequence[TaskStatus]) -> bool:
        if all(status.state in SETTLED for status in found):
            return True
        return self._options.stop_on_waiting and all(
            status.state is not TaskState.RUNNING for status in found
        )

    def _again(self, before: tuple[TaskStatus, ...], watch: Watch) -> tuple[TaskStatus, ...]:
        """As they were before, while the service does not answer: it is asked again."""
        try:
            found = self._look()
        except RemoteError as problem:
            if problem.status is not None and problem.status not in RETRIED:
                raise
            if self._lost is None:
                watch.note(Note.LOOKING_AGAIN, problem=str(problem))
            self._lost = problem
            return before
        self._lost = None
        return found

    def _look(self) -> tuple[TaskStatus, ...]:
        found = self._tasks.statuses(self._refs)
        if not self._fresh or time.monotonic() - self._begun > self._patience:
            return found
        return by_state(
            replace(status, state=TaskState.RUNNING)
            if status.state is TaskState.GONE and status.ref in self._fresh
            else status
            for status in found
        )
