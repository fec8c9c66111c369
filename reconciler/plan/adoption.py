"""Tasks at the service that do a missing task's work already, though no record says so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from reconciler.model.canonical import comparable_text
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
from reconciler.plan.lookup import Depth, adopt_depth, is_own, moved_ref, settings_agree
from reconciler.plan.options import PlanOptions
from reconciler.plan.recovery import Entities, compare_entities, may_be_redacted, strangers
from reconciler.plan.view import RemoteView, TaskId
from reconciler.state.model import State

_OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class LookAlikes:
    """`found`: the task that each key takes over. `unsure`: why a key must not be created yet."""

    found: dict[TaskRef, RemoteTask] = field(default_factory=dict)
    unsure: dict[TaskRef, Remark] = field(default_factory=dict)


def look_alikes(
    missing: Sequence[DesiredTask],
    state: State,
    view: RemoteView,
    options: PlanOptions,
    spoken_for: Collection[str],
    claimed: Collection[str] = (),
) -> LookAlikes:
    """For each missing task, in order of its key, the newest task that does its work, once each.

    It has the same prompt, entities and fixed settings, was created by this identity and is not
    recorded. On a new state all tasks are compared, else those that are newer than what the last
    apply has read (contract, section 4, `adopt`). A key that was attempted adopts no task that came
    later with another mark: that is somebody else's. `spoken_for` are ids that have a key, or that
    an attempt has a claim on.
    """
    pairs = LookAlikes()
    adopting = sorted((task for task in missing if task.adopt), key=lambda task: task.ref)
    if options.adopt is AdoptScope.NONE or not adopting:
        return pairs
    pool = _pool(view, spoken_for)
    tried = {attempt.ref for attempt in state.attempts.values()}
    attempts, baselines = state.attempts.values(), state.baselines
    others = frozenset(strangers(attempts, view, spoken_for, baselines)) if tried else frozenset()
    for task in adopting:
        depth = adopt_depth(task.file, task.ref.org_name, state, options)
        if not tried.isdisjoint((task.ref, moved_ref(task))):
            depth = replace(depth, ids=depth.ids | others)
        span = _span(task, options.settle_time)
        if span is not None:
            depth = replace(depth, ids=depth.ids | frozenset(claimed))
        _Search(task, pool, view, depth, span).run(pairs)
    return pairs


def is_adoptable(task: DesiredTask, remote: RemoteTask, state: State, options: PlanOptions) -> bool:
    """Whether a look-alike is taken for the task. Not on a state on which an apply has finished,
    which knows its own tasks: there it may be another team's, unless the period tells, its record
    was removed, or the user asks for it."""
    if state.is_new_for(task.file) or options.adopt is not None:
        return True
    return _span(task, options.settle_time) is not None or remote.id in state.retired


Span = tuple[datetime, datetime | None]


def _span(task: DesiredTask, settle_time: timedelta) -> Span | None:
    """When a task of its period can have been created; None for tasks without a period. With
    `catchUp`, at any time from its start on."""
    if task.origin is None or task.origin.begins is None:
        return None
    ends = task.origin.ends
    return task.origin.begins, ends + settle_time if ends is not None else None


class _Pool:
    """Unrecorded tasks of this identity, newest first, by organization and work."""

    def __init__(self) -> None:
        self.by_work: dict[tuple[str, str], list[RemoteTask]] = {}
        self.by_text: dict[tuple[str, str], list[tuple[RemoteTask, FirstMessage]]] = {}
        self.redacted: dict[str, list[tuple[RemoteTask, FirstMessage]]] = {}
        self.unread: dict[str, list[TaskId]] = {}


def _pool(view: RemoteView, spoken_for: Collection[str]) -> _Pool:
    pool = _Pool()
    newest_first = sorted(
        view.tasks.items(), key=lambda item: (item[1].created_at or _OLDEST, item[0]), reverse=True
    )
    for task_id, task in newest_first:
        if task.id in spoken_for or not is_own(task, view.identity):
            continue
        message = view.messages.get(task_id)
        if message is not None:
            pool.by_work.setdefault((task.org_name, message.work), []).append(task)
            text = (task.org_name, comparable_text(message.text))
            pool.by_text.setdefault(text, []).append((task, message))
            if "[REDACTED]" in message.text:
                pool.redacted.setdefault(task.org_name, []).append((task, message))
        elif task_id in view.unreadable:
            pool.unread.setdefault(task.org_name, []).append(task_id)
    return pool


@dataclass(frozen=True, slots=True)
class _Search:
    """What may be one missing task: down to `depth`, and within the `span` of its period."""

    task: DesiredTask
    pool: _Pool
    view: RemoteView
    depth: Depth
    span: Span | None

    def run(self, pairs: LookAlikes) -> None:
        task, org_name = self.task, self.task.ref.org_name
        alike = self.pool.by_work.get((org_name, task.work or ""), [])
        fit = [remote for remote in alike if self._may_be(remote)]
        if len(fit) > 1 and self.span is not None:
            ids = tuple(remote.id for remote in fit)
            pairs.unsure[task.ref] = remark("unsure.several", ids=ids)
        elif fit:
            alike.remove(fit[0])
            pairs.found[task.ref] = fit[0]
        elif (why := self._doubt({remote.id for remote in pairs.found.values()})) is not None:
            pairs.unsure[task.ref] = why

    def _may_be(self, remote: RemoteTask) -> bool:
        if remote.id in self.depth.ids or not settings_agree(self.task.inputs, remote):
            return False
        if self.span is None:
            return True
        (begins, ends), made = self.span, remote.created_at
        return made is not None and begins <= made and (ends is None or made <= ends)

    def _doubt(self, taken: Collection[str]) -> Remark | None:
        """Why the task may exist all the same."""
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
