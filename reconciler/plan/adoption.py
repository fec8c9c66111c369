"""Adopts unrecorded tasks of the service: those that `taskID` names, and look-alikes that already
do the work of a missing task."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from reconciler.model.canonical import comparable_text
from reconciler.model.fields import NOT_RETURNED
from reconciler.model.options import AdoptScope
from reconciler.model.remarks import Remark, remark
from reconciler.model.task import (
    DesiredTask,
    FirstMessage,
    RemoteTask,
    TaskRef,
    entities_of,
    text_of,
)
from reconciler.model.wire import REDACTED, console_url
from reconciler.plan.lookup import (
    Depth,
    accounted_for,
    adopt_depth,
    is_own,
    moved_ref,
    settings_agree,
)
from reconciler.plan.options import PlanOptions
from reconciler.plan.plan import Action, PlannedTask, Reason, plan_for
from reconciler.plan.recovery import (
    Entities,
    Found,
    Unresolved,
    Verdict,
    Wait,
    compare_entities,
    may_be_redacted,
    tasks_of_others,
)
from reconciler.plan.view import RemoteView, TaskId
from reconciler.state.model import State

_OLDEST = datetime.min.replace(tzinfo=UTC)

Span = tuple[datetime, datetime | None]
"""When a task of a period can have been created."""


def look_alikes(
    planned: Iterable[PlannedTask],
    desired: Sequence[DesiredTask],
    state: State,
    view: RemoteView,
    options: PlanOptions,
    verdicts: Mapping[str, Verdict],
) -> dict[TaskRef, PlannedTask]:
    """Decisions on planned creates whose tasks may already exist.

    In order of its key, each missing task gets the newest task with the same prompt, entities and
    fixed settings that this identity created and that is not recorded; no task is used twice. On a
    new state, all tasks are compared; otherwise, those newer than what the last apply has read
    (docs/exactly-once.md). A key with an attempt adopts no later task with another mark,
    since that is someone else's.
    """
    creates = [
        (task, task.desired)
        for task in planned
        if task.creates and task.desired is not None and task.desired.adopt
    ]
    if options.adopt is AdoptScope.NONE or not creates:
        return {}
    spoken_for, claimed = _claims(verdicts.values(), desired, state)
    pool = _Pool(view, spoken_for)
    attempts = state.attempts.values()
    tried = {attempt.ref for attempt in attempts}
    others = frozenset(tasks_of_others(attempts, view, spoken_for, state.baselines))
    decided: dict[TaskRef, PlannedTask] = {}
    taken: set[str] = set()
    for create, task in sorted(creates, key=lambda pair: pair[1].ref):
        depth = adopt_depth(task.file, task.ref.org_name, state, options)
        if not tried.isdisjoint((task.ref, moved_ref(task))):
            depth = depth._replace(ids=depth.ids | others)
        span = _span(task, options.settle_time)
        if span is not None:
            depth = depth._replace(ids=depth.ids | claimed)
        found = _Search(task, pool, view, depth, span).find(taken)
        if isinstance(found, Remark):
            said = (found, remark("unsure", key=task.key))
            decided[task.ref] = plan_for(task, Action.UNRESOLVED, Reason.UNREADABLE, *said)
        elif found is not None:
            taken.add(found.id)
            if _is_adoptable(task, found, state, options):
                adopted = adopt(task, found, Reason.LOOK_ALIKE, state.backend, view)
                decided[task.ref] = replace(adopted, record=create.record)
            else:
                decided[task.ref] = _unrecorded(task, found, state.backend, view)
    return decided


def _claims(
    verdicts: Iterable[Verdict], desired: Sequence[DesiredTask], state: State
) -> tuple[set[str], set[str]]:
    """The IDs of tasks that no key may adopt, and of those that young attempts may have created."""
    spoken_for, claimed = accounted_for(desired, state), set[str]()
    spoken_for.update(task.task_id for task in desired if task.task_id is not None)
    for verdict in verdicts:
        match verdict:
            case Found(task):
                spoken_for.add(task.id)
            case Unresolved(ids=ids):
                spoken_for.update(ids)
            case Wait(ids=ids):
                claimed.update(ids)
    return spoken_for, claimed


def adopt(
    task: DesiredTask, remote: RemoteTask, reason: Reason, backend: str, view: RemoteView
) -> PlannedTask:
    """An adoption, with remarks on which task it is, how old, and who created it."""
    said = list(_described(remote, backend, view))
    if reason is Reason.LOOK_ALIKE:
        said.insert(0, remark("lookAlike"))
        if hidden := tuple(name for name in NOT_RETURNED if name in task.inputs):
            said.append(remark("adopt.not_compared", names=hidden))
        said.append(remark("adopt.separate", key=task.key))
    return plan_for(task, Action.ADOPT, reason, *said, remote=remote)


def _unrecorded(
    task: DesiredTask, remote: RemoteTask, backend: str, view: RemoteView
) -> PlannedTask:
    """A look-alike that may belong to someone else."""
    resolve = remark("lookAlike.resolve", key=task.key, ref=str(task.ref), task_id=remote.id)
    said = (remark("lookAlike.unrecorded"), *_described(remote, backend, view), resolve)
    return plan_for(task, Action.UNRESOLVED, Reason.LOOK_ALIKE, *said)


def _described(remote: RemoteTask, backend: str, view: RemoteView) -> Iterator[Remark]:
    url = console_url(backend, remote.org_name, remote.id)
    case = "adopt.local" if url is None else "adopt.named" if remote.name else "adopt.unnamed"
    yield remark(case, name=remote.name, task_id=remote.id, url=url)
    login = remote.creator_login
    if remote.created_at is not None:
        age = view.clocks.moment - remote.created_at
        seconds = max(0, int(age / timedelta(seconds=1)))
        date = f"{remote.created_at.astimezone(UTC):%Y-%m-%d}"
        case = "adopt.age_by" if login else "adopt.age"
        yield remark(case, date=date, seconds=seconds, login=login)
    elif login:
        yield remark("adopt.by", login=login)


def _is_adoptable(
    task: DesiredTask, remote: RemoteTask, state: State, options: PlanOptions
) -> bool:
    """Whether a look-alike is adopted. A state on which an apply has finished knows its own tasks,
    so there it may be another team's: only if the period proves it, its record was removed by hand,
    or `--adopt` was given."""
    if state.is_new_for(task.file) or options.adopt is not None:
        return True
    return _span(task, options.settle_time) is not None or remote.id in state.retired


def _span(task: DesiredTask, settle_time: timedelta) -> Span | None:
    """When the task of its period can have been created; None for tasks without a period. With
    `catchUp`, the span has no end."""
    if task.origin is None or task.origin.begins is None:
        return None
    ends = task.origin.ends
    return task.origin.begins, ends + settle_time if ends is not None else None


class _Pool:
    """Unrecorded tasks of this identity, newest first, by organization and work or text."""

    def __init__(self, view: RemoteView, spoken_for: Collection[str]) -> None:
        self.by_work: dict[tuple[str, str], list[RemoteTask]] = {}
        self.by_text: dict[tuple[str, str], list[tuple[RemoteTask, FirstMessage]]] = {}
        self.redacted: dict[str, list[tuple[RemoteTask, FirstMessage]]] = {}
        self.unread: dict[str, list[TaskId]] = {}
        newest_first = sorted(
            view.tasks.items(),
            key=lambda item: (item[1].created_at or _OLDEST, item[0]),
            reverse=True,
        )
        for task_id, task in newest_first:
            if task.id in spoken_for or not is_own(task, view.identity):
                continue
            message = view.messages.get(task_id)
            if message is not None:
                self.by_work.setdefault((task.org_name, message.work), []).append(task)
                text = (task.org_name, comparable_text(message.text))
                self.by_text.setdefault(text, []).append((task, message))
                if REDACTED in message.text:
                    self.redacted.setdefault(task.org_name, []).append((task, message))
            elif task_id in view.unreadable:
                self.unread.setdefault(task.org_name, []).append(task_id)


class _Search(NamedTuple):
    """The search for one missing task, down to `depth` and within the span of its period."""

    task: DesiredTask
    pool: _Pool
    view: RemoteView
    depth: Depth
    span: Span | None

    def find(self, taken: Collection[str]) -> RemoteTask | Remark | None:
        """The task to adopt, or why the key must not be created yet; None if there is no such task.
        `taken` are the IDs that other keys have adopted."""
        alike = self.pool.by_work.get((self.task.ref.org_name, self.task.work or ""), [])
        fit = [remote for remote in alike if self._may_be(remote)]
        if len(fit) > 1 and self.span is not None:
            return remark("unsure.several", ids=tuple(remote.id for remote in fit))
        if fit:
            alike.remove(fit[0])
            return fit[0]
        return self._doubt(taken)

    def _may_be(self, remote: RemoteTask) -> bool:
        if remote.id in self.depth.ids or not settings_agree(self.task.inputs, remote):
            return False
        if self.span is None:
            return True
        (begins, ends), made = self.span, remote.created_at
        return made is not None and begins <= made and (ends is None or made <= ends)

    def _doubt(self, taken: Collection[str]) -> Remark | None:
        """Why the task may exist although no match was found."""
        org_name, view = self.task.ref.org_name, self.view
        asked, prompt = entities_of(self.task.inputs), text_of(self.task.inputs) or ""
        for remote, message in self.pool.by_text.get((org_name, comparable_text(prompt)), ()):
            is_fewer = compare_entities(message.entities, asked) is Entities.FEWER
            if is_fewer and remote.id not in taken and self._may_be(remote):
                return remark("unsure.entities", task_id=remote.id)
        for remote, message in self.pool.redacted.get(org_name, ()):
            if may_be_redacted(message.text, prompt) and self._may_be(remote):
                return remark("unsure.redacted", task_id=remote.id)
        for task_id in self.pool.unread.get(org_name, ()):
            if self._may_be(view.tasks[task_id]):
                why = view.unreadable[task_id]
                return remark("unsure.unreadable", task_id=task_id.id, why=why)
        if org_name in view.cut_short:
            return remark("unsure.cut_short")
        if org_name in view.unlisted:
            return remark("unsure.unlisted", why=view.unlisted[org_name])
        return None
