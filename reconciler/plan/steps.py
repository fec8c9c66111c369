"""The plan, step by step. Pure: what was read goes in, and a plan comes out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, Severity, error, note, warning
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import Arg, remark
from reconciler.model.task import DesiredTask, Due, Recurring, Removal, TaskRef, natural
from reconciler.model.value import Value, field, replace
from reconciler.model.wire import console_url
from reconciler.plan import replacement, updates
from reconciler.plan.ages import AttemptAges
from reconciler.plan.explanation import Declared, Duplicate, Explanation, OtherState
from reconciler.plan.facts import Facts
from reconciler.plan.hold import HoldRules, PlanUser, merges, stopped
from reconciler.plan.keys import moved_ref, record_of
from reconciler.plan.names import Undeclared
from reconciler.plan.needs import is_anothers
from reconciler.plan.periods import Periods, after_gaps
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.plan.planned import unresolved
from reconciler.plan.progress import Followed, Predecessors, Standing, records_to_check
from reconciler.plan.rules import Rules
from reconciler.plan.selection import EVERYTHING, Selection
from reconciler.state.model import State

Tasks = Mapping[TaskRef, PlannedTask]
"""What was decided so far, by key."""


class Inputs(Value, frozen=True):
    """What is known before the service is read.

    - `scope`: the PATHs; empty for all. `selection`: the keys to act on; the tasks and prompts of
      all others still count.
    - `ages`: the ages of attempts, as known to the process that holds the lock; None for a plan,
      which takes no lock.
    - `removed`: the items that manifests list under `removed`. `due`: the periods that may be
      created. `recurring`: the entries that recur.
    - `declared_limit`: the lowest `maxCreates` of a manifest; `options` include it.
    - `may_apply`: the configuration lets this user apply.
    """

    desired: Sequence[DesiredTask]
    state: State
    options: PlanOptions
    scope: tuple[str, ...] = ()
    selection: Selection = EVERYTHING
    ages: AttemptAges | None = None
    removed: Sequence[Removal] = ()
    due: Due = field(default_factory=dict)
    recurring: Mapping[TaskRef, Recurring] = field(default_factory=dict)
    declared_limit: int | None = None
    may_apply: bool = True

    @property
    def declared(self) -> Declared:
        return Declared.of(self.desired, self.recurring)

    @property
    def selected(self) -> list[DesiredTask]:
        """The desired tasks to act on."""
        return [task for task in self.desired if self.selection.has(task.ref)]


def left_by(inputs: Inputs) -> Iterator[Followed]:
    """The recorded tasks that a plan may replace or forget."""
    state = inputs.state
    requests = replacement.requests_of(inputs.options)
    tried = {attempt.ref for attempt in state.attempts.values() if attempt.replaces}
    for task in inputs.selected if any(requests) or tried else ():
        record = record_of(task, state)
        if record is None:
            continue
        named = (replacement.request_for(task, each) for each in requests)
        if record.ref in tried or any(r is not None and r.is_due(task, record) for r in named):
            yield Followed(record, task.expect)
    for ref, record in state.records.items() if inputs.removed else ():
        if any(removal.matches(*ref) for removal in inputs.removed):
            yield Followed(record, None)


def followed_by(inputs: Inputs) -> tuple[Followed, ...]:
    """The recorded tasks that missing tasks depend on."""
    state = inputs.state
    predecessors = Predecessors(inputs.desired, state, inputs.recurring)
    retries = replacement.requests_of(inputs.options).retry
    again = {
        task.ref
        for task in (inputs.selected if retries else ())
        if replacement.request_for(task, retries)
    }
    refs, organizations = inputs.selection.refs, inputs.selection.organizations
    records = records_to_check(
        inputs.desired, state, refs, inputs.removed, predecessors, again, organizations
    )
    expected = {
        record.ref: task.expect
        for task in (inputs.desired if records else ())
        if (record := record_of(task, state)) is not None
    }
    past = predecessors.expected_of
    return tuple(Followed(r, expected.get(r.ref, past(r))) for r in records)


def make_plan(inputs: Inputs, facts: Facts, explanation: Explanation) -> Plan:
    """The plan for all selected tasks, and for records and attempts whose keys are not in the
    manifests. No step undoes the decision of an earlier step."""
    desired = {task.ref: task for task in inputs.desired}
    moves = {old: ref for ref, t in desired.items() if (old := moved_ref(t)) and old not in desired}
    state = explanation.state
    periods = Periods(inputs.desired, inputs.due)
    undeclared = Undeclared(state, desired, moves, periods, inputs.removed)
    requests = replacement.requests_of(inputs.options)
    partial = _partial_entries(inputs)
    options = inputs.options
    rules = Rules(inputs.state, explanation, facts, options, requests, undeclared, partial)

    tasks: dict[TaskRef, PlannedTask] = {t.ref: rules.decide(t) for t in inputs.selected}
    tasks |= _held(inputs, facts, state, tasks, rules.retried)
    tasks |= after_gaps(tasks.values(), state, inputs.recurring)
    tasks |= _guarded(inputs, facts, explanation, tasks)
    tasks |= _undeclared(inputs, facts, undeclared, rules, desired)
    tasks |= _found(explanation, tasks, rules, desired, moves)

    ordered = tuple(tasks[ref] for ref in sorted(tasks, key=natural))
    return Plan(
        backend=state.backend,
        scope=inputs.scope,
        tasks=ordered,
        identity=facts.identity,
        complete=facts.is_complete,
        diagnostics=tuple(_diagnostics(inputs, facts, explanation, ordered)),
        closed=tuple(sorted(attempt.reference for attempt in explanation.closed)),
        options=options,
        lineage=state.lineage if _is_saved(inputs.state) else "",
        notes=bool(explanation.replaced),
    )


def _partial_entries(inputs: Inputs) -> set[TaskRef]:
    """The entries with tasks that a plan leaves out."""
    left_out = (task for task in inputs.desired if not inputs.selection.has(task.ref))
    return {entry for task in left_out if (entry := task.entry) is not None}


def _is_saved(state: State) -> bool:
    """Whether the state was ever written. Until then, its lineage is random."""
    return bool(state.serial or state.records or state.attempts)


def _held(
    inputs: Inputs, facts: Facts, state: State, tasks: Tasks, retried: Collection[TaskRef]
) -> Tasks:
    """Holds the tasks to create that have to wait for other tasks."""
    organizations = inputs.selection.organizations
    standing = Standing(inputs.desired, state, tasks, facts.progress, organizations)
    who = PlanUser(facts.identity, may_apply=inputs.may_apply)
    rules = HoldRules(inputs.desired, state, tasks, standing, who, inputs.recurring, inputs.removed)
    return rules.held_tasks(retried)


def _guarded(inputs: Inputs, facts: Facts, explanation: Explanation, tasks: Tasks) -> Tasks:
    """Creates nothing in an organization whose tasks are not all explained."""
    decided: dict[TaskRef, PlannedTask] = {}
    for ref, task in tasks.items():
        if not task.creates or ref.org_name not in explanation.explained:
            continue
        listing = facts.lists[ref.org_name]
        if listing.unproven is not None:
            why = remark("list.unproven", why=listing.unproven)
            decided[ref] = unresolved(task, Reason.UNREADABLE, why)
        elif ref.org_name in explanation.blocks:
            decided[ref] = unresolved(task, Reason.BLOCKED, remark("blocked.key"))
        elif ref.org_name in explanation.questions and inputs.may_apply:
            decided[ref] = unresolved(task, Reason.QUESTION, remark("question.key"))
    return decided


def _undeclared(
    inputs: Inputs,
    facts: Facts,
    undeclared: Undeclared,
    rules: Rules,
    desired: Mapping[TaskRef, DesiredTask],
) -> Tasks:
    """Records and open attempts whose keys are in no manifest."""
    planned = undeclared.planned(rules.suspected, facts.left)
    decided = {each.ref: each for each in planned if inputs.selection.has(each.ref)}
    for attempt in undeclared.attempts():
        if inputs.selection.has(attempt.ref) and attempt.ref not in desired:
            found = rules.decide_undeclared(attempt.ref)
            decided |= {found.ref: found} if found is not None else {}
    return decided


def _found(
    explanation: Explanation,
    tasks: Tasks,
    rules: Rules,
    desired: Mapping[TaskRef, DesiredTask],
    moves: Mapping[TaskRef, TaskRef],
) -> Tasks:
    """Plans to record found tasks. This includes keys that are not selected or not declared,
    because PATH and `--target` never limit which tasks are recorded. The record of a key that moves
    is shown under its new key."""
    decided: dict[TaskRef, PlannedTask] = {}
    for found in explanation.found:
        ref = found.record.ref
        task = desired.get(ref)
        known = tasks.get(ref)
        if known is not None and known.reason is Reason.REFERENCE:
            continue
        moved = tasks.get(moves.get(ref, ref))
        if moved is not None and moved.action is Action.MOVE:
            why = rules.recording(found, moved.desired).remarks
            decided[moved.ref] = replace(moved, remarks=(*why, *moved.remarks))
            continue
        planned = rules.decide(task) if task is not None else rules.decide_undeclared(ref)
        if planned is not None and planned.reason is Reason.REFERENCE:
            decided[ref] = planned
    return decided


def _diagnostics(
    inputs: Inputs, facts: Facts, explanation: Explanation, tasks: Sequence[PlannedTask]
) -> Iterator[Diagnostic]:
    options = inputs.options
    limit = options.max_creates
    if limit is not None:  # the limit of one wave; later waves have their own
        count = sum(1 for task in tasks if task.creates)
        if count > limit:
            declared = inputs.declared_limit
            case = "manifest" if declared is not None and count > declared else ""
            yield error(Code.TOO_MANY_CREATES, case, count=count, limit=limit)
    yield from stopped(tasks)
    yield from merges(tasks, facts.progress)
    yield from _blocked(explanation)
    yield from _questions(inputs, explanation)
    yield from duplicate_warnings(inputs.state.backend, explanation.duplicates)
    yield from unkept_warnings(explanation)
    for ref, task_id in explanation.replaced:
        yield note(Code.DUPLICATE_REMOTE_TASK, "replaced", ref=str(ref), task_id=task_id)
    yield from _not_compared(inputs, facts, explanation, tasks)
    if facts.ignored_date is not None:
        yield facts.ignored_date
    for requests in replacement.requests_of(options):
        yield from replacement.problems(requests, tasks, facts.left)
    yield from replacement.left_for_later(options, tasks)
    if options.update:
        yield from updates.foreign(tasks, facts.identity)
    yield from inputs.selection.notes(options)


def _blocked(explanation: Explanation) -> Iterator[Diagnostic]:
    """A warning for each organization in which a task cannot be explained."""
    for org_name, blocks in explanation.blocks.items():
        first = blocks[0]
        yield warning(
            Code.UNEXPLAINED_TASK,
            "elsewhere" if first.owner else "claimed" if first.claimed else "",
            org=org_name,
            task_id=first.task.id,
            login=first.login,
            key=first.claimed,
            ref=f"{org_name}/{first.claimed}",
            owner=first.owner,
            why=first.why,
            more=len(blocks) - 1,
            id=f"{org_name}/{first.task.id}",
        )


_KEYS = 3
"""The number of keys that are named for each other state."""


def _questions(inputs: Inputs, explanation: Explanation) -> Iterator[Diagnostic]:
    """The question whether the state is new: a warning for a user who may apply, otherwise a
    note."""
    for org_name, others in explanation.questions.items():
        near = [each for each in others if each.declared or each.is_own]
        near.sort(key=lambda each: not each.declared)
        case = "others" if not near else "" if near[0].declared else "unmatched"
        count = sum(1 for task in inputs.desired if task.org_name == org_name)
        severity = Severity.WARNING if inputs.may_apply else Severity.NOTE
        named: dict[str, Arg] = {
            "org": org_name,
            "count": len(others),
            "rows": tuple(chain.from_iterable(_row(each, count) for each in near)),
            "more": len(others) - len(near),
            "id": near[0].id if near else "",
        }
        yield Diagnostic(Code.OTHER_STATES, severity, case, named)


def _row(other: OtherState, declared: int) -> tuple[str, ...]:
    """What a question shows about another state: its ID, the number of its tasks, the date of the
    newest, their users, some of their declared keys, the number of those, and the number of all
    declared keys."""
    date = f"{other.newest:%Y-%m-%d}" if other.newest is not None else ""
    keys = ", ".join((other.declared or other.keys)[:_KEYS])
    known = (str(len(other.declared)), str(declared))
    return (other.id, str(other.tasks), date, ", ".join(other.logins), keys, *known)


def duplicate_warnings(backend: str, duplicates: Iterable[Duplicate]) -> Iterator[Diagnostic]:
    """A warning for each duplicate: another task with a reference that belongs to a key. If a user
    of the state created it, the warning has the command that cancels it."""
    for each in duplicates:
        org_name, extra = each.ref.org_name, each.remote.id
        links = (console_url(backend, org_name, task_id) for task_id in (each.task_id, extra))
        yield warning(
            Code.DUPLICATE_REMOTE_TASK,
            "" if each.is_ours else "others",
            at=Place(each.file, key=each.ref.key),
            ref=str(each.ref),
            ids=(each.task_id, extra),
            links=tuple(link for link in links if link),
            login=each.remote.creator_login or "",
            extra=f"{org_name}/{extra}",
        )


def unkept_warnings(explanation: Explanation) -> Iterator[Diagnostic]:
    """A warning if the service does not keep references."""
    if explanation.unkept:
        yield warning(Code.REFERENCE_LOST, at=Place(key=explanation.unkept), key=explanation.unkept)


def _not_compared(
    inputs: Inputs, facts: Facts, explanation: Explanation, tasks: Sequence[PlannedTask]
) -> Iterator[Diagnostic]:
    """A note about organizations whose tasks only an apply by another identity compares."""
    orgs = {task.ref.org_name for task in tasks if task.may_create} - set(explanation.explained)
    for org_name in sorted(orgs):
        if is_anothers(org_name, inputs.state, facts.identity):
            names = {b.identity.name for b in inputs.state.baselines if b.org_name == org_name}
            yield note(Code.NOT_COMPARED, org=org_name, who=tuple(sorted(names)))
