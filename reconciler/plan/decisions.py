"""What can be decided about a task: one function for each decision, with the facts for a reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.model.fields import NOT_RETURNED
from reconciler.model.remarks import Remark, remark
from reconciler.model.task import DesiredTask, Identity, RemoteTask, Removal, TaskRef
from reconciler.model.wire import console_url
from reconciler.plan.plan import Action, Change, PlannedTask, Reason, plan_for
from reconciler.plan.recovery import Found, Unresolved, Verdict, Wait
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record

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


def orphaned(record: Record, *, is_row: bool = False) -> PlannedTask:
    """`is_row`: its entry is there, but does not generate it any more."""
    case = "orphaned.row" if is_row else "orphaned"
    entry = record.generated.entry if record.generated is not None else None
    return PlannedTask(
        ref=record.ref,
        action=Action.ORPHANED,
        reason=Reason.REMOVED,
        file=record.file,
        task_id=record.task_id,
        record=record,
        remarks=(remark(case, ref=str(record.ref), entry=entry),),
    )


def forget(record: Record, removal: Removal, *, cancel: bool) -> PlannedTask:
    """A record that a manifest wants taken out."""
    case = "forget.cancel" if cancel else "forget"
    return PlannedTask(
        ref=record.ref,
        action=Action.FORGET,
        reason=Reason.LISTED,
        file=removal.file,
        task_id=record.task_id,
        record=record,
        remarks=(remark(case, file=removal.file, task_id=record.task_id),),
        cancels=cancel,
    )


def past(record: Record) -> PlannedTask:
    """A task of a period that is over."""
    return replace(orphaned(record), action=Action.UNCHANGED, reason=Reason.PAST, remarks=())


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


def unrecorded(
    task: DesiredTask, remote: RemoteTask, backend: str, view: RemoteView
) -> PlannedTask:
    """A look-alike that may be somebody else's."""
    facts = {"key": task.key, "ref": str(task.ref), "task_id": remote.id}
    said = (*_described(remote, backend, view), Remark("lookAlike.resolve", facts))
    return plan_for(
        task, Action.UNRESOLVED, Reason.LOOK_ALIKE, remark("lookAlike.unrecorded"), *said
    )


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


def attempted_id(task: DesiredTask, attempt: Attempt, found: str) -> PlannedTask:
    """The manifest names one task, and an attempt created another."""
    said = _of(
        attempt, "taskID.attempted", task_id=task.task_id or "", found=found, ref=str(task.ref)
    )
    return _conflict(task, task.task_id, said)


def other_org(task: DesiredTask, known: Record | Attempt) -> PlannedTask:
    facts = {
        "recorded": known.ref.org_name,
        "org": task.ref.org_name,
        "file": task.file,
        "old_ref": str(known.ref),
        "ref": str(task.ref),
    }
    if isinstance(known, Attempt):
        case = "otherOrg.attempt"
    else:
        case = "otherOrg.manifest" if task.org_from_manifest else "otherOrg.recorded"
    return plan_for(task, Action.UNRESOLVED, Reason.OTHER_ORG, Remark(case, facts))


def refused(task: DesiredTask, why: str) -> PlannedTask:
    """A task of an organization that could not be read."""
    said = _refused(task.ref, why)
    return plan_for(task, Action.UNRESOLVED, Reason.UNREADABLE, said)


def refused_stray(attempt: Attempt, why: str) -> PlannedTask:
    """An attempt in such an organization, whose key is in no manifest any more."""
    hint = remark("attempt.resolve_orphan", ref=str(attempt.ref))
    return PlannedTask(
        ref=attempt.ref,
        action=Action.UNRESOLVED,
        reason=Reason.UNREADABLE,
        remarks=(_refused(attempt.ref, why), hint),
        file=attempt.file,
        attempt=attempt,
    )


def _refused(ref: TaskRef, why: str) -> Remark:
    return remark("org.refused", org=ref.org_name, why=why)


def renamed(task: DesiredTask, orphan: TaskRef) -> PlannedTask:
    said = remark("renamed.from", old=orphan.key, old_ref=str(orphan), ref=str(task.ref))
    return plan_for(task, Action.UNRESOLVED, Reason.RENAMED, said)


def recovered(
    task: DesiredTask, attempts: Sequence[Attempt], verdicts: Sequence[Verdict], now: datetime
) -> PlannedTask:
    """What became of the attempts for this key, of which there is mostly one, and of which at least
    one may have created a task."""
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
    said_of = _of(attempts[-1], "attempt.settling")
    waits = [verdict for verdict in verdicts if isinstance(verdict, Wait)]
    known: dict[str, object] = {"attempt": attempts[-1], "settled_at": _settled_at(waits, now)}
    return plan_for(task, Action.UNRESOLVED, Reason.SETTLING, said_of, **known)


def _settled_at(waits: Iterable[Wait], now: datetime) -> datetime | None:
    """When all are old enough; None if only apply can tell."""
    seconds = [wait.seconds for wait in waits]
    if None in seconds or not seconds:
        return None
    return now + timedelta(seconds=max(some for some in seconds if some is not None))


def retry(task: DesiredTask, attempt: Attempt) -> PlannedTask:
    """A create that follows an attempt which created nothing."""
    said = _of(attempt, "attempt.none")
    return plan_for(task, Action.CREATE, Reason.RETRY, said, attempt=attempt)


def record_lost(task: DesiredTask, attempt: Attempt, old: str) -> PlannedTask:
    """What was to replace a task made none, and that task's record is gone."""
    said = _of(attempt, "attempt.record_lost", old=old, ref=str(attempt.ref))
    return plan_for(task, Action.UNRESOLVED, Reason.AMBIGUOUS, said, attempt=attempt)


def stray(attempt: Attempt, verdict: Verdict, now: datetime) -> PlannedTask | None:
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
        case Wait():
            return PlannedTask(
                action=Action.UNRESOLVED,
                reason=Reason.SETTLING,
                remarks=(_of(attempt, "attempt.settling_orphan"),),
                settled_at=_settled_at([verdict], now),
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
