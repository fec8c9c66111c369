"""Plans one task: the rules are tried in order, until a rule decides. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

from reconciler.model.options import PlanOptions
from reconciler.model.remarks import Remark, remark
from reconciler.model.service import RemoteTask
from reconciler.model.task import DesiredTask, TaskId, TaskRef
from reconciler.model.task_state import TaskState, state_of_absent
from reconciler.model.value import replace
from reconciler.plan.adoption import adopt, adopt_removed, gone
from reconciler.plan.look_alikes import Claims
from reconciler.plan.lookup import moved_ref, record_of
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.plan.planned import PlannedFields, is_left, plan_for
from reconciler.plan.recovery import Found, NotCreated, Owners, Unresolved, Verdict, Wait
from reconciler.plan.replacement import Requests, left_facts, replacement, request_for
from reconciler.plan.undeclared import NameRules, Undeclared
from reconciler.plan.updates import compare_recorded
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State


class Rules:
    """The rules of one plan. `requests` come from `--replace` and `--retry`; `states` are the
    states of the tasks to replace, as far as they were read. `partial` are the entries with tasks
    that the plan leaves out: no command for all of their tasks is suggested. `closed` collects the
    marks of attempts that created no task and that apply closes, `suspected` the keys that may have
    been renamed, and `retried` the keys that `--retry` gives another task."""

    def __init__(
        self,
        state: State,
        view: RemoteView,
        options: PlanOptions,
        owners: Owners,
        claims: Claims,
        requests: Requests,
        undeclared: Undeclared,
        states: Mapping[TaskRef, TaskState],
        partial: Collection[TaskRef],
    ) -> None:
        self._state, self._view, self._options, self._owners = state, view, options, owners
        self._verdicts, self._removed, self._requests = claims.verdicts, claims.removed, requests
        self._states, self._partial = states, partial
        renames = undeclared.renames(claims.verdicts)
        self._names = NameRules(state, undeclared, renames, partial)
        self.closed: list[str] = []
        self.retried: set[TaskRef] = set()
        self.suspected = self._names.suspected

    @cached_property
    def _recorded_ids(self) -> Mapping[str, TaskRef]:
        return self._state.recorded_ids()

    def decide(self, task: DesiredTask) -> PlannedTask:
        """Plans a desired task. A task to create passes every rule, whether it is the first for its
        key or follows an attempt."""
        planned = (
            self._unreadable_org(task)
            or self._conflicting_id(task)
            or self._known_by_id(task)
            or self._attempted(task)
            or self._replaced(task)
            or self._recorded(task)
            or self._removed_by_hand(task)
            or self._names.decide(task)
        )
        if planned is not None:
            return planned
        tried = self._attempts_of(task)
        if tried:
            explanation = _about(tried[-1], "attempt.none")
            return plan_for(task, Action.CREATE, Reason.RETRY, explanation, attempt=tried[-1])
        return plan_for(task, Action.CREATE, Reason.NEW)

    def decide_orphaned(self, attempt: Attempt) -> PlannedTask | None:
        """Plans an attempt whose key is no longer in the manifests; None if it created no task."""
        why = self._view.refused.get(attempt.ref.org_name)
        if why is not None:
            hint = remark("attempt.resolve_orphan", ref=str(attempt.ref))
            explanation = remark("org.refused", org=attempt.ref.org_name, why=why)
            return plan_for(attempt, Action.UNRESOLVED, Reason.UNREADABLE, explanation, hint)
        verdict = self._verdicts[attempt.mark]
        if isinstance(verdict, NotCreated):
            self.closed.append(attempt.mark)
            return None
        planned = self._recovered(attempt, [(attempt, verdict)])
        return self._in_place_of(self._state.records.get(attempt.ref), planned)

    def _attempts_of(self, task: DesiredTask) -> list[Attempt]:
        """The open attempts for the task's key, in order."""
        if not self._state.attempts:
            return []
        return list(self._state.attempts_of({task.ref, moved_ref(task)}))

    def _tried_by(self, task: DesiredTask) -> TaskRef | None:
        """Another key, an open attempt of which may have created the task that `taskID` names."""
        tried, moves = self._state.attempts, self._owners.moves
        found = {tried[mark].ref for mark, v in self._verdicts.items() if task.task_id in v.ids}
        refs = {moves.get(ref, ref) for ref in found}
        return None if task.ref in refs else min(refs, default=None)

    def _unreadable_org(self, task: DesiredTask) -> PlannedTask | None:
        why = self._view.refused.get(task.org_name or "")
        if why is None:
            return None
        explanation = remark("org.refused", org=task.ref.org_name, why=why)
        return plan_for(task, Action.UNRESOLVED, Reason.UNREADABLE, explanation)

    def _conflicting_id(self, task: DesiredTask) -> PlannedTask | None:
        """The conflict if `taskID` contradicts the state. A task that no key has any more is
        free."""
        if task.task_id is None:
            return None
        record = record_of(task, self._state)
        if record is not None:
            if record.task_id == task.task_id:
                return None
            return _conflict(task, "taskID.other", recorded=record.task_id)
        if (tried := self._tried_by(task)) is not None:
            return _conflict(task, "taskID.tried", owner=str(tried))
        owner = self._recorded_ids.get(task.task_id)
        if owner is None or owner in (task.ref, moved_ref(task)) or self._is_retired(task.task_id):
            return None
        known = self._state.records.get(owner)
        if known is None:
            return _conflict(task, "taskID.claimed", owner=str(owner))
        case = "taskID.owned" if known.task_id == task.task_id else "taskID.replaced"
        return _conflict(task, case, owner=str(owner))

    def _is_retired(self, task_id: str) -> bool:
        """Whether the task had a key, and has none now."""
        records = self._state.records.values()
        return task_id in self._state.retired and not any(
            task_id in (record.task_id, *record.former) for record in records
        )

    def _known_by_id(self, task: DesiredTask) -> PlannedTask | None:
        """A task with `taskID` is never created. A person has decided if the ID is that of a task
        that an open attempt may have created; otherwise, the attempt is resolved first."""
        if task.task_id is None or record_of(task, self._state) is not None:
            return None
        for attempt in self._attempts_of(task):
            match self._verdicts[attempt.mark]:
                case Found(found) if found.id != task.task_id:
                    facts = {"at": _time(attempt), "found": found.id}
                    return _conflict(task, "taskID.attempted", **facts)
                case Found():
                    return None
                case Wait(_, ids) | Unresolved(_, _, ids) if task.task_id not in ids:
                    return None
        remote = self._view.find(task.ref, task.task_id)
        if remote is None:
            return _conflict(task, "taskID.not_found")
        return adopt(task, remote, Reason.TASK_ID, self._state.backend)

    def _attempted(self, task: DesiredTask) -> PlannedTask | None:
        """The outcome of its open attempts; None if none of them created a task."""
        own = [(attempt, self._verdicts[attempt.mark]) for attempt in self._attempts_of(task)]
        if not own:
            return None
        record = record_of(task, self._state)
        if not all(isinstance(verdict, NotCreated) for _, verdict in own):
            return self._in_place_of(record, self._recovered(task, own))
        old = next((a.replaces for a, _ in reversed(own) if a.replaces), None)
        if not record and old and self._recorded_ids[old] not in self._state.records:
            latest = own[-1][0]
            explanation = _about(latest, "attempt.record_lost", old=old, ref=str(latest.ref))
            return plan_for(task, Action.UNRESOLVED, Reason.AMBIGUOUS, explanation, attempt=latest)
        # Now, all rules for a first create request apply to the key.
        self.closed.extend(attempt.mark for attempt, _ in own)
        return None

    def _in_place_of(self, record: Record | None, planned: PlannedTask) -> PlannedTask:
        """The outcome of an attempt for a key that has the record."""
        attempt = planned.attempt
        if record is None:
            return planned
        if planned.action is not Action.ADOPT or attempt is None:
            return replace(planned, record=record)
        remarks = (*planned.remarks, remark("attempt.replaces", old=record.task_id))
        left = is_left(self._states.get(record.ref))
        return replace(planned, record=record, remarks=remarks, unfinished=left)

    def _replaced(self, task: DesiredTask) -> PlannedTask | None:
        """A recorded task that `--replace` or `--retry` selects, if its status allows it."""
        for requests in self._requests:
            request = request_for(task, requests)
            record = record_of(task, self._state) if request is not None else None
            if request is None or record is None or not request.is_due(task, record):
                continue
            state = self._states.get(record.ref)
            if request.allows(state):
                self.retried.update([task.ref] if request.is_retry else ())
                return replacement(task, record, state, self._view)
            if not request.is_retry:
                return self._not_replaced(task, record, state, is_glob=request.is_glob)
        return None

    def _not_replaced(
        self, task: DesiredTask, record: Record, state: TaskState | None, *, is_glob: bool
    ) -> PlannedTask | None:
        planned = self._recorded(task)
        if planned is None or planned.action is Action.GONE or not is_glob:
            return planned
        left = remark("replace.left", **left_facts(task, record, state))
        return replace(planned, remarks=(*planned.explanation, left))

    def _recorded(self, task: DesiredTask) -> PlannedTask | None:
        record = record_of(task, self._state)
        if record is None:
            return None
        remote = self._view.find(record.ref, record.task_id)
        planned = compare_recorded(
            task,
            record,
            remote,
            self._view.identity,
            update=self._options.update,
            as_entry=task.entry not in self._partial,
        )
        return planned if remote is not None else self._not_shown(task, record, planned)

    def _not_shown(self, task: DesiredTask, record: Record, compared: PlannedTask) -> PlannedTask:
        """A recorded task that the service did not return. `compared`: the comparison with its
        record, which determines whether it moves or differs."""
        caller, maker = self._view.identity, record.identity
        now, settle = self._view.clocks.moment, self._options.settle_time
        state = state_of_absent(record.created_at, now, settle, is_own=caller.same_as(maker))
        if state is TaskState.NOT_VISIBLE:
            hidden = remark("notVisible.to", maker=maker.name, caller=caller.name)
            return _unseen(compared, Reason.NOT_VISIBLE, hidden)
        if TaskId(record.ref.org_name, record.task_id) not in self._view.absent:
            return compared
        if state is not TaskState.GONE:
            return _unseen(compared, Reason.FRESH)
        absent = replace(gone(task, record.task_id, self._options), record=record)
        if compared.action is Action.MOVE and not absent.creates:
            return replace(compared, remarks=(*compared.remarks, *absent.remarks))
        return absent

    def _removed_by_hand(self, task: DesiredTask) -> PlannedTask | None:
        """A key whose task `state rm` removed, so that its ID is known."""
        removed = self._removed.get(task.ref)
        if removed is None:
            return None
        return adopt_removed(task, removed, self._state, self._view, self._options)

    def _recovered(
        self, subject: DesiredTask | Attempt, attempts: Sequence[tuple[Attempt, Verdict]]
    ) -> PlannedTask:
        """The outcome of the attempts for a key (usually one), at least one of which may have
        created a task. `subject` is an attempt if its key is no longer in the manifests."""
        stray = isinstance(subject, Attempt)
        for attempt, verdict in reversed(attempts):
            if isinstance(verdict, Unresolved):
                return self._undecided(subject, attempt, verdict, attempts)
        found = [(attempt, verdict) for attempt, verdict in attempts if isinstance(verdict, Found)]
        if found and not any(isinstance(verdict, Wait) for _, verdict in attempts):
            # Both names of a moved key may have got a task: the others are duplicates.
            attempt, (task, more) = found[-1]
            others = [i for _, (first, extra) in found[:-1] for i in (first.id, *extra)]
            explanation = _about(attempt, "attempt.orphaned" if stray else "attempt.found")
            return _adopted(subject, attempt, task, explanation, (*more, *others))
        latest = attempts[-1][0]
        explanation = _about(latest, "attempt.settling_orphan" if stray else "attempt.settling")
        left = max(verdict.seconds for _, verdict in attempts if isinstance(verdict, Wait))
        explanation = remark(explanation.case, **{**explanation.facts, "seconds": math.ceil(left)})
        return plan_for(subject, Action.UNRESOLVED, Reason.SETTLING, explanation, attempt=latest)

    def _undecided(
        self,
        subject: DesiredTask | Attempt,
        attempt: Attempt,
        verdict: Unresolved,
        attempts: Sequence[tuple[Attempt, Verdict]],
    ) -> PlannedTask:
        """The key is unresolved: a person decides with `--adopt`, at the prompt (`candidate`), or
        with a command."""
        candidate = self._only_candidate(subject.ref, [v for _, v in attempts])
        is_own = candidate is not None and candidate.is_of(self._view.identity)
        if candidate is not None and is_own and self._options.adopt:
            explanation = _about(attempt, "attempt.chosen")
            return _adopted(subject, attempt, candidate, explanation)
        explanation = _about(attempt, "attempt.unresolved")
        which = verdict.ids[0] if len(verdict.ids) == 1 else "TASK_ID"
        is_other = verdict.reason is Reason.OTHER_IDENTITY
        case = "attempt.resolve_other" if is_other else "attempt.resolve"
        case = "attempt.resolve_orphan" if isinstance(subject, Attempt) else case
        facts = {"ref": str(attempt.ref), "task_id": which, "who": attempt.identity.name}
        remarks = (explanation, verdict.why, remark(case, **facts))
        fields: PlannedFields = {"attempt": attempt, "candidate": candidate}
        return plan_for(subject, Action.UNRESOLVED, verdict.reason, *remarks, **fields)

    def _only_candidate(self, ref: TaskRef, verdicts: Sequence[Verdict]) -> RemoteTask | None:
        """The only task that the attempts of a key may have created, unless another key's attempts
        may have created it, or another key had it."""
        if any(isinstance(verdict, Found) for verdict in verdicts):
            return None
        open_ones = [v for v in verdicts if isinstance(v, Wait | Unresolved)]
        ids = {task_id for verdict in open_ones for task_id in verdict.ids}
        if len(ids) != 1 or not all(isinstance(v, Unresolved) and v.askable for v in open_ones):
            return None
        (task_id,) = ids
        if any(task.task_id == task_id and key != ref for key, task in self._removed.items()):
            return None
        return self._view.tasks.get(TaskId(ref.org_name, task_id))


