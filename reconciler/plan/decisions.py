"""The sentences of a plan: one function for each thing that can be said of a task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from reconciler.model.task import DesiredTask, Identity, RemoteTask, TaskRef
from reconciler.model.wire import console_url
from reconciler.plan.plan import Action, Change, PlannedTask, Reason, plan_for
from reconciler.plan.recovery import Found, Unresolved, Verdict, Wait
from reconciler.plan.view import RemoteView
from reconciler.state.model import Attempt, Record

_NOT_RETURNED = ("enabledIntegrations", "cliIntegrations", "agentDefinitionId")
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
        task_id=record.task_id,
        record=record,
        remote=remote,
        moved_from=record.ref,
        diff=diff,
        note=f"the record of {record.ref.key} becomes this one's",
    )


def not_visible(task: DesiredTask, record: Record, identity: Identity) -> PlannedTask:
    note = (
        f"made by {_name(record.identity)} and not visible to {_name(identity)}: "
        "the record is proof that it exists"
    )
    return plan_for(
        task, Action.UNCHANGED, Reason.NOT_VISIBLE, task_id=record.task_id, record=record, note=note
    )


def gone(task: DesiredTask, record: Record, *, recreate: bool) -> PlannedTask:
    if recreate:
        note = f"task {record.task_id} is no longer at the service; apply creates it anew"
        reason, remedy = Reason.RECREATE, ""
    elif task.task_id is not None:
        note = f"task {record.task_id} is no longer at the service; one with a taskID is not made"
        reason, remedy = Reason.NOT_FOUND, f"taskctl state rm {task.ref}"
    else:
        note = f"task {record.task_id} is no longer at the service; it is left at that"
        reason, remedy = Reason.NOT_FOUND, f"taskctl apply --allow-recreate={task.key}"
    known: dict[str, Any] = {"task_id": record.task_id, "record": record}
    return plan_for(task, Action.GONE, reason, note=note, remedy=remedy, **known)


def orphaned(record: Record) -> PlannedTask:
    return PlannedTask(
        ref=record.ref,
        action=Action.ORPHANED,
        reason=Reason.REMOVED,
        file=record.file,
        task_id=record.task_id,
        record=record,
        note="recorded, and in no manifest any more; it is left as it is",
        remedy=f"taskctl state rm {record.ref}",
    )


def adopt(
    task: DesiredTask, remote: RemoteTask, reason: Reason, backend: str, view: RemoteView
) -> PlannedTask:
    """Adopting needs a reader's trust, so the note says which task it is, how old and whose."""
    parts = [repr(remote.name) if remote.name else f"task {remote.id}"]
    created = remote.created_at
    if created is not None:
        parts.append(f"{_age((view.service_now or view.now) - created)} old")
    if remote.creator_login:
        parts.append(f"made by {remote.creator_login}")
    where = console_url(backend, remote.org_name, remote.id) or f"taskID {remote.id}"
    note = ", ".join(parts) + f": {where}"
    hidden = [name for name in _NOT_RETURNED if name in task.inputs]
    if reason is Reason.LOOK_ALIKE and hidden:
        note += f"; whether its {' and '.join(hidden)} agree cannot be seen"
    remedy = ""
    if reason is Reason.LOOK_ALIKE:
        note = f"does the same work and has no record: {note}"
        remedy = f"to have one of its own all the same, set `adopt: false` on {task.key}"
    return plan_for(
        task, Action.ADOPT, reason, task_id=remote.id, remote=remote, note=note, remedy=remedy
    )


def unsure(task: DesiredTask, why: str) -> PlannedTask:
    reason = Reason.UNREADABLE
    remedy = f"taskctl apply --adopt none   # or set `adopt: false` on {task.key}"
    return plan_for(task, Action.UNRESOLVED, reason, note=why, remedy=remedy)


def no_such_id(task: DesiredTask) -> PlannedTask:
    note = f"taskID {task.task_id}: no such task, or this token may not see it; it is not created"
    remedy = "correct the taskID, or use a token of the user who made the task"
    return _conflict(task, task.task_id, note, remedy)


def other_id(task: DesiredTask, recorded_id: str) -> PlannedTask:
    note = f"the manifest says taskID {task.task_id}, the record says {recorded_id}"
    remedy = f"taskctl state rm {task.ref}   # forget {recorded_id}, adopt {task.task_id}"
    return _conflict(task, recorded_id, note, remedy)


def owned_id(task: DesiredTask, owner: TaskRef) -> PlannedTask:
    note = f"taskID {task.task_id} is recorded for {owner.key} already"
    return _conflict(task, task.task_id, note, f"taskctl state mv {owner} {task.ref}")


def former_id(task: DesiredTask, owner: TaskRef) -> PlannedTask:
    note = f"taskID {task.task_id} is one that {owner.key} had before another took its place"
    forget = f"taskctl state rm {owner}"
    remedy = f"take the taskID out of the manifest, or forget {owner.key}: {forget}"
    return _conflict(task, task.task_id, note, remedy)


