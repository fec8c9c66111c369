"""Plans one task: the rules are tried in order, until a rule decides. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from functools import cached_property

from reconciler.model.options import PlanOptions
from reconciler.model.remarks import Remark, remark
from reconciler.model.task import DesiredTask, TaskId, TaskRef
from reconciler.model.task_state import TaskState, state_of_absent
from reconciler.model.value import replace
from reconciler.plan.adoption import about, adopt, adopt_found, gone, why_open
from reconciler.plan.explanation import Explanation, Found
from reconciler.plan.facts import Facts
from reconciler.plan.keys import moved_ref, record_of
from reconciler.plan.names import NameRules, Undeclared
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.plan.planned import PlannedFields, plan_for
from reconciler.plan.replacement import Requests, left_facts, replacement, request_for
from reconciler.plan.updates import compare_recorded
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State


class Rules:
    """The rules of one plan. `before` is the state before the tasks were explained. `requests` come
    from `--replace` and `--retry`. `partial` are the entries with tasks that the plan leaves out:
    no command for all of their tasks is suggested. `suspected` collects the keys that may have been
    renamed, and `retried` the keys that `--retry` gives another task."""

    def __init__(
        self,
        before: State,
        explanation: Explanation,
        facts: Facts,
        options: PlanOptions,
        requests: Requests,
        undeclared: Undeclared,
        partial: Collection[TaskRef],
    ) -> None:
        self._before, self._state, self._explanation = before, explanation.state, explanation
        self._facts, self._options, self._requests = facts, options, requests
        self._partial = partial
        self._found = {found.record.ref: found for found in explanation.found}
        self._closed = {attempt.ref: attempt for attempt in explanation.closed}
        self._names = NameRules(self._state, undeclared, partial)
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
            or self._named(task)
            or self._by_reference(task)
            or self._attempted(task)
            or self._replaced(task)
            or self._recorded(task)
            or self._names.decide(task)
        )
        if planned is not None:
            return planned
        tried = self._closed.get(task.ref) or self._closed.get(moved_ref(task) or task.ref)
        if tried is not None:
            explanation = about(tried, "attempt.none")
            return plan_for(task, Action.CREATE, Reason.RETRY, explanation, attempt=tried)
        return plan_for(task, Action.CREATE, Reason.NEW)

    def decide_undeclared(self, ref: TaskRef) -> PlannedTask | None:
        """Plans a key that no manifest declares, and whose task was found or may exist."""
        found = self._found.get(ref)
        if found is not None:
            return self.recording(found, None)
        tried = self._state.attempts_for(ref)
        return self._unknown(tried[-1], tried[-1]) if tried else None

    def _attempts_of(self, task: DesiredTask) -> tuple[Attempt, ...]:
        """The open attempts for the task's key, in order."""
        if not self._state.attempts:
            return ()
        return self._state.attempts_of({task.ref, moved_ref(task)})

    def _has_attempts(self, org_name: str) -> bool:
        return any(a.ref.org_name == org_name for a in self._state.attempts.values())

    def _unreadable_org(self, task: DesiredTask) -> PlannedTask | None:
        why = self._facts.refused.get(task.org_name or "")
        if why is None:
            return None
        explanation = remark("org.refused", org=task.ref.org_name, why=why)
        return plan_for(task, Action.UNRESOLVED, Reason.UNREADABLE, explanation)

    def _conflicting_id(self, task: DesiredTask) -> PlannedTask | None:
        """The conflict if `taskID` contradicts the state. A task whose key was removed causes no
        conflict."""
        if task.task_id is None:
            return None
        record = record_of(task, self._state)
        if record is not None:
            if record.task_id == task.task_id:
                return None
            return _conflict(task, "taskID.other", recorded=record.task_id)
        owner = self._recorded_ids.get(task.task_id)
        if owner is None or owner in (task.ref, moved_ref(task)):
            return None
        if self._state.is_removed(task.task_id):
            return None
        known = self._state.records.get(owner)
        if known is None:
            return _conflict(task, "taskID.claimed", owner=str(owner))
        case = "taskID.owned" if known.task_id == task.task_id else "taskID.replaced"
        return _conflict(task, case, owner=str(owner))

    def _named(self, task: DesiredTask) -> PlannedTask | None:
        """A task with `taskID` is never created. An open attempt of its key is resolved first."""
        if task.task_id is None or record_of(task, self._state) is not None:
            return None
        if self._attempts_of(task):
            return None
        remote = self._facts.find(task.ref, task.task_id)
        if remote is None:
            return _conflict(task, "taskID.not_found")
        known = TaskId(task.ref.org_name, task.task_id)
        why, message = self._facts.unreadable.get(known), self._facts.messages.get(known)
        if why is not None and self._has_attempts(task.ref.org_name):
            explanation = remark("taskID.unreadable", task_id=task.task_id, why=why)
            return plan_for(task, Action.UNRESOLVED, Reason.UNREADABLE, explanation)
        sent = self._state.attempt_with(message.reference) if message is not None else None
        if sent is not None and sent.ref.key != task.key:  # else the organization was renamed
            return _conflict(task, "taskID.attempted", owner=str(sent.ref))
        return adopt(task, remote, self._state.backend)

    def _by_reference(self, task: DesiredTask) -> PlannedTask | None:
        """A task that was found by its reference."""
        found = self._found.get(task.ref)
        return self.recording(found, task) if found is not None else None

    def recording(self, found: Found, task: DesiredTask | None) -> PlannedTask:
        """The recording of a task that was found by its reference. `task` is None if no manifest
        declares its key."""
        old = self._before.records.get(found.record.ref)
        return adopt_found(found, task, old, self._state.backend)

    def _attempted(self, task: DesiredTask) -> PlannedTask | None:
        """A key whose last attempt is open."""
        tried = self._attempts_of(task)
        if not tried:
            return None
        return replace(self._unknown(task, tried[-1]), record=record_of(task, self._state))

    def _unknown(self, subject: DesiredTask | Attempt, attempt: Attempt) -> PlannedTask:
        """The outcome of an attempt is unknown. `subject` is the attempt if its key is no longer in
        the manifests."""
        stray, verdict = isinstance(subject, Attempt), self._explanation.attempts[attempt.number]
        fields: PlannedFields = {"attempt": attempt, "candidate": verdict.candidate}
        if verdict.reason is Reason.SETTLING:
            case = "attempt.settling_orphan" if stray else "attempt.settling"
            seconds = math.ceil(verdict.seconds)
            explanation = remark(case, **{**about(attempt, case).facts, "seconds": seconds})
            return plan_for(subject, Action.UNRESOLVED, verdict.reason, explanation, **fields)
        remarks = (about(attempt, "attempt.unresolved"), *why_open(attempt, verdict))
        return plan_for(subject, Action.UNRESOLVED, verdict.reason, *remarks, **fields)

    def _replaced(self, task: DesiredTask) -> PlannedTask | None:
        """A recorded task that `--replace` or `--retry` selects, if its status allows it."""
        for requests in self._requests:
            request = request_for(task, requests)
            record = record_of(task, self._state) if request is not None else None
            if request is None or record is None or not request.is_due(task, record):
                continue
            state = self._facts.left.get(record.ref)
            if request.allows(state):
                self.retried.update([task.ref] if request.is_retry else ())
                return replacement(task, record, state, self._facts)
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
        remote = self._facts.find(record.ref, record.task_id)
        planned = compare_recorded(
            task,
            record,
            remote,
            self._facts.identity,
            update=self._options.update,
            as_entry=task.entry not in self._partial,
        )
        return planned if remote is not None else self._not_shown(task, record, planned)

    def _not_shown(self, task: DesiredTask, record: Record, compared: PlannedTask) -> PlannedTask:
        """A recorded task that the service did not return. `compared`: the comparison with its
        record, which determines whether it moves or differs."""
        caller, maker = self._facts.identity, record.identity
        now, settle = self._facts.clocks.moment, self._options.settle_time
        state = state_of_absent(record.created_at, now, settle, is_own=caller.same_as(maker))
        if state is TaskState.NOT_VISIBLE:
            hidden = remark("notVisible.to", maker=maker.name, caller=caller.name)
            return _unseen(compared, Reason.NOT_VISIBLE, hidden)
        if TaskId(record.ref.org_name, record.task_id) not in self._facts.absent:
            return compared
        if state is not TaskState.GONE:
            return _unseen(compared, Reason.FRESH)
        absent = replace(gone(task, record.task_id, self._options), record=record)
        if compared.action is Action.MOVE and not absent.creates:
            return replace(compared, remarks=(*compared.remarks, *absent.remarks))
        return absent


def _unseen(compared: PlannedTask, reason: Reason, *remarks: Remark) -> PlannedTask:
    """The reason for a task that is unchanged according to its record."""
    if compared.action is Action.UNCHANGED:
        return replace(compared, reason=reason, remarks=remarks)
    return replace(compared, remarks=(*compared.remarks, *remarks))


def _conflict(task: DesiredTask, case: str, **facts: str) -> PlannedTask:
    explanation = remark(case, task_id=task.task_id, ref=str(task.ref), **facts)
    task_id = facts.get("recorded", task.task_id)
    return plan_for(task, Action.UNRESOLVED, Reason.CONFLICT, explanation, task_id=task_id)
