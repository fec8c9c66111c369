"""Makes plans for `plan` and `apply`: reads facts from the service, explains them, and plans."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache

from reconciler.app.claims import refuse_other_claims
from reconciler.app.context import Context
from reconciler.app.expectations import Evaluation
from reconciler.manifest.discovery import normalized, real_names
from reconciler.manifest.loader import Manifests
from reconciler.model.budget import Outlook, budget_problems
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
from reconciler.model.remarks import remark
from reconciler.model.task import DesiredTask, Expectation, TaskRef, rfc3339
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value, replace
from reconciler.plan import replacement, updates
from reconciler.plan.ages import AttemptAges
from reconciler.plan.explain import Explanation, explain
from reconciler.plan.facts import Facts
from reconciler.plan.hold import with_room
from reconciler.plan.needs import need_to_explain, needs
from reconciler.plan.plan import Plan, Reason
from reconciler.plan.planned import unresolved
from reconciler.plan.progress import Followed, TaskProgress
from reconciler.plan.selection import is_in, select, with_entries
from reconciler.plan.steps import Inputs, followed_by, left_by, make_plan
from reconciler.state.edit import mark_done
from reconciler.state.model import Record, State
from reconciler.system import memory
from reconciler.tasks.status import TaskStatus, open_requests


class Workspace(Value, frozen=True):
    """All manifests of a configuration, with organizations. `scope` are the normalized PATHs, which
    select tasks; `options` include the limit that manifests set."""

    manifests: Manifests
    scope: tuple[str, ...]
    options: PlanOptions

    @property
    def desired(self) -> tuple[DesiredTask, ...]:
        return self.manifests.tasks


def open_workspace(
    ctx: Context, paths: Sequence[str], options: PlanOptions, at: datetime | None = None
) -> Workspace:
    """Reads the manifests, then resolves backend, token and organization. Raises TaskctlError.
    Nothing is sent before all manifests are known to be valid. `at` selects the periods of
    recurring entries, instead of the current time.
    """
    manifests = ctx.read(paths, None if at is None else lambda: at, whole=True)
    refuse_other_claims(ctx.settings, manifests.files)
    limits = [n for n in (options.max_creates, manifests.max_creates) if n is not None]
    options = replace(options, max_creates=min(limits, default=None))
    ctx.settle_time = options.settle_time  # a saved plan may have set it
    _ = ctx.location, ctx.client  # in this order, errors about the token come last
    if at is None and manifests.recurrences:
        manifests = _by_both_clocks(ctx, paths, manifests)
    manifests = ctx.with_organizations(manifests)
    scope = tuple(sorted({normalized(path) for path in paths}))
    return Workspace(manifests, scope, options)


def _by_both_clocks(ctx: Context, paths: Sequence[str], manifests: Manifests) -> Manifests:
    """The manifests as of the earlier of this machine's clock, by which they were read, and the
    service's, if those are in different periods. Raises TaskctlError if they are too far apart."""
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
        manifests = ctx.read(paths, lambda: earlier, whole=True)
    return replace(manifests, diagnostics=(*manifests.diagnostics, warning))


def refuse_other_periods(ctx: Context, space: Workspace) -> None:
    """Raises TaskctlError if other periods are due now than when the manifests were read."""
    due, now = space.manifests.due, min(ctx.clock.now(), ctx.now())
    due_now = {
        entry: recurrence.due_name(now) for entry, recurrence in space.manifests.recurrences.items()
    }
    if due_now != due:
        over = tuple(sorted({name for entry, name in due.items() if name != due_now[entry]} - {""}))
        raise TaskctlError.of(Code.ROLLOUT_STOPPED, "period", periods=over)


def _task_progress(status: TaskStatus, now: datetime) -> TaskProgress:
    """The progress of a task, and the time since which it has been running or waiting for a
    person."""
    since = status.created_at if status.state is TaskState.RUNNING else None
    if status.state is TaskState.TO_MERGE:
        since = status.summary.at
    if status.state is TaskState.WAITING:
        since = next((request.since for request in open_requests(status)), None)
    seconds = None if since is None else max(0, int((now - since).total_seconds()))
    return TaskProgress(status.state, seconds)


class Sources:
    """The sources of all plans of a command, or of a wave. A result is evaluated only once, and a
    budget is requested only once."""

    def __init__(self, ctx: Context) -> None:
        self.survey, self.evaluation = ctx.survey(), Evaluation()
        self.budget = cache(ctx.budget)


