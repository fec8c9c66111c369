"""Compares missing tasks with unrecorded ones that may already do their work. Pure.

Nobody's task is adopted unasked: a look-alike makes every key that it matches unresolved, until a
person answers (docs/exactly-once.md).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain
from typing import NamedTuple

from reconciler.model.remarks import Arg, Remark, remark
from reconciler.model.remote_task import FirstMessage, RemoteTask
from reconciler.model.task import DesiredTask, TaskId, TaskRef, natural, text_of
from reconciler.model.value import Value, field, replace
from reconciler.model.work import REDACTED, Work, comparable_text, compare_work, message_of
from reconciler.plan.adoption import adopt, described
from reconciler.plan.lookup import adopt_depth, is_comparable, settings_agree
from reconciler.plan.options import PlanOptions
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.plan.planned import plan_for
from reconciler.plan.recovery import Found, Owners, Unresolved, Verdict, Wait
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import RetiredTask
from reconciler.state.model import State

_OLDEST = datetime.min.replace(tzinfo=UTC)

Span = tuple[datetime, datetime]
"""When a task of a period can have been created."""


class Claims(Value, frozen=True):
    """Whose tasks are known: `removed` are those that `state rm` removed, by the key that gets them
    again, `verdicts` those that attempts may have created, by mark. `answers`: the look-alikes that
    a person has adopted, by key."""

    verdicts: Mapping[str, Verdict]
    removed: Mapping[TaskRef, RetiredTask]
    answers: Mapping[TaskRef, str] = field(default_factory=dict)

    def found(self) -> set[str]:
        """The IDs of tasks that attempts have created."""
        return {v.task.id for v in self.verdicts.values() if isinstance(v, Found)}

    def contested(self) -> set[str]:
        """The IDs of tasks that may be those of other keys, so that no option adopts them."""
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
    with the same fixed settings and that this user created; no task is used twice, and none that
    another key has by its ID. Tasks that the last apply of all manifests has listed are not
    compared.
    """
    creates: list[PlannedTask] = []
    decided: dict[TaskRef, PlannedTask] = {}
    for create in planned:
        task = create.desired
        if not create.creates or task is None:
            continue
        if is_comparable(task, state):
            creates.append(create)
        elif (why := view.unlisted.get(task.ref.org_name)) is not None:  # which apply needs
            unsure = remark("unsure.unlisted", why=why)
            decided[task.ref] = plan_for(task, Action.UNRESOLVED, Reason.UNREADABLE, unsure)
    if not creates:
        return decided
    adopted = {task.task_id or "" for task in planned if task.action is Action.ADOPT}
    pool = _Pool(state, view, owners, adopted | claims.found())
    missing = (task for create in creates if (task := create.desired) is not None)
    searches = _searches(missing, pool, state, options)
    contested = claims.contested()
    chosen = _paired(searches, contested, None if options.adopt else claims.answers)
    used = {task.id for task in chosen.values()}
    left = [search for search in searches if search.task.ref not in chosen]
    open_pairs = _paired(left, contested | used)
    keys = {task.id: ref for ref, task in open_pairs.items()}
    unresolved = map(_Open(view, state.backend, used, open_pairs, keys).unresolved, left)
    decided |= {planned.ref: planned for planned in unresolved if planned is not None}
    for create in creates:
        found, task = chosen.get(create.ref), create.desired
        if found is not None and task is not None:
            adopted_task = adopt(task, found, Reason.LOOK_ALIKE, state.backend, view)
            decided[create.ref] = _in_place_of(create, adopted_task)
    return decided


class _LookAlike(NamedTuple):
    """An unrecorded task, and its first message. `is_own`: this user created it, and can see it.
    `owner`: the key whose mark it has. `former`: the key from which `state rm` removed it."""

    task: RemoteTask
    message: FirstMessage | None
    is_own: bool
    owner: TaskRef | None = None
    former: TaskRef | None = None


