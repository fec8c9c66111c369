"""Makes plans for `plan` and `apply` from the manifests, the state and the service."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from reconciler.app.claims import refuse_other_claims
from reconciler.app.context import Context
from reconciler.app.expectations import Evaluation
from reconciler.app.task_reader import REFUSED
from reconciler.manifest.discovery import normalized, real_names
from reconciler.manifest.loader import Manifests
from reconciler.model.budget import Budget, Outlook, budget_problems
from reconciler.model.codes import Code
from reconciler.model.diagnostics import (
    Diagnostic,
    Place,
    RemoteError,
    Severity,
    TaskctlError,
    error,
)
from reconciler.model.options import PlanOptions
from reconciler.model.task import DesiredTask, TaskRef, rfc3339
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value, replace
from reconciler.plan import updates
from reconciler.plan.hold import with_room
from reconciler.plan.plan import Plan
from reconciler.plan.planner import PlanInputs, followed_by, make_plan, needs_of
from reconciler.plan.predecessors import Followed
from reconciler.plan.progress import TaskProgress
from reconciler.plan.recovery import AttemptAges
from reconciler.plan.selection import Selection
from reconciler.plan.view import RemoteView
from reconciler.state.edit import mark_done
from reconciler.state.model import Record, State
from reconciler.system import memory
from reconciler.tasks.status import TaskStatus, open_requests


class Workspace(Value, frozen=True):
    """The manifests of a plan, with organizations. `scope` are the normalized PATHs; `options`
    include the limit that manifests set."""

    manifests: Manifests
    scope: tuple[str, ...]
    options: PlanOptions

    @property
    def desired(self) -> tuple[DesiredTask, ...]:
        return self.manifests.tasks


def open_workspace(
    ctx: Context, paths: Sequence[str], options: PlanOptions, at: datetime | None = None
) -> Workspace:
    """Reads the manifests, then resolves backend, token and organization. TaskctlError.

    Nothing is sent before all manifests are known to be valid. `at` selects the periods of
    recurring entries, instead of the current time.
    """
    manifests = ctx.read(paths, None if at is None else lambda: at)
    refuse_other_claims(ctx.settings, manifests.files)
    limits = [n for n in (options.max_creates, manifests.max_creates) if n is not None]
    options = replace(options, max_creates=min(limits, default=None))
    ctx.settle_time = options.settle_time  # which a saved plan may have set
    _ = ctx.location, ctx.client  # the problems of the token come last
    if at is None and manifests.recurrences:
        manifests = _by_both_clocks(ctx, paths, manifests)
    manifests = ctx.with_organizations(manifests)
    scope = tuple(sorted({normalized(path) for path in paths}))
    return Workspace(manifests, scope, options)


def _by_both_clocks(ctx: Context, paths: Sequence[str], manifests: Manifests) -> Manifests:
    """The manifests as of the earlier of this machine's clock, by which they were read, and the
    service's, if those are in different periods. TaskctlError if they are too far apart."""
    _ = ctx.client.identity()  # its response contains the service's time
    machine, service = ctx.clock.now(), ctx.client.service_clock()
    ignored = ctx.client.ignored_date()
    if service is None and ignored is not None:
        date = ignored.args["date"]
        raise TaskctlError.of(Code.CLOCK_SKEW, "apart", service=date, machine=rfc3339(machine))
    if service is None:
        return manifests
    earlier, later = sorted((machine, service))
    recurrences = manifests.recurrences.values()
    if all(recurrence.due(earlier) == recurrence.due(later) for recurrence in recurrences):
        return manifests
    dates = {"service": rfc3339(service), "machine": rfc3339(machine)}
    warning = Diagnostic(Code.CLOCK_SKEW, Severity.WARNING, "periods", dates)
    if any(recurrence.due(earlier) != recurrence.due(machine) for recurrence in recurrences):
        manifests = ctx.read(paths, lambda: earlier)
    return replace(manifests, diagnostics=(*manifests.diagnostics, warning))


def refuse_other_periods(ctx: Context, space: Workspace) -> None:
    """TaskctlError if other periods are due now than when the manifests were read."""
    due, now = space.manifests.due, min(ctx.clock.now(), ctx.now())
    due_now = {
        entry: recurrence.due_name(now) for entry, recurrence in space.manifests.recurrences.items()
    }
    if due_now != due:
        over = tuple(sorted({name for entry, name in due.items() if name != due_now[entry]} - {""}))
        raise TaskctlError.of(Code.ROLLOUT_STOPPED, "period", periods=over)


def _task_progress(status: TaskStatus, now: datetime) -> TaskProgress:
    """The progress of a task, and since when it has been running or waiting for a person."""
    since = status.created_at if status.state is TaskState.RUNNING else None
    if status.state is TaskState.TO_MERGE:
        since = status.summary.at
    if status.state is TaskState.WAITING:
        since = next((request.since for request in open_requests(status)), None)
    seconds = None if since is None else max(0, int((now - since).total_seconds()))
    return TaskProgress(status.state, seconds)


