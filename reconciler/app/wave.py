"""One wave of an apply: plan, show it, confirm, execute it (`reconciler.apply`), save."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cached_property, partial
from typing import Any

from reconciler.app.ci import this_run
from reconciler.app.context import Context
from reconciler.app.new_state import answer
from reconciler.app.planning import (
    Round,
    explained,
    failures_of,
    first_round,
    later_plan,
)
from reconciler.app.reading import Reader
from reconciler.app.ui import FailureReport
from reconciler.app.wait import WaitOptions
from reconciler.app.workspace import Workspace, inputs_of, refuse_other_periods
from reconciler.apply.context import ApplyContext
from reconciler.apply.executor import Executor
from reconciler.apply.report import ApplyReport, only_new
from reconciler.apply.rounds import run_in_rounds
from reconciler.apply.run import Run, RunCallbacks
from reconciler.model.codes import Code
from reconciler.model.diagnostics import (
    Place,
    RemoteError,
    Severity,
    StateError,
    TaskctlError,
    error,
    has_errors,
)
from reconciler.model.options import PlanOptions
from reconciler.model.service import RemoteTask
from reconciler.model.task import TaskRef
from reconciler.model.value import Value, field, replace
from reconciler.plan.adoption import adopt_found, described
from reconciler.plan.ages import AttemptAges, waited_totals
from reconciler.plan.confirmed import Confirmed
from reconciler.plan.digest import SavedPlan, differences, nothing_left, refuse_unexpected
from reconciler.plan.explanation import Duplicate, Explanation, Found
from reconciler.plan.facts import Facts
from reconciler.plan.hold import with_held
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.plan.progress import TaskProgress
from reconciler.plan.replacement import exactly
from reconciler.plan.steps import Inputs, duplicate_warnings, followed_by, unkept_warnings
from reconciler.state import edit
from reconciler.state.attempt import Attempt
from reconciler.state.edit import mark_done, update_declared
from reconciler.state.lock import LastApply
from reconciler.state.model import Aged, State
from reconciler.state.session import Session
from reconciler.system import memory
from reconciler.system.clock import Stop


class ApplyRequest(Value, frozen=True):
    """The arguments of an apply. `given` are the names of the options that were given for this run,
    not in the configuration file. `expected` is the digest that the plan must have. `reviewed` is
    the content of the saved plan to apply, if PATH is one: its options and PATHs are used."""

    paths: tuple[str, ...] = ()
    options: PlanOptions = field(default_factory=PlanOptions)
    given: frozenset[str] = frozenset()
    yes: bool = False
    expected: str | None = None
    wait: WaitOptions | None = None
    fail_on: tuple[str, ...] = ()
    reviewed: SavedPlan | None = None


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
    """One wave, from the plan to the saved state. `confirmed`: None for the first wave; a later
    wave is limited to what was confirmed before the first. `progress` is the progress, when the
    plan was made, of the tasks that held tasks wait for. It leaves out tasks that this wave has
    replaced, and tasks that have progressed since."""

    def __init__(
        self,
        ctx: Context,
        space: Workspace,
        session: Session,
        request: ApplyRequest,
        confirmed: Confirmed | None = None,
    ) -> None:
        self._ctx, self._space, self._session = ctx, space, session
        self._request, self._confirmed = request, confirmed
        self._ages = AttemptAges(ctx.clock.boot(), session.state.attempts.values())
        self._reader = Reader(ctx)
        options, only = space.options, None
        if confirmed is not None:  # only for held tasks, without the options for others
            options = replace(options, replace=(), allow_recreate=(), update=False)
            only = confirmed.followers
        self._inputs = inputs_of(ctx, space, session.state, options, ages=self._ages, only=only)
        self._round: Round
        self._duplicates: dict[str, Duplicate] = {}
        self.progress: dict[TaskRef, TaskProgress] = {}

    @cached_property
    def awaited(self) -> frozenset[TaskRef]:
        """The recorded tasks that missing tasks in other organizations wait for, after this wave,
        if it is limited to some organizations."""
        if not self._space.options.target:
            return frozenset()
        inputs = replace(self._inputs, state=self.state, options=self._space.options)
        return frozenset(task.record.ref for task in followed_by(inputs))

    @property
    def _may_ask(self) -> bool:
        """Whether a person may be asked about single tasks: not if the plan was reviewed before."""
        is_reviewed = self._is_confirmed or self._request.expected is not None
        return self._ctx.ui.interactive and not is_reviewed

    @property
    def _is_confirmed(self) -> bool:
        return self._request.yes or self._request.reviewed is not None

    @property
    def declared(self) -> LastApply | None:
        """The declaration that is kept with the lock of the state."""
        return self._session.declared

    @property
    def state(self) -> State:
        return self._session.state

    def run(self) -> Applied:
        """Runs the wave, and returns its outcome. Raises TaskctlError if nothing was sent."""
        is_first = self._confirmed is None
        if self._confirmed is not None and self._confirmed.followers:
            refuse_other_periods(self._ctx, self._space)
        plan = self._plan() if is_first else self._make()
        ui = self._ctx.ui
        # Errors, which stop the run, are shown last.
        hints = tuple(d for d in plan.diagnostics if d.severity is not Severity.ERROR)
        if is_first:
            ui.show(replace(plan, diagnostics=hints))
            self._refuse_others(plan)
        if has_errors(plan.diagnostics):
            raise TaskctlError(plan.diagnostics)
        if is_first and plan.has_changes() and not self._confirm(plan):
            ui.note("not_created")
            return Applied(ApplyReport((), (error(Code.DECLINED),)))
        last = FailureReport((error(Code.INTERRUPTED, "secondSignal"),))
        with ui.interruptible("stopping", last) as stop:
            plan, report = self._execute(plan, stop)
        for task in report.tasks:
            if task.replaced:
                self.progress.pop(task.ref, None)
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
        applied = Applied(self._save(report), plan, stop.exit_code)
        self._ctx.known_state = self._ctx.known_state.followed_by(self.state)
        return applied

    def _plan(self) -> Plan:
        plan = self._make()
        if not self._may_ask:
            return plan
        if recreate := self._ask_about_gone(plan):
            plan = self._make(options=replace(plan.options, allow_recreate=recreate))
        others = self._round.explanation.questions
        if others:
            self._ctx.ui.diagnostics([d for d in plan.diagnostics if d.code is Code.OTHER_STATES])
            if answer(self._ctx, self._space, self._session, self._reader, others):
                plan = self._make(state=self.state)
        return plan

    def _make(self, **changes: Any) -> Plan:
        """Makes the plan, with these changes to its inputs."""
        self._inputs = replace(self._inputs, **changes)
        known = self._space.manifests.diagnostics
        self._round = first_round(
            self._ctx, self._reader, self._inputs, known, advance=self._advance
        )
        self.progress = dict(self._round.facts.progress)
        return self._round.plan

    def _advance(self, part: Facts) -> None:
        """Moves the baseline while first messages are read, unless a task is to be recorded."""
        found = explained(replace(self._inputs, state=self.state), part)
        if not found.events:
            self._session.append(*found.notes)

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

    def _refuse_others(self, plan: Plan) -> None:
        """Raises TaskctlError unless the plan does what was reviewed."""
        request = self._request
        if (reviewed := request.reviewed) is not None:
            at, found = Place(request.paths[0]), differences(reviewed, SavedPlan.of(plan))
            if nothing_left(reviewed, plan):
                raise TaskctlError.of(Code.SAVED_PLAN_STALE, "nothingLeft", at=at)
            if stale := [
                error(Code.SAVED_PLAN_STALE, case, at=at, **facts) for case, facts in found
            ]:
                raise TaskctlError(stale)
        if request.expected is not None:
            refuse_unexpected(plan, request.expected)

    def _confirm(self, plan: Plan) -> bool:
        if self._is_confirmed:
            return True
        if not self._ctx.ui.interactive:
            raise TaskctlError.of(Code.CONFIRMATION_REQUIRED, "apply")
        return self._ctx.ui.confirm(plan)

    def _execute(self, plan: Plan, stop: Stop) -> tuple[Plan, ApplyReport]:
        """The plan, in which further tasks are held, and the report."""
        memory.resume_collection()  # lost responses leave reference cycles behind
        ctx = self._ctx
        progress = ctx.ui.progress(plan)
        self._session.sign(this_run(ctx.client, ctx.clock))  # its identity is known now
        self._record(plan)
        apply_ctx = ApplyContext(
            service=ctx.client,
            session=self._session,
            identity=ctx.client.identity(),
            clock=ctx.clock,
            wait=stop.wait,
            ended=progress.ended,
            paused=progress.paused,
            ages=self._ages,
            settle_time=plan.options.settle_time,
            listed=self._reader.listed,
            recurrences=self._space.manifests.recurrences,
        )
        executor = Executor(apply_ctx, ctx.connection.parallelism)
        callbacks = RunCallbacks(
            self._explain_again,
            self._planned,
            lambda attempt, task: self._is_created(attempt, task, progress.close),
        )
        confirmed = self._confirmed or Confirmed.of(plan)
        run = Run(apply_ctx, executor, callbacks, progress.waiting, confirmed)
        plan_again = partial(self._plan_again, exactly(plan))
        try:
            report = run_in_rounds(run, plan, self._round.explanation, plan_again)
            if executor.creates.created and stop.wait(0):
                orgs = {ref.org_name for ref in executor.creates.created}
                report = self._explain_at_end(report, orgs)
        finally:
            progress.close()
        for task in run.held.values():
            ctx.ui.note("held_instead", key=task.ref.key, why=task.explanation)
        known = {each.remote.id for each in self._round.explanation.duplicates}
        new = [each for task_id, each in self._duplicates.items() if task_id not in known]
        warnings = duplicate_warnings(plan.backend, new)
        report = replace(report, diagnostics=(*report.diagnostics, *warnings))
        return with_held(plan, run.held), report

    def _record(self, plan: Plan) -> None:
        """Records what was explained, in one write. A baseline alone is only written if it saves
        requests later."""
        found, facts = self._round.explanation, self._round.facts
        events = [*found.events, *mark_done(found.state, facts.done)]
        state, identity = self._inputs.state, facts.identity
        is_new = any(
            listing.reads or state.baseline(org_name, identity) is None
            for org_name, listing in facts.lists.items()
        )
        if events or is_new or any(task.applies for task in plan.tasks):
            self._session.append(*events, *found.notes)

    def _explain_again(self) -> Explanation:
        """Reads what the service says about open attempts, and records it. Raises RemoteError."""
        inputs = replace(self._inputs, state=self.state)
        return self._explained(inputs, self._reader.read_attempts(inputs))

    def _explained(self, inputs: Inputs, facts: Facts) -> Explanation:
        found = explained(inputs, facts)
        self._duplicates |= {each.remote.id: each for each in found.duplicates}
        events = (*found.events, *mark_done(found.state, facts.done))
        if events or found.state.provenance != inputs.state.provenance:
            self._session.append(*events, *found.notes)
        return found

    def _plan_again(
        self, options: PlanOptions, only: Collection[TaskRef]
    ) -> tuple[Plan, Explanation]:
        """Reads, explains and plans again, for these keys. Raises RemoteError."""
        selection = self._inputs.selection.within(only)
        inputs = replace(self._inputs, state=self.state, options=options, selection=selection)
        facts = self._reader.read(inputs)
        explanation = self._explained(inputs, facts)
        for ref, now in facts.progress.items():
            before = self.progress.get(ref)
            if before is not None and now.progress is not before.progress:
                del self.progress[ref]  # the wait then sees that it has progressed
        inputs = replace(inputs, state=self.state)
        return later_plan(self._reader, inputs, facts, explanation), explanation

    def _explain_at_end(self, report: ApplyReport, organizations: Iterable[str]) -> ApplyReport:
        """Explains once more after creates: finds duplicates, and moves the baselines."""
        inputs = replace(self._inputs, state=self.state)
        try:
            facts = self._reader.read_organizations(inputs, organizations)
            found = explained(inputs, facts)
            self._duplicates |= {each.remote.id: each for each in found.duplicates}
            self._session.append(*found.events, *found.notes)
        except RemoteError:
            return report  # the next apply explains these tasks
        except StateError as problem:
            return replace(report, diagnostics=(*report.diagnostics, *problem.diagnostics))
        return replace(report, diagnostics=(*report.diagnostics, *unkept_warnings(found)))

    def _planned(self, found: Found) -> PlannedTask:
        """The planned recording of a task that was found."""
        desired = self._inputs.declared.tasks.get(found.record.ref)
        return adopt_found(found, desired, None, self.state.backend)

    def _is_created(
        self, attempt: Attempt, candidate: RemoteTask, close_progress: Callable[[], None]
    ) -> bool:
        """Whether a person says that an attempt has created this task, which is then recorded."""
        if not self._may_ask:
            return False
        ref, note = attempt.ref, tuple(described(candidate, self.state.backend))
        close_progress()
        if not self._ctx.ui.ask("ask.created", strict=True, ref=str(ref), note=note):
            return False
        now = self._ctx.clock.now()
        caller, number = self._ctx.client.identity(), self._session.next_reference(ref.key).number
        self._session.append(
            *edit.assign(self.state, ref, candidate, caller=caller, number=number, at=now)
        )
        return True

    def _note_waited(self) -> None:
        """Journals the time that the attempts have been waited for, unless it was journaled."""
        attempts, settle = self._session.state.attempts.values(), self._space.options.settle_time
        found = dict(waited_totals(attempts, settle, self._ages, self._ctx.clock.boot()))
        self._session.append(*([Aged(found)] if found else ()))

    def _save(self, report: ApplyReport) -> ApplyReport:
        """Saves the state; a failure is added to the report."""
        changed = {result.task_id for result in report.tasks if result.updated}
        try:
            self._session.append(*update_declared(self._session.state, self._space.desired))
            self._note_waited()
            self._session.close([task for task in self._reader.tasks if task.id not in changed])
        except StateError as problem:
            new = (found for found in problem.diagnostics if found not in report.diagnostics)
            return replace(report, diagnostics=(*report.diagnostics, *new))
        return report
