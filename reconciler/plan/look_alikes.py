"""Compares missing tasks with unrecorded ones that may already do their work. Pure.

No task is adopted without confirmation: every key that a look-alike matches is unresolved until a
person answers (docs/exactly-once.md).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from reconciler.model.options import PlanOptions
from reconciler.model.remarks import Arg, Remark, remark
from reconciler.model.service import RemoteTask
from reconciler.model.task import DesiredTask, TaskId, TaskRef, natural, text_of
from reconciler.model.value import Value, field, replace
from reconciler.model.work import REDACTED, Work, comparable_text, compare_work
from reconciler.plan.adoption import adopt, described
from reconciler.plan.lookup import adopt_baseline, is_comparable, settings_agree
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.plan.planned import PlannedFields, plan_for
from reconciler.plan.recovery import Found, Owners, Unresolved, Verdict, Wait
from reconciler.plan.unrecorded import LookAlike, UnrecordedTasks
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import RetiredTask
from reconciler.state.model import Record, State

Span = tuple[datetime, datetime]
"""The time within which a task of a period can have been created."""


class Claims(Value, frozen=True):
    """The known owners of tasks: `removed` are the tasks that `state rm` removed, by the key that
    gets them again, `verdicts` the tasks that attempts may have created, by mark. `answers`: the
    look-alikes that a person has adopted, by key."""

    verdicts: Mapping[str, Verdict]
    removed: Mapping[TaskRef, RetiredTask]
    answers: Mapping[TaskRef, str] = field(default_factory=dict)

    def found(self) -> set[str]:
        """The IDs of tasks that attempts have created."""
        return {v.task.id for v in self.verdicts.values() if isinstance(v, Found)}

    def contested(self) -> set[str]:
        """The IDs of tasks that may belong to other keys, so that no option adopts them."""
        unknown = (v.ids for v in self.verdicts.values() if isinstance(v, Wait | Unresolved))
        attempted = {task_id for ids in unknown for task_id in ids}
        return attempted | {task.task_id for task in self.removed.values()}


def look_alikes(
    planned: Collection[PlannedTask],
    state: State,
    view: RemoteView,
    options: PlanOptions,
    owners: Owners,
    claims: Claims,
) -> dict[TaskRef, PlannedTask]:
    """Decisions on planned creates whose tasks may already exist.

    With `--adopt`, or as answered, each key in order gets the newest task that does the same work
    with the same fixed settings and that this user created; no task is used twice, nor if another
    key has it by its ID, nor if there are, or may be, more such tasks than keys. Tasks that the
    last apply of all manifests has listed are not compared.
    """
    creates: list[PlannedTask] = []
    decided: dict[TaskRef, PlannedTask] = {}
    for create in planned:
        task = create.desired
        if not create.creates or task is None:
            continue
        if is_comparable(task, state):
            creates.append(create)
        elif (why := view.unlisted.get(task.ref.org_name)) is not None:  # apply needs the list
            unsure = remark("unsure.unlisted", why=why)
            decided[task.ref] = plan_for(task, Action.UNRESOLVED, Reason.UNREADABLE, unsure)
    if not creates:
        return decided
    adopted = {task.task_id or "" for task in planned if task.action is Action.ADOPT}
    pool = UnrecordedTasks(state, view, owners, adopted | claims.found())
    missing = [task for create in creates if (task := create.desired) is not None]
    searches = _searches(missing, pool, state, options)
    contested = _contested(searches, claims)
    chosen = _paired(searches, contested, None if options.adopt else claims.answers)
    used = {task.id for task in chosen.values()}
    left = [search for search in searches if search.task.ref not in chosen]
    open_pairs = _paired(left, contested | used)
    keys = {task.id: ref for ref, task in open_pairs.items()}
    unresolved = map(_Open(view, state.backend, used, open_pairs, keys).unresolved, left)
    decided |= {planned.ref: planned for planned in unresolved if planned is not None}
    for create in creates:
        if create.record is not None and create.ref in decided:
            decided[create.ref] = _beside(create.record, decided[create.ref])
        found, task = chosen.get(create.ref), create.desired
        if found is not None and task is not None:
            adopted_task = adopt(task, found, Reason.LOOK_ALIKE, state.backend)
            decided[create.ref] = _in_place_of(create, adopted_task)
    return decided


class _Search:
    """The search for one missing task. `compared` are the IDs of tasks that were compared before.
    `same` are the tasks that do the same work, `similar` the tasks that may do it, newest first."""

    def __init__(
        self,
        task: DesiredTask,
        pool: UnrecordedTasks,
        compared: Container[str],
        settle_time: timedelta,
    ) -> None:
        self.task, self._pool, self._compared = task, pool, compared
        self._span = _span(task, settle_time)
        text = (task.ref.org_name, comparable_text(text_of(task.inputs) or ""))
        works = [(other, compare_work(task.inputs, other.message)) for other in pool.alike(*text)]
        alike = [(other, work) for other, work in works if work.may_be_same and self._may_be(other)]
        self.same = tuple(other for other, work in alike if work is Work.SAME)
        self._similar = tuple(other for other, work in alike if work is Work.SIMILAR)

    def _may_be(self, candidate: LookAlike) -> bool:
        """A task without a date of creation may be of any period. Tasks that `state rm` removed are
        always compared."""
        if candidate.task.id in self._compared and candidate.former is None:
            return False
        is_others = candidate.owner not in (None, self.task.ref)
        if is_others or not settings_agree(self.task.inputs, candidate.task):
            return False
        made = candidate.task.created_at
        if self._span is None or made is None:
            return True
        begins, ends = self._span
        return begins <= made <= ends

    def may_adopt(self, found: LookAlike) -> bool:
        """Whether a person may adopt the task without specifying it."""
        return found.is_own and (self._span is None or found.task.created_at is not None)

    def adoptable(self) -> set[str]:
        """The IDs of the tasks that do the same work and that a person may adopt."""
        return {found.task.id for found in self.same if self.may_adopt(found)}

    @property
    def key(self) -> dict[str, str]:
        """The key, for the commands that resolve it."""
        return {"key": self.task.key, "ref": str(self.task.ref)}

    def doubt(self, used: Container[str]) -> tuple[Reason, *tuple[Remark, ...]] | None:
        """The reason why the task may exist although no task is known to do the same work, with the
        commands that decide it. `used` are the IDs of tasks that other keys adopt."""
        for candidate in self._similar:
            if candidate.task.id not in used:
                return Reason.AMBIGUOUS, *self._about(candidate, _case(candidate))
        unread = self.unread()
        return (Reason.UNREADABLE, *unread) if unread else None

    def unread(self) -> tuple[Remark, ...]:
        """The reason why there may be further tasks that do the same work, with the commands that
        decide it; empty if all were read."""
        org_name, view = self.task.ref.org_name, self._pool.view
        for candidate in self._pool.unread.get(org_name, ()):
            if self._may_be(candidate):
                why = view.unreadable[TaskId(org_name, candidate.task.id)]
                return self._about(candidate, "unsure.unreadable", why=why)
        if org_name in view.cut_short:
            return (remark("unsure.cut_short"),)
        if org_name in view.unlisted:
            return (remark("unsure.unlisted", why=view.unlisted[org_name]),)
        return ()

    def _about(self, candidate: LookAlike, case: str, **facts: Arg) -> tuple[Remark, ...]:
        task_id = candidate.task.id
        decide = remark("unsure.task", task_id=task_id, **self.key)
        return remark(case, task_id=task_id, **facts), decide


def _searches(
    tasks: Iterable[DesiredTask], pool: UnrecordedTasks, state: State, options: PlanOptions
) -> list[_Search]:
    """The searches with a result, in the order of their keys. Usually, there are few."""
    identity = pool.view.identity

    @cache
    def compared(org_name: str) -> Container[str]:
        read = adopt_baseline(org_name, state, identity, options)
        return read.ids if read is not None else ()

    every = (_Search(t, pool, compared(t.ref.org_name), options.settle_time) for t in tasks)
    found = [search for search in every if search.same or search.doubt(())]
    return sorted(found, key=lambda search: natural(search.task.ref))


def _case(similar: LookAlike) -> str:
    if similar.message is None:
        return "unsure.no_message"
    return "unsure.redacted" if REDACTED in similar.message.text else "unsure.entities"


_CLOCKS_DIFFER = timedelta(minutes=1)
"""The maximum lag of the service's clock when a task is created at the start of its period."""