class Planning:
    """Reads the service and makes plans for a workspace. `ages`: what an apply knows about the
    age of its attempts; None for `taskctl plan`.

    `view` is what was read last. As of `plan`, `searched` are the organizations that were searched
    for look-alikes, `progress` is that of the tasks that others may have to wait for, and `done`
    are the IDs of those that are done, with the digests of the expectations that they met. `survey`
    reads the service.
    """

    def __init__(
        self,
        ctx: Context,
        space: Workspace,
        ages: AttemptAges | None = None,
    ) -> None:
        self._ctx = ctx
        self._space = space
        self.survey = ctx.survey()
        self._ages = ages
        self._selection: Selection | None = None
        self._budgets: dict[str, Budget | None] = {}
        self.progress: dict[TaskRef, TaskProgress] = {}
        self.done: dict[str, str] = {}
        self.searched: Collection[str] = ()
        self._left: dict[TaskRef, TaskState] = {}
        self._evaluation = Evaluation()
        self.view: RemoteView | None = None
        self.answers: Mapping[TaskRef, str] = {}
        """For `PlanInputs.answers`; set before a plan is made again."""

    def plan(
        self,
        state: State,
        options: PlanOptions,
        only: Collection[TaskRef] | None = None,
    ) -> Plan:
        """The plan for the keys `only`, with all diagnostics. For an apply, an exhausted budget and
        a wrong identity are errors. TaskctlError."""
        is_apply = self._ages is not None
        plan = with_room(self._read_and_plan(state, options, only, follow=True), state)
        plan = self._with_budgets(plan)
        diagnostics = (
            *_advice(self._space.manifests.diagnostics, plan),
            *plan.diagnostics,
            *self._careless(plan),
            *_wrong_identity(self._ctx, refusing=is_apply),
            *budget_problems(plan.budgets, over_budget=options.over_budget, refusing=is_apply),
        )
        succeeded = tuple(sorted(e.record.ref for e in mark_done(state, self.done)))
        return replace(plan, diagnostics=diagnostics, succeeded=succeeded)

    def awaited(self, state: State, options: PlanOptions) -> frozenset[TaskRef]:
        """The recorded tasks that missing ones in other organizations wait for, if the plan is
        limited to some organizations."""
        if not options.target:
            return frozenset()
        followed = followed_by(self._inputs(state, options, ()))
        return frozenset(task.record.ref for task in followed)

    def replan(
        self, state: State, options: PlanOptions, only: Collection[TaskRef] | None = None
    ) -> Plan:
        """The plan for the keys `only`, with the progress of other tasks as read last.
        RemoteError."""
        return self._read_and_plan(state, options, only, follow=False)

    def _read_and_plan(
        self,
        state: State,
        options: PlanOptions,
        only: Collection[TaskRef] | None,
        *,
        follow: bool,
    ) -> Plan:
        inputs = self._inputs(state, options, only)
        identity, clocks = self.survey.begin()
        needs = needs_of(inputs, identity, clocks)
        if follow:
            self.searched = {lookup.org_name for lookup in needs.lookups if lookup.missing}
            self.progress = self._read_progress(needs.followed)
            self._left = self._read_states(needs.left)
        self.survey.is_patient = follow
        self.view = self.survey.read(identity, clocks, needs.lookups)
        memory.resume_collection()  # comparisons leave reference cycles behind
        return make_plan(inputs, self.view, self.progress, self._left)

    def _inputs(
        self, state: State, options: PlanOptions, only: Collection[TaskRef] | None
    ) -> PlanInputs:
        """Selects once: an apply closes attempts, and a pattern might match nothing later."""
        space = self._space
        files = {record.file for record in state.records.values()}
        files |= {attempt.file for attempt in state.attempts.values()}
        inputs = PlanInputs(
            space.desired,
            state,
            options,
            space.scope,
            limit=only,
            ages=self._ages,
            real_names=real_names(self._ctx.settings.root, [*space.scope, *files]),
            removed=space.manifests.removed,
            due=space.manifests.due,
            recurring=space.manifests.recurring,
            answers=self.answers,
            may_apply=_may_apply(self._ctx),
        )
        if self._selection is None:
            self._selection = inputs.selected().selection
        return replace(inputs, selection=self._selection)

    def _read_progress(self, followed: Sequence[Followed]) -> dict[TaskRef, TaskProgress]:
        """The progress of the tasks that a missing one may have to wait for. RemoteError."""
        if not followed:
            return {}
        expected = {task.record.ref: task.expect for task in followed}
        records = [task.record for task in followed]
        try:
            statuses = self._ctx.fresh_reader.statuses(records, self._ctx.connection.parallelism)
        except RemoteError as problem:
            if problem.status not in REFUSED:
                raise
            return {}  # they count by their records
        asked = {ref: expect for ref, expect in expected.items() if expect is not None}
        statuses = self._evaluation.of_all(statuses, asked)
        self.done = {
            status.task_id: expect.digest if (expect := expected[status.ref]) else ""
            for status in statuses
            if status.state is TaskState.DONE and status.task_id
        }
        now = self._ctx.now()
        return {status.ref: _task_progress(status, now) for status in statuses}

    def _read_states(self, tasks: Sequence[Followed]) -> dict[TaskRef, TaskState]:
        """By key, without those that cannot be read."""
        known = {ref: progress.state for ref, progress in self.progress.items()}
        records = [task.record for task in tasks if task.record.ref not in known]
        expected = {task.record.ref: task.expect for task in tasks if task.expect is not None}
        statuses = self._evaluation.of_all(self._read_each(records), expected)
        return known | {status.ref: status.state for status in statuses}

    def _read_each(self, records: Sequence[Record]) -> Sequence[TaskStatus]:
        if not records:
            return ()
        try:
            return self._ctx.fresh_reader.statuses(records, self._ctx.connection.parallelism)
        except RemoteError:
            apart = ([record] for record in records) if len(records) > 1 else ()
            return [status for each in apart for status in self._read_each(each)]

    def _careless(self, plan: Plan) -> Iterator[Diagnostic]:
        """A warning for each unfinished task that is less restricted than its manifest. Whether an
        idle task has finished is in its events; if they cannot be read, it counts as unfinished."""
        tasks = {task.ref: task for task in plan.tasks if updates.less_careful(task)}
        idle = [
            task.record
            for task in tasks.values()
            if task.record and task.remote and task.remote.raw.get("status") == "idle"
        ]
        with suppress(RemoteError):
            statuses = self._ctx.fresh_reader.statuses(idle, self._ctx.connection.parallelism)
            for status in statuses if idle else ():
                if status.state.has_ended:
                    del tasks[status.ref]
        for task in tasks.values():
            yield updates.careless(task, self._ctx.client.identity())

    def _with_budgets(self, plan: Plan) -> Plan:
        """Adds the budget of each organization that the plan creates tasks in. A plan without
        creates requests none, to be fast."""
        creates = {task.ref.org_name for task in plan.tasks if task.creates}
        for org_name in creates - self._budgets.keys():
            self._budgets[org_name] = self._ctx.budget(org_name)
        budgets = [b for org in sorted(creates) if (b := self._budgets[org]) is not None]
        if self.view is None or not budgets:
            return plan
        now = self.view.clocks.moment
        return replace(plan, budgets=tuple(Outlook(budget, now) for budget in budgets))


