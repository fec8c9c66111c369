"""One wave of an apply: plan, show it, confirm, execute it (`reconciler.apply`), save."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property, partial
from typing import Any

from reconciler.app.ci import this_run
from reconciler.app.context import Context
from reconciler.app.new_state import answers_about_rest, begun_recoveries, ended_recoveries
from reconciler.app.planning import (
    Read,
    Sources,
    Workspace,
    bare_plan,
    failures_of,
    full_plan,
    inputs_of,
    plan_again,
    read,
    read_progress,
    refuse_other_periods,
)
from reconciler.app.ui import ApplyProgress, FailureReport
from reconciler.app.wait import WaitOptions
from reconciler.apply.context import ApplyContext
from reconciler.apply.executor import Executor
from reconciler.apply.loop import Loop
from reconciler.apply.report import ApplyReport, Result, only_new
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Severity, StateError, TaskctlError, error, has_errors
from reconciler.model.options import PlanOptions
from reconciler.model.service import RemoteTask
from reconciler.model.task import TaskRef
from reconciler.model.value import Value, field, replace
from reconciler.plan.adoption import described
from reconciler.plan.digest import refuse_stale, refuse_unexpected
from reconciler.plan.hold import with_held
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.plan.planner import followed_by
from reconciler.plan.progress import TaskProgress
from reconciler.plan.recovery import AttemptAges, waited_totals
from reconciler.plan.replacement import exactly
from reconciler.plan.selection import covers
from reconciler.state.attempt import Baseline
from reconciler.state.edit import mark_done, update_declared
from reconciler.state.ledger import fold
from reconciler.state.lock import Declared
from reconciler.state.model import Aged, Event, State
from reconciler.state.session import Outcome, Session
from reconciler.system import memory
from reconciler.system.clock import Stop


class ApplyRequest(Value, frozen=True):
    """The arguments of an apply. `given` are the names of the options that were given for this run,
    not in the configuration file. `expected` is the digest that the plan must have. `reviewed` is
    the saved plan to apply, if PATH is one: its options and PATHs are used."""

    paths: tuple[str, ...] = ()
    options: PlanOptions = field(default_factory=PlanOptions)
    given: frozenset[str] = frozenset()
    yes: bool = False
    expected: str | None = None
    wait: WaitOptions | None = None
    fail_on: tuple[str, ...] = ()
    reviewed: Plan | None = None


class Applied(Value, frozen=True):
    """The outcome of an apply. `plan` is the executed plan, None if it was declined. `signal` is
    the exit code of a signal that arrived."""

    report: ApplyReport
    plan: Plan | None = None
    signal: int | None = None

    @property
    def has_failed(self) -> bool:
        """Whether no wave may follow: something failed, or a signal arrived."""
        return self.signal is not None or self.report.failed()


class Wave:
    """One wave, from the plan to the saved state. `follows`: the keys of a later wave, which were
    confirmed before the first wave; None for the first. `progress` is the progress of the tasks
    that held tasks wait for, as of the plan, without replaced tasks and what has changed since."""

    def __init__(
        self,
        ctx: Context,
        space: Workspace,
        session: Session,
        request: ApplyRequest,
        follows: Collection[TaskRef] | None = None,
    ) -> None:
        self._ctx, self._space, self._session = ctx, space, session
        self._request, self._follows = request, follows
        self._yes = request.yes or request.reviewed is not None
        self._ages = AttemptAges(ctx.clock.boot(), session.state.attempts.values())
        self._sources = Sources(ctx)
        options = space.options
        if follows is not None:  # only for held tasks, without the options for others
            options = replace(options, replace=(), allow_recreate=(), update=False)
        self._inputs = inputs_of(ctx, space, session.state, options, ages=self._ages, only=follows)
        self._read: Read
        self._answers: list[Event] = []
        self._seen: list[RemoteTask] = []
        self._replaced: set[TaskRef] = set()

    @property
    def progress(self) -> Mapping[TaskRef, TaskProgress]:
        known = self._read.progress
        return {ref: known[ref] for ref in known.keys() - self._replaced}

    @cached_property
    def awaited(self) -> frozenset[TaskRef]:
        """The recorded tasks that missing tasks in other organizations wait for, after this wave,
        if it is limited to some organizations."""
        options = self._space.options
        if not options.target:
            return frozenset()
        inputs = replace(self._inputs, state=self.state, options=options, limit=())
        return frozenset(task.record.ref for task in followed_by(inputs))

    @property
    def _may_ask(self) -> bool:
        """Whether a person may be asked about single tasks: not if the plan was reviewed before."""
        is_reviewed = self._yes or self._request.expected is not None
        return self._ctx.ui.interactive and not is_reviewed

    @property
    def declared(self) -> Declared | None:
        """The declaration that is kept with the lock of the state."""
        return self._session.declared

    @property
    def state(self) -> State:
        return self._session.state

    def run(self) -> Applied:
        """Runs the wave, and returns its outcome. Raises TaskctlError if nothing was sent."""
        is_first = self._follows is None
        if self._follows:
            refuse_other_periods(self._ctx, self._space)
        plan = self._plan() if is_first else self._make()
        ui = self._ctx.ui
        # Errors, which stop the run, are shown last.
        hints = tuple(d for d in plan.diagnostics if d.severity is not Severity.ERROR)
        if is_first:
            ui.show(replace(plan, diagnostics=hints))
        if has_errors(plan.diagnostics):
            raise TaskctlError(plan.diagnostics)
        if is_first and plan.has_changes() and not self._confirm(plan):
            ui.note("not_created")
            return Applied(ApplyReport((), (error(Code.DECLINED),)))
        view = self._read.view
        self._seen = list(view.tasks.values())
        self._compared = {org: view.newest[org] for org in view.compared}
        last = FailureReport((error(Code.INTERRUPTED, "secondSignal"),))
        with ui.interruptible("stopping", last) as stop:
            plan, report = self._execute(plan, stop)
        self._replaced = {task.ref for task in report.tasks if task.replaced}
        report = replace(
            report,
            diagnostics=(
                *plan.diagnostics,
                *report.diagnostics,
                *failures_of(plan, self._request.fail_on),
            ),
            budgets=plan.budgets,
            held=sum(task.action is Action.HELD for task in plan.tasks),
        )
        if "none" in self._request.fail_on:
            report = only_new(report, {task.ref for task in plan.tasks if task.is_unresolved})
        outcome = Outcome()
        if stop.exit_code is None:
            report = self._end_recovery(plan, report)
            outcome = self._outcome(plan, report)
        applied = Applied(self._save(report, outcome), plan, stop.exit_code)
        self._ctx.known_state = self._ctx.known_state.followed_by(self.state)
        return applied

    def _end_recovery(self, plan: Plan, report: ApplyReport) -> ApplyReport:
        """Ends the recoveries that the plan completes, unless a task could not be recorded."""
        try:
            if ended := ended_recoveries(plan, self._session.state):
                self._session.append(*ended)
        except StateError as problem:
            return replace(report, diagnostics=(*report.diagnostics, *problem.diagnostics))
        return report

    def _plan(self) -> Plan:
        request, plan = self._request, self._make()
        if (reviewed := request.reviewed) is not None:
            refuse_stale(plan, reviewed, request.paths[0])
        if request.expected is not None:
            refuse_unexpected(plan, request.expected)
        if not self._may_ask:
            return plan
        if recreate := self._ask_about_gone(plan):
            plan = self._make(options=replace(plan.options, allow_recreate=recreate))
        answers = {t.ref: t.candidate.id for t in plan.tasks if t.is_look_alike and t.candidate}
        if answers and self._ctx.ui.confirm_adoption(plan):
            plan = self._make(answers=answers)
        # Whether the keys without a task are new, while a lost state is recovered.
        state = self._session.state
        if answered := answers_about_rest(self._ctx, plan, state):
            self._answers = answered
            plan = self._make(state=fold(state, answered))
        return plan

    def _make(self, **changes: Any) -> Plan:
        """The plan, after these changes of its inputs."""
        self._inputs = replace(self._inputs, **changes)
        self._read = read(self._ctx, self._sources, self._inputs)
        return full_plan(self._ctx, self._space, self._sources, self._inputs, self._read)

    def _ask_about_gone(self, plan: Plan) -> tuple[str, ...] | None:
        """The tasks that may be recreated, if the user confirmed further tasks; otherwise None."""
        gone = [
            task
            for task in plan.tasks
            if task.reason is Reason.NOT_FOUND
            and task.desired is not None
            and task.desired.task_id is None
        ]
        allowed = []
        for task in gone:
            note = task.explanation
            if self._ctx.ui.ask("ask.recreate", strict=True, ref=str(task.ref), note=note):
                allowed.append(str(task.ref))
        return (*plan.options.allow_recreate, *allowed) if allowed else None

    def _confirm(self, plan: Plan) -> bool:
        if self._yes:
            return True
        if not self._ctx.ui.interactive:
            raise TaskctlError.of(Code.CONFIRMATION_REQUIRED, "apply")
        return self._ctx.ui.confirm(plan)

    def _execute(self, plan: Plan, stop: Stop) -> tuple[Plan, ApplyReport]:
        """The plan, in which further tasks are held, and the report."""
        memory.resume_collection()  # lost responses leave reference cycles behind
        ctx = self._ctx
        total = sum(1 for task in plan.tasks if task.applies)
        progress = ctx.ui.progress(total)
        self._session.sign(this_run(ctx.client, ctx.clock))  # its identity is known now
        succeeded = mark_done(self.state, self._read.done)
        if notes := [*begun_recoveries(plan), *self._answers, *succeeded]:
            self._session.append(*notes)
        apply_ctx = ApplyContext(
            service=ctx.client,
            session=self._session,
            identity=ctx.client.identity(),
            clock=ctx.clock,
            wait=stop.wait,
            ended=progress.ended,
            paused=progress.paused,
            ages=self._ages,
            known=self._sources.survey.known,
            settle_time=plan.options.settle_time,
            baselines=dict(self._read.view.newest),
            recurrences=self._space.manifests.recurrences,
            confirms=lambda task: self._is_created(task, progress),
            adopts=plan.adopts,
            only_records=plan.options.adopt,
        )
        loop = Loop(
            apply_ctx,
            Executor(apply_ctx, ctx.connection.parallelism),
            partial(self._replan, exactly(plan), apply_ctx.baselines),
            progress.waiting,
            plan.options.max_creates,
        )
        try:
            report = loop.run(plan)
        finally:
            self._seen += loop.listed
            progress.close()
        for task in loop.held.values():
            ctx.ui.note("held_instead", key=task.ref.key, why=task.explanation)
        return with_held(plan, loop.held), report

    def _replan(
        self, options: PlanOptions, baselines: dict[str, Baseline], only: Collection[TaskRef]
    ) -> Plan:
        """Reads the service and plans again, for these keys. It adds the `baselines` of
        organizations whose lists could not be used before. Raises RemoteError."""
        inputs = replace(self._inputs, state=self.state, options=options, limit=only)
        found = read(self._ctx, self._sources, inputs, self._read)
        baselines.update({**found.view.newest, **baselines})
        plan = bare_plan(inputs, found)
        if not plan.closed:
            return plan
        # Before a create is sent again, all rules for a first create decide anew.
        found = read_progress(self._ctx, self._sources, inputs, found)
        before, now = self._read.progress, found.progress  # for the wait, a difference is progress
        same = {ref: p for ref, p in before.items() if now.get(ref, p).progress is p.progress}
        self._read = self._read._replace(progress=same)
        self._session.append(*mark_done(self.state, found.done))
        return plan_again(self._sources, replace(inputs, state=self.state), found)

    def _is_created(self, task: PlannedTask, progress: ApplyProgress) -> bool:
        """Whether a person says that an attempt has created the planned task's candidate."""
        if not self._may_ask or task.candidate is None:
            return False
        note = tuple(described(task.candidate, self.state.backend))
        progress.close()
        return self._ctx.ui.ask("ask.created", strict=True, ref=str(task.ref), note=note)

    def _note_waited(self) -> None:
        """Journals the time that the attempts have been waited for, unless it was journaled."""
        attempts, settle = self._session.state.attempts.values(), self._space.options.settle_time
        found = dict(waited_totals(attempts, settle, self._ages, self._ctx.clock.boot()))
        self._session.append(*([Aged(found)] if found else ()))

    def _outcome(self, plan: Plan, report: ApplyReport) -> Outcome:
        """The tasks as last seen, and the baselines of the organizations whose keys were all
        compared with the service's tasks, and now have their tasks."""
        changed = {result.task_id for result in report.tasks if result.updated}
        seen = [task for task in self._seen if task.id not in changed]
        open_results = {Result.UNRESOLVED, Result.NOT_STARTED}
        is_whole = self._follows is None and plan.complete
        if not is_whole or not open_results.isdisjoint(task.result for task in report.tasks):
            return Outcome(seen)
        compared = {
            org: baseline
            for org, baseline in self._compared.items()
            if covers(self._space.scope, plan.options, org)
            and org in self._read.searched
            and org not in self.state.recovering
        }
        return Outcome(seen, compared)

    def _save(self, report: ApplyReport, outcome: Outcome) -> ApplyReport:
        """Saves the state; a failure is added to the report."""
        try:
            self._session.append(*update_declared(self._session.state, self._space.desired))
            self._note_waited()
            self._session.close(outcome)  # writes the state, and releases the lock
        except StateError as problem:
            new = (found for found in problem.diagnostics if found not in report.diagnostics)
            return replace(report, diagnostics=(*report.diagnostics, *new))
        return report