def _span(task: DesiredTask, settle_time: timedelta) -> Span | None:
    """The time within which the task of its period can have been created; None for tasks without a
    period."""
    origin = task.origin
    if origin is None or origin.begins is None or origin.ends is None:
        return None
    return origin.begins - _CLOCKS_DIFFER, origin.ends + settle_time


def _paired(
    searches: Iterable[_Search],
    contested: Container[str],
    answers: Mapping[TaskRef, str] | None = None,
) -> dict[TaskRef, RemoteTask]:
    """The task that each key may adopt, no task twice; with `answers`, only those."""
    pairs: dict[TaskRef, RemoteTask] = {}
    used: set[str] = set()
    for search in searches:
        ref = search.task.ref
        for candidate in search.same if answers is None or ref in answers else ():
            is_meant = answers is None or answers[ref] == candidate.task.id
            is_free = candidate.task.id not in used and candidate.task.id not in contested
            if is_meant and is_free and search.may_adopt(candidate):
                pairs[ref] = candidate.task
                used.add(candidate.task.id)
                break
    return pairs


def _contested(searches: Iterable[_Search], claims: Claims) -> set[str]:
    """The IDs of the tasks that no option adopts: they may be those of other keys, or there are, or
    may be, more tasks that do the same work than keys."""
    known = claims.contested()
    found = surplus((each.task.ref, each.adoptable() - known) for each in searches)
    unsure = {task_id for each in searches if each.unread() for task_id in each.adoptable()}
    return known | found | unsure


