"""Resolves attempts whose outcome is unknown: adopt a task, wait, unresolved, or not created. Pure.

Only proof is acted on: a task is adopted for an attempt if it has the attempt's mark and may do the
same work. For any other candidate, the key is unresolved. docs/contributing/exactly-once.md has the
same table, and "One age".

The settle time covers the time that the service may take to commit a create request and to list the
task. It starts when the request can no longer arrive. Only the process that sent the request knows
that moment; any other process counts from when it took the lock, and adds the send window. Only
seconds that passed on one machine are ever added up.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from reconciler.model.mark import is_same, microseconds
from reconciler.model.remarks import Remark, remark
from reconciler.model.service import FirstMessage, RemoteTask
from reconciler.model.task import TaskId, TaskRef, text_of
from reconciler.model.value import Value, field
from reconciler.model.work import REDACTED, comparable_text, compare_work
from reconciler.plan.plan import Reason
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import Attempt
from reconciler.state.model import State


class AttemptAges:
    """The age of attempts, as known to the process that holds the lock. `locked_at`: the time when
    it took the lock, in seconds since boot; `attempts` are the attempts that it found then. `own`:
    the time when the exchange of each attempt that it has sent ended, by mark; `inf` if it has not
    ended.
    """

    def __init__(self, locked_at: float, attempts: Iterable[Attempt] = ()) -> None:
        self._locked_at = locked_at
        self._before = {attempt.mark: attempt.waited for attempt in attempts}
        self.own: dict[str, float] = {}

    def sending(self, mark: str) -> None:
        """An attempt is about to be sent: until its exchange has ended, it does not age."""
        self.own[mark] = math.inf

    def ended(self, mark: str, boot: float) -> None:
        """The exchange of an attempt has ended."""
        self.own[mark] = boot

    def waited(self, mark: str, boot: float) -> float:
        """The total of seconds for which the outcome of an attempt has been waited for."""
        if mark in self.own:
            return max(0.0, boot - self.own[mark])
        return self._before.get(mark, 0.0) + max(0.0, boot - self._locked_at)


def time_left(
    attempt: Attempt, settle_time: timedelta, ages: AttemptAges | None = None, boot: float = 0.0
) -> float:
    """Seconds, at least 0, for which an apply has to wait until the attempt can no longer create a
    task. `settle_time` is the current setting. A plan has no `ages`."""
    needed = max(attempt.settle_time, settle_time.total_seconds())
    if ages is None or attempt.mark not in ages.own:
        needed += attempt.window
    waited = attempt.waited if ages is None else ages.waited(attempt.mark, boot)
    return max(0.0, needed - waited)


def young_keys(
    state: State, settle_time: timedelta, ages: AttemptAges | None, boot: float
) -> set[TaskRef]:
    """The keys with an attempt that may still create a task."""
    attempts = state.attempts.values()
    return {each.ref for each in attempts if time_left(each, settle_time, ages, boot) != 0}


def waited_totals(
    attempts: Iterable[Attempt], settle_time: timedelta, ages: AttemptAges, boot: float
) -> Iterator[tuple[str, float]]:
    """The totals to journal, by mark: those that have grown, of attempts that are not past their
    age according to the journal."""
    for attempt in attempts:
        waited = round(ages.waited(attempt.mark, boot), 3)
        if waited > attempt.waited and time_left(attempt, settle_time) > 0:
            yield attempt.mark, waited


class Found(NamedTuple):
    """The attempt created this task, and `duplicates` (IDs), because it was delivered twice."""

    task: RemoteTask
    duplicates: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.task.id, *self.duplicates)


class NotCreated(Value, frozen=True):
    """The attempt created no task and no longer can: all rules for a first create request apply to
    the key."""

    ids: tuple[str, ...] = ()


class Wait(NamedTuple):
    """Unknown for another `seconds`. `ids` are the tasks that it may have created."""

    seconds: float
    ids: tuple[str, ...] = ()


class Unresolved(NamedTuple):
    """The attempt may have created a task, possibly one of `ids`; a person decides.

    `askable`: all `ids` were read and belong to no other key, so that a person who sees a single
    candidate can tell whether it is the task.
    """

    reason: Reason
    why: Remark
    ids: tuple[str, ...] = ()
    askable: bool = False


Verdict = Found | NotCreated | Wait | Unresolved
"""`ids` are the tasks that the attempt has, or may have, created."""


class Evidence(NamedTuple):
    """A candidate: an unrecorded task that did not exist before the attempt."""

    task: RemoteTask
    has_mark: bool
    may_do_work: bool
    is_readable: bool = True


def judge(
    candidates: Sequence[Evidence], unlisted: Remark | None, left: float, other: str | None
) -> Verdict:
    """The table: the first row that applies decides. `unlisted`: the reason why the list does not
    prove that a task is absent. `left`: seconds until the attempt is past its age. `other`: the
    user who made it, if not the current identity, which may not see its task: then only the first
    row applies.
    """
    proven = [c.task for c in candidates if c.is_readable and c.has_mark and c.may_do_work]
    if proven:
        oldest, *others = sorted(proven, key=_age)
        return Found(oldest, _ids(others))
    unread = [c.task for c in candidates if not c.is_readable]
    possible = [c.task for c in candidates if c.is_readable and (c.has_mark or c.may_do_work)]
    if other is not None:
        why = remark("attempt.other_identity", who=other)
        return Unresolved(Reason.OTHER_IDENTITY, why, _ids([*unread, *possible]))
    if left > 0:
        return Wait(left, _ids([*unread, *possible]))
    if unlisted is not None:
        return Unresolved(Reason.UNREADABLE, unlisted, _ids([*unread, *possible]))
    if unread:
        why = remark("attempt.unreadable", ids=_ids(unread))
        return Unresolved(Reason.UNREADABLE, why, _ids([*unread, *possible]))
    if possible:
        ids = _ids(possible)
        return Unresolved(Reason.AMBIGUOUS, remark("attempt.possible", ids=ids), ids, askable=True)
    return NotCreated()


_NEVER = datetime.max.replace(tzinfo=UTC)


def _age(task: RemoteTask) -> tuple[datetime, str]:
    return task.created_at or _NEVER, task.id


def _ids(tasks: Iterable[RemoteTask]) -> tuple[str, ...]:
    return tuple(sorted(task.id for task in tasks))


class Owners(Value, frozen=True, dict=True):
    """The keys that tasks belong to, by recorded IDs, `named` IDs (by `taskID` in manifests), and
    marks. `moves` maps former keys to the keys that their tasks move to."""

    state: State
    named: Mapping[str, TaskRef] = field(default_factory=dict)
    moves: Mapping[TaskRef, TaskRef] = field(default_factory=dict)

    @cached_property
    def ids(self) -> Collection[str]:
        """The IDs of tasks that have or had a key."""
        return self.state.recorded_ids().keys()

    @cached_property
    def _by_response(self) -> Mapping[str, TaskRef]:
        """The keys by the IDs in the responses to their open attempts."""
        attempts, moves = self.state.attempts.values(), self.moves
        return {a.task_id: moves.get(a.ref, a.ref) for a in attempts if a.task_id}

    @cached_property
    def _marks(self) -> Mapping[int, TaskRef]:
        """The keys by the marks (in microseconds) of all attempts. Most plans read no first
        message, and need none."""
        known, moves = self.state.marks(), self.moves
        return {us: moves.get(ref, ref) for mark, ref in known if (us := microseconds(mark))}

    def by_mark(self, task: TaskId, view: RemoteView) -> TaskRef | None:
        """The key whose mark the task shows, or whose attempt created it according to the
        response."""
        if (ref := self._by_response.get(task.id)) is not None:
            return ref
        message = view.messages.get(task)
        shown = microseconds(message.mark) if message is not None else None
        return None if shown is None else self._marks.get(shown)


def recover(
    attempts: Collection[Attempt],
    view: RemoteView,
    owners: Owners,
    befores: Mapping[str, Collection[str]],
    settle_time: timedelta,
    ages: AttemptAges | None = None,
) -> dict[str, Verdict]:
    """A verdict for each open attempt, by mark.

    `befores` are the IDs of the tasks that existed before, by the name of the baseline. `ages` are
    the ages of the attempts as known to an apply.
    """
    verdicts: dict[str, Verdict] = {}
    unrecorded = _by_owner(view, owners)
    for attempt in sorted(attempts, key=lambda attempt: attempt.mark):
        org_name, ref = attempt.ref.org_name, attempt.ref
        unlisted = view.unlisted.get(org_name)
        free = unrecorded[org_name, None].like(attempt)
        tasks = [task for task in free if _may_be_of(ref, task, view, owners)]
        tasks += unrecorded[org_name, ref].like(attempt)
        before = befores.get(attempt.baseline, ())
        candidates = [_compared(attempt, task, view) for task in tasks if task.id not in before]
        if attempt.task_id and all(c.task.id != attempt.task_id for c in candidates):
            candidates.append(_unread(RemoteTask(org_name, attempt.task_id, {})))
        verdicts[attempt.mark] = judge(
            candidates,
            remark("attempt.unlisted", why=unlisted) if unlisted is not None else None,
            time_left(attempt, settle_time, ages, view.clocks.boot),
            None if view.identity.same_as(attempt.identity) else attempt.identity.name,
        )
    refs = {attempt.mark: attempt.ref for attempt in attempts}
    return {mark: _unless_shared(mark, refs, verdicts, owners) for mark in verdicts}


class _Unrecorded:
    """Unrecorded tasks, by what an attempt may have in common with them: there may be very many of
    both."""

    def __init__(self) -> None:
        self._uncertain: list[RemoteTask] = []  # they may do the work of any attempt
        self._alike: defaultdict[str | int | None, list[RemoteTask]] = defaultdict(list)

    def add(self, task: RemoteTask, message: FirstMessage | None) -> None:
        if message is None or REDACTED in message.text:
            self._uncertain.append(task)
        else:
            self._alike[f"text {comparable_text(message.text)}"].append(task)
            self._alike[microseconds(message.mark)].append(task)
        self._alike[f"ID {task.id}"].append(task)

    def like(self, attempt: Attempt) -> list[RemoteTask]:
        """The tasks that have its mark, may do its work, or are named in its response."""
        work = comparable_text(text_of(attempt.inputs) or "")
        keys = (f"text {work}", microseconds(attempt.mark), f"ID {attempt.task_id}")
        alike = (task for key in keys for task in self._alike.get(key, ()))
        return list({task.id: task for task in (*self._uncertain, *alike)}.values())


def _by_owner(
    view: RemoteView, owners: Owners
) -> defaultdict[tuple[str, TaskRef | None], _Unrecorded]:
    """The unrecorded tasks, by organization and the key whose mark they have."""
    found: defaultdict[tuple[str, TaskRef | None], _Unrecorded] = defaultdict(_Unrecorded)
    for task_id, task in view.tasks.items():
        was_read = task_id in view.messages or task_id in view.unreadable
        if was_read and task.id not in owners.ids:
            owner = owners.by_mark(task_id, view)
            found[task_id.org_name, owner].add(task, view.messages.get(task_id))
    return found


def _may_be_of(ref: TaskRef, task: RemoteTask, view: RemoteView, owners: Owners) -> bool:
    """Whether a task without a known mark may be that of the key. A person can give it to another
    key (`taskID`), but not before its mark was read."""
    is_read = TaskId(task.org_name, task.id) not in view.unreadable
    return owners.named.get(task.id, ref) == ref or not is_read


def _compared(attempt: Attempt, task: RemoteTask, view: RemoteView) -> Evidence:
    task_id = TaskId(task.org_name, task.id)
    if task.id == attempt.task_id:  # the response is proof
        return Evidence(task, has_mark=True, may_do_work=True)
    if task_id in view.unreadable:
        return _unread(task)
    message = view.messages[task_id]
    has_mark = message is not None and is_same(attempt.mark, message.mark)
    work = compare_work(attempt.inputs, message)
    return Evidence(task, has_mark=has_mark, may_do_work=work.may_be_same)


def _unread(task: RemoteTask) -> Evidence:
    return Evidence(task, has_mark=False, may_do_work=False, is_readable=False)


def _unless_shared(
    mark: str,
    refs: Mapping[str, TaskRef],
    verdicts: Mapping[str, Verdict],
    owners: Owners,
) -> Verdict:
    """The verdict, unless a manifest gives the task to another key (`taskID`), or another attempt
    may have created it."""
    verdict, ref = verdicts[mark], refs[mark]
    if isinstance(verdict, Found):
        named = owners.named.get(verdict.task.id, ref)
        if named == ref:
            return verdict
        why = remark("attempt.named", task_id=verdict.task.id, other=str(named))
        return Unresolved(Reason.CONFLICT, why, (verdict.task.id,))
    if isinstance(verdict, Unresolved) and verdict.askable:
        rivals = (v for m, v in verdicts.items() if refs[m] != ref)
        others = {i for v in rivals if isinstance(v, Wait | Unresolved) for i in v.ids}
        others.update(i for i in verdict.ids if owners.named.get(i, ref) != ref)
        if not others.isdisjoint(verdict.ids):
            return verdict._replace(askable=False)
    return verdict
