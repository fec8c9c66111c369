"""What can be decided about a task: one function for each decision, with the facts for a reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from reconciler.model.fields import NOT_RETURNED
from reconciler.model.remarks import Remark, remark
from reconciler.model.task import DesiredTask, Identity, RemoteTask, TaskRef
from reconciler.model.wire import console_url
from reconciler.plan.plan import Action, Change, PlannedTask, Reason, plan_for
from reconciler.plan.recovery import Found, Unresolved, Verdict, Wait
from reconciler.plan.view import RemoteView
from reconciler.state.model import Attempt, Record

_UNRESOLVED = {
    "identity": Reason.OTHER_IDENTITY,
    "unreadable": Reason.UNREADABLE,
    "ambiguous": Reason.AMBIGUOUS,
}


def moved(
    task: DesiredTask, record: Record, remote: RemoteTask | None, diff: tuple[Change, ...]
) -> PlannedTask:
    return plan_for(
        task,
        Action.MOVE,
        Reason.MOVED,
        remark("moved.from", old=record.ref.key),
        task_id=record.task_id,
        record=record,
        remote=remote,
        moved_from=record.ref,
        diff=diff,
    )


def not_visible(task: DesiredTask, record: Record, identity: Identity) -> PlannedTask:
    said = remark("notVisible.to", maker=_name(record.identity), caller=_name(identity))
    return plan_for(
        task, Action.UNCHANGED, Reason.NOT_VISIBLE, said, task_id=record.task_id, record=record
    )


def gone(task: DesiredTask, record: Record, *, recreate: bool) -> PlannedTask:
    if recreate:
        case, reason = "gone.recreate", Reason.RECREATE
    else:
        case, reason = "gone.taskID" if task.task_id else "gone.kept", Reason.NOT_FOUND
    said = remark(case, task_id=record.task_id, key=task.key, ref=str(task.ref))
    return plan_for(task, Action.GONE, reason, said, task_id=record.task_id, record=record)


def orphaned(record: Record) -> PlannedTask:
    return PlannedTask(
        ref=record.ref,
        action=Action.ORPHANED,
        reason=Reason.REMOVED,
        file=record.file,
        task_id=record.task_id,
        record=record,
        remarks=(remark("orphaned", ref=str(record.ref)),),
    )


def adopt(
    task: DesiredTask, remote: RemoteTask, reason: Reason, backend: str, view: RemoteView
) -> PlannedTask:
    """Adopting needs a reader's trust, so it says which task it is, how old and whose."""
    said = list(_described(remote, backend, view))
    if reason is Reason.LOOK_ALIKE:
        said.insert(0, remark("lookAlike"))
        if hidden := tuple(name for name in NOT_RETURNED if name in task.inputs):
            said.append(remark("adopt.not_compared", names=hidden))
        said.append(remark("adopt.separate", key=task.key))
    return plan_for(task, Action.ADOPT, reason, *said, task_id=remote.id, remote=remote)


def _described(remote: RemoteTask, backend: str, view: RemoteView) -> Iterator[Remark]:
    url = console_url(backend, remote.org_name, remote.id)
    case = "adopt.local" if url is None else "adopt.named" if remote.name else "adopt.unnamed"
    yield remark(case, name=remote.name, task_id=remote.id, url=url)
    login = remote.creator_login
    if remote.created_at is not None:
        age = (view.service_now or view.now) - remote.created_at
        seconds = max(0, int(age / timedelta(seconds=1)))
        yield remark("adopt.age_by" if login else "adopt.age", seconds=seconds, login=login)
    elif login:
        yield remark("adopt.by", login=login)


def unsure(task: DesiredTask, why: Remark) -> PlannedTask:
    """A task whose prompt may be that of a task which exists."""
    said = (why, remark("unsure", key=task.key))
    return plan_for(task, Action.UNRESOLVED, Reason.UNREADABLE, *said)


def no_such_id(task: DesiredTask) -> PlannedTask:
    return _conflict(task, task.task_id, remark("taskID.not_found", task_id=task.task_id))


def other_id(task: DesiredTask, recorded_id: str) -> PlannedTask:
    facts = {"task_id": task.task_id, "recorded": recorded_id, "ref": str(task.ref)}
    return _conflict(task, recorded_id, Remark("taskID.other", facts))


def owned_id(task: DesiredTask, owner: TaskRef) -> PlannedTask:
    return _owned(task, owner, "taskID.owned")


def former_id(task: DesiredTask, owner: TaskRef) -> PlannedTask:
    return _owned(task, owner, "taskID.replaced")


