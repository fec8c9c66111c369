"""What can be done about a changed task: its settings patched in place, or a new one made. Pure.

A setting has three values: the one recorded, the one that the manifest wants, the one at the
service. Only what the manifest moved since it was recorded is patched; what somebody moved at the
service is never moved back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reconciler.model.absent import ABSENT
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Arg, Diagnostic, Place, Severity
from reconciler.model.fields import COMPARED, PATCHED
from reconciler.model.remarks import Remark, remark
from reconciler.model.task import DesiredTask, Identity, RemoteTask
from reconciler.plan import decisions
from reconciler.plan.diff import at_service
from reconciler.plan.plan import Action, Change, Origin, PlannedTask, Reason, plan_for
from reconciler.state.model import Record


@dataclass(frozen=True, slots=True)
class Update:
    """`values` are those to be recorded: all are to be patched, but for what is `agreed`, which
    the service has already. `conflicts` moved at the service as well, `removed` have no value in
    the manifest any more."""

    values: Mapping[str, object] = field(default_factory=dict)
    agreed: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def update_of(record: Record, task: DesiredTask, remote: RemoteTask) -> Update:
    """What may be changed in place, as far as `remote` shows how it is."""
    values: dict[str, object] = {}
    agreed, conflicts, removed = [], [], []
    for name in PATCHED:
        before, wanted = (side.get(name, ABSENT) for side in (record.inputs, task.inputs))
        if wanted == before:
            continue
        present = at_service(name, remote) if name in COMPARED else ABSENT
        if wanted is ABSENT:
            removed.append(name)
        elif present == wanted:
            values[name] = wanted
            agreed.append(name)
        elif name in record.pending or ABSENT in (before, present) or present == before:
            values[name] = wanted
        else:
            conflicts.append(name)
    return Update(values, tuple(agreed), tuple(conflicts), tuple(removed))


def compared(
    task: DesiredTask,
    record: Record,
    remote: RemoteTask | None,
    diff: tuple[Change, ...],
    identity: Identity,
    *,
    equal: bool,
    update: bool,
) -> PlannedTask:
    """A recorded task and its manifest. `equal`: the manifest is as recorded. `update`: what can
    be changed in place is."""
    known: dict[str, object] = {"task_id": record.task_id, "record": record, "remote": remote}
    found = Update() if equal else _update_by(identity, record, task, remote)
    if update and found.values:
        remarks = [*_what_update_does(found, diff), *_only_by_a_new_task(task, diff)]
        known |= {"update": found.values, "agreed": found.agreed}
        return plan_for(task, Action.UPDATE, Reason.IN_PLACE, *remarks, diff=diff, **known)
    if record.pending:
        said = remark("unfinished.settings", names=tuple(sorted(record.pending)))
        return plan_for(task, Action.CHANGED, Reason.UNFINISHED, said, diff=diff, **known)
    if diff:
        remarks = [*_what_update_would_do(found), *_only_by_a_new_task(task, diff)]
        return plan_for(task, Action.CHANGED, Reason.DIFFERS, *remarks, diff=diff, **known)
    return plan_for(task, Action.UNCHANGED, Reason.SAME, **known)


def moved_and_updated(
    task: DesiredTask,
    record: Record,
    remote: RemoteTask | None,
    diff: tuple[Change, ...],
    identity: Identity,
    *,
    equal: bool,
    update: bool,
) -> PlannedTask:
    """A task whose key changed, and perhaps more."""
    planned = decisions.moved(task, record, remote, diff)
    found = Update() if equal else _update_by(identity, record, task, remote)
    if not update or not found.values:
        return planned
    remarks = (*planned.remarks, *_what_update_does(found, diff))
    return replace(planned, update=found.values, agreed=found.agreed, remarks=remarks)


def warnings(tasks: Iterable[PlannedTask], identity: Identity) -> Iterator[Diagnostic]:
    """What `--update` leaves alone although it could be changed in place, and what to do."""
    for task in tasks:
        desired, record, remote = task.desired, task.record, task.remote
        if task.action not in (Action.UPDATE, Action.CHANGED, Action.MOVE) or not task.diff:
            continue
        if desired is None or record is None or remote is None:
            continue
        found = update_of(record, desired, remote)
        if not identity.same_as(record.identity):
            if found.values or found.conflicts:
                yield _foreign(task, record, [*found.values, *found.conflicts])
            continue
        for name in found.conflicts:
            yield _conflict(task, name)
        if found.removed:
            yield _removed(task, found.removed)


def _update_by(
    identity: Identity, record: Record, task: DesiredTask, remote: RemoteTask | None
) -> Update:
    """Only who created a task may change it."""
    if remote is None or not identity.same_as(record.identity):
        return Update()
    return update_of(record, task, remote)


def _what_update_does(found: Update, diff: tuple[Change, ...]) -> Iterator[Remark]:
    if patched := tuple(name for name in found.values if name not in found.agreed):
        yield remark("update.set", names=patched)
    if found.agreed:
        yield remark("update.agreed", names=found.agreed)
    left = (c.path for c in diff if c.path not in found.values and c.origin is not Origin.REMOTE)
    if rest := tuple(left):
        yield remark("update.rest", names=rest)


def _what_update_would_do(found: Update) -> Iterator[Remark]:
    """Without `--update`; what it would not do either, its warnings say at more length."""
    if found.conflicts:
        yield remark("update.conflict", names=found.conflicts)
    if found.removed:
        yield remark("update.removed", names=found.removed)
    if found.values:
        yield remark("update.possible", names=tuple(found.values))


def _only_by_a_new_task(task: DesiredTask, diff: tuple[Change, ...]) -> Iterator[Remark]:
    """Not for a setting that only left the manifest: that is not worth an agent."""
    fixed = tuple(change.path for change in diff if change.path not in PATCHED)
    if fixed and task.task_id is None:
        yield remark("update.only_new", names=fixed, key=task.key)


def _conflict(task: PlannedTask, name: str) -> Diagnostic:
    change = next((change for change in task.diff if change.path == name), None)
    theirs = _shown(change.before) if change is not None else "another value"
    ours = _shown(change.after) if change is not None else "another one"
    return _warning(task, "both", name=name, theirs=theirs, ours=ours)


def _removed(task: PlannedTask, names: tuple[str, ...]) -> Diagnostic:
    return _warning(task, "removed", names=names, ref=str(task.ref))


def _foreign(task: PlannedTask, record: Record, names: list[str]) -> Diagnostic:
    maker = record.identity.login or record.identity.id
    return _warning(task, "foreign", names=tuple(names), maker=maker)


def _warning(task: PlannedTask, case: str, **facts: Arg) -> Diagnostic:
    at = Place(task.file, task.line, key=task.ref.key)
    return Diagnostic(Code.NOT_UPDATED, Severity.WARNING, case, {"key": task.ref.key, **facts}, at)


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
