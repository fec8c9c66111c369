"""From desired, recorded and remote to a plan. Pure; the rules are contract, section 4."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.model.canonical import digest
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.remarks import remark
from reconciler.model.task import DesiredTask, Removal, TaskRef
from reconciler.plan import adoption, checks, decisions, replacement, updates
from reconciler.plan.age import LockHolder
from reconciler.plan.conflicts import conflicting
from reconciler.plan.diff import changes, remote_agrees
from reconciler.plan.hold import Holds, Standings, stopped
from reconciler.plan.leftovers import Leftovers
from reconciler.plan.lookup import accounted_for, moved_ref, record_of
from reconciler.plan.options import PlanOptions
from reconciler.plan.organizations import LeftBehind
from reconciler.plan.periods import Due, Periods
from reconciler.plan.plan import Action, Change, Plan, PlannedTask, Reason, plan_for
from reconciler.plan.recovery import Found, NotCreated, Unresolved, Verdict, Wait, recover
from reconciler.plan.view import RemoteView, TaskId
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State, is_in


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What a plan is made from. `only` restricts it to some keys; the others still count for their
    own tasks and prompts. `holder` is what the process that holds the lock knows about the age of
    its attempts; None for a plan, which holds none. `real_names` has the PATHs and manifest files
    that are absolute or lead through a link, with their real names. `due` are the periods that may
    be created, `standing` says how far recorded tasks are that others may have to wait for.
    `with_past`: the plan lists past periods, too.
    """

    desired: Sequence[DesiredTask]
    state: State
    view: RemoteView
    options: PlanOptions
    scope: tuple[str, ...] = ()
    only: Collection[TaskRef] | None = None
    holder: LockHolder | None = None
    real_names: Mapping[str, str] = field(default_factory=dict)
    removed: Sequence[Removal] = ()
    due: Due = field(default_factory=dict)
    standing: Standings = field(default_factory=dict)
    with_past: bool = False

    def in_scope(self, file: str) -> bool:
        """Whether a manifest file is one of the PATHs, or lies inside one. No PATH: all are."""
        names = self.real_names
        scope = [names.get(path, path) for path in self.scope]
        return not scope or is_in(names.get(file, file), scope)


def make_plan(inputs: PlanInputs) -> Plan:
    """Every desired task once, and every record and attempt that no manifest wants any more."""
    return _Planner(inputs).plan()


