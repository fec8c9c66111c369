"""One wave of an apply: plans, shows the plan, asks, executes it (`reconciler.apply`), saves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler import garbage
from reconciler.app.context import Context
from reconciler.app.planner import (
    Planning,
    Workspace,
    failures_of,
    note_if_new,
    refuse_other_periods,
)
from reconciler.app.respond import cancel_record
from reconciler.app.wait import WaitOptions
from reconciler.apply.context import ApplyContext
from reconciler.apply.executor import Executor
from reconciler.apply.loop import Loop
from reconciler.apply.report import ApplyReport, Result
from reconciler.messages.notes import Note, Question
from reconciler.messages.remarks import word_remarks
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, Severity, error, has_errors
from reconciler.model.errors import StateError, TaskctlError
from reconciler.model.task import RemoteTask
from reconciler.plan.age import LockHolder
from reconciler.plan.budget import budget_document
from reconciler.plan.codec import SavedPlan, basis_of
from reconciler.plan.digest import refuse_unexpected
from reconciler.plan.hold import Standing
from reconciler.plan.options import PlanOptions
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.render.masking import secrets_of
from reconciler.render.plan_text import summary_row, unattended_row
from reconciler.render.reports import FailureReport
from reconciler.render.wait import WaitedReport
from reconciler.state.attempt import SEND_WINDOW, Baseline
from reconciler.state.edit import as_done, as_sensitive

if TYPE_CHECKING:
    from reconciler.app.ui import Stop
    from reconciler.model.task import TaskRef
    from reconciler.plan.view import RemoteView
    from reconciler.state.model import State
    from reconciler.state.session import Session

_MADE = (Result.CREATED, Result.REPLACED)


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """What the user asked for. `given` are the options without those of the configuration: a saved
    plan is held against them. `expected` is the digest that the plan must have."""

    paths: tuple[str, ...] = ()
    options: PlanOptions = field(default_factory=PlanOptions)
    given: PlanOptions = field(default_factory=PlanOptions)
    yes: bool = False
    expected: str | None = None
    wait: WaitOptions | None = None
    fail_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of an apply. `signal` is the exit code that a signal asks for, None without one.
    `plan` is what was executed, None if it was declined."""

    report: ApplyReport
    plan: Plan | None = None
    signal: int | None = None

    @property
    def edited(self) -> tuple[str, ...]:
        """The keys of tasks that keep the prompt they were created with, though it was edited."""
        return tuple(
            task.ref.key
            for task in (self.plan.tasks if self.plan is not None else ())
            if task.action is Action.CHANGED and any(c.path == "message.content" for c in task.diff)
        )

    @property
    def code(self) -> int:
        """The exit code (contract, section 3)."""
        if self.signal is not None:
            return self.signal
        if isinstance(self.report, WaitedReport):
            return self.report.code
        return int(self.report.failed())


