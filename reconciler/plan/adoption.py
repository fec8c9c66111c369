"""Existing tasks that get a key, and tasks that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from reconciler.model.options import PlanOptions
from reconciler.model.remarks import Remark, remark, said
from reconciler.model.service import RemoteTask
from reconciler.model.task import DesiredTask
from reconciler.model.wire import console_url
from reconciler.plan.explanation import Found, Open
from reconciler.plan.keys import matches_key
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.plan.planned import PlannedFields, plan_for
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record


def gone(task: DesiredTask, task_id: str, options: PlanOptions) -> PlannedTask:
    """The plan for a key whose task the service no longer has."""
    is_asked = any(matches_key(name, [task.ref]) for name in options.allow_recreate)
    if task.task_id is None and is_asked:
        case, reason = "gone.recreate", Reason.RECREATE
    else:
        case, reason = "gone.taskID" if task.task_id else "gone.kept", Reason.NOT_FOUND
    explanation = remark(case, task_id=task_id, ref=str(task.ref))
    return plan_for(task, Action.GONE, reason, explanation, task_id=task_id)


def adopt(task: DesiredTask, remote: RemoteTask, backend: str) -> PlannedTask:
    """The adoption of the task that a manifest names, with its date and its creator."""
    explanation = described(remote, backend)
    return plan_for(task, Action.ADOPT, Reason.TASK_ID, *explanation, remote=remote)


def adopt_found(
    found: Found, task: DesiredTask | None, old: Record | None, backend: str
) -> PlannedTask:
    """The recording of a task whose reference names the key. `old` is the record that it
    replaces."""
    attempt = found.attempt
    if attempt is not None:
        case = "attempt.found" if task is not None else "attempt.orphaned"
        remarks = [about(attempt, case)]
    else:
        case = "reference" if task is not None else "reference.orphaned"
        remarks = [remark(case)]
    if old is not None and old.task_id != found.record.task_id:
        remarks.append(remark("attempt.replaces", old=old.task_id))
    fields: PlannedFields = {"remote": found.remote, "task_id": found.remote.id}
    if attempt is not None:
        fields["attempt"] = attempt
    else:
        fields["description"] = tuple(described(found.remote, backend))
    subject = task if task is not None else found.record
    return plan_for(subject, Action.ADOPT, Reason.REFERENCE, *remarks, **fields)


def why_open(attempt: Attempt, verdict: Open) -> Iterator[Remark]:
    """The reason why the outcome of an attempt is unknown, and the commands with which a person
    resolves it."""
    if verdict.why is not None:
        yield verdict.why
    if verdict.reason is Reason.BLOCKED:
        return  # the warning about the organization has the commands
    which = verdict.candidate.id if verdict.candidate is not None else "TASK_ID"
    is_other = verdict.reason is Reason.OTHER_IDENTITY
    case = "attempt.resolve_other" if is_other else "attempt.resolve"
    yield remark(case, ref=str(attempt.ref), task_id=which, who=attempt.identity.name)


def about(attempt: Attempt, case: str, **facts: str) -> Remark:
    """A remark about an attempt, which is identified by its time in UTC, to the second."""
    return remark(case, at=f"{attempt.started_at:%Y-%m-%d %H:%M:%S} UTC", **facts)


def described(remote: RemoteTask, backend: str) -> Iterator[Remark]:
    """Remarks on the task, its date and its creator."""
    url = console_url(backend, remote.org_name, remote.id)
    case = "adopt.local" if url is None else "adopt.named" if remote.name else "adopt.unnamed"
    yield remark(case, name=said(remote.name), task_id=remote.id, url=url)
    login = remote.creator_login
    if remote.created_at is not None:
        date = f"{remote.created_at.astimezone(UTC):%Y-%m-%d}"
        yield remark("adopt.date_by" if login else "adopt.date", date=date, login=login)
    elif login:
        yield remark("adopt.by", login=login)
