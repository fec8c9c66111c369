"""Adopts tasks of the service that are known by ID, or that do the work of a missing task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, warning
from reconciler.model.fields import NOT_RETURNED
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import Remark, remark, said
from reconciler.model.service import RemoteTask
from reconciler.model.task import DesiredTask, TaskId, TaskRef
from reconciler.model.wire import console_url
from reconciler.model.work import Work, compare_work, message_of
from reconciler.plan.lookup import matches_key
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.plan.planned import plan_for
from reconciler.plan.view import RemoteView
from reconciler.state.attempt import RetiredTask
from reconciler.state.model import State


def duplicate_warnings(backend: str, tasks: Iterable[PlannedTask]) -> Iterator[Diagnostic]:
    """A warning for each further task that an attempt has created for a key that adopts a task."""
    for task in tasks:
        for extra in task.duplicates:
            task_id = task.remote.id if task.remote is not None else ""
            yield duplicate_warning(backend, task.ref, task.file, task_id, extra)


def duplicate_warning(
    backend: str, ref: TaskRef, file: str, task_id: str, extra: str
) -> Diagnostic:
    """A warning that `extra` is a second task of the key, with the command that cancels it."""
    links = (console_url(backend, ref.org_name, each) for each in (task_id, extra))
    return warning(
        Code.DUPLICATE_REMOTE_TASK,
        at=Place(file, key=ref.key),
        ref=str(ref),
        ids=(task_id, extra),
        links=tuple(link for link in links if link),
        extra=f"{ref.org_name}/{extra}",
    )


def gone(task: DesiredTask, task_id: str, options: PlanOptions) -> PlannedTask:
    """The plan for a key whose task the service no longer has."""
    is_asked = any(matches_key(name, [task.ref]) for name in options.allow_recreate)
    if task.task_id is None and is_asked:
        case, reason = "gone.recreate", Reason.RECREATE
    else:
        case, reason = "gone.taskID" if task.task_id else "gone.kept", Reason.NOT_FOUND
    explanation = remark(case, task_id=task_id, ref=str(task.ref))
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
    created, *accepted = map(message_of, removed.versions)
    versions = (message if message is not None else created, *accepted)
    if any(compare_work(task.inputs, version) is Work.SAME for version in versions):
        explanation = remark("removed.adopt")
        kept = RemoteTask(*task_id, {"id": removed.task_id})
        return adopt(task, remote or kept, Reason.RECORD_REMOVED, state.backend, explanation)
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
    *remarks: Remark,
) -> PlannedTask:
    """An adoption, with remarks on the task, its date and its creator."""
    explanation = [*remarks, *described(remote, backend)]
    if reason is Reason.LOOK_ALIKE:
        explanation.insert(0, remark("lookAlike"))
        if hidden := tuple(name for name in NOT_RETURNED if name in task.inputs):
            explanation.append(remark("adopt.not_compared", names=hidden))
    return plan_for(task, Action.ADOPT, reason, *explanation, remote=remote)


DESCRIPTIONS = frozenset(
    {"adopt.named", "adopt.unnamed", "adopt.local", "adopt.date", "adopt.date_by", "adopt.by"}
)
"""The cases of the remarks of `described`."""


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


def open_questions(
    tasks: Sequence[PlannedTask], missing: Collection[TaskRef]
) -> Iterator[Diagnostic]:
    """Warnings about keys that existing tasks of this user, or of other users, may belong to, and
    about keys that were not compared with all tasks, with the possible answers; not about keys that
    have a record. `missing` are the keys without a task."""
    tasks = [t for t in tasks if "lookAlike.replaces" not in {r.case for r in t.remarks}]
    found = [task for task in tasks if task.is_look_alike]
    if own := [task for task in found if task.candidate is not None]:
        is_recurring = any(t.generated is not None and t.generated.period for t in own)
        case, answer = "recurring" if is_recurring else "", _answer(own, missing)
        yield warning(Code.LOOK_ALIKES, case, count=len(own), answer=answer)
    if others := [task for task in found if task.candidate is None]:
        logins = {task.remote.creator_login or "" for task in others if task.remote is not None}
        who, answer = tuple(sorted(logins)), _answer(others, missing)
        yield warning(Code.LOOK_ALIKES, "others", count=len(others), who=who, answer=answer)
    if unsure := [task for task in tasks if "unsure.cut_short" in {r.case for r in task.remarks}]:
        answer = _answer(unsure, missing)
        yield warning(Code.LOOK_ALIKES, "limit", count=len(unsure), answer=answer)


_NAMED = 100
"""The maximum number of keys in a command; the next plan shows the others."""


def _answer(tasks: Sequence[PlannedTask], missing: Iterable[TaskRef]) -> tuple[str, ...]:
    """The command that confirms that these keys have no task, with an entry instead of all of its
    keys."""
    refs = {task.ref for task in tasks}
    others = {_entry_of(ref) for ref in missing if ref not in refs}
    counts = Counter(_entry_of(ref) for ref in refs)
    names: dict[str, None] = {}
    for task in tasks:
        entry = _entry_of(task.ref)
        is_whole = entry is not None and entry not in others and counts[entry] > 1
        names[f"{entry}@*" if is_whole else str(task.ref)] = None
    return ("state", "resolve", *list(names)[:_NAMED], "--not-created")


def _entry_of(ref: TaskRef) -> TaskRef | None:
    """The entry that a key belongs to by its name."""
    entry, at, _ = ref.key.partition("@")
    return TaskRef(ref.org_name, entry) if at else None