def inputs_of(
    ctx: Context,
    space: Workspace,
    state: State,
    options: PlanOptions,
    *,
    ages: AttemptAges | None = None,
    only: Collection[TaskRef] | None = None,
) -> Inputs:
    """The inputs of a plan for the selected keys, and of those for the keys `only`. `ages`: the
    ages of attempts, as known to an apply; None for `taskctl plan`. Raises TaskctlError for an
    invalid selection. An apply selects once: it closes attempts, and a pattern might match nothing
    later."""
    desired, manifests = space.desired, space.manifests
    in_scope = _scope_of(ctx, space, state) if space.scope else None
    selection = select(options, desired, state, in_scope, manifests.removed)
    options = with_entries(options, desired, state)
    replacement.check_requests(options, desired, state, selection.refs)
    return Inputs(
        desired,
        state,
        options,
        space.scope,
        selection=selection.within(only),
        ages=ages,
        removed=manifests.removed,
        due=manifests.due,
        recurring=manifests.recurring,
        may_apply=_may_apply(ctx),
    )


def _scope_of(ctx: Context, space: Workspace, state: State) -> Callable[[str], bool]:
    """Whether a manifest file is one of the PATHs, or inside one. Names that are absolute or lead
    through a link count as the real names."""
    files = {task.file for task in space.desired}
    files |= {record.file for record in state.records.values()}
    files |= {attempt.file for attempt in state.attempts.values()}
    real = real_names(ctx.settings.root, [*space.scope, *files])
    scope = [real.get(path, path) for path in space.scope]
    return lambda file: is_in(real.get(file, file), scope)


def read(
    ctx: Context,
    sources: Sources,
    inputs: Inputs,
    *,
    only_own: bool = False,
    advance: Callable[[Facts], None] | None = None,
) -> Facts:
    """The facts for a plan: the only requests that it needs. For `only_own`, see `needs`; for
    `advance`, `Survey.read`. Raises RemoteError."""
    survey = sources.survey
    identity, clocks = survey.begin()
    selected, options = inputs.selected, inputs.options
    asked = needs(
        selected,
        inputs.state,
        identity,
        options,
        clocks,
        organizations=inputs.selection.organizations,
        only_own=only_own,
    )
    return _with_progress(ctx, sources, inputs, survey.read(identity, clocks, asked, advance))


def read_attempts(sources: Sources, inputs: Inputs) -> Facts:
    """The facts about open attempts alone. Raises RemoteError."""
    survey = sources.survey
    identity, clocks = survey.begin()
    orgs = inputs.selection.organizations
    asked = needs((), inputs.state, identity, inputs.options, clocks, organizations=orgs)
    return survey.read(identity, clocks, asked)


def read_organizations(sources: Sources, inputs: Inputs, names: Iterable[str]) -> Facts:
    """The facts that explain organizations. Raises RemoteError."""
    survey, settle = sources.survey, inputs.options.settle_time
    identity, clocks = survey.begin()
    before = clocks.moment - settle
    asked = [need_to_explain(name, inputs.state, identity, before) for name in sorted(names)]
    return survey.read(identity, clocks, asked)


def explained(inputs: Inputs, facts: Facts) -> Explanation:
    """What the tasks that were read say about themselves."""
    return explain(inputs.state, facts, inputs.declared, inputs.options.settle_time, inputs.ages)


def _with_progress(ctx: Context, sources: Sources, inputs: Inputs, facts: Facts) -> Facts:
    """The facts, with the progress of what missing tasks depend on. Raises RemoteError."""
    evaluation, tasks = sources.evaluation, followed_by(inputs)
    followed = _read_followed(ctx, tasks, evaluation)
    now, expected = ctx.now(), {task.record.ref: task.expect for task in tasks}
    progress = {status.ref: _task_progress(status, now) for status in followed}
    done = {
        status.task_id: expect.digest if (expect := expected[status.ref]) else ""
        for status in followed
        if status.state is TaskState.DONE and status.task_id
    }
    known = {status.ref: status.state for status in followed}
    others = [task for task in left_by(inputs) if task.record.ref not in known]
    left = known | _read_left(ctx, others, evaluation)
    return replace(facts, progress=progress, left=left, done=done)


def bare_plan(inputs: Inputs, facts: Facts, explanation: Explanation) -> Plan:
    """The plan, without information for its reader."""
    memory.resume_collection()  # comparisons leave reference cycles behind
    return with_room(make_plan(inputs, facts, explanation), inputs.state)


def within_budget(sources: Sources, plan: Plan) -> Plan:
    """The plan of a later round, which creates nothing where the budget is exhausted."""
    if plan.options.over_budget:
        return plan
    orgs = sorted({task.ref.org_name for task in plan.tasks if task.creates})
    used_up = {org for org in orgs if (budget := sources.budget(org)) and budget.exhausted}
    tasks = (
        unresolved(task, Reason.RETRY, remark("attempt.budget", org=task.ref.org_name))
        if task.creates and task.ref.org_name in used_up
        else task
        for task in plan.tasks
    )
    return replace(plan, tasks=tuple(tasks))