class _Pool:
    """Unrecorded tasks of this user or of an unknown creator, newest first, by organization and
    text. Tasks that have a key are left out, and so are those `adopted` in this plan."""

    def __init__(
        self, state: State, view: RemoteView, owners: Owners, adopted: Container[str]
    ) -> None:
        self.view, self._owners = view, owners
        self.unread: dict[str, list[_LookAlike]] = {}
        self._by_text: dict[tuple[str, str], list[_LookAlike]] = {}
        self._unclear: dict[str, list[_LookAlike]] = {}
        self._removed = {t.task_id: t for t in state.retired.values() if t.adoptable}
        found = chain(view.tasks.values(), self._invisible())
        known = (owners.ids, owners.named, adopted)
        free = [task for task in found if not any(task.id in ids for ids in known)]
        for task in sorted(free, key=lambda t: (t.created_at or _OLDEST, t.id), reverse=True):
            self._add(task)

    def alike(self, org_name: str, text: str) -> Iterator[_LookAlike]:
        """The tasks that may show this text."""
        yield from self._by_text.get((org_name, text), ())
        yield from self._unclear.get(org_name, ())

    def _invisible(self) -> Iterator[RemoteTask]:
        """The tasks that `state rm` removed and that this user cannot see. For the user who created
        them, they are gone."""
        for removed in self._removed.values():
            task_id = TaskId(removed.ref.org_name, removed.task_id)
            if task_id in self.view.absent and not self.view.identity.same_as(removed.identity):
                raw = {**removed.inputs, **removed.outputs, "id": removed.task_id}
                yield RemoteTask(*task_id, raw)

    def _add(self, task: RemoteTask) -> None:
        view, task_id = self.view, TaskId(task.org_name, task.id)
        removed, owner = self._removed.get(task.id), self._owners.by_mark(task_id, view)
        if removed is not None:
            message = view.messages.get(task_id) or message_of(removed.inputs)
            is_own = task_id in view.tasks and view.identity.same_as(removed.identity)
            self._put(_LookAlike(task, message, is_own, owner, removed.ref))
        elif not task.may_be_of(view.identity):
            pass
        elif task_id in view.unreadable:
            unread = _LookAlike(task, None, is_own=False)
            self.unread.setdefault(task.org_name, []).append(unread)
        elif task_id in view.messages:
            is_own = task.is_of(view.identity)
            self._put(_LookAlike(task, view.messages[task_id], is_own, owner))

    def _put(self, found: _LookAlike) -> None:
        org_name, message = found.task.org_name, found.message
        if message is None or REDACTED in message.text:
            self._unclear.setdefault(org_name, []).append(found)
        else:
            text = (org_name, comparable_text(message.text))
            self._by_text.setdefault(text, []).append(found)


class _Search:
    """The search for one missing task. `compared` are the IDs of tasks that were compared before.
    `same` are the tasks that do the same work, `similar` those that may, newest first."""

    __slots__ = ("_compared", "_pool", "_similar", "_span", "same", "task")

    def __init__(
        self, task: DesiredTask, pool: _Pool, compared: Container[str], settle_time: timedelta
    ) -> None:
        self.task, self._pool, self._compared = task, pool, compared
        self._span = _span(task, settle_time)
        text = (task.ref.org_name, comparable_text(text_of(task.inputs) or ""))
        works = [(other, compare_work(task.inputs, other.message)) for other in pool.alike(*text)]
        alike = [(other, work) for other, work in works if work.may_be_same and self._may_be(other)]
        self.same = tuple(other for other, work in alike if work is Work.SAME)
        self._similar = tuple(other for other, work in alike if work is Work.SIMILAR)

    def _may_be(self, candidate: _LookAlike) -> bool:
        """A task without a date of creation may be of any period. What `state rm` removed is always
        compared."""
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

    def may_adopt(self, found: _LookAlike) -> bool:
        """Whether a person may adopt the task without naming it."""
        return found.is_own and (self._span is None or found.task.created_at is not None)

    @property
    def key(self) -> dict[str, str]:
        """The key, for the commands that decide about it."""
        return {"key": self.task.key, "ref": str(self.task.ref)}

    def doubt(self, used: Container[str]) -> tuple[Remark, ...]:
        """Why the task may exist although none is known to do the same work, and what decides it.
        `used` are the IDs of tasks that other keys adopt."""
        org_name, view = self.task.ref.org_name, self._pool.view
        for candidate in self._similar:
            if candidate.task.id not in used:
                return self._about(candidate, _case(candidate))
        for candidate in self._pool.unread.get(org_name, ()):
            if self._may_be(candidate):
                why = view.unreadable[TaskId(org_name, candidate.task.id)]
                return self._about(candidate, "unsure.unreadable", why=why)
        if org_name in view.cut_short:
            return remark("unsure.cut_short"), remark("unsure", **self.key)
        if org_name in view.unlisted:
            why = view.unlisted[org_name]
            return remark("unsure.unlisted", why=why), remark("unsure", **self.key)
        return ()

    def _about(self, candidate: _LookAlike, case: str, **facts: Arg) -> tuple[Remark, ...]:
        task_id = candidate.task.id
        decide = remark("unsure.task", task_id=task_id, **self.key)
        return remark(case, task_id=task_id, **facts), decide


