"""One `taskctl apply` from its manifests to its report; what it does is in `reconciler.apply`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler import garbage
from reconciler.app.apply_result import Applied, applied, finish
from reconciler.app.cancel_replaced import canceller
from reconciler.app.context import (
    Planning,
    Workspace,
    open_workspace,
    planner_for,
    tell_if_new,
    utcnow,
)
from reconciler.app.plan_file import is_plan_file, read_plan_file
from reconciler.apply.context import ApplyContext
from reconciler.apply.executor import Executor
from reconciler.apply.loop import Loop
from reconciler.apply.report import ApplyReport, Result
from reconciler.cli.console.output import Output
from reconciler.cli.console.progress import progress_for
from reconciler.cli.options.service import Connection
from reconciler.cli.signals import Interrupts
from reconciler.messages.remarks import word
from reconciler.model.diagnostics import Severity, error, has_errors
from reconciler.model.errors import StateError, TaskctlError
from reconciler.model.options import PlanOptions
from reconciler.model.task import RemoteTask
from reconciler.plan.age import LockHolder
from reconciler.plan.budget import budget_document, budget_problems
from reconciler.plan.codec import SavedPlan, basis_of
from reconciler.plan.digest import refuse_unexpected
from reconciler.plan.plan import Plan, PlannedTask, Reason
from reconciler.render import renderer
from reconciler.render.masking import secrets_of
from reconciler.render.plan_text import summary_row, unattended_row
from reconciler.render.reports import FailureReport
from reconciler.state.attempt import SEND_WINDOW, Baseline
from reconciler.state.edit import as_sensitive
from reconciler.state.session import Session

if TYPE_CHECKING:
    from reconciler.app.wait import Wait
    from reconciler.plan.view import RemoteView

_MADE = (Result.CREATED, Result.REPLACED)

STOPPING = "\nStopping: nothing new is started, what runs is waited for. Again to leave at once.\n"


def saved_plan(paths: tuple[str, ...], out: Output) -> SavedPlan | None:
    """The saved plan that the arguments name; None where they are manifests."""
    plan_files = [path for path in paths if is_plan_file(out.common.path(path))]
    if not plan_files:
        return None
    if len(paths) > 1:
        raise TaskctlError.of(
            f"{plan_files[0]} is a saved plan, and there are further arguments",
            f"A saved plan knows what it was made for. Give it alone:\n"
            f"    taskctl apply {plan_files[0]}",
        )
    return read_plan_file(out.common.path(paths[0]), paths[0])


class Applying:
    """`saved` is the plan to hold to, `file` names it; `expected` is the digest of one. `yes`: do
    not ask."""

    def __init__(
        self,
        space: Workspace,
        session: Session,
        *,
        saved: SavedPlan | None,
        file: str,
        expected: str | None,
        yes: bool,
    ) -> None:
        self._space = space
        self._out = space.out
        self._session = session
        self._saved = saved
        self._file = file
        self._expected = expected
        self._yes = yes
        self._holder = LockHolder(space.clock.boot())
        self._planning = Planning(space, self._holder)
        self._baselines: dict[str, Baseline] = {}
        self._listed: list[RemoteTask] = []
        self._options = space.options

    def run(self) -> Applied:
        """What it came to. Raises TaskctlError where nothing was sent."""
        plan = self._plan()
        self._out.protect(secrets_of(plan))
        first_view = self._planning.view
        self._show(plan)
        if has_errors(plan.diagnostics):
            raise TaskctlError(plan.diagnostics)
        if plan.can_apply() and not self._agreed(plan):
            self._out.note("Nothing was created.")
            self._out.keep([error("the plan was not agreed to; nothing was created")])
            return Applied(1)
        words = "" if self._out.common.quiet else STOPPING
        with Interrupts(words, self._farewell()) as interrupts:
            report = self._carry_out(plan, interrupts)
        money = budget_document(plan.budgets) if plan.budgets else None
        told = (*plan.diagnostics, *report.diagnostics)
        report = replace(report, diagnostics=told, budget=money)
        if interrupts.exit_code is None:
            self._refresh(report, first_view)
            if plan.complete and not _is_open(report):
                self._establish()
        return applied(plan, self._save(report), interrupts.exit_code)

    def _farewell(self) -> str:
        """The result where a second signal leaves no time for one: a program gets its document."""
        if self._out.common.format == "text":
            return ""
        left = error(
            "stopped by a second signal: what had begun is left open in the journal",
            "A task may have been made for it. See, and go on:\n  taskctl apply",
        )
        return renderer(self._out.common.format).render(
            FailureReport((left,)), self._out.style_of_result()
        )

    def _establish(self) -> None:
        """Of keys that were not asked for, nothing was looked up: for them the state stays new."""
        if not self._options.target and not self._options.exclude:
            self._session.established(self._space.scope, self._baselines)

    def _plan(self) -> Plan:
        state = self._session.state
        tell_if_new(self._space, state)
        plan = self._planning.plan(state, self._options)
        plan = replace(plan, diagnostics=(*self._space.warnings, *plan.diagnostics))
        if self._saved is not None:
            self._saved.refuse_unless(basis_of(plan, self._space.desired, state), self._file)
            _refuse_more(self._saved.plan, plan, self._file)
        if self._expected is not None:
            refuse_unexpected(plan, self._expected)
        elif self._saved is None and not self._yes and (again := self._ask_about_gone(plan.tasks)):
            self._options = replace(self._options, allow_recreate=again)
            plan = self._planning.plan(state, self._options)
        over = self._options.over_budget
        money = budget_problems(plan.budgets, over_budget=over, refusing=True)
        return replace(plan, diagnostics=(*plan.diagnostics, *money))

    def _ask_about_gone(self, tasks: Iterable[PlannedTask]) -> tuple[str, ...] | None:
        """The keys that may be created anew, where a person allowed one more; else None."""
        gone = [
            task
            for task in tasks
            if task.reason is Reason.NOT_FOUND
            and task.desired is not None
            and task.desired.task_id is None
        ]
        if not gone or not self._out.interactive():
            return None
        allowed = [
            task.ref.key
            for task in gone
            if self._out.ask(f"{task.ref.key}: {word(task.explanation).note}. Create it again?")
        ]
        return (*self._options.allow_recreate, *allowed) if allowed else None

    def _show(self, plan: Plan) -> None:
        """Errors, for which nothing is done, come last."""
        if self._out.common.format == "text":
            hints = tuple(d for d in plan.diagnostics if d.severity is not Severity.ERROR)
            self._out.show(replace(plan, diagnostics=hints), self._space.manifests.text_of)

    def _agreed(self, plan: Plan) -> bool:
        if self._yes:
            return True
        if not self._out.interactive():
            raise TaskctlError.of(
                "there is something to do, and nobody to ask; nothing was created",
                "Look at the plan, then say yes beforehand:\n    taskctl apply --yes",
            )
        what = f"{summary_row(plan)}\n" if self._out.common.quiet else ""  # not shown before
        unattended = unattended_row(plan)
        return self._out.ask(f"{what}{unattended}{' ' if unattended else ''}Do this?")

    def _carry_out(self, plan: Plan, interrupts: Interrupts) -> ApplyReport:
        garbage.resume()  # each answer that is lost leaves circles behind
        session, space = self._session, self._space
        total = sum(1 for task in plan.tasks if task.applies)
        progress = progress_for(self._out, total, utcnow)
        view = self._planning.view
        newest = view.newest if view is not None else {}
        self._baselines = {org: Baseline(org, ids) for org, ids in newest.items()}
        ctx = ApplyContext(
            service=space.client,
            log=session,
            identity=space.client.identity(),
            clock=space.clock,
            wait=interrupts.wait,
            started=progress.started,
            ended=progress.ended,
            cancel=canceller(space),
            held=lambda seconds: progress.note(
                f"Rate limited by the service: no task is created for {seconds:.0f} s."
            ),
            holder=self._holder,
            baselines=self._baselines,
            window=min(SEND_WINDOW, self._options.settle_time.total_seconds()),
        )
        loop = Loop(
            ctx,
            Executor(ctx, space.connection.parallelism),
            planner_for(self._planning, lambda: session.state, self._options),
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
        """Saves; where that fails the report still tells what became of each task."""
        try:
            self._session.append(*as_sensitive(self._session.state, self._space.desired))
            self._session.save()
        except StateError as problem:
            return replace(report, diagnostics=(*report.diagnostics, *problem.diagnostics))
        return report


def apply(
    paths: tuple[str, ...],
    connection: Connection,
    options: PlanOptions,
    out: Output,
    *,
    yes: bool,
    expected: str | None = None,
    wait: Wait | None = None,
) -> int:
    """The whole command; gives its exit code, raises TaskctlError."""
    saved = saved_plan(paths, out)
    file = paths[0] if saved is not None else ""
    if saved is not None:
        paths, options = saved.plan.scope, saved.options(out.common.config.taken_out(options))
    space = open_workspace(paths, connection, options, out)
    try:
        session = Session.open(
            space.state_path,
            backend=space.backend.name,
            lock_timeout=connection.lock_timeout,
            purpose="apply",
            waiting=lambda holder: out.note(f"The state is locked by {holder}; waiting for it."),
        )
        applying = Applying(
            space,
            session,
            saved=saved,
            file=file,
            expected=expected,
            yes=yes or saved is not None,
        )
        with closing(session):
            ended = applying.run()
        return finish(space, ended, session.state, wait)
    finally:
        space.close()


def _is_open(report: ApplyReport) -> bool:
    """Whether a task may exist that is not accounted for, or was not even looked for."""
    counts = report.summary()
    return bool(counts[Result.UNRESOLVED] or counts[Result.NOT_STARTED])


@contextmanager
def closing(session: Session) -> Iterator[None]:
    """Closes, whatever ended it. Where saving fails twice, it was said the first time."""
    try:
        yield
    except BaseException:
        with suppress(StateError):
            session.close()
        raise
    with suppress(StateError):
        session.close()


def _refuse_more(saved: Plan, plan: Plan, file: str) -> None:
    """A saved plan was agreed to: what it did not mean to create, change or cancel is left so."""
    agreed = {task.ref: task for task in saved.tasks}
    for deed in ("create", "change", "cancel the task of"):
        more = [t.ref.key for t in plan.tasks if deed in _more(agreed.get(t.ref), t)]
        if more:
            raise TaskctlError.of(
                f"the saved plan does not fit any more: it would not {deed} {', '.join(more)}",
                "The service changed since it was made; nothing was sent. Make a new one:\n"
                "    taskctl plan --out FILE",
                file=file,
            )


def _more(saved: PlannedTask | None, task: PlannedTask) -> Iterator[str]:
    """What would be done to a task now that the saved plan did not say. One that had to settle
    first could come to anything that its options allow."""
    if saved is not None and saved.reason is Reason.SETTLING:
        return
    if task.creates and not (saved and saved.creates):
        yield "create"
    if not task.patch.keys() <= (saved.patch.keys() if saved else set()):
        yield "change"
    if task.cancels and not (saved and saved.cancels):
        yield "cancel the task of"
