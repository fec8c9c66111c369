"""Tasks at the service that do a missing task's work already, though no record says so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from reconciler.model.canonical import comparable_text
from reconciler.model.options import AdoptScope, PlanOptions
from reconciler.model.remarks import Remark, remark
from reconciler.model.task import DesiredTask, FirstMessage, RemoteTask, TaskRef, text_of
from reconciler.plan.lookup import adopt_since, is_own, settings_agree
from reconciler.plan.recovery import is_redaction_of
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
) -> LookAlikes:
    """For each missing task, in order of its key, the newest task that does its work, once each.

    Its own prompt and entities, made by this identity, not recorded, settings in agreement; from
    the whole list on a new state, else from what is recent (contract, section 4, `adopt`).
    `spoken_for` are ids that an attempt has a claim on.
    """
    pairs = LookAlikes()
    wanted = sorted((task for task in missing if task.adopt), key=lambda task: task.ref)
    if options.adopt is AdoptScope.NONE or not wanted:
        return pairs
    pool, now = _pool(state, view, spoken_for), view.service_now or view.now
    for task in wanted:
        since = adopt_since(task.file, state, options, now)
        _match(task, pool, state, view, since, pairs)
    return pairs


class _Pool:
    """Unrecorded tasks of this identity, newest first, by organization and work."""

    def __init__(self) -> None:
        self.by_work: dict[tuple[str, str], list[RemoteTask]] = {}
        self.redacted: dict[str, list[tuple[RemoteTask, FirstMessage]]] = {}
        self.unread: dict[str, list[TaskId]] = {}


def _pool(state: State, view: RemoteView, spoken_for: Collection[str]) -> _Pool:
    pool, recorded = _Pool(), state.recorded_ids()
    newest_first = sorted(
        view.tasks.items(), key=lambda item: (item[1].created_at or _OLDEST, item[0]), reverse=True
    )
    for task_id, task in newest_first:
        if task.id in recorded or task.id in spoken_for or not is_own(task, view.identity):
            continue
        message = view.messages.get(task_id)
        if message is not None:
            pool.by_work.setdefault((task.org_name, message.work), []).append(task)
            if "[REDACTED]" in message.text:
                pool.redacted.setdefault(task.org_name, []).append((task, message))
        elif task_id in view.unreadable:
            pool.unread.setdefault(task.org_name, []).append(task_id)
    return pool


def _may_be(task: DesiredTask, remote: RemoteTask, since: datetime | None) -> bool:
    created = remote.created_at
    if since is not None and created is not None and created < since:
        return False
    return settings_agree(task.inputs, remote)


def _match(
    task: DesiredTask,
    pool: _Pool,
    state: State,
    view: RemoteView,
    since: datetime | None,
    pairs: LookAlikes,
) -> None:
    org_name = task.ref.org_name
    alike = pool.by_work.get((org_name, task.work or ""), [])
    for remote in alike:
        if _may_be(task, remote, since):
            alike.remove(remote)
            pairs.found[task.ref] = remote
            return
    text = comparable_text(text_of(task.inputs) or "")
    for remote, message in pool.redacted.get(org_name, ()):
        agrees = _may_be(task, remote, since)
        if agrees and is_redaction_of(comparable_text(message.text), text):
            pairs.unsure[task.ref] = remark("unsure.redacted", task_id=remote.id)
            return
    for task_id in pool.unread.get(org_name, ()):
        if _may_be(task, view.tasks[task_id], since):
            why = view.unreadable[task_id]
            pairs.unsure[task.ref] = remark("unsure.unreadable", task_id=task_id.id, why=why)
            return
    if org_name in view.cut_short and state.is_new_for(task.file):
        pairs.unsure[task.ref] = remark("unsure.cut_short")