def _searches(
    tasks: Iterable[DesiredTask], pool: _Pool, state: State, options: PlanOptions
) -> list[_Search]:
    """Those that have found anything, in the order of their keys. Usually there are few."""
    identity = pool.view.identity
    compared = cache(lambda org_name: adopt_depth(org_name, state, identity, options).ids)
    every = (_Search(t, pool, compared(t.ref.org_name), options.settle_time) for t in tasks)
    found = [search for search in every if search.same or search.doubt(())]
    return sorted(found, key=lambda search: natural(search.task.ref))


def _case(similar: _LookAlike) -> str:
    if similar.message is None:
        return "unsure.no_message"
    return "unsure.redacted" if REDACTED in similar.message.text else "unsure.entities"


def _span(task: DesiredTask, settle_time: timedelta) -> Span | None:
    """When the task of its period can have been created; None for tasks without a period."""
    origin = task.origin
    if origin is None or origin.begins is None or origin.ends is None:
        return None
    return origin.begins, origin.ends + settle_time


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


def _in_place_of(create: PlannedTask, adopted: PlannedTask) -> PlannedTask:
    """The adoption instead of a create: what `--replace` asked for still applies."""
    old = create.record
    if old is None or create.action is not Action.REPLACE:
        return replace(adopted, record=old)
    remarks = (*adopted.remarks, remark("attempt.replaces", old=old.task_id))
    return replace(adopted, record=old, remarks=remarks)


class _Open(NamedTuple):
    """What the unresolved keys of a plan share. `used` are the IDs of tasks that keys adopt in it;
    `pairs` are the tasks that a person could adopt, by key, and `keys` the reverse."""

    view: RemoteView
    backend: str
    used: Container[str]
    pairs: Mapping[TaskRef, RemoteTask]
    keys: Mapping[str, TaskRef]

    def unresolved(self, search: _Search) -> PlannedTask | None:
        """Why the key must not be created yet; None if no task may be its own."""
        task = search.task
        if (pair := self.pairs.get(task.ref)) is not None:
            return self._undecided(task, pair, Reason.LOOK_ALIKE, remark("lookAlike.same"), pair)
        candidate = next((c for c in search.same if c.task.id not in self.used), None)
        if candidate is not None and (other := self.keys.get(candidate.task.id)) is not None:
            shared = remark("lookAlike.shared", other=other.key)
            return self._undecided(task, candidate.task, Reason.AMBIGUOUS, shared)
        if candidate is not None:
            case = "lookAlike.unclear" if candidate.former is None else "lookAlike.removed"
            former = candidate.former.key if candidate.former is not None else None
            why = remark(case, task_id=candidate.task.id, former=former, **search.key)
            return self._undecided(task, candidate.task, Reason.AMBIGUOUS, why)
        doubt = search.doubt(self.used)
        return plan_for(task, Action.UNRESOLVED, Reason.UNREADABLE, *doubt) if doubt else None

    def _undecided(
        self,
        task: DesiredTask,
        found: RemoteTask,
        reason: Reason,
        why: Remark,
        pair: RemoteTask | None = None,
    ) -> PlannedTask:
        explanation = (why, *described(found, self.backend, self.view))
        return plan_for(
            task, Action.UNRESOLVED, reason, *explanation, task_id=found.id, candidate=pair
        )