def surplus(same: Iterable[tuple[TaskRef, set[str]]]) -> set[str]:
    """The tasks that do the same work as fewer keys, of the IDs that do the `same` as each key: a
    sister repository may own one of them, so only a person can tell which."""
    groups: list[tuple[set[TaskRef], set[str]]] = []
    for ref, own in same:
        refs, ids = {ref}, own
        for group in [each for each in groups if not ids.isdisjoint(each[1])]:
            groups.remove(group)
            refs, ids = refs | group[0], ids | group[1]
        groups.append((refs, ids))
    return {task_id for refs, ids in groups if len(ids) > len(refs) for task_id in ids}


def _in_place_of(create: PlannedTask, adopted: PlannedTask) -> PlannedTask:
    """The adoption instead of a new task; a request of `--replace` still applies."""
    old = create.record
    if old is None or create.action is not Action.REPLACE:
        return replace(adopted, record=old)
    remarks = (*adopted.remarks, remark("attempt.replaces", old=old.task_id))
    return replace(adopted, record=old, remarks=remarks)


_RESOLVES = frozenset(
    {"lookAlike.several", "lookAlike.unclear", "lookAlike.removed", "unsure.task"}
)
"""The cases of the remarks with commands for a key without a record."""


def _beside(record: Record, planned: PlannedTask) -> PlannedTask:
    """An unresolved key that has a record, whose new task may exist already."""
    known = [about for about in planned.remarks if about.case not in _RESOLVES]
    ids = (about.facts.get("task_id") for about in planned.remarks)
    task_id = planned.task_id or next((found for found in ids if found), "TASK_ID")
    facts: dict[str, Arg] = {"old": str(record.ref), "task_id": task_id}
    how = remark("lookAlike.replaces", **facts, ref=str(planned.ref))
    return replace(planned, remarks=(*known, how))


class _Open(NamedTuple):
    """The common data of the unresolved keys of a plan. `used` are the IDs of tasks that the plan
    adopts; `pairs` are the tasks that a person could adopt, by key, and `keys` the reverse."""

    view: RemoteView
    backend: str
    used: Container[str]
    pairs: Mapping[TaskRef, RemoteTask]
    keys: Mapping[str, TaskRef]

    def unresolved(self, search: _Search) -> PlannedTask | None:
        """The reason why the key must not be created yet; None if no task may belong to it."""
        task = search.task
        if (pair := self.pairs.get(task.ref)) is not None:
            same_as = remark("lookAlike.same")
            return self._undecided(task, pair, Reason.LOOK_ALIKE, same_as, pair=pair)
        same = [candidate for candidate in search.same if candidate.task.id not in self.used]
        if same and (other := self.keys.get(same[0].task.id)) is not None:
            shared = remark("lookAlike.shared", other=other.key)
            return self._undecided(task, same[0].task, Reason.AMBIGUOUS, shared)
        if same and same[0].creator is not None:
            others = remark("lookAlike.others")
            return self._undecided(task, same[0].task, Reason.LOOK_ALIKE, others)
        if same:
            unread = search.unread()
            why, reason = _why(search, same), Reason.UNREADABLE if unread else Reason.AMBIGUOUS
            return self._undecided(task, same[0].task, reason, *unread[:1], why)
        doubt = search.doubt(self.used)
        return plan_for(task, Action.UNRESOLVED, *doubt) if doubt else None

    def _undecided(
        self,
        task: DesiredTask,
        found: RemoteTask,
        reason: Reason,
        *why: Remark,
        pair: RemoteTask | None = None,
    ) -> PlannedTask:
        explanation = (*why, *described(found, self.backend))
        fields: PlannedFields = {"task_id": found.id, "candidate": pair}
        fields["remote"] = None if pair is not None else found
        return plan_for(task, Action.UNRESOLVED, reason, *explanation, **fields)


def _why(search: _Search, same: Sequence[LookAlike]) -> Remark:
    """The reason why only a person can tell whether one of these tasks belongs to the key."""
    first = same[0]
    if first.former is not None:
        facts = {"task_id": first.task.id, "former": first.former.key}
        return remark("lookAlike.removed", **facts, **search.key)
    ids = tuple(c.task.id for c in same if search.may_adopt(c))
    if len(ids) > 1:
        return remark("lookAlike.several", ids=ids, **search.key)
    return remark("lookAlike.unclear", task_id=first.task.id, **search.key)