class _Planner:
    def __init__(self, inputs: PlanInputs) -> None:
        self.inputs = inputs
        self.state, self.view, self.options = inputs.state, inputs.view, inputs.options
        self.desired = {task.ref: task for task in inputs.desired}
        self.heirs = {
            old: task.ref
            for task in inputs.desired
            if (old := moved_ref(task)) is not None and old not in self.desired
        }
        self.recorded = self.state.recorded_ids()
        self.accounted = accounted_for(inputs.desired, self.state)
        known = {*self.desired, *self.heirs}
        self.left_behind = LeftBehind(self.state, known, inputs.in_scope)
        self.verdicts = self._recover()
        self.closed: list[str] = []
        self.requests = replacement.requests_of(self.options, inputs.desired)
        left = (self.state, self.desired, self.heirs, Periods(inputs.desired, inputs.due))
        self.leftovers = Leftovers(*left, inputs.removed, inputs.in_scope)
        self.orphaned_work = self.leftovers.work(self.verdicts)
        # One desired task: the first rule that knows an answer gives it. A create passes all of
        # them, whether it is the first one of its key or follows an attempt.
        self.rules: tuple[Callable[[DesiredTask], PlannedTask | None], ...] = (
            self._refused,
            self._conflicting,
            self._known_by_id,
            self._attempted,
            self._replaced,
            self._recorded,
            self._under_another_org,
            self._renamed,
        )

    def plan(self) -> Plan:
        tasks = {ref: self._task(task) for ref, task in self.desired.items() if self._asked(ref)}
        self._adopt_look_alikes(tasks)
        tasks |= self._held(tasks)
        cancel = self.options.cancel_removed
        left = self.leftovers.planned(with_past=self.inputs.with_past, cancel=cancel)
        tasks |= {planned.ref: planned for planned in left if self._asked(planned.ref)}
        for found in self._stray_attempts():
            tasks[found.ref] = found
        ordered = tuple(tasks[ref] for ref in sorted(tasks))
        return Plan(
            backend=self.state.backend,
            scope=self.inputs.scope,
            tasks=ordered,
            identity=self.view.identity,
            complete=self.view.is_complete,
            diagnostics=tuple(self._diagnostics(ordered)),
            closed=tuple(sorted(self.closed)),
        )

    def _asked(self, ref: TaskRef) -> bool:
        return self.inputs.only is None or ref in self.inputs.only

    def _diagnostics(self, tasks: Sequence[PlannedTask]) -> Iterable[Diagnostic]:
        whole, limit = self.options.wait, self.options.max_creates
        yield from checks.too_many_creates(tasks, limit, whole_run=whole)
        yield from stopped(tasks)
        yield from checks.duplicates(self.state, tasks)
        if self.view.ignored_date is not None:
            yield self.view.ignored_date
        now = self.view.clocks.moment
        yield from replacement.problems(self.requests, tasks, self.state, now)
        if self.options.update:
            yield from updates.warnings(tasks, self.view.identity)

    def _recover(self) -> dict[str, Verdict]:
        attempts = self.state.attempts.values()
        if not attempts:
            return {}
        moved = [replace(a, ref=self.heirs.get(a.ref, a.ref)) for a in attempts]
        settle, baselines = self.options.settle_time, self.state.baselines
        return recover(moved, self.view, self.accounted, baselines, settle, self.inputs.holder)

    def _task(self, task: DesiredTask) -> PlannedTask:
        for rule in self.rules:
            planned = rule(task)
            if planned is not None:
                return planned
        tried = self._attempts_of(task)
        return (
            decisions.retry(task, tried[-1]) if tried else plan_for(task, Action.CREATE, Reason.NEW)
        )

    def _attempts_of(self, task: DesiredTask) -> list[Attempt]:
        """The open attempts for its key, the latest last."""
        if not self.state.attempts:
            return []
        refs = {task.ref, moved_ref(task)}
        own = (attempt for attempt in self.state.attempts.values() if attempt.ref in refs)
        return sorted(own, key=lambda attempt: attempt.mark)

    def _refused(self, task: DesiredTask) -> PlannedTask | None:
        """A task of an organization that could not be read: nothing about it is known."""
        why = self.view.refused.get(task.org_name or "")
        return decisions.refused(task, why) if why is not None else None

    def _conflicting(self, task: DesiredTask) -> PlannedTask | None:
        return conflicting(task, self.state, self.recorded)

    def _replaced(self, task: DesiredTask) -> PlannedTask | None:
        """A recorded task that --replace names, whatever its status."""
        record = record_of(task, self.state) if task.ref in self.requests else None
        if record is None or not self._is_due(task.ref, record):
            return None
        remote = self.view.find(record.ref, record.task_id)
        gone = TaskId(record.ref.org_name, record.task_id) in self.view.absent
        diff = changes(record.inputs, task.inputs, remote)
        cancel = self.options.cancel_replaced
        return replacement.replaced(task, record, diff, cancel=cancel, gone=gone)

    def _is_due(self, ref: TaskRef, record: Record) -> bool:
        """Whether the task of this record is what a request of this run is to replace."""
        request, now = self.requests.get(ref), self.view.clocks.moment
        return request is not None and request.is_due(record, self.state, now)

    def _recorded(self, task: DesiredTask) -> PlannedTask | None:
        record = record_of(task, self.state)
        if record is None:
            return None
        remote = self.view.find(record.ref, record.task_id)
        if remote is None and (planned := self._not_seen(task, record)) is not None:
            return planned
        # Equal values have equal digests, and are far quicker to compare than to digest.
        equal = record.inputs == task.inputs or record.digest == digest(task.inputs)
        if equal and (remote is None or remote_agrees(task.inputs, remote)):
            diff: tuple[Change, ...] = ()
        else:
            diff = changes(record.inputs, task.inputs, remote)
        told = updates.compared if record.ref.key == task.key else updates.moved_and_updated
        who, update = self.view.identity, self.options.update
        return told(task, record, remote, diff, who, equal=equal, update=update)

    def _not_seen(self, task: DesiredTask, record: Record) -> PlannedTask | None:
        """A recorded task that the service did not show; None where it is to be compared anyway."""
        if not self.view.identity.same_as(record.identity):
            return decisions.not_visible(task, record, self.view.identity)
        if TaskId(record.ref.org_name, record.task_id) not in self.view.absent:
            return None
        if self._is_fresh(record):
            return plan_for(
                task, Action.UNCHANGED, Reason.FRESH, task_id=record.task_id, record=record
            )
        allowed = self.options.allow_recreate
        covered = task.task_id is None and ("*" in allowed or task.key in allowed)
        return decisions.gone(task, record, recreate=covered)

    def _is_fresh(self, record: Record) -> bool:
        now = self.view.clocks.moment
        made = record.created_at
        return made is not None and abs(now - made) < self.options.settle_time

    def _known_by_id(self, task: DesiredTask) -> PlannedTask | None:
        """A task that its manifest names: never created. The user's word outranks an attempt,
        unless that has created another task."""
        if task.task_id is None or record_of(task, self.state) is not None:
            return None
        for attempt in self._attempts_of(task):
            verdict = self.verdicts[attempt.mark]
            if isinstance(verdict, Found) and verdict.task.id != task.task_id:
                return decisions.attempted_id(task, attempt, verdict.task.id)
            if isinstance(verdict, Found | Wait):
                return None
        remote = self.view.find(task.ref, task.task_id)
        if remote is None:
            return decisions.no_such_id(task)
        return decisions.adopt(task, remote, Reason.TASK_ID, self.state.backend, self.view)

    def _attempted(self, task: DesiredTask) -> PlannedTask | None:
        """What came of its open attempts. None once nothing can: then it is planned as if there
        had been none."""
        own = self._attempts_of(task)
        if not own:
            return None
        verdicts = [self.verdicts[a.mark] for a in own]
        record = record_of(task, self.state)
        if all(isinstance(v, NotCreated) for v in verdicts):
            old = next((a.replaces for a in reversed(own) if a.replaces), None)
            if record or (old and self.recorded[old] in self.state.records):
                # What was to replace a task: whether it still is, is asked again.
                self.closed.extend(a.mark for a in own)
            elif old:
                return decisions.record_lost(task, own[-1], old)
            return None
        planned = decisions.recovered(task, own, verdicts, self.view.clocks.now)
        return self._in_place_of(record, planned) if record is not None else planned

    def _in_place_of(self, record: Record, planned: PlannedTask) -> PlannedTask:
        """What an attempt made takes the place of what its key had."""
        attempt = planned.attempt
        if planned.action is not Action.ADOPT or attempt is None:
            return replace(planned, record=record)
        asked = self.options.cancel_replaced and self._is_due(planned.ref, record)
        cancels = asked and attempt.replaces == record.task_id
        case = "attempt.replaces_and_cancels" if cancels else "attempt.replaces"
        remarks = (*planned.remarks, remark(case, old=record.task_id))
        return replace(planned, record=record, cancels=cancels, remarks=remarks)

    def _under_another_org(self, task: DesiredTask) -> PlannedTask | None:
        known = self.left_behind.of(task)
        return decisions.other_org(task, known) if known is not None else None

    def _renamed(self, task: DesiredTask) -> PlannedTask | None:
        work = task.work if self.orphaned_work else None
        if not task.adopt or work is None:
            return None
        orphan = self.orphaned_work.get((task.ref.org_name, work))
        return decisions.renamed(task, orphan) if orphan is not None else None

    def _adopt_look_alikes(self, tasks: dict[TaskRef, PlannedTask]) -> None:
        """A task that would be created, for the first time or again, may exist already."""
        missing = [
            planned.desired
            for planned in tasks.values()
            if planned.creates and planned.desired is not None
        ]
        verdicts = self.verdicts.values()
        named = {task.task_id for task in self.desired.values() if task.task_id is not None}
        spoken_for = {v.task.id for v in verdicts if isinstance(v, Found)} | self.accounted | named
        spoken_for.update(i for v in verdicts if isinstance(v, Unresolved) for i in v.ids)
        claimed = {i for v in verdicts if isinstance(v, Wait) for i in v.ids}
        pairs = adoption.look_alikes(
            missing, self.state, self.view, self.options, spoken_for, claimed
        )
        for ref, remote in pairs.found.items():
            task, backend = self.desired[ref], self.state.backend
            if adoption.is_adoptable(task, remote, self.state, self.options):
                adopted = decisions.adopt(task, remote, Reason.LOOK_ALIKE, backend, self.view)
                tasks[ref] = replace(adopted, record=tasks[ref].record)
            else:
                tasks[ref] = decisions.unrecorded(task, remote, backend, self.view)
        for ref, why in pairs.unsure.items():
            tasks[ref] = decisions.unsure(self.desired[ref], why)

    def _held(self, tasks: Mapping[TaskRef, PlannedTask]) -> dict[TaskRef, PlannedTask]:
        """What entries generate and must not be created yet."""
        given_up = {m for m, v in self.verdicts.items() if isinstance(v, NotCreated)}
        who, standing = self.view.identity, self.inputs.standing
        return Holds(self.inputs.desired, self.state, tasks, standing, who, given_up).find()

    def _stray_attempts(self) -> Iterable[PlannedTask]:
        """Attempts whose key left the manifests: looked up, recorded, orphaned, or closed."""
        for attempt in self.leftovers.strays():
            if not self._asked(attempt.ref):
                continue
            why = self.view.refused.get(attempt.ref.org_name)
            if why is not None:
                yield decisions.refused_stray(attempt, why)
                continue
            planned = decisions.stray(attempt, self.verdicts[attempt.mark], self.view.clocks.now)
            record = self.state.records.get(attempt.ref)
            if planned is None:
                self.closed.append(attempt.mark)
            else:
                yield self._in_place_of(record, planned) if record is not None else planned