def _advice(diagnostics: Sequence[Diagnostic], plan: Plan) -> Iterator[Diagnostic]:
    """The diagnostics of manifests; notes advise how to create tasks, so only about such tasks."""
    if not diagnostics:
        return
    new = [t.desired for t in plan.tasks if t.desired is not None and (t.creates or t.may_follow)]
    places = {(task.file, task.declared_key) for task in new} | {(task.file, None) for task in new}
    for d in diagnostics:
        if d.severity is not Severity.NOTE or (d.file, d.key) in {*places, (None, None)}:
            yield d


def _may_apply(ctx: Context) -> bool:
    """Whether the configuration lets this user apply; on the embedded service, which starts no
    agents, everybody may."""
    return ctx.backend.is_local or ctx.settings.applies_as(ctx.client.identity())


def _wrong_identity(ctx: Context, *, refusing: bool) -> tuple[Diagnostic, ...]:
    """A note if the configuration requires another identity for apply. TaskctlError if
    `refusing`."""
    required = ctx.settings.apply_as
    if required is None or _may_apply(ctx):
        return ()
    who = ctx.client.identity()
    identity = f"team:{who.team}" if who.team else f"login:{who.login}, user-id:{who.id}"
    facts, at = {"required": required, "identity": identity}, Place(ctx.settings.config_file)
    if refusing:
        raise TaskctlError.of(Code.WRONG_IDENTITY, at=at, **facts)
    return (Diagnostic(Code.WRONG_IDENTITY, Severity.NOTE, "plan", facts, at),)


def failures_of(plan: Plan, kinds: Sequence[str]) -> tuple[Diagnostic, ...]:
    """An error for each of the `kinds` that the plan has tasks of."""
    found = []
    for kind in kinds:
        keys = tuple(str(task.ref) for task in plan.tasks if task.action.value == kind)
        if keys:
            found.append(error(Code.FAIL_ON, kind=kind, keys=keys))
    return tuple(found)
