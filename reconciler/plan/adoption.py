"""Adopts unrecorded tasks of the service: those that are known by ID, and look-alikes that already
do the work of a missing task."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from reconciler.model.fields import NOT_RETURNED
from reconciler.model.options import AdoptScope
from reconciler.model.remarks import Remark, remark, said
from reconciler.model.remote_task import FirstMessage, RemoteTask
from reconciler.model.task import DesiredTask, TaskId, TaskRef, text_of
from reconciler.model.value import replace
from reconciler.model.wire import console_url
from reconciler.model.work import REDACTED, Work, comparable_text, compare_work, message_of
from reconciler.plan.lookup import adopt_depth, is_comparable, settings_agree
from reconciler.plan.options import PlanOptions
from reconciler.plan.plan import Action, PlannedTask, Reason, plan_for
from reconciler.plan.recovery import Found, Owners, Unresolved, Verdict, Wait
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import RetiredTask
from reconciler.state.model import State

_OLDEST = datetime.min.replace(tzinfo=UTC)

Span = tuple[datetime, datetime | None]
"""When a task of a period can have been created."""


def look_alikes(
    planned: Iterable[PlannedTask],
    state: State,
    view: RemoteView,
    options: PlanOptions,
    owners: Owners,
    verdicts: Mapping[str, Verdict],
) -> dict[TaskRef, PlannedTask]:
    """Decisions on planned creates whose tasks may already exist.

    In order of its key, each missing task gets the newest task that does the same work with the
    same fixed settings, that this user created and that is not recorded; no task is used twice. On
    a new state, all tasks are compared; otherwise, those newer than what the last apply has read
    that compared every key (docs/exactly-once.md).
    """
    creates = [
        (task, task.desired)
        for task in planned
        if task.creates and task.desired is not None and is_comparable(task.desired, state)
    ]
    if options.adopt is AdoptScope.NONE or not creates:
        return {}
    claimed = _claimed(verdicts.values())
    pool = _Pool(view, owners, {v.task.id for v in verdicts.values() if isinstance(v, Found)})
    by_hand = {task.task_id for task in state.retired.values() if task.adoptable}
    decided: dict[TaskRef, PlannedTask] = {}
    taken: set[str] = set()
    for create, task in sorted(creates, key=lambda pair: pair[1].ref):
        # Tasks that `state rm` removed are look-alikes, whatever the baseline.
        compared = adopt_depth(task.ref.org_name, state, options).ids - by_hand
        search = _Search(task, pool, view, compared, _span(task, options.settle_time))
        found = search.find(taken)
        if isinstance(found, Remark):
            explanation = (found, remark("unsure", key=task.key, ref=str(task.ref)))
            decided[task.ref] = plan_for(task, Action.UNRESOLVED, Reason.UNREADABLE, *explanation)
        elif found is not None:
            taken.add(found.id)
            if (state.is_new or options.adopt is not None) and found.id not in claimed:
                adopted = adopt(task, found, Reason.LOOK_ALIKE, state.backend, view)
                decided[task.ref] = _in_place_of(create, adopted)
            else:
                decided[task.ref] = _unrecorded(task, found, state.backend, view)
    return decided


def _in_place_of(create: PlannedTask, adopted: PlannedTask) -> PlannedTask:
    """The adoption instead of a create: what `--replace` asked for still applies."""
    old = create.record
    if old is None or create.action is not Action.REPLACE:
        return replace(adopted, record=old)
    case = "attempt.replaces_and_cancels" if create.cancels else "attempt.replaces"
    remarks = (*adopted.remarks, remark(case, old=old.task_id))
    return replace(adopted, record=old, cancels=create.cancels, remarks=remarks)


def _claimed(verdicts: Iterable[Verdict]) -> set[str]:
    """The IDs of the tasks that an attempt may have created."""
    open_ids = (verdict.ids for verdict in verdicts if isinstance(verdict, Wait | Unresolved))
    return {task_id for ids in open_ids for task_id in ids}


def gone(task: DesiredTask, task_id: str, options: PlanOptions) -> PlannedTask:
    """The plan for a key whose task the service no longer has."""
    allowed = options.allow_recreate
    if task.task_id is None and ("*" in allowed or task.key in allowed):
        case, reason = "gone.recreate", Reason.RECREATE
    else:
        case, reason = "gone.taskID" if task.task_id else "gone.kept", Reason.NOT_FOUND
    explanation = remark(case, task_id=task_id, key=task.key, ref=str(task.ref))
    return plan_for(task, Action.GONE, reason, explanation, task_id=task_id)


def adopt_removed(
    task: DesiredTask, removed: RetiredTask, state: State, view: RemoteView, options: PlanOptions
) -> PlannedTask:
    """The plan for a key whose task `state rm` has removed: adopted if it does the same work."""
    task_id = TaskId(removed.ref.org_name, removed.task_id)
    is_maker = view.identity.same_as(removed.identity)
    if task_id in view.absent and is_maker:
        return gone(task, removed.task_id, options)
    remote, message = view.tasks.get(task_id), view.messages.get(task_id)
    shown = message if message is not None else message_of(removed.inputs)
    if compare_work(task.inputs, shown) is Work.SAME:
        explanation = remark("removed.adopt")
        kept = RemoteTask(*task_id, {"id": removed.task_id})
        return adopt(task, remote or kept, Reason.RECORD_REMOVED, state.backend, view, explanation)
    facts = {"task_id": removed.task_id, "ref": str(task.ref)}
    explanation = remark("removed.differs", **facts)
    return plan_for(
        task, Action.UNRESOLVED, Reason.RECORD_REMOVED, explanation, task_id=removed.task_id
    )


def adopt(
    task: DesiredTask,
    remote: RemoteTask,
    reason: Reason,
    backend: str,
    view: RemoteView,
    *remarks: Remark,
) -> PlannedTask:
    """An adoption, with remarks on which task it is, how old, and who created it."""
    explanation = [*remarks, *described(remote, backend, view)]
    if reason is Reason.LOOK_ALIKE:
        explanation.insert(0, remark("lookAlike"))
        if hidden := tuple(name for name in NOT_RETURNED if name in task.inputs):
            explanation.append(remark("adopt.not_compared", names=hidden))
        explanation.append(remark("adopt.separate", key=task.key))
    return plan_for(task, Action.ADOPT, reason, *explanation, remote=remote)


def _unrecorded(
    task: DesiredTask, remote: RemoteTask, backend: str, view: RemoteView
) -> PlannedTask:
    """A look-alike that may belong to someone else."""
    resolve = remark("lookAlike.resolve", key=task.key, ref=str(task.ref), task_id=remote.id)
    explanation = (remark("lookAlike.unrecorded"), *described(remote, backend, view), resolve)
    return plan_for(task, Action.UNRESOLVED, Reason.LOOK_ALIKE, *explanation)


def described(remote: RemoteTask, backend: str, view: RemoteView) -> Iterator[Remark]:
    """Which task it is, how old, and who created it."""
    url = console_url(backend, remote.org_name, remote.id)
    case = "adopt.local" if url is None else "adopt.named" if remote.name else "adopt.unnamed"
    yield remark(case, name=said(remote.name), task_id=remote.id, url=url)
    login = remote.creator_login
    if remote.created_at is not None:
        age = view.clocks.moment - remote.created_at
        seconds = max(0, int(age / timedelta(seconds=1)))
        date = f"{remote.created_at.astimezone(UTC):%Y-%m-%d}"
        case = "adopt.age_by" if login else "adopt.age"
        yield remark(case, date=date, seconds=seconds, login=login)
    elif login:
        yield remark("adopt.by", login=login)


def _span(task: DesiredTask, settle_time: timedelta) -> Span | None:
    """When the task of its period can have been created; None for tasks without a period. With
    `catchUp`, the span has no end."""
    if task.origin is None or task.origin.begins is None:
        return None
    ends = task.origin.ends
    return task.origin.begins, ends + settle_time if ends is not None else None


class _Pool:
    """Unrecorded tasks of this user, newest first, by organization and text. Tasks of a key, by ID
    or mark, are left out; `found` are those that attempts have created."""

    def __init__(self, view: RemoteView, owners: Owners, found: Container[str]) -> None:
        self.by_text: dict[tuple[str, str], list[tuple[RemoteTask, FirstMessage]]] = {}
        self.unclear: dict[str, list[tuple[RemoteTask, FirstMessage | None]]] = {}
        self.unread: dict[str, list[TaskId]] = {}
        newest_first = sorted(
            view.tasks.items(),
            key=lambda item: (item[1].created_at or _OLDEST, item[0]),
            reverse=True,
        )
        self._owners = {task_id: owners.by_mark(task_id, view) for task_id, _ in newest_first}
        for task_id, task in newest_first:
            if task.id in owners.ids or task.id in owners.named or task.id in found:
                continue
            if not task.may_be_of(view.identity):
                continue
            if task_id in view.unreadable:
                self.unread.setdefault(task.org_name, []).append(task_id)
            elif task_id in view.messages:
                message = view.messages[task_id]
                if message is None or REDACTED in message.text:
                    self.unclear.setdefault(task.org_name, []).append((task, message))
                if message is not None:
                    text = (task.org_name, comparable_text(message.text))
                    self.by_text.setdefault(text, []).append((task, message))

    def is_for(self, task: RemoteTask, ref: TaskRef) -> bool:
        """Whether the task has no mark of another key."""
        return self._owners[TaskId(task.org_name, task.id)] in (None, ref)


class _Search(NamedTuple):
    """The search for one missing task: `compared` are the IDs of tasks that were compared
    before, `span` is when the task of its period can have been created."""

    task: DesiredTask
    pool: _Pool
    view: RemoteView
    compared: Collection[str]
    span: Span | None

    def find(self, taken: Collection[str]) -> RemoteTask | Remark | None:
        """The task that does the same work, or why the key must not be created yet; None if there
        is no such task. `taken` are the IDs that other keys have adopted."""
        text = (self.task.ref.org_name, comparable_text(text_of(self.task.inputs) or ""))
        alike = [
            (task, compare_work(self.task.inputs, message))
            for task, message in self.pool.by_text.get(text, ())
            if task.id not in taken and self._may_be(task)
        ]
        same = [task for task, work in alike if work is Work.SAME]
        if len(same) > 1 and self.span is not None:
            return remark("unsure.several", ids=tuple(task.id for task in same))
        if same:
            return same[0]
        similar = next((task for task, work in alike if work is Work.SIMILAR), None)
        if similar is not None:
            return remark("unsure.entities", task_id=similar.id)
        return self._doubt(taken)

    def _may_be(self, remote: RemoteTask) -> bool:
        if remote.id in self.compared or not settings_agree(self.task.inputs, remote):
            return False
        if not self.pool.is_for(remote, self.task.ref):
            return False
        if self.span is None:
            return True
        (begins, ends), made = self.span, remote.created_at
        return made is not None and begins <= made and (ends is None or made <= ends)

    def _doubt(self, taken: Collection[str]) -> Remark | None:
        """Why the task may exist although none shows the same text."""
        org_name, view = self.task.ref.org_name, self.view
        for remote, message in self.pool.unclear.get(org_name, ()):
            work = compare_work(self.task.inputs, message)
            if work.may_be_same and remote.id not in taken and self._may_be(remote):
                case = "unsure.no_message" if message is None else "unsure.redacted"
                return remark(case, task_id=remote.id)
        for task_id in self.pool.unread.get(org_name, ()):
            if self._may_be(view.tasks[task_id]):
                why = view.unreadable[task_id]
                return remark("unsure.unreadable", task_id=task_id.id, why=why)
        if org_name in view.cut_short:
            return remark("unsure.cut_short")
        if org_name in view.unlisted:
            return remark("unsure.unlisted", why=view.unlisted[org_name])
        return None