def _adopted(
    subject: DesiredTask | Attempt,
    attempt: Attempt,
    task: RemoteTask,
    explanation: Remark,
    duplicates: tuple[str, ...] = (),
) -> PlannedTask:
    fields: PlannedFields = {"remote": task, "attempt": attempt, "duplicates": duplicates}
    return plan_for(subject, Action.ADOPT, Reason.ATTEMPT, explanation, **fields)


def _unseen(compared: PlannedTask, reason: Reason, *remarks: Remark) -> PlannedTask:
    """The reason for a task that is unchanged according to its record."""
    if compared.action is Action.UNCHANGED:
        return replace(compared, reason=reason, remarks=remarks)
    return replace(compared, remarks=(*compared.remarks, *remarks))


def _conflict(task: DesiredTask, case: str, **facts: str) -> PlannedTask:
    explanation = remark(case, task_id=task.task_id, ref=str(task.ref), **facts)
    task_id = facts.get("recorded", task.task_id)
    return plan_for(task, Action.UNRESOLVED, Reason.CONFLICT, explanation, task_id=task_id)


def _about(attempt: Attempt, case: str, **facts: str) -> Remark:
    return remark(case, at=_time(attempt), **facts)


def _time(attempt: Attempt) -> str:
    """The name of an attempt in reports: its time in UTC, to the second."""
    return f"{attempt.started_at:%Y-%m-%d %H:%M:%S} UTC"