class Wave:
    """One wave, from the plan to the saved state. `standing` says how far the tasks are that held
    ones wait for, as the plan knew it. `follows` are the keys that a later wave is about, which
    were agreed to before the first one."""

    def __init__(
        self,
        ctx: Context,
        space: Workspace,
        session: Session,
        request: ApplyRequest,
        saved: SavedPlan | None,
        follows: Collection[TaskRef] | None = None,
    ) -> None:
        self._ctx, self._space, self._session = ctx, space, session
        self._saved, self._expected = saved, request.expected
        self._file = request.paths[0] if saved is not None else ""
        self._fail_on, self._follows = request.fail_on, follows
        self._yes = request.yes or saved is not None
        self._holder = LockHolder(ctx.clock.boot())
        self._planning = Planning(ctx, space, self._holder)
        self._baselines: dict[str, Baseline] = {}
        self._listed: list[RemoteTask] = []
        self._options = space.options

    @property
    def standing(self) -> Mapping[TaskRef, Standing]:
        return self._planning.standing

    @property
    def state(self) -> State:
        return self._session.state

    def run(self) -> Applied:
        """The outcome. TaskctlError if nothing was sent."""
        is_first = self._follows is None
        plan = self._plan() if is_first else self._plan_again()
        ui = self._ctx.ui
        ui.protect(secrets_of(plan))
        first_view = self._planning.view
        # Errors, because of which nothing is done, come last.
        hints = tuple(d for d in plan.diagnostics if d.severity is not Severity.ERROR)
        if is_first:
            ui.show(replace(plan, diagnostics=hints))
        if has_errors(plan.diagnostics):
            raise TaskctlError(plan.diagnostics)
        if is_first and plan.can_apply() and not self._agreed(plan):
            ui.note(Note.NOT_CREATED)
            return Applied(ApplyReport((), (error(Code.DECLINED),)))
        last = FailureReport((error(Code.INTERRUPTED, "secondSignal"),))
        with ui.interruptible(Note.STOPPING, last) as stop:
            report = self._carry_out(plan, stop)
        report = replace(
            report,
            diagnostics=(
                *plan.diagnostics,
                *report.diagnostics,
                *failures_of(plan, self._fail_on),
            ),
            budget=budget_document(plan.budgets) if plan.budgets else None,
        )
        if stop.exit_code is None:
            self._refresh(report, first_view)
            if is_first and plan.complete and not _is_open(report):
                self._establish()
        return Applied(self._save(report), plan, stop.exit_code)

    def _establish(self) -> None:
        """Keys that were not selected were not looked up: for them the state stays new."""
        if not self._options.target and not self._options.exclude:
            self._session.mark_complete(self._space.scope, self._baselines)

    def _plan(self) -> Plan:
        state = self._session.state
        note_if_new(self._ctx, self._space, state)
        plan = self._planning.plan(state, self._options, refusing=True)
        if self._saved is not None:
            self._saved.refuse_unless(basis_of(plan, self._space.desired, state), self._file)
            refuse_more(self._saved.plan, plan, self._file)
        if self._expected is not None:
            refuse_unexpected(plan, self._expected)
        elif not self._yes and (again := self._ask_about_gone(plan.tasks)):
            self._options = replace(self._options, allow_recreate=again)
            plan = self._planning.plan(state, self._options, refusing=True)
        return plan

    def _plan_again(self) -> Plan:
        """The plan of a later wave: for the held tasks alone, without what was asked of others."""
        refuse_other_periods(self._ctx, self._space)
        self._options = replace(
            self._options, replace=(), cancel_replaced=False, allow_recreate=(), update=False
        )
        state, follows = self._session.state, self._follows
        return self._planning.plan(state, self._options, refusing=True, only=follows)

    def _ask_about_gone(self, tasks: Iterable[PlannedTask]) -> tuple[str, ...] | None:
        """The keys that may be created again, if a person agreed to a further one; else None."""
        if not self._ctx.ui.interactive:
            return None
        gone = [
            task
            for task in tasks
            if task.reason is Reason.NOT_FOUND
            and task.desired is not None
            and task.desired.task_id is None
        ]
        allowed = [task.ref.key for task in gone if self._may_recreate(task)]
        return (*self._options.allow_recreate, *allowed) if allowed else None

    def _may_recreate(self, task: PlannedTask) -> bool:
        note = word_remarks(task.explanation).note
        return self._ctx.ui.ask(Question.RECREATE, strict=True, ref=str(task.ref), note=note)

    def _agreed(self, plan: Plan) -> bool:
        if self._yes:
            return True
        if not self._ctx.ui.interactive:
            raise TaskctlError.of(Code.CONFIRMATION_REQUIRED, "apply")
        now = sum(task.creates for task in plan.tasks)
        later = len(plan.followers)
        creates = bool(now or later)
        unattended = unattended_row(plan)
        waves = f"{now} now, up to {later} later. " if later else ""
        return self._ctx.ui.ask(
            Question.CREATE if creates else Question.CHANGE,
            strict=creates,
            summary=f"{summary_row(plan)}\n{f'{unattended} ' if unattended else ''}{waves}",
        )

    def _carry_out(self, plan: Plan, stop: Stop) -> ApplyReport:
        garbage.resume()  # each lost response leaves reference cycles behind
        session, ctx = self._session, self._ctx
        total = sum(1 for task in plan.tasks if task.applies)
        progress = ctx.ui.progress(total)
        view = self._planning.view
        newest = view.newest if view is not None else {}
        self._baselines = {org: Baseline(org, ids) for org, ids in newest.items()}
        apply_ctx = ApplyContext(
            service=ctx.client,
            log=session,
            identity=ctx.client.identity(),
            clock=ctx.clock,
            wait=stop.wait,
            started=progress.started,
            ended=progress.ended,
            held=progress.held,
            cancel=lambda record: cancel_record(ctx, record),
            holder=self._holder,
            baselines=self._baselines,
            window=min(SEND_WINDOW, self._options.settle_time.total_seconds()),
        )
        loop = Loop(
            apply_ctx,
            Executor(apply_ctx, ctx.connection.parallelism),
            lambda only: self._planning.replan(session.state, self._options, only),
            progress.waiting,
            self._options.settle_time,
            self._options.max_creates,
        )
        try:
            return loop.run(plan)
        finally:
            self._listed = loop.listed
            progress.close()

    def _refresh(self, report: ApplyReport, view: RemoteView | None) -> None:
        """Outputs of what was seen, and of what was just made as far as the list shows it."""
        seen: list[RemoteTask] = list(view.tasks.values()) if view is not None else []
        changed = {result.task_id for result in report.tasks if result.updated}
        seen = [task for task in seen if task.id not in changed]
        ids = {result.task_id for result in report.tasks if result.result in _MADE}
        seen += [task for task in self._listed if task.id in ids]
        self._session.refresh(seen)

    def _save(self, report: ApplyReport) -> ApplyReport:
        """Saves; if that fails, the report still says what became of each task."""
        try:
            self._session.append(*as_sensitive(self._session.state, self._space.desired))
            self._session.append(*as_done(self._session.state, self._planning.done))
            self._session.close()
        except StateError as problem:
            return replace(report, diagnostics=(*report.diagnostics, *problem.diagnostics))
        return report


def _is_open(report: ApplyReport) -> bool:
    """Whether a task may exist that is not accounted for, or was not even looked for."""
    counts = report.summary()
    return bool(counts[Result.UNRESOLVED] or counts[Result.NOT_STARTED])


_DEEDS: dict[str, Callable[[PlannedTask], bool]] = {
    "create": lambda task: task.creates,
    "cancel": lambda task: task.cancels,
}


def refuse_more(saved: Plan, plan: Plan, file: str) -> None:
    """A saved plan was agreed to: TaskctlError if the plan of today creates, changes or cancels
    more. A task that had to settle then may come to anything that its options allow."""
    agreed = {task.ref: task for task in saved.tasks}
    for deed in ("create", "change", "cancel"):
        more = tuple(t.ref.key for t in plan.tasks if _does_more(agreed.get(t.ref), t, deed))
        if more:
            raise TaskctlError.of(Code.PLAN_EXCEEDED, deed, at=Place(file), keys=more)


def _does_more(saved: PlannedTask | None, task: PlannedTask, deed: str) -> bool:
    if saved is not None and saved.reason is Reason.SETTLING:
        return False
    if deed == "change":
        return not task.patch.keys() <= (saved.patch.keys() if saved else set())
    does = _DEEDS[deed]
    return does(task) and not (saved is not None and does(saved))
