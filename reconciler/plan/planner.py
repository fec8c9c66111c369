"""The entry to this package: the data that a plan needs from the service, and the plan. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Self

from reconciler.model.clock import Clocks
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, error
from reconciler.model.options import PlanOptions
from reconciler.model.service import Identity
from reconciler.model.task import DesiredTask, Due, Recurring, Removal, TaskRef, natural
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value, field, replace
from reconciler.plan import replacement, updates
from reconciler.plan.adoption import duplicate_warnings, open_questions
from reconciler.plan.hold import HoldRules, User, merges, stopped
from reconciler.plan.look_alikes import Claims, look_alikes
from reconciler.plan.lookup import Lookup, lookups, moved_ref, record_of, removed_tasks
from reconciler.plan.lost_state import LostState, new_keys
from reconciler.plan.periods import Periods
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.plan.planned import plan_for
from reconciler.plan.progress import (
    Followed,
    Predecessors,
    Standing,
    TaskProgress,
    is_elsewhere,
    records_to_check,
)
from reconciler.plan.recovery import AttemptAges, NotCreated, Owners, Verdict, recover, young_keys
from reconciler.plan.rules import Rules
from reconciler.plan.selection import EVERYTHING, Selection, is_in, select, with_entries
from reconciler.plan.undeclared import Undeclared
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import Recovery
from reconciler.state.model import State


class PlanInputs(Value, frozen=True):
    """The inputs that are known before the service is read for a plan.

    `scope`: the PATHs that the manifests were read from; empty for all. `limit` and `selection`
    limit the plan to some keys; the tasks and prompts of the others still count. `ages`: the ages
    of attempts, as known to the process that holds the lock; None for a plan, which takes no lock.
    `real_names` maps PATHs and manifest files that are absolute or lead through a link to their
    real names. `removed`: the items that manifests list under `removed`. `due`: the periods that
    may be created. `recurring`: the entries that recur, by organization and key. `answers`: the
    task IDs of the look-alikes that a person has adopted, by key. `may_apply`: the configuration
    lets this user apply.
    """

    desired: Sequence[DesiredTask]
    state: State
    options: PlanOptions
    scope: tuple[str, ...] = ()
    limit: Collection[TaskRef] | None = None
    ages: AttemptAges | None = None
    real_names: Mapping[str, str] = field(default_factory=dict)
    removed: Sequence[Removal] = ()
    due: Due = field(default_factory=dict)
    recurring: Mapping[TaskRef, Recurring] = field(default_factory=dict)
    selection: Selection = EVERYTHING
    answers: Mapping[TaskRef, str] = field(default_factory=dict)
    may_apply: bool = True

    def selected(self) -> Self:
        """The inputs, limited to the keys that the options select. Raises TaskctlError for an
        invalid selection, or an invalid request for a replacement."""
        selection = select(self.options, self.desired, self.state, self.scope)
        options = with_entries(self.options, self.desired, self.state)
        replacement.check_requests(options, self.desired, self.state, selection.refs)
        return replace(self, options=options, selection=selection)

    @property
    def only(self) -> Collection[TaskRef] | None:
        """The keys that the plan is limited to; None for all."""
        return self.selection.within(self.limit)

    @property
    def organizations(self) -> Collection[str] | None:
        """The organizations of the selected keys; None for all. A run contacts no other
        organizations, unless they may show that the state was lost."""
        refs = self.selection.refs
        return None if refs is None else {ref.org_name for ref in refs}

    @property
    def lost_state(self) -> LostState:
        adopts = self.options.adopt or bool(self.answers)
        return LostState(self.desired, self.state, self.options, self.scope, adopts)

    def beside(self, clocks: Clocks) -> list[DesiredTask]:
        """The keys that are compared with existing tasks although the plan is limited to others."""
        only = self.only
        if only is None:
            return []
        young = young_keys(self.state, self.options.settle_time, self.ages, clocks.boot)
        return self.lost_state.beside(only, young)

    def in_scope(self, file: str) -> bool:
        """Whether a manifest file is one of the PATHs, or inside a PATH. Without PATHs, all are."""
        names = self.real_names
        scope = [names.get(path, path) for path in self.scope]
        return not scope or is_in(names.get(file, file), scope)


def lookups_of(inputs: PlanInputs, identity: Identity, clocks: Clocks) -> list[Lookup]:
    """What to look up for a plan in each organization. `clocks` were read before."""
    state, only = inputs.state, inputs.only
    desired = [task for task in inputs.desired if only is None or task.ref in only]
    desired += inputs.beside(clocks)
    asked = lookups(desired, state, identity, inputs.options, clocks, only=only, ages=inputs.ages)
    selected = inputs.organizations
    if selected is not None:
        asked = [replace(each, is_selected=each.org_name in selected) for each in asked]
    return asked


def left_by(inputs: PlanInputs) -> Iterator[Followed]:
    """The recorded tasks that a plan may replace or forget."""
    state, only = inputs.state, inputs.only
    requests = replacement.requests_of(inputs.options)
    tried = {attempt.ref for attempt in state.attempts.values() if attempt.replaces}
    for task in inputs.desired if any(requests) or tried else ():
        record = record_of(task, state)
        if record is None or not (only is None or task.ref in only):
            continue
        named = (replacement.request_for(task, each) for each in requests)
        if record.ref in tried or any(r is not None and r.is_due(task, record) for r in named):
            yield Followed(record, task.expect)
    for ref, record in state.records.items() if inputs.removed else ():
        if any(removal.matches(*ref) for removal in inputs.removed):
            yield Followed(record, None)


def followed_by(inputs: PlanInputs) -> tuple[Followed, ...]:
    """The recorded tasks that missing tasks depend on."""
    state = inputs.state
    predecessors = Predecessors(inputs.desired, state, inputs.recurring)
    only, retries = inputs.only, replacement.requests_of(inputs.options).retry
    again = {
        task.ref
        for task in (inputs.desired if retries else ())
        if replacement.request_for(task, retries) and (only is None or task.ref in only)
    }
    records = records_to_check(
        inputs.desired, state, only, inputs.removed, predecessors, inputs.organizations, again
    )
    expected = {
        record.ref: task.expect
        for task in (inputs.desired if records else ())
        if (record := record_of(task, state)) is not None
    }
    past = predecessors.expected_of
    return tuple(Followed(r, expected.get(r.ref, past(r))) for r in records)


def make_plan(
    inputs: PlanInputs,
    view: RemoteView,
    progress: Mapping[TaskRef, TaskProgress] = MappingProxyType({}),
    left: Mapping[TaskRef, TaskState] = MappingProxyType({}),
) -> Plan:
    """The plan for all desired tasks, and for records and attempts whose keys are not in the
    manifests. `progress` is the progress of the followed tasks, `left` the states of tasks that may
    be left running, as far as they could be read."""
    state = inputs.state
    decided = _decide(inputs, view, progress, left)
    ordered = tuple(decided.tasks[ref] for ref in sorted(decided.tasks, key=natural))
    recovering = {**state.recovering, **decided.recovering}
    return Plan(
        backend=state.backend,
        scope=inputs.scope,
        tasks=ordered,
        identity=view.identity,
        complete=view.is_complete,
        diagnostics=(
            *_diagnostics(inputs, view, ordered, decided.beside, left),
            *merges(ordered, progress),
            *inputs.lost_state.reports(view, ordered, recovering, decided.recovered),
        ),
        closed=tuple(sorted(decided.closed)),
        options=inputs.options,
        lineage=state.lineage if _is_saved(state) else "",
        recovering=decided.recovering,
        is_noted=all(state.recovering.get(o) == r for o, r in decided.recovering.items()),
        recovered=decided.recovered,
    )


class _Decided(NamedTuple):
    """`beside`: further keys, other than the selected keys, that existing tasks may belong to.
    `closed`: the marks of attempts that created no task, and that apply closes. For the others, see
    `Plan`."""

    tasks: Mapping[TaskRef, PlannedTask]
    beside: Sequence[PlannedTask]
    closed: Sequence[str]
    recovering: Mapping[str, Recovery]
    recovered: tuple[str, ...]


def _decide(
    inputs: PlanInputs,
    view: RemoteView,
    progress: Mapping[TaskRef, TaskProgress],
    states: Mapping[TaskRef, TaskState],
) -> _Decided:
    """Decides on all tasks. Each step can change decisions of the previous steps."""
    state, options, only = inputs.state, inputs.options, inputs.only
    desired = {task.ref: task for task in inputs.desired}
    moves = {old: ref for ref, t in desired.items() if (old := moved_ref(t)) and old not in desired}
    named = {task.task_id: task.ref for task in inputs.desired if task.task_id is not None}
    owners = Owners(state, named, moves)
    claims = _claims(inputs, _recover(inputs, view, moves, owners), owners)
    requests = replacement.requests_of(options)
    periods = Periods(inputs.desired, inputs.due)
    undeclared = Undeclared(state, desired, moves, periods, inputs.removed, inputs.in_scope)

    def is_selected(ref: TaskRef) -> bool:
        return only is None or ref in only

    partial = _partial_entries(inputs.desired, only)
    rules = Rules(state, view, options, owners, claims, requests, undeclared, states, partial)
    tasks = {ref: rules.decide(task) for ref, task in desired.items() if is_selected(ref)}
    beside = {
        task.ref: plan_for(task, Action.CREATE, Reason.NEW)
        for task in inputs.beside(view.clocks)
        if task.ref not in claims.removed
    }
    compared = [*tasks.values(), *beside.values()]
    alike = look_alikes(compared, state, view, options, owners, claims)
    open_ones = [task for task in alike.values() if task.action is Action.UNRESOLVED]
    begun = inputs.lost_state.begun(moves)
    recovering = {**state.recovering, **begun}
    others = [alike.pop(ref) for ref in sorted(beside.keys() & alike, key=natural)]
    tasks |= alike
    tasks |= inputs.lost_state.unanswered(tasks, open_ones, view, recovering)
    given_up = _given_up(inputs, view, claims)
    standing = Standing(inputs.desired, state, tasks, progress, given_up, inputs.organizations)
    who = User(view.identity, may_apply=inputs.may_apply)
    tasks |= HoldRules(
        inputs.desired, state, tasks, standing, who, inputs.recurring, inputs.removed
    ).held_tasks(rules.retried)
    left = undeclared.planned(rules.suspected, states)
    tasks |= {planned.ref: planned for planned in left if is_selected(planned.ref)}
    orphaned = [rules.decide_orphaned(a) for a in undeclared.attempts() if is_selected(a.ref)]
    tasks |= {planned.ref: planned for planned in orphaned if planned is not None}
    ended = inputs.lost_state.recovered(tasks.values(), recovering)
    return _Decided(tasks, others, _closed(state, rules.closed, tasks, moves), begun, ended)


def _closed(
    state: State,
    marks: Iterable[str],
    tasks: Mapping[TaskRef, PlannedTask],
    moves: Mapping[TaskRef, TaskRef],
) -> list[str]:
    """The marks without those of keys that are compared with tasks which could not be read: apply
    looks up open attempts again."""
    refs = {mark: state.attempts[mark].ref for mark in marks}
    planned = {mark: tasks.get(moves.get(ref, ref)) for mark, ref in refs.items()}
    return [
        mark for mark, task in planned.items() if not task or task.reason is not Reason.UNREADABLE
    ]


def _partial_entries(
    desired: Iterable[DesiredTask], only: Collection[TaskRef] | None
) -> set[TaskRef]:
    """The entries with tasks that a plan for the keys `only` leaves out."""
    left_out = (task for task in desired if only is not None and task.ref not in only)
    return {entry for task in left_out if (entry := task.entry) is not None}


def _is_saved(state: State) -> bool:
    """Whether the state was written, also without any task: until then, the lineage is random."""
    return bool(state.serial or state.records or state.attempts)


def _recover(
    inputs: PlanInputs, view: RemoteView, moves: Mapping[TaskRef, TaskRef], owners: Owners
) -> dict[str, Verdict]:
    """A verdict for each open attempt, by mark. An attempt moves with its key."""
    state, settle = inputs.state, inputs.options.settle_time
    if not state.attempts:
        return {}
    moved = [replace(a, ref=moves.get(a.ref, a.ref)) for a in state.attempts.values()]
    befores = {name: frozenset(baseline.ids) for name, baseline in state.baselines.items()}
    return recover(moved, view, owners, befores, settle, inputs.ages)


def _given_up(inputs: PlanInputs, view: RemoteView, claims: Claims) -> set[str]:
    """The marks of the attempts that created no task. An attempt in an organization that was not
    read may have created a task."""
    return {
        attempt.mark
        for attempt in inputs.state.attempts.values()
        if isinstance(claims.verdicts[attempt.mark], NotCreated)
        and attempt.ref.org_name not in view.refused
        and not is_elsewhere(attempt.ref, inputs.organizations)
    }


def _claims(inputs: PlanInputs, verdicts: Mapping[str, Verdict], owners: Owners) -> Claims:
    claims = Claims(verdicts, {}, inputs.answers)
    if not inputs.state.retired:
        return claims
    claimed = {*owners.ids, *owners.named, *claims.found()}
    return replace(claims, removed=removed_tasks(inputs.desired, inputs.state, claimed))


def _diagnostics(
    inputs: PlanInputs,
    view: RemoteView,
    tasks: Sequence[PlannedTask],
    beside: Sequence[PlannedTask],
    states: Mapping[TaskRef, TaskState],
) -> Iterator[Diagnostic]:
    options = inputs.options
    # `apply --wait` also creates tasks that are held now.
    limit = options.max_creates
    if limit is not None:
        count = sum(1 for task in tasks if task.creates or (options.wait and task.may_follow))
        if count > limit:
            yield error(Code.TOO_MANY_CREATES, count=count, limit=limit)
    yield from stopped(tasks)
    yield from open_questions([*tasks, *beside], new_keys(inputs.desired, inputs.state))
    yield from duplicate_warnings(inputs.state.backend, tasks)
    if view.ignored_date is not None:
        yield view.ignored_date
    for requests in replacement.requests_of(options):
        yield from replacement.problems(requests, tasks, states)
    yield from replacement.left_for_later(options, tasks)
    if options.update:
        yield from updates.foreign(tasks, view.identity)
    yield from inputs.selection.notes(options)