def claimed_id(task: DesiredTask, owner: TaskRef) -> PlannedTask:
    note = f"taskID {task.task_id} is the one that an open attempt of {owner.key} is to replace"
    return _conflict(task, task.task_id, note, f"taskctl apply   # settles {owner.key} first")


def _conflict(task: DesiredTask, task_id: str | None, note: str, remedy: str) -> PlannedTask:
    return plan_for(
        task, Action.UNRESOLVED, Reason.CONFLICT, task_id=task_id, note=note, remedy=remedy
    )


def other_org(task: DesiredTask, recorded: TaskRef) -> PlannedTask:
    note = (
        f"recorded under {recorded.org_name}, and the organization now resolves to "
        f"{task.ref.org_name} from outside the manifest"
    )
    return plan_for(
        task,
        Action.UNRESOLVED,
        Reason.OTHER_ORG,
        note=note,
        remedy=f"set `orgName` in {task.file}, or run with --org {recorded.org_name}",
    )


def renamed(task: DesiredTask, orphan: TaskRef) -> PlannedTask:
    note = f"{orphan.key} did the same work and left the manifests: a new name, or a new task?"
    return plan_for(
        task,
        Action.UNRESOLVED,
        Reason.RENAMED,
        note=note,
        remedy=f"taskctl state mv {orphan} {task.ref}   # for a new task: `adopt: false`",
    )


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
                task_id=verdict.task.id,
                remote=verdict.task,
                attempt=attempt,
                note=f"made by the attempt of {attempt.mark}, whose answer was lost",
            )
    for attempt, verdict in reversed(pairs):
        if isinstance(verdict, Unresolved):
            return _unresolved(task, attempt, verdict)
    waits = [verdict.until for _, verdict in pairs if isinstance(verdict, Wait)]
    if waits:
        return plan_for(
            task,
            Action.UNRESOLVED,
            Reason.SETTLING,
            attempt=attempts[-1],
            settled_at=max(waits),
            note=f"the attempt of {attempts[-1].mark} has no outcome yet and may still make a task",
            remedy="taskctl apply   # waits until that is certain, then goes on",
        )
    return plan_for(
        task,
        Action.CREATE,
        Reason.RETRY,
        attempt=attempts[-1],
        note=f"the attempt of {attempts[-1].mark} made no task",
    )


def record_lost(task: DesiredTask, attempt: Attempt, old: str) -> PlannedTask:
    """What was to replace a task made none, and that task's record is gone."""
    return plan_for(
        task,
        Action.UNRESOLVED,
        Reason.AMBIGUOUS,
        attempt=attempt,
        note=f"the attempt of {attempt.mark} was to replace task {old} and made none; the record"
        f" of {old} was lost, so another would be a second one",
        remedy=f"taskctl state settle {attempt.ref} --task-id {old}   # or --not-created",
    )


def _unresolved(task: DesiredTask, attempt: Attempt, verdict: Unresolved) -> PlannedTask:
    seen = f" ({', '.join(verdict.ids)})" if verdict.ids else ""
    which = verdict.ids[0] if len(verdict.ids) == 1 else "TASK_ID"
    return plan_for(
        task,
        Action.UNRESOLVED,
        _UNRESOLVED[verdict.kind],
        attempt=attempt,
        note=f"the attempt of {attempt.mark} may have made a task: {verdict.why}{seen}",
        remedy=f"taskctl state settle {attempt.ref} --task-id {which}   # or --not-created",
    )


def stray(attempt: Attempt, verdict: Verdict) -> PlannedTask | None:
    """An attempt whose key is in no manifest any more; None where it made no task."""
    place: dict[str, Any] = {"ref": attempt.ref, "file": attempt.file, "attempt": attempt}
    match verdict:
        case Found(task):
            note = f"made by the attempt of {attempt.mark}, and in no manifest any more"
            return PlannedTask(
                action=Action.ADOPT,
                reason=Reason.ATTEMPT,
                task_id=task.id,
                remote=task,
                note=note,
                **place,
            )
        case Wait(until):
            note = f"the attempt of {attempt.mark} has no outcome yet; its key left the manifests"
            return PlannedTask(
                action=Action.UNRESOLVED,
                reason=Reason.SETTLING,
                settled_at=until,
                note=note,
                remedy="taskctl apply   # waits until that is certain",
                **place,
            )
        case Unresolved(kind, why, ids):
            seen = f" ({', '.join(ids)})" if ids else ""
            return PlannedTask(
                action=Action.UNRESOLVED,
                reason=_UNRESOLVED[kind],
                note=f"the attempt of {attempt.mark} may have made a task: {why}{seen}",
                remedy=f"taskctl state settle {attempt.ref} --not-created",
                **place,
            )
    return None


def _name(identity: Identity) -> str:
    return identity.login or identity.id


def _age(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
