"""Waits until tasks are done, for `wait` and `apply --wait`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from reconciler.app.context import Context
from reconciler.app.declared import declared_refs, in_manifest_order
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.app.ui import FailureReport
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, RemoteError, TaskctlError, error
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value
from reconciler.remote.retries import RETRIED
from reconciler.system.clock import Stop
from reconciler.tasks.status import TaskStatus, by_state

SHORTEST_PAUSE = 0.1  # seconds


class End(StrEnum):
    """The reason why a wait ended."""

    FINISHED = "finished"  # no task runs or waits for a person
    WAITING = "waiting"  # no task runs, and `--stop-on waiting` was given
    TO_MERGE = "toMerge"  # no task runs, and pull requests have to be merged
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"


class WaitReport(Value, frozen=True):
    """`statuses` are in the table's order, as they were `read_at`."""

    statuses: tuple[TaskStatus, ...]
    end: End
    read_at: datetime
    diagnostics: tuple[Diagnostic, ...] = ()


def is_unavailable(problem: TaskctlError) -> bool:
    """Whether a retry may help: the state is locked, or the service does not respond."""
    if isinstance(problem, RemoteError):
        return problem.status is None or problem.status in RETRIED
    return {d.code for d in problem.diagnostics} == {Code.STATE_LOCKED}


class WaitOptions(Value, frozen=True):
    """`stop_on_waiting`: the wait also ends once every unfinished task waits for a person."""

    timeout: timedelta
    interval: timedelta
    stop_on_waiting: bool = False

    @property
    def pause(self) -> float:
        """Seconds between two reads."""
        return max(SHORTEST_PAUSE, self.interval.total_seconds())


def wait(
    ctx: Context, selectors: Sequence[str], options: WaitOptions
) -> tuple[WaitReport, int | None]:
    """Waits for the selected tasks. Returns the report, and the exit code of a signal if it
    arrived. Raises TaskctlError."""
    tasks, refs = RecordedTasks.select(ctx, selectors)
    declared = declared_refs(ctx, tasks.state) or ()  # before the wait, which may take hours
    last = FailureReport((error(Code.INTERRUPTED, "waiting"),))
    with ctx.ui.interruptible("stopped_waiting", last) as stop:
        found, end = TaskWait(tasks, refs, options).run(stop)
    note_end(ctx, end)
    problems = tuple(dict.fromkeys(tasks.expectations.problems))
    found = in_manifest_order(found, declared)
    return WaitReport(found, end, ctx.now(), problems), stop.exit_code


def note_end(ctx: Context, end: End) -> None:
    """Notes why a wait has ended before all tasks were done."""
    if end is End.TIMEOUT:
        ctx.ui.note("timed_out")
    if end is End.TO_MERGE:
        ctx.ui.note("to_merge")


class Expected(Value, frozen=True):
    """The known statuses when the wait starts: `done` tasks are not requested, and `shown` statuses
    are shown again only once they change. The wait also ends once `is_enough`."""

    done: Sequence[TaskStatus] = ()
    shown: Sequence[TaskStatus] = ()
    is_enough: Callable[[Sequence[TaskStatus]], bool] = lambda _: False


_UNKNOWN = Expected()


class TaskWait:
    def __init__(
        self,
        tasks: RecordedTasks,
        refs: Sequence[TaskRef],
        options: WaitOptions,
        expected: Expected = _UNKNOWN,
    ) -> None:
        self._tasks, self._refs, self._options, self._expected = tasks, refs, options, expected
        self._done = {status.ref: status for status in expected.done}
        self._started = tasks.ctx.clock.boot()
        self._failure: RemoteError | None = None

    def run(self, stop: Stop) -> tuple[tuple[TaskStatus, ...], End]:
        """The last statuses, and the reason why the wait ended. Raises RemoteError."""
        watch = self._tasks.ctx.ui.watch(self._expected.shown)
        statuses: tuple[TaskStatus, ...] | None = None
        try:
            while True:
                statuses = self._read() if statuses is None else self._read_again(statuses)
                watch.show(statuses)
                if (end := self._end_of(statuses)) is not None:
                    return statuses, end
                waited = self._tasks.ctx.clock.boot() - self._started
                left = self._options.timeout.total_seconds() - waited
                if left <= 0 and self._failure is not None:
                    raise self._failure
                if left <= 0:
                    return statuses, End.TIMEOUT
                if not stop.wait(min(left, self._options.pause)):
                    return statuses, End.INTERRUPTED
        finally:
            watch.close()

    def _end_of(self, found: Sequence[TaskStatus]) -> End | None:
        """The reason to end the wait with these statuses; None to continue."""
        if self._expected.is_enough(found) or all(status.state.is_finished for status in found):
            return End.FINISHED
        states = {status.state for status in found}
        if TaskState.RUNNING in states:
            return None
        if TaskState.TO_MERGE in states:
            return End.TO_MERGE
        return End.WAITING if self._options.stop_on_waiting else None

    def _read_again(self, before: tuple[TaskStatus, ...]) -> tuple[TaskStatus, ...]:
        """The statuses; those from `before` while the service does not respond."""
        try:
            found = self._read()
        except RemoteError as problem:
            if not is_unavailable(problem):
                raise
            if self._failure is None:
                self._tasks.ctx.ui.note("looking_again", problem=problem.causes)
            self._failure = problem
            return before
        self._failure = None
        return found

    def _read(self) -> tuple[TaskStatus, ...]:
        unfinished = [ref for ref in self._refs if ref not in self._done]
        found = by_state([*self._tasks.statuses(unfinished), *self._done.values()])
        self._done = {status.ref: status for status in found if status.state is TaskState.DONE}
        return found