def claimed_id(task: DesiredTask, owner: TaskRef) -> PlannedTask:
    return _owned(task, owner, "taskID.claimed")


def _owned(task: DesiredTask, owner: TaskRef, case: str) -> PlannedTask:
    said = remark(case, task_id=task.task_id, owner=str(owner), ref=str(task.ref))
    return _conflict(task, task.task_id, said)


def _conflict(task: DesiredTask, task_id: str | None, said: Remark) -> PlannedTask:
    return plan_for(task, Action.UNRESOLVED, Reason.CONFLICT, said, task_id=task_id)


def other_org(task: DesiredTask, recorded: TaskRef) -> PlannedTask:
    facts = {"recorded": recorded.org_name, "org": task.ref.org_name, "file": task.file}
    said = Remark("otherOrg.recorded", facts)
    return plan_for(task, Action.UNRESOLVED, Reason.OTHER_ORG, said)


def renamed(task: DesiredTask, orphan: TaskRef) -> PlannedTask:
    said = remark("renamed.from", old=orphan.key, old_ref=str(orphan), ref=str(task.ref))
    return plan_for(task, Action.UNRESOLVED, Reason.RENAMED, said)


def recovered(
    task: DesiredTask, attempts: Sequence[Attempt], verdicts: Sequence[Verdict]
) -> PlannedTask:
    """What became of the attempts for this key, of which there is mostly one."""
    pairs = list(zip(attempts, verdicts, strict=True))
    for attempt, verdict in reversed(pairs):
        if isinstance(verdict, Found):
            return plan_for(
                task,
                Action.ADOPT,
                Reason.ATTEMPT,
                _of(attempt, "attempt.found"),
                task_id=verdict.task.id,
                remote=verdict.task,
                attempt=attempt,
            )
    for attempt, verdict in reversed(pairs):
        if isinstance(verdict, Unresolved):
            reason, said = _UNRESOLVED[verdict.kind], _unresolved(attempt, verdict)
            return plan_for(task, Action.UNRESOLVED, reason, *said, attempt=attempt)
    latest = attempts[-1]
    waits = [verdict.until for _, verdict in pairs if isinstance(verdict, Wait)]
    if waits:
        said_of = _of(latest, "attempt.settling")
        known: dict[str, Any] = {"attempt": latest, "settled_at": max(waits)}
        return plan_for(task, Action.UNRESOLVED, Reason.SETTLING, said_of, **known)
    return plan_for(task, Action.CREATE, Reason.RETRY, _of(latest, "attempt.none"), attempt=latest)


def record_lost(task: DesiredTask, attempt: Attempt, old: str) -> PlannedTask:
    """What was to replace a task made none, and that task's record is gone."""
    said = _of(attempt, "attempt.record_lost", old=old, ref=str(attempt.ref))
    return plan_for(task, Action.UNRESOLVED, Reason.AMBIGUOUS, said, attempt=attempt)


def stray(attempt: Attempt, verdict: Verdict) -> PlannedTask | None:
    """An attempt whose key is in no manifest any more; None where it made no task."""
    place: dict[str, Any] = {"ref": attempt.ref, "file": attempt.file, "attempt": attempt}
    match verdict:
        case Found(task):
            return PlannedTask(
                action=Action.ADOPT,
                reason=Reason.ATTEMPT,
                remarks=(_of(attempt, "attempt.orphaned"),),
                task_id=task.id,
                remote=task,
                **place,
            )
        case Wait(until):
            return PlannedTask(
                action=Action.UNRESOLVED,
                reason=Reason.SETTLING,
                remarks=(_of(attempt, "attempt.settling_orphan"),),
                settled_at=until,
                **place,
            )
        case Unresolved(kind):
            return PlannedTask(
                action=Action.UNRESOLVED,
                reason=_UNRESOLVED[kind],
                remarks=_unresolved(attempt, verdict, orphan=True),
                **place,
            )
    return None


def _unresolved(
    attempt: Attempt, verdict: Unresolved, *, orphan: bool = False
) -> tuple[Remark, ...]:
    which = verdict.ids[0] if len(verdict.ids) == 1 else "TASK_ID"
    case = "attempt.resolve_orphan" if orphan else "attempt.resolve"
    hint = remark(case, ref=str(attempt.ref), task_id=which)
    return _of(attempt, "attempt.unresolved"), verdict.why, hint


def _of(attempt: Attempt, case: str, **facts: str) -> Remark:
    """Something about an attempt, which a reader knows by its time (UTC, seconds)."""
    return remark(case, at=f"{attempt.started_at:%Y-%m-%d %H:%M:%S} UTC", **facts)


def _name(identity: Identity) -> str:
    return identity.login or identity.id