def full_plan(
    ctx: Context,
    space: Workspace,
    sources: Sources,
    inputs: Inputs,
    facts: Facts,
    explanation: Explanation,
) -> Plan:
    """The plan with all diagnostics. For an apply, an exhausted budget and a wrong identity are
    errors. Raises TaskctlError."""
    is_apply = inputs.ages is not None
    plan = _with_budgets(sources, bare_plan(inputs, facts, explanation), facts)
    diagnostics = (
        *space.manifests.diagnostics,
        *plan.diagnostics,
        *_careless(ctx, plan),
        *_wrong_identity(ctx, refusing=is_apply),
        *budget_problems(plan.budgets, over_budget=inputs.options.over_budget, refusing=is_apply),
    )
    succeeded = tuple(sorted(e.record.ref for e in mark_done(inputs.state, facts.done)))
    return replace(plan, diagnostics=diagnostics, succeeded=succeeded)


def _read_followed(
    ctx: Context, followed: Sequence[Followed], evaluation: Evaluation
) -> Sequence[TaskStatus]:
    """The tasks that a missing task may have to wait for. Raises RemoteError."""
    if not followed:
        return ()
    try:
        statuses = _statuses(ctx, [task.record for task in followed])
    except RemoteError as problem:
        if not problem.is_refusal:
            raise
        return ()  # their records determine their progress
    return evaluation.of_all(statuses, _expected(followed))


def _read_left(
    ctx: Context, tasks: Sequence[Followed], evaluation: Evaluation
) -> dict[TaskRef, TaskState]:
    """The states by key, without unreadable tasks."""
    statuses = _read_each(ctx, [task.record for task in tasks])
    return {s.ref: s.state for s in evaluation.of_all(statuses, _expected(tasks))}


def _expected(tasks: Sequence[Followed]) -> dict[TaskRef, Expectation]:
    return {task.record.ref: task.expect for task in tasks if task.expect is not None}


def _read_each(ctx: Context, records: Sequence[Record]) -> Sequence[TaskStatus]:
    if not records:
        return ()
    try:
        return _statuses(ctx, records)
    except RemoteError:
        apart = ([record] for record in records) if len(records) > 1 else ()
        return [status for each in apart for status in _read_each(ctx, each)]


def _statuses(ctx: Context, records: Sequence[Record]) -> Sequence[TaskStatus]:
    return ctx.fresh_reader.statuses(records, ctx.connection.parallelism)


def _careless(ctx: Context, plan: Plan) -> Iterator[Diagnostic]:
    """A warning for each unfinished task that is less restricted than its manifest. Whether an
    idle task has finished is in its events; if they cannot be read, it counts as unfinished."""
    tasks = {task.ref: task for task in plan.tasks if updates.less_careful(task)}
    idle = [
        task.record
        for task in tasks.values()
        if task.record and task.remote and task.remote.raw.get("status") == "idle"
    ]
    with suppress(RemoteError):
        for status in _statuses(ctx, idle) if idle else ():
            if status.state.has_ended:
                del tasks[status.ref]
    for task in tasks.values():
        yield updates.careless(task, ctx.client.identity())


def _with_budgets(sources: Sources, plan: Plan, facts: Facts) -> Plan:
    """Adds the budget of each organization that the plan creates tasks in. A plan that creates no
    tasks requests no budget, to be fast."""
    creates = sorted({task.ref.org_name for task in plan.tasks if task.creates})
    budgets = [budget for org in creates if (budget := sources.budget(org)) is not None]
    return replace(plan, budgets=tuple(Outlook(each, facts.clocks.moment) for each in budgets))


def _may_apply(ctx: Context) -> bool:
    """Whether the configuration lets this user apply; on the embedded service, which starts no
    agents, everybody may."""
    return ctx.backend.is_local or ctx.settings.applies_as(ctx.client.identity())


def _wrong_identity(ctx: Context, *, refusing: bool) -> tuple[Diagnostic, ...]:
    """A note if the configuration requires another identity for apply. Raises TaskctlError if
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
    """An error for each of the `kinds` for which the plan has tasks."""
    found = []
    for kind in kinds:
        keys = tuple(str(task.ref) for task in plan.tasks if task.action.value == kind)
        if keys:
            found.append(error(Code.FAIL_ON, kind=kind, keys=keys))
    return tuple(found)
