"""`apply`: one wave; with `--wait`, further waves until no task is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import chain

from reconciler.app.context import Context
from reconciler.app.declared import in_manifest_order
from reconciler.app.expectations import Expectations
from reconciler.app.new_state import begin_state
from reconciler.app.plan_file import is_plan_file, read_plan_file
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.app.wait import (
    End,
    Expected,
    TaskWait,
    WaitOptions,
    is_unavailable,
    note_end,
)
from reconciler.app.wave import Applied, ApplyRequest, Wave
from reconciler.app.workspace import Workspace, open_workspace
from reconciler.apply.report import ApplyReport, of_both_waves
from reconciler.manifest.digest import declared_digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError, TaskctlError
from reconciler.model.options import flag_of
from reconciler.model.remarks import Arg, Remark
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.plan.confirmed import Confirmed
from reconciler.plan.hold import recounted
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.plan.progress import TaskProgress
from reconciler.plan.replacement import exactly
from reconciler.plan.selection import agrees
from reconciler.state.edit import known_refs
from reconciler.tasks.status import TaskStatus, retried_names


class ApplyWaitReport(ApplyReport, frozen=True, kw_only=True):
    """An apply and the wait after it. `statuses` are in the order of the manifests, as they were
    `read_at`; `held_tasks` were not created. `retry`: the names of those that `--retry` can start
    over."""

    statuses: tuple[TaskStatus, ...]
    end: End
    read_at: datetime
    held_tasks: tuple[PlannedTask, ...] = ()
    retry: tuple[str, ...] = ()


def apply(ctx: Context, request: ApplyRequest) -> Applied:
    """Applies manifests or a saved plan. Raises TaskctlError if nothing was sent."""
    waits = request.options.wait  # `apply PLAN --wait` also waits if the plan lacks --wait
    request = _with_saved_plan(ctx, request)
    reviewed = request.reviewed
    paths = reviewed.scope if reviewed is not None else ctx.settings.names(request.paths)
    space = open_workspace(ctx, paths, request.options)
    begin_state(ctx)
    applied, wave = _run_wave(ctx, space, request)
    waits = waits or request.options.wait
    if not waits or request.wait is None or applied.plan is None:
        return applied
    if not applied.has_failed:
        ctx.ui.show(applied.report)
    return _LaterWaves(ctx, space, request, request.wait, applied, applied.plan, wave).run()


def _with_saved_plan(ctx: Context, request: ApplyRequest) -> ApplyRequest:
    """The request, with the saved plan and its options if a PATH is a plan. Raises TaskctlError,
    also for other options."""
    files = [path for path in request.paths if is_plan_file(ctx.settings.path(path))]
    if not files:
        return request
    if len(request.paths) > 1:
        raise TaskctlError.of(Code.USAGE, "savedPlanAlone", file=files[0])
    reviewed = read_plan_file(ctx.settings.path(files[0]), files[0])
    for name in sorted(request.given - {"wait"}):
        if not agrees(name, request.options, reviewed.options):
            raise TaskctlError.of(Code.SAVED_PLAN_STALE, "option", flag=flag_of(name))
    # A changed file must not shorten the settle time: attempts would be closed too early.
    settle_time = max(reviewed.options.settle_time, request.options.settle_time)
    reviewed = replace(reviewed, options=replace(reviewed.options, settle_time=settle_time))
    return replace(request, options=reviewed.options, reviewed=reviewed)


def _run_wave(
    ctx: Context,
    space: Workspace,
    request: ApplyRequest,
    confirmed: Confirmed | None = None,
    before: Wave | None = None,
) -> tuple[Applied, Wave]:
    """Runs a wave. Raises TaskctlError if nothing was sent, for example because somebody has
    applied different manifests, or edited the state, since the previous wave (`before`)."""
    command = " ".join(("apply", *request.paths))[:_MAX_COMMAND]
    digest = declared_digest(space.manifests, space.scope)
    declared = before.declared if before is not None else None
    session = ctx.open_state(command, digest=digest, follows=declared)
    try:
        wave = Wave(ctx, space, session, request, confirmed)
        return wave.run(), wave
    finally:
        with suppress(StateError):  # the wave has already reported it
            session.close()


_MAX_COMMAND = 200
_UNKNOWN = TaskProgress(TaskState.RUNNING)
_DONE = TaskProgress(TaskState.DONE)


class _LaterWaves:
    """Waits, and runs further waves. The state is not locked between waves, and each wave makes a
    new plan: an apply that is killed at any point can be run again."""

    def __init__(
        self,
        ctx: Context,
        space: Workspace,
        request: ApplyRequest,
        options: WaitOptions,
        applied: Applied,
        plan: Plan,
        wave: Wave,
    ) -> None:
        # This run never retries tasks that it created.
        self._ctx, self._space = ctx, replace(space, options=exactly(plan))
        self._request, self._options = request, options
        self._applied, self._wave = applied, wave
        self._statuses: tuple[TaskStatus, ...] = ()
        self._refs = tuple(task.ref for task in plan.tasks if task.desired is not None)
        self._held = _held(plan)
        self._confirmed = Confirmed.of(plan)
        self._expectations = Expectations(ctx.settings.root, ctx.settings.paths)
        self._done: dict[TaskRef, TaskStatus] = {}
        self._organizations = {ref.org_name for ref in self._refs}
        self._ends_at = ctx.clock.boot() + options.timeout.total_seconds()
        self._has_continued = self._is_delayed = False

    def run(self) -> Applied:
        """The outcome of all waves. If an error or a signal ends the run, the report still contains
        everything that was created."""
        try:
            while not self._applied.has_failed:
                end = self._wait()
                is_over = end is not End.FINISHED or self._applied.signal is not None
                if is_over or not self._may_continue(self._statuses):
                    return self._ended(end)
                self._continue()
        except TaskctlError as problem:
            report = self._applied.report
            diagnostics = (*report.diagnostics, *problem.diagnostics)
            report = replace(report, diagnostics=diagnostics)
            self._applied = replace(self._applied, report=report)
            return self._ended(End.INTERRUPTED) if self._statuses else self._applied
        except (KeyboardInterrupt, SystemExit) as signal:  # while a later wave was planned
            self._ctx.ui.note("stopped_waiting")
            code = signal.code if isinstance(signal, SystemExit) else None
            self._applied = replace(self._applied, signal=code if isinstance(code, int) else 130)
            return self._ended(End.INTERRUPTED)
        self._ctx.ui.note("not_waited")
        return self._applied

    def _wait(self) -> End:
        """Waits until all tasks have finished, or a held task may be created; between two waves, at
        least for the interval, and never beyond the time limit. Raises RemoteError."""
        state, left = self._wave.state, self._left
        refs = sorted({*self._refs, *self._blocking} & known_refs(state))
        done = [self._done[ref] for ref in refs if ref in self._done]
        known = Expected(done, self._statuses, self._may_continue)
        options = replace(self._options, timeout=timedelta(seconds=left))
        with self._ctx.ui.interruptible("stopped_waiting", self._applied.report) as stop:
            try:
                if self._has_continued:
                    stop.wait(min(left, options.pause))
                tasks = RecordedTasks(self._ctx, state, self._expectations)
                self._statuses, end = TaskWait(tasks, refs, options, known).run(stop)
            finally:
                self._applied = replace(self._applied, signal=stop.exit_code)
        self._done = {s.ref: s for s in self._statuses if s.state is TaskState.DONE}
        if end is End.FINISHED and not self._left and self._may_continue(self._statuses):
            end = End.TIMEOUT
        note_end(self._ctx, end)
        return end

    @property
    def _left(self) -> float:
        """Seconds until the time limit, at least 0."""
        return max(0.0, self._ends_at - self._ctx.clock.boot())

    @property
    def _blocking(self) -> set[TaskRef]:
        """The tasks that held tasks wait for, in the organizations of this run."""
        refs = {ref for task in self._held for ref in task.waits_for}
        return {ref for ref in refs if ref.org_name in self._organizations}

    def _may_continue(self, statuses: Sequence[TaskStatus]) -> bool:
        """Whether another wave has something to do. Either a task that held tasks wait for has made
        progress since the last plan, or all tasks have ended, and the success of a task that other
        organizations wait for has to be recorded."""
        progress, later = self._wave.progress, self._confirmed.followers
        followers = [task for task in self._held if task.ref in later]
        blocking = self._blocking & {ref for task in followers for ref in task.waits_for}
        if all(s.state.is_finished or s.state.has_ended for s in statuses):
            done = {status.ref for status in statuses if status.state is TaskState.DONE}
            blocking |= done & self._wave.awaited
        overlapping = {r for t in followers if t.reason is Reason.OVERLAP for r in t.waits_for}

        def has_progressed(status: TaskStatus) -> bool:
            before, now = progress.get(status.ref, _UNKNOWN), status.state
            if now is TaskState.TO_MERGE and status.ref in overlapping:
                return before.state is not now
            return now.traits.progress is not before.progress

        return any(has_progressed(status) for status in statuses if status.ref in blocking)

    def _continue(self) -> None:
        """Runs another wave; a locked state or an unavailable service is tried again later."""
        self._has_continued = True
        try:
            applied, self._wave = _run_wave(
                self._ctx, self._space, self._request, self._confirmed, self._wave
            )
        except TaskctlError as problem:
            if not is_unavailable(problem):
                raise
            if not self._is_delayed:
                self._ctx.ui.note("looking_again", problem=problem.causes)
            self._is_delayed = True
            return
        self._is_delayed = False
        if self._confirmed.followers:
            stuck = (task for task in self._held if task.ref not in self._confirmed.followers)
            self._held = (*stuck, *_held(applied.plan))
        progress = self._wave.progress
        self._done = {
            ref: status
            for ref, status in self._done.items()
            if progress.get(ref, _DONE).state is TaskState.DONE
        }
        if applied.report.tasks:
            self._ctx.ui.show(applied.report)
        report = of_both_waves(self._applied.report, applied.report)
        report = replace(report, diagnostics=recounted(report.diagnostics, self._held))
        self._applied = replace(self._applied, report=report, signal=applied.signal)

    def _ended(self, end: End) -> Applied:
        statuses = tuple(status for status in self._statuses if status.ref in self._refs)
        done, declared = self._applied.report, [task.ref for task in self._space.desired]
        report = ApplyWaitReport(
            done.tasks,
            done.diagnostics,
            done.budgets,
            len(self._held),
            done.only_new,
            statuses=in_manifest_order(statuses, declared),
            end=end,
            read_at=self._ctx.now(),
            held_tasks=tuple(map(self._held_now, self._held)),
            retry=retried_names(statuses, set(declared)),
        )
        return replace(self._applied, report=report)

    def _held_now(self, task: PlannedTask) -> PlannedTask:
        """A held task, with the last statuses of the tasks that it waits for: the plan may be older
        than these tasks."""
        states: dict[Arg, str] = {s.ref.seen_from(task.ref): s.state for s in self._statuses}
        return replace(task, remarks=tuple(_with_states(each, states) for each in task.remarks))


def _with_states(remark: Remark, states: Mapping[Arg, str]) -> Remark:
    """The remark with the current states of its tasks."""
    ahead = remark.facts.get("ahead")
    if not isinstance(ahead, tuple):
        return remark
    each = zip(ahead[::3], ahead[1::3], ahead[2::3], strict=True)
    now = ((n, states[n], "") if n in states else (n, s, t) for n, s, t in each)
    return replace(remark, facts={**remark.facts, "ahead": tuple(chain.from_iterable(now))})


def _held(plan: Plan | None) -> tuple[PlannedTask, ...]:
    tasks = plan.tasks if plan is not None else ()
    return tuple(task for task in tasks if task.action is Action.HELD)
