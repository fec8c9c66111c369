"""A state that may replace a lost state: no task is created without an answer for its key. Pure.

Only a person knows whether a state is new or replaces a lost state, and `--adopt` says so
(docs/exactly-once.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, note, warning
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import Remark, remark
from reconciler.model.shell import is_key
from reconciler.model.task import DesiredTask, TaskId, TaskRef, natural
from reconciler.model.value import replace
from reconciler.plan.lookup import is_answered, is_comparable, moved_ref, record_of
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.plan.planned import plan_for
from reconciler.plan.selection import covers
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import Recovery
from reconciler.state.model import Recovering, State

_NAMED = 20
"""The number of keys without a task that are listed. Up to it, ORG/* answers for all of them."""

_LISTED = 20
"""The number of unrecorded tasks that are listed next to the keys without a task."""


def noted_recoveries(
    declared: Iterable[DesiredTask], state: State, given: Collection[TaskRef] = ()
) -> dict[str, Recovery]:
    """The notes before existing tasks are recorded that no attempt of this state has created, such
    as those of the keys `given`. The state may replace a lost state: in the organizations that
    it does not know yet, each other declared key without a task needs an answer."""
    keys: dict[str, set[str]] = {}
    for task in declared:
        org_name = task.ref.org_name
        if org_name not in state.latest:
            waiting = keys.setdefault(org_name, set())
            is_new = task.ref not in given and record_of(task, state) is None
            waiting.update([task.key] if is_new and is_comparable(task, state) else ())
    before = state.recovering
    return {org: before.get(org, Recovery()).joined(Recovery((*keys[org],))) for org in keys}


class LostState(NamedTuple):
    """The state of a plan, which may replace a lost state. `adopts`: a person says that it
    does."""

    desired: Sequence[DesiredTask]
    state: State
    options: PlanOptions
    scope: tuple[str, ...]
    adopts: bool

    def begun(self, moves: Mapping[TaskRef, TaskRef]) -> dict[str, Recovery]:
        """The notes of apply before it records anything, if a person says that the state was lost,
        or has named existing tasks in manifests, and the state knows no organization. `moves` maps
        former keys to new keys."""
        named = self._named(moves)
        if not (self.adopts or (named and not self.state.latest)):
            return {}
        begun = noted_recoveries(self.desired, self.state, named)
        # Without a waiting key, it would end immediately; if a person says that the state was lost,
        # the keys of other manifests wait, too.
        return {
            org_name: recovery
            for org_name, recovery in begun.items()
            if recovery.keys or (self.adopts and not covers(self.scope, self.options, org_name))
        }

    def _named(self, moves: Mapping[TaskRef, TaskRef]) -> set[TaskRef]:
        """The keys whose `taskID` the state does not know, also those that are not selected or
        cannot be read."""
        tried = {moves.get(attempt.ref, attempt.ref) for attempt in self.state.attempts.values()}
        named = {task.ref: task for task in self.desired if task.task_id is not None}
        known = self.state.recorded_ids() if named else {}
        return {
            ref
            for ref, task in named.items()
            if ref not in tried
            and task.task_id not in known
            and record_of(task, self.state) is None
        }

    def beside(
        self, selected: Collection[TaskRef], young: Collection[TaskRef]
    ) -> list[DesiredTask]:
        """The keys whose look-alikes count although they are not `selected`: those without a task
        and an attempt, if a selected key without a task is in an organization that the state does
        not know, and no `young` attempt decides it first. Such a key may show that the state was
        lost."""
        missing = self._unknown()
        due = (t for t in missing if t.ref not in young and moved_ref(t) not in young)
        if not any(task.ref in selected for task in due):
            return []
        tried = {attempt.ref for attempt in self.state.attempts.values()}
        return [
            task
            for task in missing
            if task.ref not in selected and tried.isdisjoint((task.ref, moved_ref(task)))
        ]

    def _unknown(self) -> list[DesiredTask]:
        """The keys without a task or an answer in organizations that the state does not know."""
        return [
            task
            for task in self.desired
            if task.ref.org_name not in self.state.latest
            and task.task_id is None
            and record_of(task, self.state) is None
            and is_comparable(task, self.state)
        ]

    def unanswered(
        self,
        tasks: Mapping[TaskRef, PlannedTask],
        open_keys: Iterable[PlannedTask],
        view: RemoteView,
        recovering: Collection[str],
    ) -> dict[TaskRef, PlannedTask]:
        """Decisions on planned creates that need an answer first.

        `--adopt` creates and changes nothing. In the organizations that are `recovering`, each key
        needs an answer. While a look-alike is open in an organization that the state does not know
        yet, or such an organization with missing keys could not be read, every key without an
        answer in all such organizations waits.
        """
        latest, only_adopts = self.state.latest, self.options.adopt
        first = self._decided_first(open_keys, view)
        decided: dict[TaskRef, PlannedTask] = {}
        for ref, planned in tasks.items():
            task, org_name = planned.desired, ref.org_name
            if only_adopts and planned.reason is Reason.UNFINISHED:
                decided[ref] = replace(planned, action=Action.UNCHANGED)
            if task is None or not planned.creates or planned.record is not None:
                continue
            needs_answer = is_comparable(task, self.state)
            if needs_answer and org_name in recovering:
                why = remark("recovering.key")
                decided[ref] = plan_for(task, Action.UNRESOLVED, Reason.RECOVERING, why)
            elif needs_answer and first is not None and org_name not in latest:
                decided[ref] = plan_for(task, Action.UNRESOLVED, *first)
            elif only_adopts:
                why = remark("recovering.answered")
                decided[ref] = plan_for(task, Action.UNRESOLVED, Reason.RECOVERING, why)
        return decided

    def _decided_first(
        self, open_keys: Iterable[PlannedTask], view: RemoteView
    ) -> tuple[Reason, Remark] | None:
        """The keys that may show that the state was lost, and must be decided before anything is
        created."""
        unknown = [task for task in open_keys if task.ref.org_name not in self.state.latest]
        if unknown:
            unread = Reason.UNREADABLE  # the next apply may be able to read it
            other = min(unknown, key=lambda task: (task.reason is unread, natural(task.ref)))
            if other.reason is unread:
                return unread, other.remarks[0]
            return Reason.LOOK_ALIKE, remark("lookAlike.first", other=other.ref.key)
        organizations = {task.ref.org_name for task in self._unknown()} if view.refused else set()
        for org_name in sorted(organizations & (view.refused.keys() - view.hidden)):
            why = view.refused[org_name]
            return Reason.UNREADABLE, remark("org.refused", org=org_name, why=why)
        return None

    def recovered(
        self, tasks: Collection[PlannedTask], recovering: Mapping[str, Recovery]
    ) -> tuple[str, ...]:
        """The organizations whose recovery ends with this plan, which covers all of their
        manifests."""
        return tuple(
            org_name
            for org_name, recovery in sorted(recovering.items())
            if covers(self.scope, self.options, org_name)
            and not self._waiting(org_name, recovery, tasks)
        )

    def reports(
        self,
        view: RemoteView,
        tasks: Collection[PlannedTask],
        recovering: Mapping[str, Recovery],
        ended: Collection[str],
    ) -> Iterator[Diagnostic]:
        """The keys that wait for an answer in each organization, with the unrecorded tasks of this
        user."""
        for org_name, recovery in sorted(recovering.items()):
            if org_name not in ended:
                yield self._report(org_name, view, tasks, self._waiting(org_name, recovery, tasks))
            elif org_name in self.state.recovering:
                yield note(Code.RECOVERING, "ended", org=org_name)

    def _waiting(
        self, org_name: str, recovery: Recovery, tasks: Iterable[PlannedTask]
    ) -> list[TaskRef]:
        """The keys, declared or not, that have neither a task after this plan nor an answer."""
        declared = {task.ref: task for task in self.desired if task.ref.org_name == org_name}
        refs = {*declared, *(TaskRef(org_name, key) for key in recovery.keys)}
        refs -= self.state.records.keys()
        refs -= {t.ref for t in tasks if t.record is not None or t.action is Action.ADOPT}
        left = [
            ref
            for ref in refs
            if not is_answered(ref, self.state.notes_on(ref), self.state)
            and (ref not in declared or is_comparable(declared[ref], self.state))
        ]
        return sorted(left, key=natural)

    def _report(
        self,
        org_name: str,
        view: RemoteView,
        tasks: Collection[PlannedTask],
        left: Sequence[TaskRef],
    ) -> Diagnostic:
        here = [t for t in tasks if t.ref.org_name == org_name and t.action is Action.UNRESOLVED]
        is_other = any(t.reason is not Reason.RECOVERING for t in here)
        is_whole = covers(self.scope, self.options, org_name)
        case = "each" if is_other or not is_whole or len(left) > _NAMED else ""
        if org_name not in view.compared:
            case = "unread"
        return warning(
            Code.RECOVERING,
            case if left else "answered",
            org=org_name,
            count=len(left),
            keys=tuple(ref.key for ref in left[:_NAMED]),
            more=max(0, len(left) - _NAMED),
            rows=self._unrecorded(org_name, view, tasks) or ("none",),
            glob=f"{org_name}/*",
        )

    def _unrecorded(
        self, org_name: str, view: RemoteView, tasks: Iterable[PlannedTask]
    ) -> tuple[str, ...]:
        """The newest unrecorded tasks of this user: ID, date, and the beginning of the prompt."""
        adopted = {task.task_id for task in tasks if task.action is Action.ADOPT}
        recorded = {*self.state.recorded_ids(), *adopted}
        found = [
            task
            for task in view.tasks.values()
            if task.org_name == org_name and task.id not in recorded and task.is_of(view.identity)
        ]
        found.sort(key=lambda task: (_date(task.created_at), task.id), reverse=True)
        rows = []
        for task in found[:_LISTED]:
            message = view.messages.get(TaskId(org_name, task.id))
            text = task.name or (message.text if message is not None else "")
            begins = text.strip().split("\n", 1)[0][:60]
            rows.append(f"{task.id}  {_date(task.created_at)[:10]}  {begins}")
        return tuple(rows)


def _date(moment: datetime | None) -> str:
    return moment.isoformat() if moment is not None else "-"


def waiting_keys(state: State, organizations: Iterable[str]) -> set[TaskRef]:
    """The keys that were noted when the recovery began, and that have neither a task nor an open
    attempt since."""
    noted = {TaskRef(org, key) for org in organizations for key in state.recovering[org].keys}
    return noted - state.records.keys() - {attempt.ref for attempt in state.attempts.values()}


def new_keys(declared: Iterable[DesiredTask], state: State) -> set[TaskRef]:
    """The keys that a glob answers: those without a task and an attempt that are declared, or that
    wait for an answer."""
    refs = {task.ref for task in declared} | waiting_keys(state, state.recovering)
    return refs - state.records.keys() - {attempt.ref for attempt in state.attempts.values()}


def answer_entries(state: State, glob: str) -> list[Recovering]:
    """The entries whose answer, `ENTRY@*` or `ORG/ENTRY@*`, also counts for later keys."""
    org_name, _, name = glob.rpartition("/")
    entry = name.removesuffix("@*")
    if entry == name or not is_key(entry):
        return []
    return [
        Recovering(org, replace(known, entries=tuple(sorted({*known.entries, entry}))))
        for org, known in state.recovering.items()
        if org_name in ("", org)
    ]
